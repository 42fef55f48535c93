"""The two kinds of neurons of a rectified network: a few outliers, and the bulk."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Outliers:
    """The neurons that carry the task, the largest first.

    **Fields:**

    - `readout`: abar `(n, m)`; a neuron's readout vector is N^(1/2) abar.
    - `preactivation`: zbar `(n, classes)`, or `(n, P)` where inputs of a class differ; z = N^(1/2) zbar. Inputs on
      which an outlier is silent have zbar <= 0.
    - `weight`: |abar|^2 `(n,)`: the share of the energy, in units of sigma_a^2 P.
    - `exponent`: 1/2; for squared ReLU 1/3, readouts and preactivations then grow as N^(1/3).
    """

    readout: Float[np.ndarray, "n m"]
    preactivation: Float[np.ndarray, "n columns"]
    weight: Float[np.ndarray, " n"]
    exponent: float = 0.5

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, eq=False)
class Bulk:
    """All other neurons: one Gaussian peak of readout vectors.

    **Fields:** `readout`: mean `(m,)`; `activation`: mean of phi, `(classes,)`, or `(P,)` where inputs of a class
    differ; `covariance`: of the readout vectors `(m, m)`, of order 1/P: sigma_a^2 H^-1; 0 in the limit of large P.
    """

    readout: Float[np.ndarray, " m"]
    activation: Float[np.ndarray, " columns"]
    covariance: Float[np.ndarray, "m m"]
