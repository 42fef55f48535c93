"""The feature layer's codes for large P: saturated neurons, whatever the depth (docs/theory/deep.md, section 3).

max over t of sum_c rho_c (t_c . y_c - T |t_c|^2/2) - max_S s2 |w_S|^2 / 2, with w_S = sum over c in S of rho_c t_c:
concave, with one optimum. Its multipliers are the fractions of the codes S, whose readouts are s2 w_S.
"""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.deep._problem import ClassProblem, limit_problem
from nonlazy.theory.deep._wells import code_patterns


_PRESENT = 1e-7


@dataclass(frozen=True, eq=False)
class SaturatedCodes:
    """The optimum: codes of the feature layer for large P, at any depth L >= 2.

    **Fields:** `t` `(C, m)`; `codes` `(n, C)` of 0 and 1; `fractions` `(n,)`; `readouts` `(n, m)`; `value`: D, the free
    energy per neuron and training input; `gap`: cost of these codes minus D, an upper bound on what better ones could
    gain; `residual`: max |Y - T t - sum_S P_S 1_S a_S| / max |Y|; `unique`: whether no other fractions cost the same.
    """

    t: Float[np.ndarray, "C m"]
    codes: Float[np.ndarray, "n C"]
    fractions: Float[np.ndarray, " n"]
    readouts: Float[np.ndarray, "n m"]
    value: float
    gap: float
    residual: float
    unique: bool


def deep_limit(posterior: Posterior) -> SaturatedCodes:
    """The feature layer's codes in the limit of large P, for L >= 2 hidden layers and any T >= 0.

    Source: derived in docs/theory/deep.md; the scheme is that of van Meegen & Sompolinsky (2025), "Results".

    **Raises:** `nonlazy.errors.InvalidInput` for a network or task that the deep theory does not cover.
    """
    if posterior.network.depth < 2:
        raise InvalidInput("depth is 1: neurons of a single hidden layer do not saturate; use nonlazy.theory.solve")
    return saturated_codes(limit_problem(posterior), posterior.temperature)


def saturated_codes(problem: ClassProblem, temperature: float) -> SaturatedCodes:
    """Solves the limit problem; `temperature` may be 0."""
    rho, y = problem.counts / problem.P, problem.targets
    s2, T = problem.P * problem.readout_variance, temperature
    unit = max(float(np.abs(y).max()), 1e-300)
    # Scaled so that targets and s2 are 1: D is (unit^2 / s2) times the scaled one.
    t, tension = _maximise(rho, y / unit, T / s2)
    codes = code_patterns(problem.C)[1:]
    w = (codes * rho) @ t
    energy = 0.5 * np.sum(w**2, axis=1)
    active = energy > tension - 1e-5 * max(tension, 1e-12)
    matrix = (codes[active][:, :, None] * w[active][:, None, :]).reshape(active.sum(), -1).T
    goal = (y / unit - T / s2 * t).reshape(-1)
    fractions, _ = scipy.optimize.nnls(np.vstack([matrix, np.ones(active.sum())]), np.append(goal, 1.0))
    kept = fractions > _PRESENT
    unique = int(np.linalg.matrix_rank(np.vstack([matrix, np.ones(active.sum())]), tol=1e-4)) == int(active.sum())
    vectors = fractions[kept, None] * w[active][kept]
    fractions = fractions[kept] / fractions[kept].sum()
    lengths = np.linalg.norm(vectors, axis=1)
    rest = y / unit - codes[active][kept].T @ vectors
    # v_S that solve the equations can be had at this cost: an upper bound, whatever the solver's accuracy.
    misfit = 0.5 * s2 / T * float(rho @ np.sum(rest**2, axis=1)) if T > 0 else 0.0
    cost = 0.5 * lengths.sum() ** 2 + misfit
    reach = float(rho @ np.sum(t * y / unit - 0.5 * T / s2 * t**2, axis=1)) - float(energy.max(initial=0.0))
    scale = unit**2 / s2
    return SaturatedCodes(
        t=t * unit / s2,
        codes=codes[active][kept],
        fractions=fractions,
        readouts=vectors / fractions[:, None] * unit,
        value=scale * reach,
        gap=scale * max(cost - reach, 0.0),
        residual=float(np.abs(rest - T / s2 * t).max()),
        unique=unique,
    )


def _maximise(rho: np.ndarray, y: np.ndarray, T: float) -> tuple[np.ndarray, float]:
    """t and the largest |w_S|^2 / 2 at the optimum, for s2 = 1."""
    C, m = y.shape
    weights = code_patterns(C)[1:] * rho

    def cost(x):
        t = x[:-1].reshape(C, m)
        return x[-1] - float(rho @ np.sum(t * y - 0.5 * T * t**2, axis=1))

    def slope(x):
        return np.append(-(rho[:, None] * (y - T * x[:-1].reshape(C, m))).reshape(-1), 1.0)

    def slack(x):
        return x[-1] - 0.5 * np.sum((weights @ x[:-1].reshape(C, m)) ** 2, axis=1)

    def slack_slope(x):
        w = weights @ x[:-1].reshape(C, m)
        return np.hstack([-(weights[:, :, None] * w[:, None, :]).reshape(len(w), -1), np.ones((len(w), 1))])

    start = (y / rho[:, None] / C).reshape(-1)
    top = 0.5 * float(np.max(np.sum((weights @ start.reshape(C, m)) ** 2, axis=1)))
    solution = scipy.optimize.minimize(
        cost,
        np.append(start, top),
        jac=slope,
        constraints=[{"type": "ineq", "fun": slack, "jac": slack_slope}],
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    t = solution.x[:-1].reshape(C, m)
    return t, 0.5 * float(np.max(np.sum((weights @ t) ** 2, axis=1)))
