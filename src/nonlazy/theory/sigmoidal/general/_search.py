"""The search for wells that a population does not have yet."""

import itertools

import numpy as np
from jaxtyping import Float

from nonlazy.theory.sigmoidal.general._field import Population, energies, same
from nonlazy.theory.sigmoidal.general._relax import descend, relax
from nonlazy.theory.sigmoidal.general._response import Response
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._starts import Starts
from nonlazy.theory.sigmoidal.general._well import Well


# All subsets of the classes are tried up to this number of classes, else neighbours of the codes present.
ALL_SUBSETS = 5
RANDOM_STARTS = 12
# Wells with fewer neurons than exp(-DEPTH) of a populated one make no difference.
DEPTH = 16.0
HARD_INPUTS = 3


def patterns(
    setting: Setting,
    members: Float[np.ndarray, "C P"],
    population: Population,
    generator: np.random.Generator,
) -> Float[np.ndarray, "starts P"]:
    """On which inputs neurons are active at the starts of the search, `(starts, P)`.

    Subsets of the classes, or the codes present and their neighbours where there are many classes; the codes present
    with one input turned over, of those that the field pulls at most; and random subsets of the inputs.
    """
    C, P = members.shape
    present = np.array([_on(setting, well) for well in population.wells])
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
    hardest = np.argsort(-np.abs(population.t).max(axis=1))[:HARD_INPUTS]
    for row in present:
        for mu in hardest:
            turned = row.copy()
            turned[mu] = 1 - turned[mu]
            found.append(turned)
    found += list(generator.integers(0, 2, (RANDOM_STARTS, P)).astype(float))
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
        rough = descend(setting, population.t, starts.well(active, population.t), tolerance=0.1)
        if rough.energy > level + 3 * DEPTH + 0.02 * abs(level):
            continue
        if any(_near(setting, rough, well) for well in population.wells):
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


def _on(setting: Setting, well: Well) -> Float[np.ndarray, " P"]:
    phi = setting.averages.mean(setting.roots @ well.u, well.v)
    return (phi > setting.averages.threshold).astype(float)


def _near(setting: Setting, one: Well, other: Well) -> bool:
    return bool(np.abs(setting.roots @ (one.u - other.u)).max() < 0.05)
