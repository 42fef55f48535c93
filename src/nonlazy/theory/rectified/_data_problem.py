"""The rectified network on general inputs: P inputs with any kernel, in units where s2 = P sigma_a^2 is 1."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class DataProblem:
    """Inputs with kernel K, targets, and the first two cumulants of the bulk's activations.

    **Fields:** `kernel`: sigma_1^2 K_0 `(P, P)`; `root`: L with L L^T = K `(P, rank)`; `targets`: `(P, m)` of full
    column rank; `temperature`; `mean`, `covariance`: of phi(z) for z ~ N(0, K), `(P,)` and `(P, P)`; `covariance_root`.
    """

    kernel: Float[np.ndarray, "P P"]
    root: Float[np.ndarray, "P rank"]
    targets: Float[np.ndarray, "P m"]
    temperature: float
    mean: Float[np.ndarray, " P"]
    covariance: Float[np.ndarray, "P P"]
    covariance_root: Float[np.ndarray, "P P"]

    @property
    def P(self) -> int:
        """Number of inputs."""
        return self.targets.shape[0]

    @property
    def m(self) -> int:
        """Number of independent outputs."""
        return self.targets.shape[1]


def data_problem(
    kernel: Float[np.ndarray, "P P"],
    targets: Float[np.ndarray, "P m"],
    temperature: float,
    mean: Float[np.ndarray, " P"],
    covariance: Float[np.ndarray, "P P"],
) -> DataProblem:
    """The problem with its matrix roots; a singular kernel keeps the directions that it has."""
    values, vectors = np.linalg.eigh(kernel)
    keep = values > values[-1] * values.size * np.finfo(float).eps
    root = vectors[:, keep] * np.sqrt(values[keep])
    jitter = 1e-12 * float(np.max(np.diag(covariance)))
    values, vectors = np.linalg.eigh(covariance)
    covariance_root = vectors * np.sqrt(np.maximum(values, jitter))
    return DataProblem(kernel, root, targets, temperature, mean, covariance, covariance_root)


@dataclass(frozen=True, eq=False)
class DataState:
    """Neurons and field on the way to a solution.

    **Fields:** `field`: t `(P, m)`; `bulk`: a0 `(m,)`; `latent`: eta `(P,)`, the bulk's activations are mean + C^(1/2)
    eta; `outliers`: abar `(n, m)`; `whitened`: xi `(n, rank)`, zbar = L xi.
    """

    field: Float[np.ndarray, "P m"]
    bulk: Float[np.ndarray, " m"]
    latent: Float[np.ndarray, " P"]
    outliers: Float[np.ndarray, "n m"]
    whitened: Float[np.ndarray, "n rank"]


def bulk_of_field(
    problem: DataProblem, t: Float[np.ndarray, "P m"]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m m"], float] | None:
    """a0, H = 1 - t^T C t / P and E(a0; t) in the two-cumulant bulk; None where its energy has no minimum."""
    hessian = np.eye(problem.m) - t.T @ problem.covariance @ t / problem.P
    if np.linalg.eigvalsh(hessian)[0] <= 1e-12:
        return None
    force = t.T @ problem.mean / problem.P
    a0 = scipy.linalg.solve(hessian, force, assume_a="pos")
    return a0, hessian, -0.5 * float(force @ a0)
