"""General inputs: Newton's method on the outliers' equations, with the inputs where z = 0 treated as what they are."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from nonlazy.theory.rectified._data_problem import DataProblem


# Where an outlier's preactivation is above, at and below the kink of ReLU.
ABOVE, KINK, BELOW = 1, 0, -1


@dataclass(frozen=True, eq=False)
class DataSolution:
    """A stationary point on general inputs.

    **Fields:** `field`: t `(P, m)`; `bulk`: a0 `(m,)`; `activation`: bulk mean of phi `(P,)`; `outliers`: abar `(n,
    m)`; `sources`: q `(n, P)`; `preactivations`: zbar = K q `(n, P)`; `sets`: ABOVE, KINK or BELOW, `(n, P)`;
    `residual`: largest violation of an equation or a sign, relative to the largest target.
    """

    field: Float[np.ndarray, "P m"]
    bulk: Float[np.ndarray, " m"]
    activation: Float[np.ndarray, " P"]
    outliers: Float[np.ndarray, "n m"]
    sources: Float[np.ndarray, "n P"]
    preactivations: Float[np.ndarray, "n P"]
    sets: Int[np.ndarray, "n P"]
    residual: float


def sources_of(
    problem: DataProblem, sets: Int[np.ndarray, " P"], h: Float[np.ndarray, " P"]
) -> Float[np.ndarray, " P"]:
    """q with q = h above, z = K q = 0 on the kink, q = 0 below."""
    above, kink = sets == ABOVE, sets == KINK
    q = np.where(above, h, 0.0)
    if kink.any() and above.any():
        K = problem.kernel
        q[kink] = -_solve_symmetric(K[np.ix_(kink, kink)], K[np.ix_(kink, above)] @ h[above])
    return q


def response(problem: DataProblem, sets: Int[np.ndarray, " P"]) -> Float[np.ndarray, "P P"]:
    """S with phi(z) = S h: the kernel of the inputs above the kink, given that the kink's stay at 0."""
    above, kink = sets == ABOVE, sets == KINK
    K = problem.kernel
    block = K[np.ix_(above, above)]
    if kink.any():
        across = K[np.ix_(kink, above)]
        block = block - across.T @ _solve_symmetric(K[np.ix_(kink, kink)], across)
    S = np.zeros_like(K)
    S[np.ix_(above, above)] = 0.5 * (block + block.T)
    return S


def _solve_symmetric(matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    try:
        return scipy.linalg.cho_solve(scipy.linalg.cho_factor(matrix, lower=True), rhs)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(matrix, rhs, rcond=None)[0]


def evaluate(problem: DataProblem, t, a0, outliers, sets) -> DataSolution:
    """The solution with these active sets, and by how much it misses the conditions, kinks and signs included."""
    fields = outliers @ t.T
    q = np.array([sources_of(problem, s, h) for s, h in zip(sets, fields, strict=True)]).reshape(fields.shape)
    z = q @ problem.kernel
    phi = np.maximum(z, 0.0)
    s = problem.mean + problem.covariance @ (t @ a0)
    constraint = problem.targets - problem.temperature * t - np.outer(s, a0) - phi.T @ outliers
    own = a0 - t.T @ s / problem.P
    atoms = outliers - phi @ t / problem.P
    # q must lie in h [phi'(z)]: h above, between h and 0 on the kink, 0 below; z must have its sign.
    low, high = np.minimum(fields, 0.0), np.where(sets == KINK, 0.0, np.maximum(fields, 0.0))
    sources = np.where(sets == KINK, np.maximum(q - high, 0.0) + np.maximum(low - q, 0.0), 0.0)
    signs = np.where(sets == ABOVE, np.maximum(-z, 0.0), np.maximum(z, 0.0))
    scale = float(np.max(np.abs(problem.targets)))
    worst = max(float(np.max(np.abs(part), initial=0.0)) for part in (constraint, own, atoms, sources, signs))
    return DataSolution(t, a0, s, outliers, q, z, sets, worst / scale)


def first_sets(t, outliers, z, width: float) -> Int[np.ndarray, "n P"]:
    """Active sets read off a descent with a kink of this relative `width`: within it the preactivation counts as 0."""
    width = width * np.sqrt(np.mean(z**2, axis=1, keepdims=True))
    at_kink = (np.abs(z) <= width) & (outliers @ t.T < 0)
    return np.where(at_kink, KINK, np.where(z > 0, ABOVE, BELOW))


def next_sets(solution: DataSolution) -> Int[np.ndarray, "n P"]:
    """Where an input goes whose sign or source contradicts its set."""
    h, z, q, sets = solution.outliers @ solution.field.T, solution.preactivations, solution.sources, solution.sets
    moved = sets.copy()
    moved[(sets == ABOVE) & (z < 0)] = KINK
    moved[(sets == BELOW) & (z > 0)] = KINK
    moved[(sets == KINK) & (q > 0)] = BELOW
    moved[(sets == KINK) & (q < h)] = ABOVE
    # A kink under a positive field is no minimum: the input goes to the side where it came from.
    up = (moved == KINK) & (h > 0)
    moved[up] = np.where(sets[up] == ABOVE, BELOW, ABOVE)
    return moved


def polish(
    problem: DataProblem,
    t: Float[np.ndarray, "P m"],
    a0: Float[np.ndarray, " m"],
    outliers: Float[np.ndarray, "n m"],
    sets: Int[np.ndarray, "n P"],
    steps: int = 40,
    tolerance: float = 1e-11,
) -> DataSolution:
    """Newton steps in (t, a0, abar) at fixed sets, alternating with changes of the sets; the best point seen."""
    best = evaluate(problem, t, a0, outliers, sets)
    current, stale = best, 0
    for _ in range(steps):
        t, a0, outliers = _newton_step(problem, current)
        trial = evaluate(problem, t, a0, outliers, current.sets)
        if not np.isfinite(trial.residual):
            break
        current = evaluate(problem, t, a0, outliers, next_sets(trial))
        if trial.residual < current.residual and trial.residual < best.residual:
            current = trial
        if current.residual < 0.9 * best.residual:
            stale = 0
        else:
            stale += 1
        if current.residual < best.residual:
            best = current
        if best.residual < tolerance or stale > 12:
            break
    return best


def _newton_step(problem: DataProblem, at: DataSolution):
    """One step on the stationarity of tr t^T Y - T|t|^2/2 + sum_j [P|a_j|^2 - (t a_j)^T S_j (t a_j)] / 2 in t and all
    a_j.

    The bulk is one more neuron, with S = C and a linear term. The block of t is positive; the neurons' own blocks are
    singular (an outlier costs nothing along itself), so they are solved for last, by least squares.
    """
    t, P, m, n = at.field, problem.P, problem.m, at.outliers.shape[0]
    neurons = np.vstack([at.outliers, at.bulk])
    phi = np.vstack([np.maximum(at.preactivations, 0.0), at.activation])
    phi[:n][at.sets != ABOVE] = 0.0
    # Output by output: blocks (r, s) are sums of S_j a_jr a_js, of which those above the diagonal do.
    blocks = {(r, s): np.zeros((P, P)) for r in range(m) for s in range(r, m)}
    border = np.zeros((m, P, n + 1, m))
    corner = np.zeros((n + 1, m, n + 1, m))
    for j, a in enumerate(neurons):
        S = response(problem, at.sets[j]) if j < n else problem.covariance
        for (r, s), block in blocks.items():
            block += (a[r] * a[s]) * S
        St = S @ t
        border[:, :, j, :] = np.einsum("p,rs->rps", phi[j], np.eye(m)) + np.einsum("ps,r->rps", St, a)
        corner[j, :, j, :] = P * np.eye(m) - t.T @ St
    system = np.block([[blocks[min(r, s), max(r, s)] for s in range(m)] for r in range(m)])
    del blocks
    system[np.diag_indices(P * m)] += problem.temperature + 1e-10
    border, corner = border.reshape(P * m, -1), corner.reshape((n + 1) * m, -1)
    first = (problem.targets - problem.temperature * t - phi.T @ neurons).T.ravel()
    second = (phi @ t - P * neurons).ravel()
    factor = scipy.linalg.cho_factor(system, lower=True, overwrite_a=True)
    solved = scipy.linalg.cho_solve(factor, np.column_stack([first, border]))
    # system dt + border da = first;  -border^T dt + corner da = second.
    schur = corner + border.T @ solved[:, 1:]
    da = np.linalg.lstsq(schur, second + border.T @ solved[:, 0], rcond=1e-12)[0]
    dt = solved[:, 0] - solved[:, 1:] @ da
    size = max(float(np.max(np.abs(dt))), float(np.max(np.abs(da))))
    limit = min(1.0, 0.5 / size) if size > 0 else 1.0
    moved = neurons + limit * da.reshape(n + 1, m)
    return t + limit * dt.reshape(m, P).T, moved[n], moved[:n]
