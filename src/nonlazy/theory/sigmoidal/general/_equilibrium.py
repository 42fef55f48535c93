"""Equilibrium: the wells that neurons populate, their shares and the field, reached by cooling."""

import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.errors import TheoryError
from nonlazy.theory.sigmoidal.general._cold import LAST, mixture_from, solve_cold
from nonlazy.theory.sigmoidal.general._field import Population, equilibrate, settle
from nonlazy.theory.sigmoidal.general._merging import APART, Merged, relaxable, solve_merging
from nonlazy.theory.sigmoidal.general._relax import descend, relax
from nonlazy.theory.sigmoidal.general._search import DEPTH, active_classes, extended, patterns, search
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._starts import Starts, first_field


# All subsets of up to this many classes are codes to begin with; else single classes and their complements.
ALL_SUBSETS = 4
ROUNDS = 6
# Up to this many inputs codes are found as a mixture that may overlap; where P k is at most the second number, such a
# mixture is also what is left where wells that do not see each other lead nowhere.
SMALL, LARGEST_MIXTURE = 64, 600
# Below it too where there are so many inputs that wells are deep at this temperature (in units of s2).
SMALLEST_COLD, COLD = 32, 0.01
# Largest P and P k at which such a mixture is followed to temperatures near 0, which takes minutes there.
MOST_AT_ZERO, LARGEST_AT_ZERO = 100, 200
# Temperatures of the way down, in units of s2 = P sigma_a^2.
FIRST_TEMPERATURE, LAST_ABOVE_ZERO, COOLING = 0.03, 1e-4, 5.0
# From where mixtures are followed to temperatures near 0, in the same units; named where that is not done.
SMALL_TEMPERATURE = 1e-3
# Steps at the first of them, where a few do unless the wells lead nowhere.
FIRST_STEPS = 60
# Residual and differences of levels (nats) that do on the way.
ON_THE_WAY = (1e-2, 1e-1)


@dataclass(frozen=True)
class Outcome:
    """What was found: a population of wells or, where codes merge, a mixture that overlaps.

    **Fields:** `starts`: of the search; `lowest`: the smallest energy of a well that was found and is not part of the
    solution, above its level, in nats (infinite where there is none).
    """

    population: Population | None
    merged: Merged | None
    starts: int
    lowest: float


def find_equilibrium(setting: Setting, members: Float[np.ndarray, "C P"]) -> Outcome:
    """The equilibrium of the single-neuron problem.

    **Raises:** `nonlazy.errors.TheoryError` where it is not found.
    """
    starts = Starts(setting)
    mixable = setting.joint and setting.P * setting.k <= LARGEST_MIXTURE
    if setting.temperature < LAST * setting.scale:
        if setting.joint and _small_enough_near_zero(setting):
            return _from_warmer(setting, members, starts, LAST if setting.P <= SMALLEST_COLD else SMALL_TEMPERATURE)
        try:
            return _from_wells(setting, members, starts)
        except TheoryError as failure:
            raise TheoryError(_unsolved_near_zero(setting)) from failure
    if mixable and not _is_cold(setting):
        return _from_mixture(setting, members, starts)
    try:
        outcome = _from_wells(setting, members, starts)
    except TheoryError:
        if not mixable:
            raise
        return _from_overlapping(setting, members, starts)
    if mixable and np.isfinite(outcome.lowest):
        try:
            return _from_overlapping(setting, members, starts)
        except TheoryError:
            # The wells solve the equations, and their gap says how far others lie below.
            return outcome
    return outcome


def _small_enough_near_zero(setting: Setting) -> bool:
    return setting.P <= MOST_AT_ZERO and setting.P * setting.k <= LARGEST_AT_ZERO


def _unsolved_near_zero(setting: Setting) -> str:
    if not _small_enough_near_zero(setting):
        remedy = (
            f"they are solved for up to P = {MOST_AT_ZERO} inputs and P x (rank of Y) = {LARGEST_AT_ZERO}, and here "
            f"these are {setting.P} and {setting.P * setting.k}. Choose"
        )
    else:
        remedy = "they are not there for fluctuations='neglected' and finite_size=False. Leave these out, or choose"
    return (
        f"the theory's equations were not solved at temperature {setting.temperature:g}. Close to 0 a few neurons may "
        "have to stand between wells that differ in one hard input, and the equations of separate wells then have no "
        f"solution. Gaussians that may overlap have one; {remedy} a temperature such as "
        f"{SMALL_TEMPERATURE * setting.scale:.0e}: outputs then miss the targets by T t, which the prediction states"
    )


def _from_overlapping(setting: Setting, members, starts: Starts) -> Outcome:
    if setting.temperature < SMALL_TEMPERATURE * setting.scale:
        return _from_warmer(setting, members, starts, SMALL_TEMPERATURE)
    return _from_mixture(setting, members, starts)


def _from_warmer(setting: Setting, members, starts: Starts, above: float) -> Outcome:
    """A mixture followed down from the temperature `above`, in units of s2: codes split into wells that touch."""
    temperature = above * setting.scale
    warm = find_equilibrium(dataclasses.replace(setting, temperature=temperature), members)
    if warm.population is not None:
        mixture = mixture_from(warm.population.wells, warm.population.weights)
    else:
        assert warm.merged is not None
        mixture = warm.merged.solution.mixture
    merged = solve_cold(setting, members, starts, mixture, temperature)
    return Outcome(None, merged, warm.starts + merged.starts, merged.lowest)


def _is_cold(setting: Setting) -> bool:
    """Whether wells can be expected to be far from each other."""
    many = setting.P > SMALLEST_COLD and setting.temperature <= COLD * setting.scale
    return many or setting.P > SMALL


def first_equilibrium(setting: Setting, members: Float[np.ndarray, "C P"], starts: Starts) -> tuple[Population, int]:
    """Equilibrium among the wells that codes of classes lead to on the way down, and how many starts were tried."""
    mixable = setting.joint and setting.temperature > 0 and setting.P * setting.k <= LARGEST_MIXTURE
    if mixable and not _is_cold(setting):
        merged = solve_merging(setting, members, starts)
        return _separate(setting, members, starts, merged), merged.starts
    return _cooled(setting, members, starts)


def _from_mixture(setting: Setting, members, starts: Starts) -> Outcome:
    merged = solve_merging(setting, members, starts)
    whole = Outcome(None, merged, merged.starts, merged.lowest)
    if merged.apart < APART:
        return whole
    try:
        outcome = _searched(setting, members, starts, _separate(setting, members, starts, merged), merged.starts)
    except TheoryError:
        return whole
    return whole if np.isfinite(outcome.lowest) else outcome


def _from_wells(setting: Setting, members, starts: Starts) -> Outcome:
    population, tried = _cooled(setting, members, starts)
    return _searched(setting, members, starts, population, tried)


def _separate(setting: Setting, members, starts: Starts, merged: Merged) -> Population:
    """The population whose wells the components of a mixture become where they do not see each other."""
    solution = merged.solution
    weights = solution.mixture.weights
    wells = relaxable(setting, solution)
    population = settle(setting, solution.t, wells, weights, np.zeros(len(weights), dtype=int))
    return equilibrate(setting, population, _Searcher(setting, members, starts))


def _searched(
    setting: Setting, members, starts: Starts, population: Population, tried: int, rounds=ROUNDS, accuracy=()
) -> Outcome:
    lowest, generator = np.inf, np.random.default_rng(0)
    for _ in range(rounds):
        chosen = patterns(setting, members, population, generator)
        new, lowest = search(setting, population, starts, chosen)
        tried += len(chosen)
        if not new:
            break
        try:
            larger = extended(population, new, setting.entropy)
            population = equilibrate(setting, larger, _Searcher(setting, members, starts), *accuracy)
        except TheoryError:
            # The solution before stands; the gap says by how much the wells that could not join lie below it.
            break
    return Outcome(population, None, tried, lowest)


@dataclass(frozen=True)
class _Searcher:
    """Adds to a population the wells that a search in its field finds."""

    setting: Setting
    members: Float[np.ndarray, "C P"]
    starts: Starts

    def __call__(self, population: Population) -> Population | None:
        chosen = patterns(self.setting, self.members, population, np.random.default_rng(0))
        new, _ = search(self.setting, population, self.starts, chosen)
        return extended(population, new, self.setting.entropy) if new else None


def _cooled(setting: Setting, members, starts: Starts) -> tuple[Population, int]:
    """Equilibrium followed down from a temperature at which codes are those of classes and no input is hard.

    Wells that lie below on the way mostly leave again before its end. They are looked for only where the way is lost
    without them.
    """
    temperatures = _way_down(setting)
    warm = dataclasses.replace(setting, temperature=temperatures[0])
    first = among_codes(warm, members, starts, ON_THE_WAY if len(temperatures) > 1 else ())
    if setting.temperature == 0:
        return _followed_down(setting, members, starts, first, search_on_the_way=True)
    try:
        return _followed_down(setting, members, starts, first, search_on_the_way=False)
    except TheoryError:
        return _followed_down(setting, members, starts, first, search_on_the_way=True)


def _followed_down(
    setting: Setting, members, starts: Starts, first: tuple[Population, int], search_on_the_way: bool
) -> tuple[Population, int]:
    temperatures = _way_down(setting)
    warm = dataclasses.replace(setting, temperature=temperatures[0])
    population, tried = first
    if search_on_the_way and len(temperatures) > 1:
        outcome = _searched(warm, members, starts, population, tried, rounds=1, accuracy=ON_THE_WAY)
        assert outcome.population is not None
        population, tried = outcome.population, outcome.starts
    for temperature in temperatures[1:]:
        population = straightened(setting, members, starts, population)
        colder = dataclasses.replace(setting, temperature=temperature)
        more = _Searcher(colder, members, starts) if search_on_the_way else None
        population = equilibrate(colder, population, more, *ON_THE_WAY, continued=True)
    if len(temperatures) > 1:
        population = straightened(setting, members, starts, population)
        more = _Searcher(setting, members, starts) if search_on_the_way else None
        population = equilibrate(setting, population, more, continued=True)
    return population, tried


def straightened(setting: Setting, members, starts: Starts, population: Population) -> Population:
    """The population with wells replaced that lie far above another one of the same code.

    A neuron may give up a hard input as long as the field there is weak. The well stays one while the field grows,
    hundreds of nats above the one that has the input right, and no step of Newton's method leads from one to the other.
    """
    wells, replaced = list(population.wells), False
    for g, code in enumerate(active_classes(setting, members, population.wells)):
        start = starts.well(code.astype(np.float64) @ members, population.t)
        rough = descend(setting, population.t, start, tolerance=0.1)
        other = relax(setting, population.t, rough) if rough.energy < wells[g].energy - DEPTH else None
        if other is not None:
            wells[g], replaced = other[0], True
    return settle(setting, population.t, wells, population.weights, population.group) if replaced else population


def _way_down(setting: Setting) -> list[float]:
    scale = setting.scale
    last = max(setting.temperature, LAST_ABOVE_ZERO * scale)
    temperatures, temperature = [], FIRST_TEMPERATURE * scale
    while temperature > 2.5 * last:
        temperatures.append(temperature)
        temperature /= COOLING
    if setting.temperature == 0:
        temperatures.append(last)
    return [*temperatures, setting.temperature]


def among_codes(setting: Setting, members, starts: Starts, accuracy) -> tuple[Population, int]:
    C = len(members)
    if C <= ALL_SUBSETS:
        codes = np.array(list(itertools.product([0.0, 1.0], repeat=C))[1:])
    else:
        codes = np.unique(np.concatenate([np.eye(C), 1 - np.eye(C)]), axis=0)
    weights = np.full(len(codes), 1 / len(codes))
    t = first_field(setting, members, codes, weights)
    wells = [starts.well(code @ members, t) for code in codes]
    population = settle(setting, t, wells, weights, np.zeros(len(codes), dtype=int))
    more = _Searcher(setting, members, starts)
    return equilibrate(setting, population, more, *accuracy, steps=FIRST_STEPS), len(codes)
