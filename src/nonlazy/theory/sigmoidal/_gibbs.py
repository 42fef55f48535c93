"""Weights of maximal entropy with given averages."""

import numpy as np
from jaxtyping import Float


def gibbs_weights(
    base: Float[np.ndarray, " n"],
    moments: Float[np.ndarray, "n k"],
    goal: Float[np.ndarray, " k"],
    stiffness: Float[np.ndarray, "k k"],
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " n"]]:
    """The force f that minimises log sum_g exp(base_g + f . moments_g) - f . goal + f^T stiffness f / 2, and the
    weights.

    The weights, proportional to exp(base_g + f . moments_g), have the averages `goal` - stiffness f. Newton's method.
    """
    force = np.zeros(moments.shape[1])

    def law(force: np.ndarray) -> tuple[np.ndarray, float]:
        exponent = base + moments @ force
        top = float(exponent.max())
        part = np.exp(exponent - top)
        value = float(np.log(part.sum())) + top - float(goal @ force) + 0.5 * float(force @ stiffness @ force)
        return part / part.sum(), value

    weight, value = law(force)
    for _ in range(200):
        gradient = weight @ moments - goal + stiffness @ force
        centred = moments - weight @ moments
        hessian = stiffness + centred.T @ (weight[:, None] * centred)
        step = np.linalg.lstsq(hessian, gradient, rcond=1e-14)[0]
        size = float(np.max(np.abs(moments @ step)))
        reach = min(1.0, 5.0 / max(size, 1e-300))
        trial, there = law(force - reach * step)
        while there > value + 1e-13 * (1 + abs(value)) and reach > 1e-8:
            reach *= 0.5
            trial, there = law(force - reach * step)
        force, weight, value = force - reach * step, trial, there
        if size < 1e-13:
            break
    return force, weight
