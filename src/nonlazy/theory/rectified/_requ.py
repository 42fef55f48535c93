"""Squared ReLU at class level: condensation into few neurons without convexity, so the best of many starts."""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
from jaxtyping import Float


STARTS = 24


@dataclass(frozen=True, eq=False)
class SquaredSolution:
    """A stationary point of sum_i (|a_i|^2 + sum_c rho_c z_ic^2) / 2 + T sum_c rho_c |t_c|^2 / 2, in units of N^(1/3).

    **Fields:** `field`: t `(C, m)`; `outliers`: a `(n, m)`; `preactivations`: z `(n, C)`; `energy`; `residual`: largest
    violation of the equations relative to the largest target; `reached`: how many starts ended at this energy.
    """

    field: Float[np.ndarray, "C m"]
    outliers: Float[np.ndarray, "n m"]
    preactivations: Float[np.ndarray, "n C"]
    energy: float
    residual: float
    reached: int


def solve_squared(
    ratios: Float[np.ndarray, " C"],
    targets: Float[np.ndarray, "C m"],
    temperature: float,
    starts: int = STARTS,
) -> SquaredSolution | None:
    """The lowest stationary point of y_c - T t_c = sum_i z_ic^2 a_i over `starts` random starts; None without any.

    a_i = sum_c rho_c z_ic^2 t_c, and 2 a_i . t_c = 1 where z_ic > 0, at most 1 elsewhere.
    """
    generator = np.random.default_rng(0)
    C, m = targets.shape
    size = float(np.max(np.linalg.norm(targets, axis=1)))
    found: list[SquaredSolution] = []
    for k in range(starts):
        n = C + (k % 3)
        state = generator.standard_normal((n, m)), np.abs(generator.standard_normal((n, C)))
        if k == 0:
            length = np.linalg.norm(targets, axis=1)
            a = targets / np.where(length > 0, length, 1.0)[:, None] * (ratios * length / 2)[:, None] ** (1 / 3)
            z = np.diag(np.sqrt(length / np.maximum(np.linalg.norm(a, axis=1), 1e-12)))
            state = a, z
        t, *state = _descend(ratios, targets, temperature, *state, size)
        solution = _polish(ratios, targets, temperature, t, *state)
        if solution is not None:
            found.append(solution)
    if temperature > 0:
        # No neuron at all is a local minimum at every temperature above 0.
        empty = 0.5 * float(ratios @ np.sum(targets**2, axis=1)) / temperature
        found.append(SquaredSolution(targets / temperature, np.zeros((0, m)), np.zeros((0, C)), empty, 0.0, 1))
    if not found:
        return None
    best = min(found, key=lambda s: s.energy)
    reached = sum(abs(s.energy - best.energy) < 1e-7 * (1 + best.energy) for s in found)
    return SquaredSolution(best.field, best.outliers, best.preactivations, best.energy, best.residual, reached)


def _descend(rho, y, temperature, a, z, size):
    """Proximal-point steps on t, each a bounded quasi-Newton search over a and z >= 0."""
    (n, m), C = a.shape, y.shape[0]
    t = np.zeros_like(y)
    # Little slack from the start: neurons that die under a soft constraint do not come back.
    penalty = 0.01 * size ** (2 / 3)
    x = np.concatenate([a.ravel(), z.ravel()])

    def objective(x: np.ndarray, stiffness: float, shifted: np.ndarray) -> tuple[float, np.ndarray]:
        a, z = x[: n * m].reshape(n, m), x[n * m :].reshape(n, C)
        remainder = shifted - (z**2).T @ a
        pulled = rho[:, None] * remainder / stiffness
        value = 0.5 * (np.sum(a**2) + np.sum(z**2 @ rho) + np.sum(remainder * pulled))
        return float(value), np.concatenate([(a - z**2 @ pulled).ravel(), (z * (rho - 2 * a @ pulled.T)).ravel()])

    for _ in range(12):
        stiffness, shifted = temperature + penalty, y + penalty * t

        bounds = [(None, None)] * (n * m) + [(0.0, None)] * (n * C)
        answer = scipy.optimize.minimize(
            objective,
            x,
            args=(stiffness, shifted),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 300, "ftol": 1e-14},
        )
        x = answer.x
        a, z = x[: n * m].reshape(n, m), x[n * m :].reshape(n, C)
        t = (shifted - (z**2).T @ a) / stiffness
    return t, a, z


def _polish(rho, y, temperature, t, a, z) -> SquaredSolution | None:
    """Newton's method on the active set; None where it fails or ends at a point that a small change would lower."""
    keep = np.sum(a**2, axis=1) > 1e-4 * max(1e-300, float(np.sum(a**2, axis=1).max()))
    a, z = a[keep], z[keep]
    C, m = y.shape
    n = a.shape[0]
    on = z > 1e-2 * max(1e-300, float(z.max(initial=0.0)))
    z = np.where(on, z, 0.0)
    rows, columns = np.nonzero(on)
    scale = max(1e-300, float(np.max(np.abs(y))))

    def residuals(x):
        t, a = x[: C * m].reshape(C, m), x[C * m : (C + n) * m].reshape(n, m)
        z = np.zeros((n, C))
        z[rows, columns] = x[(C + n) * m :]
        return np.concatenate(
            [
                (y - temperature * t - (z**2).T @ a).ravel(),
                (a - (z**2 * rho) @ t).ravel(),
                1 - 2 * (a @ t.T)[rows, columns],
            ]
        )

    def jacobian(x):
        t, a = x[: C * m].reshape(C, m), x[C * m : (C + n) * m].reshape(n, m)
        active = x[(C + n) * m :]
        z2 = np.zeros((n, C))
        z2[rows, columns] = active**2
        identity = np.eye(m)
        pairs = np.arange(rows.size)
        J = np.zeros((x.size, x.size))
        J[: C * m, : C * m] = -temperature * np.eye(C * m)
        J[: C * m, C * m : (C + n) * m] = -np.kron(z2.T, identity)
        J[C * m : (C + n) * m, : C * m] = -np.kron(z2 * rho, identity)
        J[C * m : (C + n) * m, C * m : (C + n) * m] = np.eye(n * m)
        for r in range(m):
            J[columns * m + r, (C + n) * m + pairs] = -2 * active * a[rows, r]
            J[C * m + rows * m + r, (C + n) * m + pairs] = -2 * active * rho[columns] * t[columns, r]
            J[(C + n) * m + pairs, columns * m + r] = -2 * a[rows, r]
            J[(C + n) * m + pairs, C * m + rows * m + r] = -2 * t[columns, r]
        return J

    x = np.concatenate([t.ravel(), a.ravel(), z[on]])
    for _ in range(40):
        values = residuals(x)
        if np.max(np.abs(values)) < 1e-14 * scale:
            break
        step = -np.linalg.lstsq(jacobian(x), values, rcond=1e-12)[0]
        x = x + step * min(1.0, 0.3 * np.max(np.abs(x)) / max(1e-300, float(np.max(np.abs(step)))))
        if not np.isfinite(x).all():
            return None
    residual = float(np.max(np.abs(residuals(x)))) / scale
    t, a = x[: C * m].reshape(C, m), x[C * m : (C + n) * m].reshape(n, m)
    z = np.zeros((n, C))
    z[rows, columns] = x[(C + n) * m :]
    if residual > 1e-10 or np.any(z < 0) or np.any(2 * (a @ t.T)[~on] > 1 + 1e-9):
        return None
    energy = 0.5 * float(np.sum(a**2) + np.sum(z**2 @ rho) + temperature * rho @ np.sum(t**2, axis=1))
    order = np.argsort(-np.sum(a**2, axis=1))
    return SquaredSolution(t, a[order], z[order], energy, residual, 1)
