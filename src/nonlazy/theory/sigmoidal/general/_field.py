"""The field t and the weights of the wells: Newton's method on the concave dual."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve

from nonlazy.errors import TheoryError
from nonlazy.theory.sigmoidal.general._relax import RELAXED, relax
from nonlazy.theory.sigmoidal.general._response import Response, response
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._well import Well, learned, local


STEPS = 120
# Steps without halving what is missing, after which more of them would not either.
PATIENCE = 30
ASK_FOR_MORE = 8
# Changes of t below which a well may vanish without asking.
SMALLEST_STEP = 1e-3
# Stop when max|Y - T t - <phi a^T>| / max|Y| and the differences of chemical potentials (nats) are below these.
RESIDUAL = 1e-9
LEVEL = 1e-7
# Beyond this, what double precision leaves of the residual on ill-conditioned kernels is accepted.
ACCEPTED = 1e-7
# Wells are relaxed to this fraction of the residual that is left, and at least to the accuracy after it.
FOLLOWED = 1e-3
ROUGHLY = 1e-4
# Wells whose weight falls below this leave; they return if the search finds that they are needed.
NEGLIGIBLE = 1e-10


@dataclass(frozen=True, eq=False)
class Population:
    """Wells and the shares of neurons in them, in a field.

    **Fields:** `t`: `(P, k)`; `wells`; `weights`: `(n,)`, sum 1; `responses`: one a well, taken nearby; `group`:
    `(n,)`, wells of one group exchange neurons, and each group keeps its own total (one group: equilibrium).
    """

    t: Float[np.ndarray, "P k"]
    wells: tuple[Well, ...]
    weights: Float[np.ndarray, " n"]
    responses: tuple[Response, ...]
    group: Int[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Balance:
    """How far a population is from solving the equations.

    **Fields:** `learned` `(P k, n)`: <phi a^T> of each well; `force` `(P, k)`: Y - T t - <phi a^T>; `residual`: its
    largest entry relative to that of Y; `levels` `(n,)`: E_g + log w_g (with the readout's entropy where the well is a
    point), equal at equilibrium; `spread`: by how much they are not.
    """

    learned: Float[np.ndarray, "Pk n"]
    force: Float[np.ndarray, "P k"]
    residual: float
    levels: Float[np.ndarray, " n"]
    spread: float


def balance(setting: Setting, population: Population) -> Balance:
    """The equations that `population` is to solve."""
    contributions = np.stack([learned(setting, well).ravel() for well in population.wells], axis=1)
    t, weights = population.t, population.weights
    force = setting.targets - setting.temperature * t - (contributions @ weights).reshape(t.shape)
    levels = energies(setting, population) + setting.entropy * np.log(weights)
    # A residual relative to targets that all vanish has no meaning; any scale does then.
    scale = float(np.abs(setting.targets).max()) or 1.0
    spread = 0.0
    for members in groups_of(population):
        share = weights[members] / weights[members].sum()
        spread = max(spread, float(np.abs(levels[members] - share @ levels[members]).max()))
    return Balance(contributions, force, float(np.abs(force).max()) / scale, levels, spread)


def groups_of(population: Population) -> list[Int[np.ndarray, " members"]]:
    """The wells of each group."""
    return [np.flatnonzero(population.group == label) for label in np.unique(population.group)]


def energies(setting: Setting, population: Population) -> Float[np.ndarray, " n"]:
    """E_g in nats, with the readout's own entropy, which a well that is a point in the readout lacks."""
    E = np.array([well.energy for well in population.wells])
    if setting.joint:
        return E
    log_det = [np.linalg.slogdet(response.curvature)[1] for response in population.responses]
    return E + 0.5 * setting.entropy * np.array(log_det)


def settle(
    setting: Setting,
    t: Float[np.ndarray, "P k"],
    wells: Sequence[Well],
    weights: Float[np.ndarray, " n"],
    group: Int[np.ndarray, " n"],
) -> Population:
    """The population of the distinct wells that the given ones relax to.

    **Raises:** `nonlazy.errors.TheoryError` where none of them does.
    """
    relaxed = [relax(setting, t, well) for well in wells]
    kept = [g for g, found in enumerate(relaxed) if found is not None]
    if not kept:
        raise TheoryError("no well of the single-neuron energy was found: this is an error of the solver, report it")
    found = [pair for pair in relaxed if pair is not None]
    settled = Population(
        t,
        tuple(well for well, _ in found),
        weights[kept] / weights[kept].sum(),
        tuple(known for _, known in found),
        group[kept],
    )
    return _merged(setting, settled)


def equilibrate(
    setting: Setting,
    population: Population,
    more: Callable[[Population], Population | None] | None = None,
    residual: float = RESIDUAL,
    level: float = LEVEL,
    continued: bool = False,
    steps: int = STEPS,
) -> Population:
    """Solves for the field and for the weights within each group.

    At given weights, F(t) = tr t^T Y - T|t|^2/2 + sum_g w_g E_g(t) is concave, and a Newton step damped by a
    trust region climbs it. The weights take a Newton step of their own beforehand, towards equal levels. Where a step
    would make a well fall into another one, the other one joins: F has a kink there, at which both are populated.
    Where the population as it is leads nowhere, `more` is asked for wells that it lacks. It stops where the
    residual and the differences of levels (nats) are below `residual` and `level`. `continued`: the population nearly
    solves the equations, or does so at a temperature a few times as high; the first step may then be as large as t.
    `steps`: the most of them.

    **Raises:** `nonlazy.errors.TheoryError` where it does not converge.
    """
    # In units in which s2 = P sigma_a^2 is 1, t is of order 1 to 100.
    scale = setting.scale
    first = _Trust(damping=0.5 * scale, reach=4.0 / float(np.sqrt(scale)))
    trust = first
    best, idle = np.inf, 0
    now = balance(setting, population)
    if continued:
        reach = max(first.reach, 2 * float(np.abs(population.t).max()))
        trust = _Trust(damping=setting.temperature * min(now.residual, 1.0), reach=reach)
    for _ in range(steps):
        population = _refreshed(setting, population)
        now = balance(setting, population)
        if now.residual < residual and now.spread < level:
            return population
        off = max(now.residual, 1e-2 * now.spread)
        idle = 0 if off < 0.5 * best else idle + 1
        best = min(best, off)
        if idle >= 8 and now.residual < ACCEPTED and now.spread < 1e3 * LEVEL:
            return population
        if idle >= PATIENCE:
            break
        if more is not None and idle and idle % ASK_FOR_MORE == 0:
            larger = more(population)
            if larger is not None:
                population, trust, idle, best = larger, first, 0, np.inf
                continue
        hessian = curvature(setting, population)
        moved = None
        while moved is None:
            if trust.damping > 1e9:
                raise TheoryError(_stuck(setting, population, now))
            moved, trust = _step(setting, population, now, hessian, trust)
        population = _pruned(_merged(setting, moved))
    raise TheoryError(_stuck(setting, population, now))


@dataclass(frozen=True)
class _Trust:
    """The damping added to the Hessian, and the largest change of t that is allowed."""

    damping: float
    reach: float

    def tightened(self, factor: float, least: float) -> "_Trust":
        return _Trust(max(factor * self.damping, least), self.reach)


def _stuck(setting: Setting, population: Population, now: Balance) -> str:
    return (
        f"the theory's equations were not solved: residual {now.residual:.1e} after the last step, at T = "
        f"{setting.temperature:g} with {len(population.wells)} wells. Wells that come close to each other and "
        "temperatures near 0 are where this has been seen. Solve at another temperature or with fewer inputs, or "
        "sample with nonlazy.sample"
    )


def _step(
    setting: Setting, population: Population, now: Balance, hessian: Float[np.ndarray, "Pk Pk"], trust: _Trust
) -> tuple[Population | None, _Trust]:
    """One trial: the new population, or None where it was refused; and the next trust region."""
    t, weights, V = population.t, population.weights, now.learned
    matrix = hessian.copy()
    matrix[np.diag_indices_from(matrix)] += trust.damping
    try:
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None, trust.tightened(10.0, 1e-8)
    new_weights = _new_weights(setting, population, now, factor)
    force = now.force.ravel() - V @ (new_weights - weights)
    change = cho_solve(factor, force, check_finite=False)
    size = float(np.abs(change).max())
    if size > trust.reach:
        return None, trust.tightened(min(max(size / trust.reach, 1.5), 5.0), 1e-3 * float(np.abs(force).max()))
    accuracy = min(max(FOLLOWED * now.residual, RELAXED), ROUGHLY)
    moved = _followed(setting, population, t + change.reshape(t.shape), new_weights, accuracy)
    if moved is None:
        return None, trust.tightened(5.0, 1e-4)
    if size > SMALLEST_STEP and _loses_wanted(setting, population, moved, now):
        return None, _Trust(max(3 * trust.damping, 1e-4), 0.5 * size)
    expected = 0.5 * float(force @ change + trust.damping * change @ change)
    E = np.array([well.energy for well in population.wells])
    risen = _value(setting, moved.t, moved.weights, np.array([well.energy for well in moved.wells]))
    gain = (risen - _value(setting, t, new_weights, E)) / expected if expected > 0 else 1.0
    if expected < 1e-9 * max(1.0, float(np.abs(E).max())):
        gain = 1.0
    if gain < 0.5:
        grown = _with_fallen(setting, population, moved)
        if grown is not None:
            return grown, trust
    if gain < 0.1:
        return None, _Trust(max(5 * trust.damping, 1e-4), 0.5 * max(size, 1.0))
    damping = trust.damping / 10 if gain > 0.5 else 2 * trust.damping if gain < 0.25 else trust.damping
    if damping < max(1e-3 * setting.temperature, 1e-10):
        damping = 0.0
    trusted = abs(gain - 1) < 0.3 and size > 0.3 * trust.reach
    return moved, _Trust(damping, 2 * trust.reach if trusted else trust.reach)


def _loses_wanted(setting: Setting, population: Population, moved: Population, now: Balance) -> bool:
    """Whether a well that is below its group's level fell into one that is there already.

    The step then went past the end of its branch, and the field at which both are level lies on the way.
    """
    for group in groups_of(population):
        share = population.weights[group] / population.weights[group].sum()
        level = float(share @ now.levels[group])
        for g in group:
            if now.levels[g] > level - 1.0:
                continue
            if any(same(setting, moved.wells[g], moved.wells[other]) for other in group if other != g):
                return True
    return False


def _with_fallen(setting: Setting, population: Population, moved: Population) -> Population | None:
    """The population at its old field, with the wells added that wells of it fell into on the way to `moved`."""
    wells, responses = list(population.wells), list(population.responses)
    weights, group = list(population.weights), list(population.group)
    for g, fallen in enumerate(moved.wells):
        if np.abs(setting.roots @ (fallen.u - population.wells[g].u)).max() < 0.1:
            continue
        back = relax(setting, population.t, fallen)
        if back is None or any(same(setting, back[0], well) for well in wells):
            continue
        wells.append(back[0])
        responses.append(back[1])
        weights.append(0.1 * weights[g])
        weights[g] *= 0.9
        group.append(population.group[g])
    if len(wells) == len(population.wells):
        return None
    return Population(population.t, tuple(wells), np.array(weights), tuple(responses), np.array(group))


def _value(setting: Setting, t, weights, E) -> float:
    return float(np.sum(t * setting.targets) - 0.5 * setting.temperature * np.sum(t * t) + weights @ np.asarray(E))


def _new_weights(setting: Setting, population: Population, now: Balance, factor) -> Float[np.ndarray, " n"]:
    """Newton's step towards equal levels in each group, with the field's response.

    Far from the solution levels differ by hundreds of nats, where an entropy of one nat holds nothing back: it then
    counts more, in proportion to the differences, as the barrier of an interior-point method does.
    """
    V, weights, n = now.learned, population.weights, population.weights.size
    members = groups_of(population)
    if len(members) == n:
        return weights
    belongs = np.zeros((len(members), n))
    for row, group in enumerate(members):
        belongs[row, group] = 1
    totals = belongs @ weights
    mean = belongs.T @ ((belongs @ (weights * now.levels)) / totals)
    barrier = max(setting.entropy, 0.3 * float(weights @ np.abs(now.levels - mean)))
    # The level is subtracted first: energies are large, their differences of order one.
    levels = now.levels - mean + (barrier - setting.entropy) * np.log(weights)
    system = np.zeros((n + len(members), n + len(members)))
    system[:n, :n] = (V.T @ cho_solve(factor, V, check_finite=False)) * weights + barrier * np.eye(n)
    system[:n, n:] = -belongs.T
    system[n:, :n] = belongs * weights
    pull = V.T @ cho_solve(factor, now.force.ravel(), check_finite=False)
    change = np.linalg.lstsq(system, np.append(pull - levels, np.zeros(len(members))), rcond=1e-14)[0][:n]
    # Wells that hardly anybody is in may empty fast.
    new = weights * np.exp(np.clip(change, np.where(weights > 1e-2, -2.0, -8.0), 1.0))
    return new * (belongs.T @ (totals / (belongs @ new)))


def _followed(setting: Setting, population: Population, t, weights, accuracy: float) -> Population | None:
    wells, responses = [], []
    for well, known in zip(population.wells, population.responses, strict=True):
        found = relax(setting, t, well, known, accuracy)
        if found is None:
            return None
        wells.append(found[0])
        responses.append(found[1])
    return Population(t, tuple(wells), weights, tuple(responses), population.group)


def _refreshed(setting: Setting, population: Population) -> Population:
    responses = []
    for well in population.wells:
        here = local(setting, population.t, well.u, well.b, well.v, well.c)
        responses.append(response(setting, population.t, here, well.shape))
    return Population(population.t, population.wells, population.weights, tuple(responses), population.group)


def _selected(population: Population, kept, weights) -> Population:
    return Population(
        population.t,
        tuple(population.wells[g] for g in kept),
        weights / weights.sum(),
        tuple(population.responses[g] for g in kept),
        population.group[kept],
    )


def _pruned(population: Population) -> Population:
    alone = np.array([np.sum(population.group == label) == 1 for label in population.group])
    kept = np.flatnonzero(alone | (population.weights > NEGLIGIBLE))
    return population if kept.size == population.weights.size else _selected(population, kept, population.weights[kept])


def _merged(setting: Setting, population: Population) -> Population:
    kept: list[int] = []
    weights = population.weights.copy()
    for g in range(len(population.wells)):
        twins = (k for k in kept if same(setting, population.wells[g], population.wells[k]))
        twin = next((k for k in twins if population.group[k] == population.group[g]), None)
        if twin is None:
            kept.append(g)
        else:
            weights[twin] += weights[g]
    return population if len(kept) == len(population.wells) else _selected(population, kept, weights[kept])


def same(setting: Setting, one: Well, other: Well) -> bool:
    """Whether two relaxed wells are one."""
    # Soft wells relax to few digits; distinct ones differ by a flipped input at least.
    if np.abs(setting.sigma_a * (one.b - other.b)).max() > 0.02:
        return False
    return bool(np.abs(setting.roots @ (one.u - other.u)).max() < 0.03)


def curvature(setting: Setting, population: Population) -> Float[np.ndarray, "Pk Pk"]:
    """Minus the Hessian of F in t: T + sum_g w_g [C_g (x) a_g a_g^T + J_g H_g^-1 J_g^T]."""
    P, k = setting.P, setting.k
    matrix = np.zeros((P, k, P, k))
    flat = matrix.reshape(P * k, P * k)
    for well, known, weight in zip(population.wells, population.responses, population.weights, strict=True):
        a = setting.sigma_a * well.b
        for r in range(k):
            for s in range(k):
                matrix[:, r, :, s] += (weight * a[r] * a[s]) * known.matrix
        jacobian = known.field_jacobian(a).reshape(P * k, k)
        flat += weight * jacobian @ np.linalg.solve(known.curvature, jacobian.T)
    flat[np.diag_indices_from(flat)] += setting.temperature
    return flat
