"""A proof that a saddle point of a deep linear network is the global minimum: a dual bound on F."""

import numpy as np
import scipy.optimize
from jaxtyping import Float

from nonlazy.theory.linear._energy import LinearEnergy


def lower_bound(energy: LinearEnergy, basis: Float[np.ndarray, "m m"], ratios: Float[np.ndarray, " m"]) -> float:
    """A lower bound on min F by duality, exact where it certifies the saddle.

    F = sum_i c(r_i) + v_i^T (S(r_i)/2) v_i over orthonormal v_i. With any symmetric Lambda, and because
    sum_i v_i v_i^T = 1,

        min F >= tr Lambda + m min_r { c(r) + smallest eigenvalue of S(r)/2 - Lambda }.

    Stationarity of F in the v_i says that Lambda = sum_i [S(r_i)/2 + c(r_i)] v_i v_i^T is symmetric: the best choice.
    """
    m, cost, force = energy.m, energy.along_direction(ratios), energy.label_force(ratios)
    dual = np.einsum("iab,bi,ci->ac", force, basis, basis) + (basis * cost) @ basis.T
    dual = 0.5 * (dual + dual.T)
    top = float(np.linalg.eigvalsh(dual)[-1])

    def lowest(h: Float[np.ndarray, " grid"]) -> Float[np.ndarray, " grid"]:
        r = np.exp(h)
        return energy.along_direction(r) + np.linalg.eigvalsh(energy.label_force(r) - dual)[:, 0]

    # Beyond this window the minimum over r cannot be: S falls with r, and c falls and then rises in log r.
    def cost_at(h: float) -> float:
        return float(energy.along_direction(np.exp(np.array([h])))[0])

    low, high = float(np.log(ratios.min())), float(np.log(ratios.max()))
    while float(lowest(np.array([low]))[0]) <= 0 or cost_at(low) < cost_at(low + 0.5):
        low -= 0.5
    while cost_at(high) < top:
        high += 0.25
    grid = np.linspace(low, high, 400)
    values = lowest(grid)
    inner = np.flatnonzero((values[1:-1] <= values[:-2]) & (values[1:-1] <= values[2:])) + 1
    smallest = float(values.min())
    for i in inner:
        _, value, *_ = scipy.optimize.fminbound(
            lambda h: float(lowest(np.array([h]))[0]), grid[i - 1], grid[i + 1], xtol=1e-9, full_output=True
        )
        smallest = min(smallest, float(value))
    return float(np.trace(dual)) + m * smallest
