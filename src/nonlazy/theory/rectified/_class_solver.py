"""Solves the class-level problem: outliers are added where the dual ball is violated, until nothing is."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize
from jaxtyping import Float

from nonlazy.theory.rectified._ball import Ball, dual_ball
from nonlazy.theory.rectified._classes import (
    ClassProblem,
    ClassSolution,
    bulk_minimum,
    dual_value,
    equations,
    primal_value,
)


_ROUNDS = 30
_VIOLATION = 1e-9


@dataclass(frozen=True, eq=False)
class Solved:
    """The best stationary point found, the dual ball at it, and the duality gap: primal minus dual at t / sqrt(q)."""

    solution: ClassSolution
    ball: Ball
    gap: float


def solve_classes(problem: ClassProblem) -> Solved:
    """The optimum of the concave dual.

    One outlier a class is tried first (its equations are closed); where the dual ball rejects it, atoms are added in
    the directions of its largest violations, and a proximal-point iteration on t finds the neighbourhood of the optimum
    for Newton's method.
    """
    best = None
    for solution in _candidates(problem):
        lean = without_vanished(problem, solution)
        if len(lean.outliers) < len(solution.outliers):
            again = polish(problem, lean.field, lean.bulk, lean.outliers)
            solution = solution if again is None else again
        solved = judge(problem, solution)
        if best is None or _rank(solved) < _rank(best):
            best = solved
        if solved.solution.residual < 1e-10 and abs(solved.gap) < 1e-10:
            return solved
    assert best is not None
    return best


def judge(problem: ClassProblem, solution: ClassSolution) -> Solved:
    """The dual ball and the duality gap at a stationary point; the bulk's minimum is the lowest of several starts."""
    ball = dual_ball(solution.field, problem.ratios)
    field = solution.field / max(1.0, np.sqrt(ball.norm))
    bulk = lowest_bulk(problem, field, solution.bulk, ball)[1]
    return Solved(solution, ball, primal_value(problem, solution) - dual_value(problem, field, bulk))


def lowest_bulk(
    problem: ClassProblem, t: Float[np.ndarray, "C m"], start: Float[np.ndarray, " m"], ball: Ball
) -> tuple[Float[np.ndarray, " m"], float]:
    """The lowest minimum of E(.; t) that starts at `start`, at 0 and along the ball's highest directions lead to."""
    starts = [start, np.zeros_like(start), *(3.0 * v for v in ball.directions[:8])]
    return min((bulk_minimum(problem, t, a) for a in starts), key=lambda found: found[1])


def _rank(solved: Solved) -> float:
    return abs(solved.gap) + solved.solution.residual


def _candidates(problem: ClassProblem):
    guess = one_outlier_a_class(problem)
    if guess is not None:
        solution = polish(problem, *guess)
        if solution is not None:
            yield solution
    yield from _pursuit(problem)


def one_outlier_a_class(problem: ClassProblem):
    """t, a0 and abar of the closed form with one outlier for each class, or None where it has none for some class."""
    rho, y = problem.ratios, problem.targets
    a0 = np.zeros(y.shape[1])
    t = v = np.zeros_like(y)
    length = np.zeros(y.shape[0])
    s = problem.single.cumulants(np.zeros(y.shape[0]))[1]
    for _ in range(100):
        remainder = y - np.outer(s, a0)
        length = np.linalg.norm(remainder, axis=1)
        if np.min(length) < 1e-12:
            return None
        v = remainder / length[:, None]
        t = v / np.sqrt(rho)[:, None]
        a0 = (np.sqrt(rho) * s) @ v
        # A self-enhancing bulk has left the range of this scheme.
        if np.max(np.abs(t @ a0)) > 10:
            return None
        s = problem.single.cumulants(t @ a0)[1]
    weight = np.sqrt(rho) * length - problem.temperature
    if np.min(weight) <= 0:
        return None
    return t, a0, np.sqrt(weight)[:, None] * v


def polish(
    problem: ClassProblem,
    t: Float[np.ndarray, "C m"],
    a0: Float[np.ndarray, " m"],
    outliers: Float[np.ndarray, "n m"],
    steps: int = 60,
) -> ClassSolution | None:
    """All equations at once by Levenberg-Marquardt; None where it does not converge.

    Rotations of outliers that share their active classes leave the equations unchanged, so solutions can form a
    continuum: the damping, which falls with the residual, leads to a nearby point of it, quadratically.
    """
    outliers = merge_parallel(outliers)
    scale = max(1e-300, float(np.max(np.abs(problem.targets))))
    C, m = t.shape
    values, jacobian = equations(problem, t, a0, outliers)
    error, caution, stale = float(np.max(np.abs(values))), 1.0, 0
    for _ in range(steps):
        u, sigma, vt = np.linalg.svd(jacobian, full_matrices=False)
        damping = min(1e-2, caution * (error / scale) ** 2) + 1e-26
        step = -vt.T @ (sigma / (sigma**2 + damping * sigma[0] ** 2) * (u.T @ values))
        trial = (
            t + step[: C * m].reshape(C, m),
            a0 + step[C * m : (C + 1) * m],
            outliers + step[(C + 1) * m :].reshape(-1, m),
        )
        new_values, new_jacobian = equations(problem, *trial)
        new_error = float(np.max(np.abs(new_values)))
        if new_error < error:
            stale = 0 if new_error < 0.5 * error else stale + 1
            (t, a0, outliers), values, jacobian, error = trial, new_values, new_jacobian, new_error
            caution = max(0.1 * caution, 1e-3)
        else:
            caution, stale = 10 * caution, stale + 1
        if error == 0 or stale > 8 or (stale > 2 and error < 1e-12 * scale):
            break
    return ClassSolution(t, a0, outliers, error / scale) if error < 1e-9 * scale else None


def without_vanished(problem: ClassProblem, solution: ClassSolution) -> ClassSolution:
    """The solution without outliers of weight 0 to rounding, which the equations allow anywhere."""
    weight = np.sum(solution.outliers**2, axis=1)
    kept = weight > 1e-9 * float(np.max(np.abs(problem.targets)))
    return solution if kept.all() else replace(solution, outliers=solution.outliers[kept])


def merge_parallel(outliers: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "k m"]:
    """Outliers along one direction as a single one: only the sum of |abar|^2 along it is fixed by the equations."""
    groups: list[np.ndarray] = []
    scale = float(np.max(np.sum(outliers**2, axis=1), initial=0.0))
    for a in sorted(outliers, key=lambda row: -float(row @ row)):
        length = float(np.linalg.norm(a))
        if length**2 <= 1e-10 * scale:
            continue
        for k, group in enumerate(groups):
            size = float(np.linalg.norm(group))
            if a @ group > (1 - 1e-6) * length * size:
                groups[k] = group / size * np.sqrt(size**2 + length**2)
                break
        else:
            groups.append(a)
    return np.array(groups).reshape(len(groups), outliers.shape[1])


def _pursuit(problem: ClassProblem):
    """Stationary points on the way of a proximal-point iteration on t; outliers come where the ball is violated."""
    C, m = problem.targets.shape
    scale = np.sqrt(float(problem.ratios @ np.sum(problem.targets**2, axis=1)))
    t, state = np.zeros((C, m)), (np.zeros(m), np.zeros(C), np.zeros((0, m)), np.zeros((0, C)))
    penalty, violation = 0.3 * scale, 1e-3
    for round_number in range(_ROUNDS):
        if round_number:
            ball = dual_ball(t, problem.ratios)
            state = _with_atoms(t, state, ball, violation)
            # Descents keep the bulk in the minimum where it started, which need not stay the lowest one.
            feasible = t / max(1.0, np.sqrt(ball.norm))
            a0 = lowest_bulk(problem, feasible, state[0], ball)[0]
            state = (a0, feasible @ a0, *state[2:])
        t, state = _proximal_step(problem, t, state, penalty)
        penalty = max(0.7 * penalty, 3e-3 * scale)
        if round_number < 3:
            continue
        violation = _VIOLATION
        a0, _, outliers, _ = _pruned(state)
        solution = polish(problem, t, a0, _fewest(problem, t, a0, outliers))
        if solution is not None:
            solution = with_fewest_outliers(problem, solution)
            yield solution
            t, z = solution.field, solution.preactivations
            state = solution.bulk, t @ solution.bulk, solution.outliers, z


def _fewest(problem: ClassProblem, t, a0, outliers) -> Float[np.ndarray, "k m"]:
    """The same directions with weights of a vertex: as few outliers as reproduce the targets at this t."""
    if outliers.shape[0] == 0:
        return outliers
    s = problem.single.cumulants(t @ a0)[1]
    wanted = problem.targets - problem.temperature * t - np.outer(s, a0)
    v = outliers / np.linalg.norm(outliers, axis=1, keepdims=True)
    root = np.sqrt(problem.ratios)
    columns = np.einsum("kc,kr,c->crk", np.maximum(v @ t.T, 0.0), v, root).reshape(-1, v.shape[0])
    weights, _ = scipy.optimize.nnls(columns, (root[:, None] * wanted).ravel())
    keep = weights > 1e-6 * max(1e-300, float(weights.max(initial=0.0)))
    return np.sqrt(weights[keep])[:, None] * v[keep]


def with_fewest_outliers(problem: ClassProblem, solution: ClassSolution) -> ClassSolution:
    """The same optimum with fewer outliers where it has them to spare: each is left out in turn, the weakest first."""
    energy = primal_value(problem, solution)
    for _ in range(solution.outliers.shape[0]):
        order = np.argsort(np.sum(solution.outliers**2, axis=1))
        for k in order:
            fewer = np.delete(solution.outliers, k, axis=0)
            trial = polish(problem, solution.field, solution.bulk, fewer, steps=12)
            if trial is not None and abs(primal_value(problem, trial) - energy) < 1e-11 * (1 + abs(energy)):
                solution = trial
                break
        else:
            return solution
    return solution


def _with_atoms(t, state, ball: Ball, violation: float):
    """Adds up to three outliers in the directions that violate the ball most and are not yet there."""
    a0, h, outliers, z = _pruned(state)
    added = 0
    for v, value in zip(ball.directions, ball.values, strict=True):
        if value < 1 + violation or added == 3:
            break
        lengths = np.linalg.norm(outliers, axis=1)
        if outliers.size and np.max(outliers @ v / lengths) > 1 - 1e-4:
            continue
        outliers = np.vstack([outliers, 0.1 * v])
        z = np.vstack([z, 0.1 * np.maximum(t @ v, 0.0)])
        added += 1
    return a0, h, outliers, z


def _pruned(state):
    a0, h, outliers, z = state
    weight = np.sum(outliers**2, axis=1)
    keep = weight > 1e-7 * max(1e-300, float(weight.max(initial=0.0)))
    return a0, h, outliers[keep], z[keep]


def _proximal_step(problem: ClassProblem, t, state, penalty: float):
    """t that maximises the dual minus penalty/2 |t - t_old|^2, with its neurons: a bounded quasi-Newton search.

    In the neurons' variables this is least squares: |R + penalty t_old|^2 / (2 (T + penalty)) with R = Y - <phi a^T>.
    """
    rho, y = problem.ratios, problem.targets
    C, m = y.shape
    n = state[2].shape[0]
    stiffness = problem.temperature + penalty
    shifted = y + penalty * t

    def unpack(x):
        a0, h = x[:m], x[m : m + C]
        outliers = x[m + C : m + C + n * m].reshape(n, m)
        return a0, h, outliers, x[m + C + n * m :].reshape(n, C)

    def objective(x):
        a0, h, outliers, z = unpack(x)
        g, s, variance, _ = problem.single.cumulants(h)
        remainder = shifted - np.outer(s, a0) - z.T @ outliers
        field = remainder / stiffness
        value = 0.5 * (a0 @ a0 + np.sum(outliers**2) + np.sum(z**2 @ rho)) + rho @ (h * s - g)
        value += 0.5 * float(rho @ np.sum(remainder * field, axis=1))
        pulled = rho[:, None] * field
        gradient = [
            a0 - s @ pulled,
            rho * variance * (h - field @ a0),
            (outliers - z @ pulled).ravel(),
            (rho * z - outliers @ pulled.T).ravel(),
        ]
        return float(value), np.concatenate(gradient)

    start = np.concatenate([np.ravel(part) for part in state])
    bounds = [(None, None)] * m + [(-30.0, 30.0)] * C + [(None, None)] * (n * m) + [(0.0, None)] * (n * C)
    answer = scipy.optimize.minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 400, "ftol": 1e-15, "gtol": 1e-9},
    )
    a0, h, outliers, z = unpack(answer.x)
    s = problem.single.cumulants(h)[1]
    t = (shifted - np.outer(s, a0) - z.T @ outliers) / stiffness
    return t, (a0, h, outliers, z)
