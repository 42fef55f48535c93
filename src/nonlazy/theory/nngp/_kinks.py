"""Where an activation function of the user's own has kinks and jumps, so that integrals can be split there."""

import numpy as np
from jaxtyping import Float

from nonlazy.activations import Activation
from nonlazy.theory.nngp._evaluate import rounding, values


# Kinks beyond which a function counts as rough everywhere.
MOST = 32


def kinks(activation: Activation, reach: float) -> Float[np.ndarray, " kinks"]:
    """Points in [-reach, reach], but for 0, around which no polynomial of degree 15 follows phi, however near.

    Empty where there are more than `MOST`: what is integrated over them is then judged by refinement alone.
    """
    nodes, _ = np.polynomial.legendre.leggauss(16)
    # Points between the nodes and just outside, so that no kink hides at an end.
    checks = np.array([-1.02, -0.97, -0.71, -0.43, -0.05, 0.19, 0.53, 0.83, 1.02])
    interpolate = _interpolation(nodes, checks)
    # Ends at odd places: a kink that fell on one would be in no interval's inside.
    edges = np.linspace(-1.0036912 * reach, 1.0089173 * reach, 66)
    left, right = edges[:-1], edges[1:]
    # Nearer than this, rounding hides a kink; an error d in its place costs d^2 in the integral.
    eps = rounding(activation)
    resolution = reach * eps**0.6
    while right[0] - left[0] > resolution:
        half, middle = 0.5 * (right - left)[:, None], 0.5 * (right + left)[:, None]
        known = values(activation, middle + half * nodes)
        found = values(activation, middle + half * checks)
        # Rounding of phi, and of z times the slope of phi.
        with np.errstate(invalid="ignore", over="ignore"):
            slope = np.ptp(known, axis=1) / (2 * half[:, 0])
            scale = np.max(np.abs(known), axis=1) + np.abs(middle[:, 0]) * slope + np.finfo(np.float64).tiny
            missed = np.max(np.abs(known @ interpolate.T - found), axis=1)
        rough = missed > 300 * eps * scale
        left, right = left[rough], right[rough]
        if left.size == 0 or left.size > 8 * MOST:
            return np.empty(0)
        centre = 0.5 * (left + right)
        left, right = np.stack([left, centre], axis=1).ravel(), np.stack([centre, right], axis=1).ravel()
    # Neighbouring intervals hold the same kink.
    points = np.sort(0.5 * (left + right))
    groups = np.split(points, np.flatnonzero(np.diff(points) > 2 * resolution) + 1)
    where = np.array([group.mean() for group in groups])
    where = where[np.abs(where) > 2 * resolution]
    return _at_jumps(activation, where, resolution) if where.size <= MOST else np.empty(0)


def _at_jumps(
    activation: Activation, where: Float[np.ndarray, " kinks"], resolution: float
) -> Float[np.ndarray, " kinks"]:
    """The same points, moved to the jump of phi nearby to rounding: there, an error d costs d and not d^2."""
    left, right = where - resolution, where + resolution
    for _ in range(40):
        centre = 0.5 * (left + right)
        low, middle, high = (values(activation, z) for z in (left, centre, right))
        below = np.abs(middle - low) > np.abs(high - middle)
        left, right = np.where(below, left, centre), np.where(below, centre, right)
    return 0.5 * (left + right)


def _interpolation(nodes: Float[np.ndarray, " n"], points: Float[np.ndarray, " k"]) -> Float[np.ndarray, "k n"]:
    """The matrix that takes values at `nodes` to those of the interpolating polynomial at `points`."""
    gaps = nodes[:, None] - nodes + np.eye(nodes.size)
    weights = 1 / np.prod(gaps, axis=1)
    terms = weights / (points[:, None] - nodes)
    return terms / np.sum(terms, axis=1, keepdims=True)
