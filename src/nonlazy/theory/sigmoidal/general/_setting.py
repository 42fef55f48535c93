"""The single-neuron problem: what every well is solved in."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from nonlazy.theory.sigmoidal.general._averages import ErrorFunctionAverages


Fluctuations = Literal["variational", "neglected"]


@dataclass(frozen=True, eq=False)
class Setting:
    """A task in whitened coordinates: a = sigma_a b, z = roots u, with b and u of unit prior variance.

    **Fields:**

    - `roots`: L with L L^T = sigma_1^2 K_0, `(P, r)`.
    - `targets`: Y in the basis of its own row space, `(P, k)`, k = rank Y.
    - `temperature`, `sigma_a`: T and the prior deviation of a readout.
    - `averages`: Gaussian averages of the activation.
    - `fluctuations`: `"variational"`: each well is a Gaussian in (u, b); `"neglected"`: a point.
    - `finite_size`: whether a neuron's readout fluctuates within its well and the weights of wells follow from it.
    """

    roots: Float[np.ndarray, "P r"]
    targets: Float[np.ndarray, "P k"]
    temperature: float
    sigma_a: float
    averages: ErrorFunctionAverages
    fluctuations: Fluctuations
    finite_size: bool

    @property
    def P(self) -> int:
        return self.roots.shape[0]

    @property
    def rank(self) -> int:
        return self.roots.shape[1]

    @property
    def k(self) -> int:
        return self.targets.shape[1]

    @property
    def scale(self) -> float:
        """s2 = P sigma_a^2, in units of which temperatures are measured."""
        return self.P * self.sigma_a**2

    @property
    def variational(self) -> bool:
        return self.fluctuations == "variational"

    @property
    def joint(self) -> bool:
        """Whether the readout fluctuates within a well together with the preactivations."""
        return self.variational and self.finite_size

    @property
    def entropy(self) -> float:
        """Weight of the entropy of codes and readouts: 1 at finite size, 0 (to rounding) in the limit."""
        return 1.0 if self.finite_size else 1e-6
