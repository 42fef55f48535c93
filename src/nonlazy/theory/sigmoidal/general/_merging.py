"""Equilibrium where codes may merge: a mixture of Gaussians that overlap, cooled to the temperature."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.errors import TheoryError
from nonlazy.theory.sigmoidal.general._mixture import (
    Mixture,
    Solution,
    at,
    minimise,
    mixture_of,
    precision_of,
    thinned,
)
from nonlazy.theory.sigmoidal.general._overlap import overlap
from nonlazy.theory.sigmoidal.general._relax import descend
from nonlazy.theory.sigmoidal.general._search import patterns_of
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._starts import Starts, first_field
from nonlazy.theory.sigmoidal.general._well import Shape, Well, energy_of, local, shape_of


# All subsets of up to this many classes are starts; else single classes and their complements.
ALL_SUBSETS = 4
# In units of s2 = P sigma_a^2; above it there is one code on every task of the paper's kind.
FIRST_TEMPERATURE = 0.3
COOLING = 3.0
STEPS_WHILE_COOLING, STEPS, CHUNK, LATER_STEPS = 30, 600, 30, 120
MOST_COMPONENTS, MOST_STARTS = 20, 60
# The residual that is promised, and what the solver aims at.
PROMISED, AIM = 1e-6, 1e-8
# Nats per neuron that another step would gain.
GAIN = 1e-7
# The gain that is aimed at until components as close as this (nats) have been taken together.
SHARP, ENOUGH = 1e-14, 1e-1
# Components further apart than this (nats) do not see each other: they are wells.
APART = 25.0
# Components closer than this (Bhattacharyya distance, nats) are taken together: at first, and where soft directions
# between them keep the descent from ending.
COINCIDE = (1e-3, 0.5)
ROUNDS = 2
TRIAL_SHARE = 1e-2
# A new component has to be this far (nats) from those that are there.
CLOSE = 1.0


@dataclass(frozen=True, eq=False)
class Merged:
    """A solved mixture, and how many starts it comes from."""

    solution: Solution
    starts: int
    lowest: float

    @property
    def apart(self) -> float:
        """The smallest distance between components, infinite for one."""
        distances = self.solution.now.overlap.distances
        rows, columns = np.triu_indices(len(distances), 1)
        return float(distances[rows, columns].min(initial=np.inf))


def solve_merging(setting: Setting, members: Float[np.ndarray, "C P"], starts: Starts) -> Merged:
    """The best mixture that cooling from a high temperature leads to, with components that a search adds.

    **Raises:** `nonlazy.errors.TheoryError` where the residual stays above what is promised.
    """
    mixture = _first(setting, members, starts)
    tried = len(mixture.weights)
    temperature = max(setting.temperature, FIRST_TEMPERATURE * setting.scale)
    while temperature > setting.temperature:
        mixture = minimise(at(setting, temperature), mixture, STEPS_WHILE_COOLING, 1e-2).mixture
        temperature = max(temperature / COOLING, setting.temperature)
    solution = solved(setting, mixture, STEPS)
    merged = deepened(setting, members, starts, solution, lambda larger, _: solved(setting, larger, LATER_STEPS))
    check_promised(setting, merged.solution)
    return Merged(merged.solution, tried + merged.starts, merged.lowest)


def deepened(
    setting: Setting,
    members: Float[np.ndarray, "C P"],
    starts: Starts,
    solution: Solution,
    again: Callable[[Mixture, Float[np.ndarray, "P k"]], Solution],
) -> Merged:
    """The solution with Gaussians that lower its free energy; `again(mixture, t)` solves a larger mixture from t."""
    tried, lowest = 0, np.inf
    for attempt in range(ROUNDS + 1):
        generator = np.random.default_rng(attempt)
        chosen = patterns_of(setting, members, _on(setting, solution.mixture), solution.t, generator)
        if len(chosen) > MOST_STARTS:
            chosen = chosen[generator.permutation(len(chosen))[:MOST_STARTS]]
        tried += len(chosen)
        larger, lowest = _with_lower(setting, solution, starts, chosen)
        # The last search only says what lies below.
        if larger is None or attempt == ROUNDS:
            break
        found = again(larger, solution.t)
        if found.now.value > solution.now.value - GAIN or found.residual > PROMISED:
            break
        solution, lowest = found, np.inf
    return Merged(solution, tried, lowest)


def check_promised(setting: Setting, solution: Solution) -> None:
    """**Raises:** `nonlazy.errors.TheoryError` where the residual stays above what is promised."""
    if solution.residual <= PROMISED:
        return
    raise TheoryError(
        f"the theory's equations were solved to a residual of {solution.residual:.0e} only ({PROMISED:.0e} is "
        f"promised) at T = {setting.temperature:g}, with a mixture of {_described(solution)}. "
        "Solve at another temperature, or sample this network with nonlazy.sample"
    )


def _described(solution: Solution) -> str:
    n, apart = len(solution.mixture.weights), Merged(solution, 0, np.inf).apart
    if n == 1:
        return "1 Gaussian"
    overlapping = " and overlap" if apart < CLOSE else ""
    return f"{n} Gaussians, of which the closest two are {apart:.1g} nats apart{overlapping}"


def wells_of(setting: Setting, solution: Solution) -> tuple[Well, ...]:
    """The components as wells, each with its energy in the field."""
    mixture, now, r = solution.mixture, solution.now, setting.rank
    wells = []
    for g, x in enumerate(mixture.means):
        L = np.linalg.cholesky(mixture.precisions[g])
        nothing = np.zeros((setting.P, setting.k))
        # Observables need the factor and the moments; no sites make up the precision of Gaussians that overlap.
        shape = Shape(
            nothing,
            np.zeros(setting.P),
            L,
            np.linalg.solve(L[:r, :r], setting.roots.T),
            nothing.T,
            now.v[g],
            now.c[g],
            0.0,
        )
        energy = float(now.divergence[g] - np.sum(solution.t * now.learned[g]))
        wells.append(Well(x[:r], x[r:], now.v[g], now.c[g], shape, energy))
    return tuple(wells)


def relaxable(setting: Setting, solution: Solution) -> list[Well]:
    """The components as starting points of wells that do not see each other."""
    wells = []
    for g, well in enumerate(wells_of(setting, solution)):
        here = local(setting, solution.t, well.u, well.b, well.v, well.c)
        shape = shape_of(setting, here.tilt, here.stiffness)
        if shape is None:
            shape = shape_of(setting, np.zeros_like(here.tilt), np.maximum(here.stiffness, 0.0))
        assert shape is not None
        energy = energy_of(here, well.u, well.b, shape.cost)
        wells.append(Well(well.u, well.b, solution.now.v[g], solution.now.c[g], shape, energy))
    return wells


def _first(setting: Setting, members: Float[np.ndarray, "C P"], starts: Starts) -> Mixture:
    """Neurons of all codes of classes, half as far from the prior's mean as at low temperature."""
    C = len(members)
    if C <= ALL_SUBSETS:
        codes = np.array(list(itertools.product([0.0, 1.0], repeat=C))[1:])
    else:
        codes = np.unique(np.concatenate([np.eye(C), 1 - np.eye(C)]), axis=0)
    weights = np.full(len(codes), 1 / len(codes))
    t = first_field(setting, members, codes, weights)
    wells = [starts.well(code @ members, t) for code in codes]
    means = np.array([0.5 * np.concatenate([well.u, well.b]) for well in wells])
    return mixture_of(weights, means, np.tile(np.eye(means.shape[1]), (len(codes), 1, 1)))


def solved(setting: Setting, mixture: Mixture, steps: int) -> Solution:
    """A stationary mixture, with Gaussians that coincide taken together."""
    solution = minimise(setting, mixture, CHUNK, AIM)
    for coincide in np.geomspace(*COINCIDE, steps // CHUNK):
        smaller = thinned(solution.mixture, solution.now, float(coincide))
        if smaller is solution.mixture and solution.residual < AIM and solution.gain < SHARP:
            break
        if coincide > ENOUGH and solution.residual < AIM and solution.gain < GAIN:
            break
        before, solution = solution.gain, minimise(setting, smaller, CHUNK, AIM)
        # Flat directions, along which Gaussians share a code in many ways, end the progress before the aim.
        if solution.residual < PROMISED and 0.5 * before < solution.gain < GAIN:
            break
    return solution


def _with_lower(setting: Setting, solution: Solution, starts: Starts, chosen) -> tuple[Mixture | None, float]:
    """The mixture with Gaussians that would lower its free energy by being populated, and the lowest of them.

    The energy is above the mixture's level, in nats, at a share of a hundredth.
    """
    mixture, now = solution.mixture, solution.now
    own = now.divergence - np.sum(solution.t * now.learned, axis=(1, 2))
    level = float(mixture.weights @ own) + now.overlap.value
    weights, means, precisions, lowest = mixture.weights, mixture.means, mixture.precisions, np.inf
    for active in chosen:
        well = descend(setting, solution.t, starts.well(active, solution.t), tolerance=3e-2, steps=60)
        if well.energy + np.log(TRIAL_SHARE) > level:
            continue
        if len(weights) >= MOST_COMPONENTS:
            lowest = min(lowest, well.energy - level)
            continue
        here = local(setting, solution.t, well.u, well.b, well.v, well.c)
        precision = precision_of(setting, here)
        try:
            trial = mixture_of(
                np.append((1 - TRIAL_SHARE) * weights, TRIAL_SHARE),
                np.concatenate([means, np.concatenate([well.u, well.b])[None]]),
                np.concatenate([precisions, precision[None]]),
            )
        except np.linalg.LinAlgError:
            continue
        if _nearest(trial) < CLOSE:
            continue
        lowest = min(lowest, well.energy - level)
        weights, means, precisions = trial.weights, trial.means, trial.precisions
    if len(weights) == len(mixture.weights):
        return None, lowest
    return mixture_of(weights, means, precisions), lowest


def _nearest(mixture: Mixture) -> float:
    """The distance of the last component from the nearest other one."""
    distances = overlap(mixture.weights, mixture.means, mixture.covariances, mixture.precisions).distances
    return float(distances[-1, :-1].min())


def _on(setting: Setting, mixture: Mixture) -> Float[np.ndarray, "n P"]:
    return (mixture.means[:, : setting.rank] @ setting.roots.T > 0).astype(float)
