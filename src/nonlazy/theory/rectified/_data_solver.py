"""Solves the rectified network on general inputs: descend, add the outliers that pay, descend again, polish."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.rectified._active_sets import DataSolution, first_sets, polish
from nonlazy.theory.rectified._data_descent import descend, violating_atoms
from nonlazy.theory.rectified._data_problem import DataProblem, DataState, bulk_of_field


_ROUNDS, _ROUNDS_LARGE = 24, 12
_STARTS = 32
# Directions in which the ball is violated by less than this are not followed any more.
_VIOLATION = 2e-4
# Up to this many unknowns in t a Newton polish follows every round.
_CHEAP = 700


@dataclass(frozen=True, eq=False)
class DataSolved:
    """What the search ended with.

    **Fields:** `solution`; `energy`: primal, per input; `gap`: primal minus dual at t / sqrt(q), q the largest dual
    norm found; `norm`: that q.
    """

    solution: DataSolution
    energy: float
    gap: float
    norm: float


def solve_data(problem: DataProblem, N: int | None, seed: int = 0) -> DataSolved:
    """Outliers in directions that violate the dual ball are added, a few a round, until none is or none pays.

    **Arguments:** `N`: at finite width an outlier has to lower the energy by more than it costs, log 2 times the share
    of the inputs on which it is silent, divided by N. None: the limit, where any violation pays.
    """
    generator = np.random.default_rng(seed)
    scale = float(np.sqrt(np.mean(np.sum(problem.targets**2, axis=1))))
    state = DataState(
        np.zeros_like(problem.targets),
        np.zeros(problem.m),
        np.zeros(problem.P),
        np.zeros((0, problem.m)),
        np.zeros((0, problem.root.shape[1])),
    )
    cheap = problem.P * problem.m <= _CHEAP
    best, best_cost, penalty, idle = state, np.inf, 0.3 * scale, 0
    for round_number in range(_ROUNDS if cheap else _ROUNDS_LARGE):
        state = _settle(problem, state, penalty, thorough=cheap and round_number >= 2)
        penalty = max(0.4 * penalty, 0.01 * scale)
        if cheap and round_number >= 2:
            solution = finish(problem, state)
            if solution.residual < 1e-8:
                state = state_of(problem, solution)
        norms, v, xi = violating_atoms(problem, state.field, _STARTS, generator)
        if round_number >= 2:
            cost = state_energy(problem, state) + _extra_cost(problem, state, N)
            improvement = best_cost - cost
            if improvement > 0:
                best, best_cost = state, cost
            idle = 0 if improvement > 1e-5 * (1 + best_cost) else idle + 1
            if idle > (4 if N is None else 2) or (norms[0] < 1 + _VIOLATION and round_number >= 4):
                break
        state = _with_atoms(problem, state, norms, v, xi)
    if N is not None and cheap:
        best = _without_idle_atoms(problem, best, N, 0.01 * scale)
    for _ in range(3 if cheap else 1):
        best = _settle(problem, best, 0.003 * scale, thorough=True)
    return judge(problem, finish(problem, best), generator)


def state_of(problem: DataProblem, solution: DataSolution) -> DataState:
    """The descent's variables at a solution."""
    latent = problem.covariance_root.T @ (solution.field @ solution.bulk)
    return DataState(solution.field, solution.bulk, latent, solution.outliers, solution.sources @ problem.root)


def _settle(problem: DataProblem, state: DataState, penalty: float, thorough: bool) -> DataState:
    """Descents with an ever sharper kink; outliers that vanish are dropped, parallel ones merged."""
    widths = (0.1, 0.03, 0.01, 0.003) if thorough else (0.1, 0.03)
    for width in widths:
        state = descend(problem, state, penalty, width, 150 if thorough else 80)
        state = merged(problem, state)
    return state


def merged(problem: DataProblem, state: DataState) -> DataState:
    """Without vanished outliers, parallel ones as one: |abar|^2 adds up along a common direction."""
    weight = np.sum(state.outliers**2, axis=1)
    order = [i for i in np.argsort(-weight) if weight[i] > 1e-5 * weight.max()]
    kept: list[int] = []
    sums: dict[int, float] = {}
    z = state.whitened @ problem.root.T
    phi = np.maximum(z, 0.0)
    lengths = np.maximum(np.linalg.norm(phi, axis=1), 1e-300)
    for i in order:
        for k in kept:
            readouts = state.outliers[i] @ state.outliers[k] / np.sqrt(weight[i] * weight[k])
            if readouts > 1 - 2e-3 and phi[i] @ phi[k] > (1 - 2e-3) * lengths[i] * lengths[k]:
                sums[k] += weight[i]
                break
        else:
            kept.append(i)
            sums[i] = weight[i]
    factor = np.array([np.sqrt(sums[i] / weight[i]) for i in kept])[:, None]
    return DataState(
        state.field,
        state.bulk,
        state.latent,
        state.outliers[kept] * factor.reshape(-1, 1),
        state.whitened[kept] * factor.reshape(-1, 1),
    )


def _with_atoms(problem: DataProblem, state: DataState, norms, v, xi) -> DataState:
    """The most violating directions that are not yet there, as small outliers: three, or more next to many."""
    outliers, whitened, added = state.outliers, state.whitened, 0
    most = 3 + outliers.shape[0] // 3
    for value, direction, latent in zip(norms, v, xi, strict=True):
        if added == most or value < 1 + 1e-5:
            break
        if outliers.shape[0]:
            near = whitened @ latent / np.linalg.norm(whitened, axis=1)
            near = near * (outliers @ direction) / np.linalg.norm(outliers, axis=1)
            if np.max(near) > 0.98:
                continue
        outliers = np.vstack([outliers, 0.15 * direction])
        whitened = np.vstack([whitened, 0.15 * np.sqrt(problem.P) * latent])
        added += 1
    return DataState(state.field, state.bulk, state.latent, outliers, whitened)


def state_energy(problem: DataProblem, state: DataState) -> float:
    """Energy per input of the neurons, with their true remainder R paid as |R|^2 / (2 (T + 1e-3))."""
    phi = np.maximum(state.whitened @ problem.root.T, 0.0)
    s = problem.mean + problem.covariance_root @ state.latent
    remainder = problem.targets - phi.T @ state.outliers - np.outer(s, state.bulk)
    neurons = np.sum(state.outliers**2) + np.sum(state.bulk**2)
    latent = np.sum(state.whitened**2) + np.sum(state.latent**2)
    misfit = np.sum(remainder**2) / (problem.temperature + 1e-3)
    return 0.5 * float(neurons + (latent + misfit) / problem.P)


def silent_share(problem: DataProblem, whitened: Float[np.ndarray, "n rank"]) -> Float[np.ndarray, " n"]:
    """Share of the inputs on which an outlier is silent."""
    z = whitened @ problem.root.T
    return np.mean(z <= 1e-3 * np.max(np.abs(z), axis=1, keepdims=True, initial=0.0), axis=1)


def _extra_cost(problem: DataProblem, state: DataState, N: int | None) -> float:
    return 0.0 if N is None else float(np.log(2.0) * silent_share(problem, state.whitened).sum()) / N


def _without_idle_atoms(problem: DataProblem, state: DataState, N: int, penalty: float) -> DataState:
    """Leaves out outliers that gain less than they cost at this width, the weakest first."""
    settled = state_energy(problem, state) + _extra_cost(problem, state, N)
    while state.outliers.shape[0] > 1:
        weakest = int(np.argmin(np.sum(state.outliers**2, axis=1)))
        keep = np.arange(state.outliers.shape[0]) != weakest
        trial = DataState(state.field, state.bulk, state.latent, state.outliers[keep], state.whitened[keep])
        for width in (0.03, 0.003):
            trial = merged(problem, descend(problem, trial, penalty, width, 150))
        cost = state_energy(problem, trial) + _extra_cost(problem, trial, N)
        if cost > settled:
            break
        state, settled = trial, cost
    return state


def finish(problem: DataProblem, state: DataState) -> DataSolution:
    """Newton's method from a descent, with the kink's inputs read off at several widths; the best of them."""
    z = state.whitened @ problem.root.T
    best = None
    for width in (0.004, 0.01, 0.001):
        sets = first_sets(state.field, state.outliers, z, width)
        solution = polish(problem, state.field, state.bulk, state.outliers, sets)
        if best is None or solution.residual < best.residual:
            best = solution
        if best.residual < 1e-9:
            break
    assert best is not None
    return best


def judge(problem: DataProblem, solution: DataSolution, generator: np.random.Generator) -> DataSolved:
    """Primal energy, and the dual at t / sqrt(q) with the largest violation that a search finds."""
    P, t = problem.P, solution.field
    a0, shift = solution.bulk, t @ solution.bulk
    latent = 0.5 * float(shift @ problem.covariance @ shift) / P
    quadratic = float(np.sum(solution.sources * solution.preactivations)) / P
    outliers = 0.5 * (float(np.sum(solution.outliers**2)) + quadratic)
    energy = 0.5 * float(a0 @ a0) + latent + outliers + 0.5 * problem.temperature * float(np.sum(t**2)) / P
    norms, _, _ = violating_atoms(problem, t, 2 * _STARTS, generator, steps=150)
    norm = max(1.0, float(norms[0]))
    feasible = t / np.sqrt(norm)
    bulk = bulk_of_field(problem, feasible)
    if bulk is None:
        return DataSolved(solution, energy, np.inf, norm)
    dual = float(np.sum(feasible * problem.targets) - 0.5 * problem.temperature * np.sum(feasible**2)) / P + bulk[2]
    return DataSolved(solution, energy, energy - dual, norm)
