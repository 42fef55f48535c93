"""Finite N and P at class level: the bulk's Gaussian fluctuations, and the n of N neurons that are not in the bulk."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.rectified._classes import ClassProblem, ClassSolution, bulk_energy, equations


@dataclass(frozen=True, eq=False)
class BulkLaw:
    """The bulk's Gaussian law in the units of a `ClassProblem`.

    **Fields:** `mean`: mean readout `(m,)`; `covariance`: H^-1 / P `(m, m)`; `activation`: mean of phi by class `(C,)`;
    `drive`: <a phi> by class `(C, m)`; `energy`: E(a0) with the logarithm of the Gaussian integral, per input.
    """

    mean: Float[np.ndarray, " m"]
    covariance: Float[np.ndarray, "m m"]
    activation: Float[np.ndarray, " C"]
    drive: Float[np.ndarray, "C m"]
    energy: float


def bulk_law(problem: ClassProblem, t: Float[np.ndarray, "C m"], a0: Float[np.ndarray, " m"], P: int | None) -> BulkLaw:
    """The bulk around a minimum a0 of E(.; t), to first order in 1/P; `P` None is the limit of large P."""
    rho = problem.ratios
    _, s, variance, third = problem.single.cumulants(t @ a0)
    hessian = np.eye(a0.size) - (t.T * (rho * variance)) @ t
    inverse = np.linalg.inv(hessian)
    energy = float(bulk_energy(problem, t, a0[None])[0])
    if P is None:
        return BulkLaw(a0, np.zeros_like(hessian), s, np.outer(s, a0), energy)
    solved = t @ inverse
    own = np.sum(solved * t, axis=1)
    # Derivative of log det H with respect to a: the cubic part of E moves the mean by -H^-1 (this) / 2P.
    tilt = -(rho * third * own) @ t
    shift = -inverse @ tilt / (2 * P)
    change = variance * (t @ shift) + third * own / (2 * P)
    drive = np.outer(s + change, a0 + shift) + variance[:, None] * solved / P
    energy += float(np.linalg.slogdet(hessian)[1]) / (2 * P)
    return BulkLaw(a0 + shift, inverse / P, s + change, drive, energy)


def at_finite_size(
    problem: ClassProblem, solution: ClassSolution, N: int, P: int, steps: int = 40
) -> ClassSolution | None:
    """The stationary point at finite N and P that continues `solution`; None where there is none nearby.

    Newton's method; the Jacobian of the limit is completed by differences for the terms of order 1/P.
    """
    C, m = solution.field.shape
    n = solution.outliers.shape[0]
    share = 1.0 - n / N
    scale = max(1e-300, float(np.max(np.abs(problem.targets))))

    def unpack(x):
        return x[: C * m].reshape(C, m), x[C * m : (C + 1) * m], x[(C + 1) * m :].reshape(n, m)

    def correction(x):
        t, a0, _ = unpack(x)
        law = bulk_law(problem, t, a0, P)
        s = problem.single.cumulants(t @ a0)[1]
        return (np.outer(s, a0) - share * law.drive).ravel()

    x = np.concatenate([solution.field.ravel(), solution.bulk, solution.outliers.ravel()])
    best, best_error = x, np.inf
    for _ in range(steps):
        values, jacobian = equations(problem, *unpack(x))
        here = correction(x)
        values[: C * m] += here
        error = float(np.max(np.abs(values))) / scale
        if not np.isfinite(error):
            return None
        if error < best_error:
            best, best_error = x, error
        elif error > 1e3 * best_error or best_error < 1e-12:
            break
        for k in range((C + 1) * m):
            moved = x.copy()
            moved[k] += 1e-6
            jacobian[: C * m, k] += (correction(moved) - here) / 1e-6
        step = -np.linalg.lstsq(jacobian, values, rcond=1e-9)[0]
        x = x + step * min(1.0, 0.5 / max(1e-300, float(np.max(np.abs(step)))))
    if best_error > 1e-9:
        return None
    t, a0, outliers = unpack(best)
    return ClassSolution(t, a0, outliers, best_error)
