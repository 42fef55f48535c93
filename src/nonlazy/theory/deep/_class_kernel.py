"""A layer's kernel at class level: K(mu, nu) = C_cc' for two inputs, plus d_c on the diagonal."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class ClassKernel:
    """`block`: C `(C, C)`, the kernel of two different inputs by class; `excess`: d `(C,)`, added on the diagonal."""

    block: Float[np.ndarray, "C C"]
    excess: Float[np.ndarray, " C"]

    def forward(self, weight_variance: float) -> tuple[Float[np.ndarray, "C _"], Float[np.ndarray, " C"]]:
        """Factor A of the forward fields' covariance, and the variance d around them, in the layer above.

        Without any class part there are no forward fields: A has no columns.
        """
        if not self.block.any():
            return np.zeros((len(self.excess), 0)), weight_variance * self.excess
        return np.sqrt(weight_variance) * np.linalg.cholesky(self.block), weight_variance * self.excess


def packed(matrix: Float[np.ndarray, "C C"], vector: Float[np.ndarray, " C"]) -> Float[np.ndarray, " k"]:
    """Upper triangle and vector in one."""
    return np.concatenate([matrix[np.triu_indices(len(vector))], vector])


def unpacked(packed: Float[np.ndarray, " k"], C: int) -> tuple[Float[np.ndarray, "C C"], Float[np.ndarray, " C"]]:
    """Inverse of `packed`."""
    upper = np.zeros((C, C))
    rows, columns = np.triu_indices(C)
    upper[rows, columns] = upper[columns, rows] = packed[: len(rows)]
    return upper, packed[len(rows) :]
