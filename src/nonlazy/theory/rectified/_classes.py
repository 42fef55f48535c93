"""The class-level problem: what is left of a task whose input kernel is proportional to the identity."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.rectified._single_input import SingleInput


@dataclass(frozen=True, eq=False)
class ClassProblem:
    """Classes of inputs with equal targets, in units where s2 = P sigma_a^2 and the preactivation variance are 1.

    **Fields:** `ratios`: share of the inputs, `(C,)`; `targets`: `(C, m)`, of full column rank; `temperature`: T in
    these units; `single`: averages over one bulk preactivation.
    """

    ratios: Float[np.ndarray, " C"]
    targets: Float[np.ndarray, "C m"]
    temperature: float
    single: SingleInput


@dataclass(frozen=True, eq=False)
class ClassSolution:
    """A stationary point of the class-level problem.

    **Fields:** `field`: t `(C, m)`; `bulk`: a0 `(m,)`; `outliers`: abar `(n, m)`; `residual`: largest violation of any
    of the equations, relative to the largest target.
    """

    field: Float[np.ndarray, "C m"]
    bulk: Float[np.ndarray, " m"]
    outliers: Float[np.ndarray, "n m"]
    residual: float

    @property
    def preactivations(self) -> Float[np.ndarray, "n C"]:
        """zbar = [abar . t_c]_+, `(n, C)`."""
        return np.maximum(self.outliers @ self.field.T, 0.0)


def bulk_energy(
    problem: ClassProblem, t: Float[np.ndarray, "C m"], a: Float[np.ndarray, "points m"]
) -> Float[np.ndarray, " points"]:
    """E(a; t) = |a|^2/2 - sum_c rho_c g(a . t_c) at several a."""
    h = a @ t.T
    g = problem.single.cumulants(h.ravel())[0].reshape(h.shape)
    return 0.5 * np.sum(a**2, axis=1) - g @ problem.ratios


def bulk_minimum(
    problem: ClassProblem, t: Float[np.ndarray, "C m"], start: Float[np.ndarray, " m"], steps: int = 200
) -> tuple[Float[np.ndarray, " m"], float]:
    """A local minimum of E(.; t) and its value: Newton steps, damped, with a fixed-point step where E is not convex."""
    a = start

    def energy(point):
        return float(bulk_energy(problem, t, point[None])[0])

    value = energy(a)
    for _ in range(steps):
        _, s, variance, _ = problem.single.cumulants(t @ a)
        gradient = a - (problem.ratios * s) @ t
        if np.max(np.abs(gradient)) < 1e-15:
            break
        hessian = np.eye(a.size) - (t.T * (problem.ratios * variance)) @ t
        step = -gradient
        if np.linalg.eigvalsh(hessian)[0] > 1e-10:
            step = -np.linalg.solve(hessian, gradient)
        scale = 1.0
        while scale > 1e-6 and energy(a + scale * step) > value + 1e-16:
            scale *= 0.5
        if scale <= 1e-6:
            break
        a = a + scale * step
        value = energy(a)
        if np.max(np.abs(scale * step)) < 1e-15:
            break
    return a, value


def dual_value(problem: ClassProblem, t: Float[np.ndarray, "C m"], bulk: float) -> float:
    """sum_c rho_c (t_c . y_c - T |t_c|^2 / 2) + min_a E(a; t), the last term given."""
    inner = np.sum(t * problem.targets, axis=1) - 0.5 * problem.temperature * np.sum(t**2, axis=1)
    return float(problem.ratios @ inner) + bulk


def primal_value(problem: ClassProblem, solution: ClassSolution) -> float:
    """Energy per neuron and input of the solution's neurons, with the residual R = T t paid as |R|^2 / (2 T)."""
    t, a0 = solution.field, solution.bulk
    h = t @ a0
    g, s, _, _ = problem.single.cumulants(h)
    z = solution.preactivations
    outliers = 0.5 * (np.sum(solution.outliers**2) + np.sum(z**2 @ problem.ratios))
    bulk = 0.5 * float(a0 @ a0) + float(problem.ratios @ (h * s - g))
    return bulk + float(outliers) + 0.5 * problem.temperature * float(problem.ratios @ np.sum(t**2, axis=1))


def equations(
    problem: ClassProblem,
    t: Float[np.ndarray, "C m"],
    a0: Float[np.ndarray, " m"],
    outliers: Float[np.ndarray, "n m"],
) -> tuple[Float[np.ndarray, " unknowns"], Float[np.ndarray, "unknowns unknowns"]]:
    """The stationarity conditions and their Jacobian, in the order t, a0, abar (docs/theory/rectified.md)."""
    C, m = t.shape
    n, rho, identity = outliers.shape[0], problem.ratios, np.eye(m)
    _, s, variance, _ = problem.single.cumulants(t @ a0)
    overlap = outliers @ t.T
    z, on = np.maximum(overlap, 0.0), (overlap > 0).astype(np.float64)
    values = np.concatenate(
        [
            (problem.targets - problem.temperature * t - np.outer(s, a0) - z.T @ outliers).ravel(),
            a0 - (rho * s) @ t,
            (outliers - (z * rho) @ t).ravel(),
        ]
    )
    size = (C + 1 + n) * m
    jacobian = np.zeros((size, size))
    blocks = jacobian.reshape(C + 1 + n, m, C + 1 + n, m)
    pairs = np.einsum("ir,is->irs", outliers, outliers)
    for c in range(C):
        across = np.outer(a0, t[c])
        blocks[c, :, c, :] = -problem.temperature * identity - variance[c] * np.outer(a0, a0)
        blocks[c, :, c, :] -= np.einsum("i,irs->rs", on[:, c], pairs)
        blocks[c, :, C, :] = -s[c] * identity - variance[c] * across
        blocks[C, :, c, :] = -rho[c] * (s[c] * identity + variance[c] * across.T)
        for i in range(n):
            across = on[i, c] * np.outer(outliers[i], t[c])
            blocks[c, :, C + 1 + i, :] = -z[i, c] * identity - across
            blocks[C + 1 + i, :, c, :] = -rho[c] * (z[i, c] * identity + across.T)
    blocks[C, :, C, :] = identity - (t.T * (rho * variance)) @ t
    for i in range(n):
        blocks[C + 1 + i, :, C + 1 + i, :] = identity - (t.T * (rho * on[i])) @ t
    return values, jacobian
