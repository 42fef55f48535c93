"""Solves a sigmoidal network with one hidden layer on any data: from a posterior to its prediction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.posterior import Posterior
from nonlazy.theory.linear._input_modes import input_modes
from nonlazy.theory.sigmoidal._quenched import checked_fractions
from nonlazy.theory.sigmoidal.general._averages import averages_of
from nonlazy.theory.sigmoidal.general._contradictions import check_contradictions
from nonlazy.theory.sigmoidal.general._equilibrium import Outcome, find_equilibrium, first_equilibrium
from nonlazy.theory.sigmoidal.general._field import Population, balance, energies, equilibrate, groups_of, settle
from nonlazy.theory.sigmoidal.general._merging import APART, Merged, wells_of
from nonlazy.theory.sigmoidal.general._prediction import GeneralSigmoidalPrediction
from nonlazy.theory.sigmoidal.general._search import active_classes
from nonlazy.theory.sigmoidal.general._setting import Fluctuations, Setting
from nonlazy.theory.sigmoidal.general._starts import Starts
from nonlazy.theory.sigmoidal.general._well import Well


# The Hessian of the field has (P k)^2 numbers.
LARGEST_FIELD = 12_000
# Nats per neuron by which shares of codes are visibly off.
LARGE_GAP = 0.1


def solve_sigmoidal_general(
    posterior: Posterior,
    finite_size: bool = True,
    fractions: Mapping[tuple[int, ...], float] | None = None,
    fluctuations: Fluctuations = "variational",
) -> "GeneralSigmoidalPrediction":
    """Codes, fractions, predictor and kernels of a sigmoidal network with one hidden layer, on any training inputs.

    **Arguments:**

    - `posterior`: of a non-lazy network with one hidden layer and activation "sigmoid" or "erf". Input kernels may be
      singular (P > N0). N does not enter: the theory is that of large N.
    - `finite_size`: whether a neuron's readout fluctuates within its code and entropy takes part in the codes' shares,
      as they do at the task's own P. False: neither does, the leading order in P.
    - `fractions`: None for equilibrium, or the codes' shares to hold fixed, `{(1, 1, 0): 0.6, (1, 0, 1): 0.4}`.
    - `fluctuations`: `"variational"`: the preactivations of a neuron with given code are a Gaussian, the best one by
      the variational principle; `"neglected"`: they are points, as in the paper.

    **Raises:** `nonlazy.errors.InvalidInput` for another kind of network, for fractions that are no shares, and where a
    code of `fractions` is unstable; `nonlazy.errors.TheoryError` where the equations could not be solved.

    Source: van Meegen & Sompolinsky (2025), "Results"; docs/theory/general-data.md.
    """
    averages = _checked(posterior, fluctuations)
    task = posterior.task
    if posterior.temperature == 0:
        check_contradictions(task.X, task.Y, odd=averages.threshold == 0)
    shares = None if fractions is None else checked_fractions(fractions, task.classes)
    modes = input_modes(task.X, task.Y)
    basis = _row_space(task.Y)
    if task.P * len(basis) > LARGEST_FIELD:
        raise InvalidInput(
            f"P = {task.P} inputs with targets of rank {len(basis)} make a field of {task.P * len(basis)} numbers; "
            f"this solver takes {LARGEST_FIELD}: take fewer inputs"
        )
    setting = Setting(
        math.sqrt(posterior.sigma2[0]) * modes.project(task.X)[0],
        task.Y @ basis.T,
        posterior.temperature,
        math.sqrt(posterior.sigma_a2),
        averages,
        fluctuations,
        finite_size,
    )
    present = np.unique(task.labels)
    members = np.stack([task.labels == c for c in present]).astype(np.float64)
    if shares is None:
        outcome = find_equilibrium(setting, members)
    else:
        outcome = _quenched(setting, members, present, shares)
    return _prediction(posterior, setting, modes, basis, outcome, shares)


def _checked(posterior: Posterior, fluctuations: str):
    network = posterior.network
    if network.depth != 1:
        raise InvalidInput(
            f"depth is {network.depth}: the theory of sigmoidal networks on general data has one hidden layer; "
            "sample this network instead, with nonlazy.sample"
        )
    if network.readout != "non-lazy":
        raise InvalidInput(
            f"readout is {network.readout!r}: codes are a matter of the non-lazy readout (1/N); for the lazy one there "
            "is nonlazy.theory.gaussian_process"
        )
    if fluctuations not in ("variational", "neglected"):
        raise InvalidInput(f"fluctuations is {fluctuations!r}: choose 'variational' or 'neglected'")
    return averages_of(network.phi.name)


def _row_space(Y: Float[np.ndarray, "P m"]) -> Float[np.ndarray, "k m"]:
    """An orthonormal basis of the outputs that the targets use; in the others the readouts keep their prior."""
    _, singular, directions = np.linalg.svd(Y, full_matrices=False)
    rank = int(np.sum(singular > max(Y.shape) * np.finfo(np.float64).eps * singular[0]))
    return directions[: max(rank, 1)]


def _quenched(setting: Setting, members, present, shares) -> Outcome:
    codes = np.array([[code[c] for c in present] for code in shares], dtype=np.float64)
    weights = np.array(list(shares.values()))
    population = _from_equilibrium(setting, members, codes, weights, Starts(setting))
    if isinstance(population, list):
        lost = " and ".join("-".join(str(int(on)) for on in codes[g]) for g in population)
        raise InvalidInput(
            f"no solution was found with the fractions given: code {lost} is unstable, its neurons would turn to "
            "another one. Give its share to a code next to it, or ask for equilibrium (fractions=None)"
        )
    return Outcome(population, None, len(codes), np.inf)


def _held(setting: Setting, members, codes, population: Population) -> Population | list[int]:
    """The field at the population's fractions, or the codes whose wells turned to another one (all, where unsolved)."""
    try:
        population = equilibrate(setting, population)
    except TheoryError:
        return list(range(len(codes)))
    active = active_classes(setting, members, population.wells)
    lost = []
    for g, code in enumerate(codes):
        group = population.group == g
        if not group.any() or not (active[group] == code.astype(bool)).all():
            lost.append(g)
    return lost if lost else population


def _from_equilibrium(setting: Setting, members, codes, weights, starts: Starts) -> Population | list[int]:
    """The field at fractions away from equilibrium, in steps if need be; or the codes that were lost on the way."""
    equilibrium, _ = first_equilibrium(setting, members, starts)
    active = active_classes(setting, members, equilibrium.wells)
    everything = [tuple(code) for code in codes.astype(bool)]
    everything += [code for code in dict.fromkeys(map(tuple, active)) if code not in everything]
    wells, before = [], []
    for code in everything:
        same_code = np.flatnonzero((active == np.array(code)).all(axis=1))
        before.append(float(equilibrium.weights[same_code].sum()))
        if same_code.size:
            wells.append(equilibrium.wells[same_code[np.argmax(equilibrium.weights[same_code])]])
        else:
            wells.append(starts.well(np.array(code, dtype=np.float64) @ members, equilibrium.t))
    after = np.append(weights, np.zeros(len(everything) - len(codes)))
    at, step, t = 0.0, 1.0, equilibrium.t
    while at < 1:
        share = min(1.0, at + step)
        mixed = (1 - share) * np.array(before) + share * after
        kept = np.flatnonzero(mixed > 0)
        wanted = np.array([everything[g] for g in kept], dtype=np.float64)
        first = settle(setting, t, [wells[g] for g in kept], mixed[kept], np.arange(kept.size))
        reached = _held(setting, members, wanted, first)
        if isinstance(reached, list):
            step /= 2
            if step < 0.05:
                return [int(g) for g in kept[reached] if g < len(codes)] or list(range(len(codes)))
            continue
        at, t = share, reached.t
        for row, g in enumerate(kept):
            members_of = np.flatnonzero(reached.group == row)
            wells[g] = reached.wells[members_of[np.argmax(reached.weights[members_of])]]
        if at == 1:
            return reached
    raise AssertionError("unreachable")


@dataclass(frozen=True, eq=False)
class _Answer:
    """What a prediction is made of: the law of one neuron, and how well it solves the equations."""

    t: Float[np.ndarray, "P k"]
    wells: tuple[Well, ...]
    weights: Float[np.ndarray, " n"]
    laplace: tuple[Float[np.ndarray, "k k"], ...]
    value: float
    residual: float
    gap: float
    certificate: str


def _prediction(posterior, setting: Setting, modes, basis, outcome: Outcome, shares) -> GeneralSigmoidalPrediction:
    if outcome.merged is not None:
        answer = _of_mixture(setting, outcome.merged)
    else:
        assert outcome.population is not None
        answer = _of_wells(setting, outcome.population, outcome, shares is not None)
    return GeneralSigmoidalPrediction(
        posterior=posterior,
        finite_size=setting.finite_size,
        fluctuations=setting.fluctuations,
        ensemble="equilibrium" if shares is None else "quenched",
        dual_field=answer.t @ basis,
        free_energy=answer.value / setting.P,
        residual=answer.residual,
        gap=answer.gap,
        certified=False,
        certificate=answer.certificate,
        setting=setting,
        modes=modes,
        basis=basis,
        wells=answer.wells,
        weights=answer.weights,
        laplace=answer.laplace,
    )


def _of_mixture(setting: Setting, merged: Merged) -> _Answer:
    solution = merged.solution
    gap = solution.gain
    if np.isfinite(merged.lowest):
        gap += math.log1p(math.exp(min(-merged.lowest, 700.0)))
    words = f"best of {merged.starts} starts, gap {gap:.1e} nats per neuron for this many Gaussians"
    if merged.apart < APART:
        words += "; codes overlap: the Gaussians share neurons, and their own fractions mean little"
    if gap > LARGE_GAP:
        words += "; wells lie below that the solver could not populate"
    return _Answer(
        solution.t,
        wells_of(setting, solution),
        solution.mixture.weights,
        (),
        solution.now.value,
        solution.residual,
        gap,
        words,
    )


def _of_wells(setting: Setting, population: Population, outcome: Outcome, frozen: bool) -> _Answer:
    now = balance(setting, population)
    t, weights = population.t, population.weights
    E = energies(setting, population)
    entropy = 0.0
    for group in groups_of(population):
        total = weights[group].sum()
        entropy += float(np.sum(weights[group] * np.log(weights[group] / total)))
    linear = float(np.sum(t * setting.targets) - 0.5 * setting.temperature * np.sum(t * t))
    value = linear + float(weights @ E) + setting.entropy * entropy
    gap = _gap(setting, population, now, E, outcome.lowest)
    if frozen:
        words = f"fractions given; the field is optimal to {gap:.1e} nats per neuron for these {len(weights)} wells"
    else:
        words = f"best of {outcome.starts} starts, gap {gap:.1e} nats per neuron among the wells they found"
        if gap > LARGE_GAP:
            words += "; wells lie below that the solver could not populate"
    covariances = tuple(setting.sigma_a**2 * np.linalg.inv(known.curvature) for known in population.responses)
    return _Answer(t, population.wells, weights, covariances, value, now.residual, gap, words)


def _gap(setting: Setting, population: Population, now, E, lowest: float) -> float:
    """Primal minus dual value, in nats per neuron, over all wells that the search knows.

    Primal: the energy of this population with its own outputs. Dual: F at this field with the weights that are best for
    it. Their difference bounds how far either is from the optimum over these wells.
    """
    weights, entropy = population.weights, setting.entropy
    missed = 0.0
    for group in groups_of(population):
        share = weights[group] / weights[group].sum()
        levels = E[group] + entropy * np.log(share)
        least = float(np.min(levels))
        best = least - entropy * math.log(float(np.sum(share * np.exp(-(levels - least) / entropy))))
        missed += float(weights[group].sum()) * (float(share @ levels) - best)
    if np.isfinite(lowest):
        missed += entropy * math.log1p(math.exp(min(-lowest / entropy, 700.0)))
    # Rounding of energies of hundreds of nats can make a vanishing difference negative.
    missed = max(missed, 0.0)
    force = float(np.sum(now.force**2))
    if setting.temperature > 0:
        return missed + force / (2 * setting.temperature)
    return missed + abs(float(np.sum(population.t * now.force)))
