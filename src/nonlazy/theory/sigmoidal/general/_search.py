"""The search for wells that a population does not have yet."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from nonlazy.theory.sigmoidal.general._field import Population, energies, same
from nonlazy.theory.sigmoidal.general._relax import descend, relax
from nonlazy.theory.sigmoidal.general._response import Response
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._starts import Starts
from nonlazy.theory.sigmoidal.general._well import Well


# All subsets of the classes are tried up to this number of classes, else neighbours of the codes present.
ALL_SUBSETS = 5
# Random subsets of the inputs; fewer where the inputs are many, since the codes then lie deep below all other wells.
RANDOM_STARTS, MANY = 12, 200
# Wells with fewer neurons than exp(-DEPTH) of a populated one make no difference.
DEPTH = 16.0
HARD_INPUTS = 3
# Wells differ by an input that is turned over at least, whose preactivation then changes by more than this.
NEAR = 0.3
STRETCH, LONGEST_DESCENT = 6, 180


def patterns(
    setting: Setting,
    members: Float[np.ndarray, "C P"],
    population: Population,
    generator: np.random.Generator,
) -> Float[np.ndarray, "starts P"]:
    """On which inputs neurons are active at the starts of the search for a population's lacking wells."""
    present = np.array([_on(setting, well) for well in population.wells])
    return patterns_of(setting, members, present, population.t, generator)


def patterns_of(
    setting: Setting,
    members: Float[np.ndarray, "C P"],
    present: Float[np.ndarray, "n P"],
    t: Float[np.ndarray, "P k"],
    generator: np.random.Generator,
) -> Float[np.ndarray, "starts P"]:
    """On which inputs neurons are active at the starts of the search, `(starts, P)`.

    Subsets of the classes, or the codes present and their neighbours where there are many classes; the codes present
    with one input turned over, of those that the field pulls at most; and random subsets of the inputs.
    """
    C, P = members.shape
    if C <= ALL_SUBSETS:
        codes = np.array(list(itertools.product([0.0, 1.0], repeat=C)))
        found = [code @ members for code in codes]
    else:
        by_class = (present @ members.T) / members.sum(axis=1) > 0.5
        neighbours = {tuple(row) for row in by_class}
        for row in by_class:
            for c in range(C):
                turned = row.copy()
                turned[c] = not turned[c]
                neighbours.add(tuple(turned))
        found = [np.array(row, dtype=float) @ members for row in sorted(neighbours)]
    hardest = np.argsort(-np.abs(t).max(axis=1))[:HARD_INPUTS]
    for row in present:
        for mu in hardest:
            turned = row.copy()
            turned[mu] = 1 - turned[mu]
            found.append(turned)
    random = RANDOM_STARTS if P <= MANY else RANDOM_STARTS // 3
    found += list(generator.integers(0, 2, (random, P)).astype(float))
    return np.array(found)


def search(
    setting: Setting, population: Population, starts: Starts, chosen: Float[np.ndarray, "starts P"]
) -> tuple[list[tuple[Well, Response, float]], float]:
    """Wells in the population's field that it does not have, from the given starts.

    **Returns:** the new wells within reach, each with its response and its energy above the population's level, in
    nats; and the smallest such energy (infinite where there is none).
    """
    weights = population.weights
    E = energies(setting, population)
    level = float(weights @ (E + setting.entropy * np.log(weights)))
    new: list[tuple[Well, Response, float]] = []
    for active in chosen:
        rough = _descended(setting, population, starts.well(active, population.t))
        if rough is None or rough.energy > level + 3 * DEPTH + 0.02 * abs(level):
            continue
        found = relax(setting, population.t, rough)
        if found is None:
            continue
        well, known = found
        alone = Population(population.t, (well,), np.ones(1), (known,), np.zeros(1, dtype=int))
        above = float(energies(setting, alone)[0]) - level
        if any(same(setting, well, other) for other in population.wells):
            continue
        if any(same(setting, well, other) for other, _, _ in new):
            continue
        if above < DEPTH * setting.entropy:
            new.append((well, known, above))
    return new, min((above for _, _, above in new), default=np.inf)


def extended(population: Population, new: list[tuple[Well, Response, float]], entropy: float) -> Population:
    """The population with new wells, which begin with at most a hundredth of the neurons each.

    The new wells join the group of the first: there is only one where the search is used.
    """
    shares = np.array([0.01 * min(1.0, float(np.exp(min(0.0, -above / entropy)) * 100)) for _, _, above in new])
    shares = np.maximum(shares, 1e-9)
    weights = np.concatenate([population.weights * (1 - shares.sum()), shares])
    return Population(
        population.t,
        population.wells + tuple(well for well, _, _ in new),
        weights / weights.sum(),
        population.responses + tuple(known for _, known, _ in new),
        np.concatenate([population.group, np.full(len(new), population.group[0])]),
    )


def active_classes(
    setting: Setting, members: Float[np.ndarray, "C P"], wells: Sequence[Well]
) -> Bool[np.ndarray, "n C"]:
    """The code of each well: the classes in which its mean activation lies above the threshold."""
    phi = np.array([setting.averages.mean(setting.roots @ well.u, well.v) for well in wells])
    return (phi @ members.T) / members.sum(axis=1) > setting.averages.threshold


def _on(setting: Setting, well: Well) -> Float[np.ndarray, " P"]:
    phi = setting.averages.mean(setting.roots @ well.u, well.v)
    return (phi > setting.averages.threshold).astype(float)


def _descended(setting: Setting, population: Population, well: Well) -> Well | None:
    """Roughly the bottom of the well that a start is in; None on the way to one that is populated."""
    for _ in range(LONGEST_DESCENT // STRETCH):
        before = well
        well = descend(setting, population.t, well, tolerance=0.1, steps=STRETCH)
        if any(_apart(setting, well, other) < NEAR for other in population.wells):
            return None
        if _apart(setting, well, before) < 0.1:
            return well
    return well


def _apart(setting: Setting, one: Well, other: Well) -> float:
    return float(np.abs(setting.roots @ (one.u - other.u)).max())
