"""A small convex quadratic programme on the simplex, by an interior-point method."""

import numpy as np
from jaxtyping import Float


def minimise_on_simplex(Q: Float[np.ndarray, "n n"], c: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The x >= 0 with sum x = 1 that minimises x^T Q x / 2 + c^T x, Q positive semidefinite.

    Mehrotra's predictor-corrector. Where the minimum is not unique, a point in the middle of the minimisers.
    """
    n = c.size
    if n == 1:
        return np.ones(1)
    c = c - c.min()
    x = np.full(n, 1.0 / n)
    multiplier = float(np.min(Q @ x + c)) - 1.0
    slack = Q @ x + c - multiplier
    scale = 1.0 + float(np.max(np.abs(Q))) + float(np.max(np.abs(c)))
    for _ in range(60):
        dual = Q @ x + c - multiplier - slack
        primal = 1.0 - x.sum()
        mu = float(x @ slack) / n
        if mu < 1e-16 * scale and np.max(np.abs(dual)) < 1e-14 * scale:
            break
        factor = np.linalg.inv(Q + np.diag(slack / x))
        ones = factor.sum(axis=1)

        dx, _, ds = _step(factor, ones, x, slack, dual, primal, -x * slack)
        reach = min(_reach(x, dx), _reach(slack, ds))
        ahead = float((x + reach * dx) @ (slack + reach * ds)) / n
        centred = -x * slack - dx * ds + (ahead / mu) ** 3 * mu
        dx, dm, ds = _step(factor, ones, x, slack, dual, primal, centred)
        reach = 0.995 * min(_reach(x, dx), _reach(slack, ds))
        x, multiplier, slack = x + reach * dx, multiplier + reach * dm, slack + reach * ds
    return x / x.sum()


def _step(factor, ones, x, slack, dual, primal, complementarity) -> tuple[np.ndarray, float, np.ndarray]:
    """Newton on Q x + c - multiplier = slack, sum x = 1, x slack = mu."""
    base = factor @ (complementarity / x - dual)
    shift = (primal - float(base.sum())) / float(ones.sum())
    dx = base + ones * shift
    return dx, shift, (complementarity - slack * dx) / x


def _reach(value: Float[np.ndarray, " n"], change: Float[np.ndarray, " n"]) -> float:
    falling = change < 0
    return min(1.0, float(np.min(-value[falling] / change[falling]))) if falling.any() else 1.0
