"""Gaussian process regression with one kernel for all outputs, in the kernel's eigenmodes."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Modes:
    """Eigenmodes of the training inputs' kernel K whose eigenvalue stands out of the errors in K.

    **Fields:** `vectors` `(P, rank)`; `values` `(rank,)`, sorted upwards; `threshold`: eigenvalues up to it count as 0;
    `targets`: the targets in the modes, `(rank, m)`; `unreachable` `(P, m)`: what of the targets no mode holds.
    """

    vectors: Float[np.ndarray, "P rank"]
    values: Float[np.ndarray, " rank"]
    threshold: float
    targets: Float[np.ndarray, "rank m"]
    unreachable: Float[np.ndarray, "P m"]

    @property
    def rank(self) -> int:
        """Number of modes."""
        return self.values.size

    def weights(
        self, K: Float[np.ndarray, "P P"], readout_variance: float, temperature: float
    ) -> Float[np.ndarray, "P m"]:
        """The part of the dual field t = (sigma_a^2 K + T)^-1 Y within the modes, `(P, m)`; at T = 0 all of it."""
        variances = (readout_variance * self.values + temperature)[:, None]
        weights = self.vectors @ (self.targets / variances)
        # Once more for what rounding left: a kernel with small eigenvalues makes t large.
        missed = self.targets - self.vectors.T @ (readout_variance * (K @ weights) + temperature * weights)
        return weights + self.vectors @ (missed / variances)

    def explained(
        self, k: Float[np.ndarray, "inputs P"], readout_variance: float, temperature: float
    ) -> Float[np.ndarray, "inputs rank"]:
        """Rows e with prior kernel - e e^T / sigma_a^2 the posterior kernel, from kernels k to the training inputs."""
        return k @ (self.vectors * (readout_variance / np.sqrt(readout_variance * self.values + temperature)))

    def log_evidence(self, readout_variance: float, temperature: float) -> float:
        """log p(Y); at T = 0 that of the targets within the modes."""
        P, m = self.unreachable.shape
        variances = readout_variance * self.values + temperature
        value = m * float(np.sum(np.log(2 * math.pi * variances))) + float(np.sum(self.targets**2 / variances[:, None]))
        if temperature > 0:
            value += m * (P - self.rank) * math.log(2 * math.pi * temperature)
            value += float(np.sum(self.unreachable**2)) / temperature
        return -0.5 * value


def kernel_modes(K: Float[np.ndarray, "P P"], Y: Float[np.ndarray, "P m"], error: float) -> Modes:
    """The modes of K, whose entries are known to `error` times sqrt(K_ii K_jj).

    An error E in K moves its eigenvalues by at most |E|_F <= `error` tr K; rounding by about eps P times the largest.
    """
    values, vectors = scipy.linalg.eigh(K)
    threshold = max(error * float(np.trace(K)), len(K) * float(np.finfo(np.float64).eps) * float(values[-1]))
    kept = values > threshold
    values, vectors = values[kept], vectors[:, kept]
    targets = vectors.T @ Y
    rest = np.zeros_like(Y) if kept.all() else Y - vectors @ targets
    return Modes(vectors, values, threshold, targets, rest)
