"""General inputs: quasi-Newton descent over the neurons, and the search for directions that violate the dual ball."""

import numpy as np
import scipy.optimize
from jaxtyping import Float

from nonlazy.theory.rectified._data_problem import DataProblem, DataState


def rounded_relu(z: np.ndarray, width: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """max(0, z) with its kink rounded by a parabola on |z| < `width`, and its slope."""
    slope = np.clip(0.5 + z / (2 * width), 0.0, 1.0)
    return np.where(z >= width, z, width * slope**2), slope


def descend(problem: DataProblem, state: DataState, penalty: float, width: float, steps: int) -> DataState:
    """One proximal step on t: the neurons that minimise their energy + |Y + p t_old - <phi a^T>|^2 / (2 (T + p)).

    `penalty` p; `width`: of the rounded kink, relative to the size of an outlier's preactivations at any time: a fixed
    width would leave nothing of small outliers.
    """
    P, m, n, rank = problem.P, problem.m, state.outliers.shape[0], problem.root.shape[1]
    stiffness = problem.temperature + penalty
    shifted = problem.targets + penalty * state.field
    scale = np.sqrt(P)
    root, covariance_root = problem.root, problem.covariance_root
    spread = np.sqrt(np.mean((state.whitened @ root.T) ** 2, axis=1, keepdims=True))
    kink = width * spread / np.maximum(np.linalg.norm(state.whitened, axis=1, keepdims=True), 1e-300)

    def unpack(x):
        b = x[: n * m].reshape(n, m)
        xi = x[n * m : n * (m + rank)].reshape(n, rank)
        rest = x[n * (m + rank) :]
        return b, xi, rest[:m], rest[m:]

    def remainder(b, xi, b0, eta):
        length = np.maximum(np.linalg.norm(xi, axis=1, keepdims=True), 1e-300)
        phi, slope = rounded_relu(xi @ root.T, kink * length)
        s = problem.mean + covariance_root @ eta
        return (shifted - (phi.T @ b + np.outer(s, b0)) / scale) / stiffness, phi, slope, s, length

    def objective(x):
        b, xi, b0, eta = unpack(x)
        t, phi, slope, s, length = remainder(b, xi, b0, eta)
        value = 0.5 * (float(x @ x) + stiffness * float(np.sum(t**2)))
        pull = t / scale
        force = slope * (b @ pull.T)
        # The rounding widens with xi: the derivative of its parabola with respect to its width is slope (1 - slope).
        widening = np.sum(force * (1 - slope), axis=1, keepdims=True) * kink / length
        gradient = [
            (b - phi @ pull).ravel(),
            (xi - force @ root - widening * xi).ravel(),
            b0 - s @ pull,
            eta - covariance_root.T @ (pull @ b0),
        ]
        return value, np.concatenate(gradient)

    start = np.concatenate([(scale * state.outliers).ravel(), state.whitened.ravel(), scale * state.bulk, state.latent])
    answer = scipy.optimize.minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-7},
    )
    b, xi, b0, eta = unpack(answer.x)
    t = remainder(b, xi, b0, eta)[0]
    return DataState(t, b0 / scale, eta, b / scale, xi)


def violating_atoms(
    problem: DataProblem, t: Float[np.ndarray, "P m"], starts: int, generator: np.random.Generator, steps: int = 80
) -> tuple[Float[np.ndarray, " starts"], Float[np.ndarray, "starts m"], Float[np.ndarray, "starts rank"]]:
    """Local maxima of |t^T phi(L xi)|^2 / P over the sphere |xi| = 1, the largest first: the dual norm from below.

    **Returns:** their values, the unit readouts v along t^T phi, and xi.
    """
    P, root = problem.P, problem.root
    # Starts in the field's own directions, z along K (t v) for random v, with noise like the prior's main components.
    v = generator.standard_normal((starts, problem.m))
    xi = v @ t.T @ root
    xi /= np.maximum(np.linalg.norm(xi, axis=1, keepdims=True), 1e-300)
    noise = generator.standard_normal(xi.shape) * np.sqrt(np.sum(root**2, axis=0))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    xi += generator.uniform(0, 2, (starts, 1)) * noise
    size = float(np.sqrt(np.mean(np.diag(problem.kernel)) / root.shape[1]))

    def objective(x, width):
        xi = x.reshape(starts, -1)
        length = np.maximum(np.linalg.norm(xi, axis=1, keepdims=True), 1e-300)
        unit = xi / length
        phi, slope = rounded_relu(unit @ root.T, width)
        out = phi @ t
        value = np.linalg.norm(out, axis=1)
        v = out / np.maximum(value, 1e-300)[:, None]
        gradient = (slope * (v @ t.T)) @ root
        gradient -= np.sum(gradient * unit, axis=1, keepdims=True) * unit
        return -float(value.sum()), -(gradient / length).ravel()

    for width in (0.3 * size, 0.02 * size):
        answer = scipy.optimize.minimize(
            objective, xi.ravel(), args=(width,), jac=True, method="L-BFGS-B", options={"maxiter": steps, "maxcor": 10}
        )
        xi = answer.x.reshape(starts, -1)
        xi /= np.linalg.norm(xi, axis=1, keepdims=True)
    out = np.maximum(xi @ root.T, 0.0) @ t
    value = np.linalg.norm(out, axis=1)
    order = np.argsort(-value)
    v = out / np.maximum(value, 1e-300)[:, None]
    return value[order] ** 2 / P, v[order], xi[order]
