"""The free energy F(R) of a deep linear network, whose minimum is the saddle point, with its gradient.

For symmetric positive R = V diag(r) V^T (docs/theory/linear.md derives it):

    F = L/2 tr(R - log R - 1) + 1/(2N) sum_k log det M_k + 1/2 sum_k y_k^T M_k^{-1} y_k,   M_k = kappa_k v R^L + T,

over the eigenmodes k of the input kernel. The coordinate is H = log R: every symmetric H is allowed.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class LinearEnergy:
    """F(R) of one problem.

    **Fields:** `kappa` `(rank,)` and `targets` y_k `(rank, m)`: the modes of the input kernel; `depth` L; `width` N;
    `variance` v: prior variance of the readout times those of all hidden layers; `temperature` T >= 0.
    """

    kappa: Float[np.ndarray, " rank"]
    targets: Float[np.ndarray, "rank m"]
    depth: int
    width: int
    variance: float
    temperature: float

    @property
    def m(self) -> int:
        """Number of outputs."""
        return self.targets.shape[1]

    def value_and_gradient(self, H: Float[np.ndarray, "m m"]) -> tuple[float, Float[np.ndarray, "m m"]]:
        """F and its symmetric gradient at R = exp(H): dF = tr(gradient dH)."""
        h, V = np.linalg.eigh(H)
        value, gradient = self.in_eigenbasis(V, np.exp(h))
        return value, V @ gradient @ V.T

    def in_eigenbasis(
        self, V: Float[np.ndarray, "m n"], r: Float[np.ndarray, " n"]
    ) -> tuple[float, Float[np.ndarray, "n n"]]:
        """F at R = V diag(r) V^T with r > 0, and its gradient with respect to H, written in the basis V.

        With fewer columns than outputs, the part of F of these directions.
        """
        h, w = np.log(r), self.variance * r**self.depth
        gain = self.kappa[:, None] * w
        noisy = gain + self.temperature
        y = self.targets @ V
        pull = y / noisy
        value = (
            0.5 * self.depth * float(np.sum(r - 1.0 - h))
            + 0.5 * float(np.sum(np.log(noisy))) / self.width
            + 0.5 * float(np.sum(y * pull))
        )
        # dM_k = kappa_k dS with S = v exp(L H). In the eigenbasis dS_ij is dH_ij times the divided difference
        # (w_i - w_j) / (h_i - h_j), written so that close eigenvalues do not cancel.
        half_gap = 0.5 * self.depth * (h[:, None] - h[None, :])
        equal = half_gap == 0
        difference = self.depth * np.sqrt(w[:, None] * w) * np.where(equal, 1.0, np.sinh(half_gap) / (half_gap + equal))
        gradient = -0.5 * (pull.T @ (self.kappa[:, None] * pull)) * difference
        entropy = np.sum(gain / noisy, axis=0) / self.width
        gradient[np.diag_indices_from(gradient)] += 0.5 * self.depth * (r - 1.0 + entropy)
        return value, gradient

    def along_direction(self, r: Float[np.ndarray, " grid"]) -> Float[np.ndarray, " grid"]:
        """The part of F that does not know the targets, for one eigenvalue r of R."""
        noisy = np.outer(self.variance * r**self.depth, self.kappa) + self.temperature
        return 0.5 * self.depth * (r - 1.0 - np.log(r)) + 0.5 * np.sum(np.log(noisy), axis=1) / self.width

    def label_force(self, r: Float[np.ndarray, " grid"]) -> Float[np.ndarray, "grid m m"]:
        """S(r)/2 with S(r) = sum_k y_k y_k^T / (kappa_k v r^L + T); F's data term is sum_i v_i^T S(r_i) v_i / 2."""
        weights = 0.5 / (np.outer(self.variance * r**self.depth, self.kappa) + self.temperature)
        products = self.targets[:, :, None] * self.targets[:, None, :]
        return (weights @ products.reshape(self.kappa.size, -1)).reshape(r.size, self.m, self.m)
