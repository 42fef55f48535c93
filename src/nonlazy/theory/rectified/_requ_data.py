"""Squared ReLU on general inputs: condensation into few neurons without convexity, so the best of many starts."""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
from jaxtyping import Float


STARTS = 12
# Newton's method holds a dense matrix of this size: 510 MB.
MOST_UNKNOWNS = 8000
_ROUNDS = 8
# Keeps Newton's matrix regular at T = 0, where no neuron may be active on an input on the way.
_SLACK = 1e-9
_SOLVED = 1e-9


@dataclass(frozen=True, eq=False)
class SquaredData:
    """Inputs with kernel K = L L^T and targets, in units where s2 = 1 and sizes are those of N^(1/3).

    **Fields:** `root`: L `(P, rank)`; `targets`: `(P, m)`; `temperature`: T N^(-1/3).
    """

    root: Float[np.ndarray, "P rank"]
    targets: Float[np.ndarray, "P m"]
    temperature: float


@dataclass(frozen=True, eq=False)
class SquaredDataSolution:
    """A stationary point of sum_i (|a_i|^2 + z_i^T K^-1 z_i / P) / 2 + T |t|^2 / (2 P).

    **Fields:** `field`: t `(P, m)`; `outliers`: a `(n, m)`; `preactivations`: z `(n, P)`; `sources`: q `(n, P)`, z = K
    q; `energy`; `residual`: largest violation of an equation, relative to the largest target; `reached`: how many
    starts ended at this energy.
    """

    field: Float[np.ndarray, "P m"]
    outliers: Float[np.ndarray, "n m"]
    preactivations: Float[np.ndarray, "n P"]
    sources: Float[np.ndarray, "n P"]
    energy: float
    residual: float
    reached: int


def solve_squared_data(problem: SquaredData, starts: int = STARTS) -> SquaredDataSolution | None:
    """The lowest stationary point over `starts` random starts; None without any, or with too many unknowns.

    Y - T t = sum_i max(0, z_i)^2 a_i^T,  a_i = t^T max(0, z_i)^2 / P,  z_i = K q_i,  q_i = 2 max(0, z_i) * (t a_i).
    """
    generator = np.random.default_rng(0)
    found = []
    for k in range(starts):
        solution = _polish(
            problem, *_descend(problem, *_start(problem, 1 + problem.targets.shape[1] + k % 3, generator))
        )
        if solution is not None:
            found.append(solution)
    if problem.temperature > 0:
        found.append(_empty(problem))
    if not found:
        return None
    best = min(found, key=lambda solution: solution.energy)
    reached = sum(abs(solution.energy - best.energy) < 1e-6 * (1 + best.energy) for solution in found)
    return SquaredDataSolution(
        best.field, best.outliers, best.preactivations, best.sources, best.energy, best.residual, reached
    )


def _empty(problem: SquaredData) -> SquaredDataSolution:
    """No neuron at all: a local minimum at every temperature above 0."""
    P, m = problem.targets.shape
    energy = 0.5 * float(np.sum(problem.targets**2)) / problem.temperature / P
    nothing = np.zeros((0, P))
    return SquaredDataSolution(
        problem.targets / problem.temperature, np.zeros((0, m)), nothing, nothing, energy, 0.0, 1
    )


def _start(problem: SquaredData, n: int, generator: np.random.Generator):
    """Neurons along random directions of the targets, of about the size that reaches them."""
    P, m = problem.targets.shape
    v = generator.standard_normal((n, m))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    xi = (v @ problem.targets.T) @ problem.root
    xi /= np.maximum(np.linalg.norm(xi, axis=1, keepdims=True), 1e-300)
    noise = generator.standard_normal(xi.shape) / np.sqrt(xi.shape[1])
    size = (float(np.sqrt(np.mean(np.sum(problem.targets**2, axis=1)))) / n) ** (1 / 3)
    return size * v, np.sqrt(2 * P) * size * (xi + 0.5 * noise)


def _descend(problem: SquaredData, a: np.ndarray, xi: np.ndarray):
    """Proximal-point steps on t, each a quasi-Newton search over a and xi; neurons that vanish are left out."""
    root, targets, scale = problem.root, problem.targets, np.sqrt(problem.targets.shape[0])
    m = targets.shape[1]
    t = np.zeros_like(targets)
    # Little slack from the start: neurons that die under a soft constraint do not come back.
    penalty = 0.01 * float(np.max(np.abs(targets))) ** (2 / 3)
    for _ in range(_ROUNDS):
        n = len(a)
        stiffness, shifted = problem.temperature + penalty, targets + penalty * t

        def objective(x: np.ndarray, n=n, stiffness=stiffness, shifted=shifted) -> tuple[float, np.ndarray]:
            b, xi = x[: n * m].reshape(n, m), x[n * m :].reshape(n, -1)
            on = np.maximum(xi @ root.T, 0.0)
            field = (shifted - (on**2).T @ b / scale) / stiffness
            pull = field / scale
            gradient = [b - on**2 @ pull, xi - (2 * on * (b @ pull.T)) @ root]
            value = 0.5 * (float(x @ x) + stiffness * float(np.sum(field**2)))
            return value, np.concatenate([part.ravel() for part in gradient])

        x = np.concatenate([(scale * a).ravel(), xi.ravel()])
        answer = scipy.optimize.minimize(objective, x, jac=True, method="L-BFGS-B", options={"maxiter": 150})
        a, xi = answer.x[: n * m].reshape(n, m) / scale, answer.x[n * m :].reshape(n, -1)
        t = (shifted - (np.maximum(xi @ root.T, 0.0) ** 2).T @ a) / stiffness
        weight = np.sum(a**2, axis=1)
        kept = weight > 1e-4 * max(float(weight.max(initial=0.0)), 1e-300)
        a, xi = a[kept], xi[kept]
    return t, a, xi


def _polish(problem: SquaredData, t, a, xi) -> SquaredDataSolution | None:
    """Newton's method on all equations; None where it fails."""
    P, m = problem.targets.shape
    n, rank = xi.shape
    if n == 0 or P * m + n * (m + rank) > MOST_UNKNOWNS:
        return None
    scale = float(np.max(np.abs(problem.targets)))
    best, best_error = (t, a, xi), np.inf
    for _ in range(30):
        values = _equations(problem, t, a, xi)
        error = max(float(np.max(np.abs(values[0]))), float(np.max(np.abs(np.concatenate(values[1:]))) / P)) / scale
        if not np.isfinite(error):
            break
        if error < best_error:
            best, best_error = (t, a, xi), error
        if error < 1e-13 or error > 1e3 * best_error:
            break
        step = _newton_step(problem, t, a, xi, np.concatenate(values))
        if step is None:
            break
        size = float(np.max(np.abs(step[: P * m]))) / max(1.0, float(np.max(np.abs(t))))
        step *= min(1.0, 0.5 / max(size, 1e-300))
        t = t + step[: P * m].reshape(P, m)
        a = a + step[P * m : (P + n) * m].reshape(n, m)
        xi = xi + step[(P + n) * m :].reshape(n, rank)
    t, a, xi = best
    if best_error > _SOLVED:
        return None
    z = xi @ problem.root.T
    energy = 0.5 * float(np.sum(a**2) + (np.sum(xi**2) + problem.temperature * np.sum(t**2)) / P)
    order = np.argsort(-np.sum(a**2, axis=1))
    sources = 2 * np.maximum(z, 0.0) * (a @ t.T)
    return SquaredDataSolution(t, a[order], z[order], sources[order], energy, best_error, 1)


def _equations(problem: SquaredData, t, a, xi) -> list[np.ndarray]:
    """Gradients of tr t^T (Y - sum_i phi_i a_i^T) - T |t|^2 / 2 + sum_i (P |a_i|^2 + |xi_i|^2) / 2."""
    on = np.maximum(xi @ problem.root.T, 0.0)
    return [
        (problem.targets - problem.temperature * t - (on**2).T @ a).ravel(),
        (len(t) * a - on**2 @ t).ravel(),
        (xi - (2 * on * (a @ t.T)) @ problem.root).ravel(),
    ]


def _newton_step(problem: SquaredData, t, a, xi, values) -> np.ndarray | None:
    (P, m), (n, rank), root = t.shape, xi.shape, problem.root
    on, above = np.maximum(xi @ root.T, 0.0), (xi @ root.T > 0).astype(np.float64)
    size = P * m
    matrix = np.zeros((size + n * (m + rank),) * 2)
    matrix[:size, :size] = -(problem.temperature + _SLACK) * np.eye(size)
    for i in range(n):
        own = slice(size + i * m, size + (i + 1) * m)
        inner = slice(size + n * m + i * rank, size + n * m + (i + 1) * rank)
        slope = 2 * on[i][:, None] * root
        matrix[:size, own] = -np.kron(on[i][:, None] ** 2, np.eye(m))
        matrix[:size, inner] = -(slope[:, None, :] * a[i][None, :, None]).reshape(size, rank)
        matrix[own, own] = P * np.eye(m)
        matrix[own, inner] = -t.T @ slope
        matrix[inner, inner] = np.eye(rank) - root.T @ ((2 * above[i] * (t @ a[i]))[:, None] * root)
    upper = np.triu_indices(len(matrix), 1)
    matrix.T[upper] = matrix[upper]
    try:
        return -np.linalg.solve(matrix, values)
    except np.linalg.LinAlgError:
        return None
