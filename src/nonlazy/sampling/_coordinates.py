"""Whitened coordinates: every number that is sampled has prior N(0, 1).

First layer. Only z^1 = W^1 x / sqrt(N0) on the training inputs meets the data, so with sigma_1 X / sqrt(N0) = S Q^T,
S `(P, r)`, Q `(N0, r)` with orthonormal columns and r the rank of the inputs, the sampler moves u `(N, r)` and
z^1 = u S^T. The part of W^1 outside the inputs' span keeps its prior and is drawn only where weights or test outputs
are asked for: W^1 = sigma_1 [u Q^T + G (1 - Q Q^T)], G of independent N(0, 1). This is exact. For mutually orthogonal
inputs (K_0 = 1) S is sigma_1 times the identity and no matrix product is needed; where r = N0 the coordinates are the
weights themselves.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.posterior import Posterior
from nonlazy.tasks import Task


# Relative to the largest singular value of the inputs: below it a direction carries no more than rounding.
_RANK_TOLERANCE = 1e-7
_ORTHOGONAL_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Coordinates:
    """How whitened first-layer coordinates u `(N, r)` relate to preactivations and weights.

    **Fields:**

    - `factor`: S with z^1 = u S^T, `(P, r)`; None stands for the identity times `scale`.
    - `scale`: sigma_1 where `factor` is None, else 1.
    - `basis`: Q, `(N0, r)`; None where r = N0 and Q is the identity.
    - `rank`: r.
    - `sigma`: sigma_1.
    """

    factor: Float[np.ndarray, "P r"] | None
    scale: float
    basis: Float[np.ndarray, "N0 r"] | None
    rank: int
    sigma: float

    def test_factors(
        self, X: Float[np.ndarray, "inputs N0"]
    ) -> tuple[Float[np.ndarray, "inputs r"], Float[np.ndarray, "inputs N0"] | None]:
        """B and R with z^1(X) = u B^T + G R^T, G `(N, N0)` of fresh N(0, 1); R is None where u fixes z^1 everywhere."""
        scaled = X * (self.sigma / math.sqrt(X.shape[1]))
        if self.basis is None:
            return scaled, None
        inside = scaled @ self.basis
        return inside, scaled - inside @ self.basis.T

    def first_weights(
        self, u: Float[np.ndarray, "N r"], outside: Float[np.ndarray, "N N0"] | None
    ) -> Float[np.ndarray, "N N0"]:
        """W^1 from u and the draw G of the part that the training inputs do not see."""
        if self.basis is None:
            return self.sigma * u
        assert outside is not None
        return self.sigma * (u @ self.basis.T + outside - (outside @ self.basis) @ self.basis.T)


def orthogonal(task: Task) -> bool:
    """Whether the training inputs are mutually orthogonal with K_0 = 1 to rounding."""
    return task.P <= task.N0 and float(np.abs(task.input_kernel - np.eye(task.P)).max()) < _ORTHOGONAL_TOLERANCE


def coordinates(posterior: Posterior) -> Coordinates:
    """The whitened coordinates of a posterior's first layer, computed in float64."""
    X, N0 = posterior.task.X, posterior.task.N0
    P = X.shape[0]
    sigma = math.sqrt(posterior.sigma2[0])
    if orthogonal(posterior.task):
        return Coordinates(None, sigma, X.T / math.sqrt(N0), P, sigma)
    if P <= N0:
        left, singular, right = np.linalg.svd(X / math.sqrt(N0), full_matrices=False)
        keep = singular > _RANK_TOLERANCE * singular[0]
        rank = int(keep.sum())
        if rank < N0:
            factor = sigma * left[:, keep] * singular[keep]
            return Coordinates(np.ascontiguousarray(factor), 1.0, np.ascontiguousarray(right[keep].T), rank, sigma)
    return Coordinates(sigma * X / math.sqrt(N0), 1.0, None, N0, sigma)
