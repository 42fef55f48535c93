"""Temperatures near 0 and 0 itself: a mixture that is followed down, and the method of multipliers at its end."""

import dataclasses

import numpy as np
from jaxtyping import Float

from nonlazy.theory.sigmoidal.general._merging import (
    AIM,
    LATER_STEPS,
    PROMISED,
    Merged,
    check_promised,
    deepened,
    solved,
)
from nonlazy.theory.sigmoidal.general._mixture import Mixture, Solution, at, minimise, mixture_of, thinned
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._starts import Starts
from nonlazy.theory.sigmoidal.general._well import Well


# A third of the temperature a step; below the last temperature, in units of s2 = P sigma_a^2, multipliers take over.
COOLING, LAST = 3.0, 1e-4
# Updates of the multipliers, each after so many steps of the mixture at most.
UPDATES, STEPS_EACH = 60, 30
# Mixtures on the way are solved to a tenth of the residual that is left, and at least to this.
ROUGHLY = 1e-4
# Components closer than this (nats) are taken together.
COINCIDE = 1e-3


def solve_cold(
    setting: Setting, members: Float[np.ndarray, "C P"], starts: Starts, mixture: Mixture, temperature: float
) -> Merged:
    """The mixture at a temperature near 0 or at 0, followed down from one that solves the equations at `temperature`.

    **Raises:** `nonlazy.errors.TheoryError` where the residual stays above what is promised.
    """
    last, tried = max(setting.temperature, LAST * setting.scale), 0
    while temperature > last:
        temperature = max(temperature / COOLING, last)
        merged = _deepened_at(at(setting, temperature), members, starts, mixture)
        mixture, tried = merged.solution.mixture, tried + merged.starts
        if temperature == setting.temperature:
            check_promised(setting, merged.solution)
            return dataclasses.replace(merged, starts=tried)
    t = minimise(at(setting, temperature), mixture, STEPS_EACH, ROUGHLY).t
    proximity = temperature - setting.temperature
    first = with_multipliers(setting, mixture, t, proximity)
    merged = deepened(
        setting, members, starts, first, lambda larger, t: with_multipliers(setting, larger, t, proximity)
    )
    check_promised(setting, merged.solution)
    return Merged(merged.solution, tried + merged.starts, merged.lowest)


def _deepened_at(setting: Setting, members, starts: Starts, mixture: Mixture) -> Merged:
    first = solved(setting, mixture, LATER_STEPS)
    return deepened(setting, members, starts, first, lambda larger, _: solved(setting, larger, LATER_STEPS))


def with_multipliers(setting: Setting, mixture: Mixture, t: Float[np.ndarray, "P k"], proximity: float) -> Solution:
    """The mixture of least free energy at a temperature near 0 or at 0, by the method of multipliers.

    Each update solves the problem at the temperature T + `proximity` for the targets Y + `proximity` t, whose solution
    has Y - T t' - <phi a^T> = `proximity` (t' - t): where t no longer changes the equations at T are solved.
    """
    T = setting.temperature
    scale = float(np.abs(setting.targets).max()) or 1.0
    best, residual = None, ROUGHLY
    for _ in range(UPDATES):
        nearby = dataclasses.replace(setting, temperature=T + proximity, targets=setting.targets + proximity * t)
        found = minimise(nearby, mixture, STEPS_EACH, min(max(0.1 * residual, AIM), ROUGHLY))
        t, before = found.t, residual
        mixture = thinned(found.mixture, found.now, COINCIDE)
        force = setting.targets - T * t - found.now.outputs
        residual = float(np.abs(force).max()) / scale
        if best is None or residual < best.residual:
            divergence = float(found.mixture.weights @ found.now.divergence) + found.now.overlap.value
            value = divergence + 0.5 * T * float(np.sum(t * t)) + float(np.sum(t * force))
            now = dataclasses.replace(found.now, value=value)
            best = Solution(found.mixture, now, t, residual, found.gain)
        if residual < AIM or (best.residual < PROMISED and residual > 0.5 * before):
            break
    assert best is not None
    return best


def mixture_from(wells: tuple[Well, ...], weights: Float[np.ndarray, " wells"]) -> Mixture:
    """Wells as the components of a mixture."""
    means = np.array([np.concatenate([well.u, well.b]) for well in wells])
    precisions = np.array([well.shape.factor @ well.shape.factor.T for well in wells])
    return mixture_of(weights, means, precisions)
