"""The codes that the theory finds in a layer."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of the feature layer: each is a subset of the classes, shared by a fraction of the neurons.

    **Fields:**

    - `readout`: mean readout vector of a neuron with this code, `(n, m)`.
    - `fraction`: share of the neurons, `(n,)`; they sum to 1.
    - `activation`: mean activation by class, `(n, classes)`.
    - `active`: the code as a subset of the classes: which of them activate the neuron, `(n, classes)`.
    - `class_names`: a name for each class.

    Sorted by fraction, the largest first; equal fractions by their classes.
    """

    readout: Float[np.ndarray, "n m"]
    fraction: Float[np.ndarray, " n"]
    activation: Float[np.ndarray, "n classes"]
    active: Bool[np.ndarray, "n classes"]
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.fraction)

    @property
    def names(self) -> tuple[str, ...]:
        """The codes as they are written in tables: a 1 for each class that activates the neuron, as in `1-1-0`."""
        return tuple("-".join("1" if on else "0" for on in row) for row in self.active)

    def __str__(self) -> str:
        width = max(len("code"), *(len(name) for name in self.names)) if len(self) else len("code")
        m, classes = self.readout.shape[1], self.activation.shape[1]
        lines = [f"{'code':<{width}}  {'fraction':>8}  {'readout':<{8 * m}}  {'activation by class':<{7 * classes}}"]
        for k, name in enumerate(self.names):
            readout = "".join(f"{a:8.3f}" for a in self.readout[k])
            activation = "".join(f"{value:7.3f}" for value in self.activation[k])
            lines.append(f"{name:<{width}}  {self.fraction[k]:8.4f}  {readout}  {activation}")
        return "\n".join(line.rstrip() for line in lines)
