"""The eigenmodes of the input kernel, through which a linear network sees its task."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class InputModes:
    """Nonzero eigenmodes of K_0 = X X^T / N0 = sum_k kappa_k u_k u_k^T, with u_k = X d_k / sqrt(N0 kappa_k).

    **Fields:**

    - `directions`: d_k in input space, `(rank, N0)`, orthonormal.
    - `kappa`: eigenvalues, `(rank,)`, all above 0.
    - `targets`: u_k^T Y, `(rank, m)`.
    - `silent`: number of zero eigenvalues, P - rank.
    - `unreachable`: |Y - K_0 K_0^+ Y|^2, the squared training error that no linear network can remove.
    """

    directions: Float[np.ndarray, "rank N0"]
    kappa: Float[np.ndarray, " rank"]
    targets: Float[np.ndarray, "rank m"]
    silent: int
    unreachable: float

    @property
    def rank(self) -> int:
        """Number of nonzero eigenvalues of K_0."""
        return self.kappa.size

    def project(
        self, X: Float[np.ndarray, "inputs N0"]
    ) -> tuple[Float[np.ndarray, "inputs rank"], Float[np.ndarray, "inputs N0"]]:
        """x / sqrt(N0) in the modes, and the rest of it, which training says nothing about."""
        scaled = X / np.sqrt(X.shape[1])
        along = scaled @ self.directions.T
        return along, scaled - along @ self.directions


def input_modes(X: Float[np.ndarray, "P N0"], Y: Float[np.ndarray, "P m"]) -> InputModes:
    """The modes of a task, by the singular values of X: forming K_0 would square their rounding errors."""
    left, singular, right = np.linalg.svd(X / np.sqrt(X.shape[1]), full_matrices=False)
    kept = singular > max(X.shape) * np.finfo(np.float64).eps * singular[0]
    left = left[:, kept]
    targets = left.T @ Y
    rest = Y - left @ targets
    silent = X.shape[0] - int(kept.sum())
    return InputModes(right[kept], singular[kept] ** 2, targets, silent, float(np.sum(rest**2)) if silent else 0.0)
