"""All layers at given tilts, and by how much the tilts miss what the layers above ask for."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.deep._class_kernel import packed, unpacked
from nonlazy.theory.deep._hidden_layer import HiddenLayer, Tilt, hidden_layer
from nonlazy.theory.deep._problem import ClassProblem
from nonlazy.theory.deep._quadrature import Nodes, Rule
from nonlazy.theory.deep._readout_layer import Composition, ReadoutLayer, solve_readout


_FIRST = Rule(7, product=True)
_DEEPER = Rule(8)


@dataclass(frozen=True)
class Accuracy:
    """The quadrature rules of the `first` layer and of the `deeper` ones, and the `tolerance` of t."""

    first: Rule = _FIRST
    deeper: Rule = _DEEPER
    tolerance: float = 1e-8

    @property
    def doubled(self) -> "Accuracy":
        """Twice the nodes."""
        return Accuracy(self.first.doubled, self.deeper.doubled, self.tolerance)

    def rules(self, depth: int) -> tuple[Rule, ...]:
        """The rule of every layer."""
        return (self.first,) + (self.deeper,) * (depth - 1)


@dataclass(frozen=True, eq=False)
class State:
    """Layers at the tilts `tilts` `(L-1, k)` (Lambda's upper triangle and delta, layer by layer).

    **Fields:** `hidden`: layers 1 .. L-1; `readout`: layer L; `value`: F, the log evidence per neuron up to the
    constant of the Gaussian density; `defect`: what the layers above ask for, minus the tilts.
    """

    tilts: Float[np.ndarray, "lower k"]
    hidden: tuple[HiddenLayer, ...]
    readout: ReadoutLayer
    value: float
    defect: Float[np.ndarray, "lower k"]

    @property
    def miss(self) -> float:
        """Largest entry of the defect, relative to the largest tilt of the layer."""
        return self.miss_above(0)

    def miss_above(self, held: int) -> float:
        """The same without the lowest `held` layers."""
        return float(np.max(np.abs(self.defect[held:]).max(axis=1) / np.abs(self.tilts[held:]).max(axis=1)))

    @property
    def nodes(self) -> tuple[Nodes, ...]:
        """The nodes of all layers."""
        return (*(layer.nodes for layer in self.hidden), self.readout.nodes)


def state_at(
    problem: ClassProblem,
    tilts: Float[np.ndarray, "lower k"],
    t: Float[np.ndarray, "C m"],
    accuracy: Accuracy,
    nodes: tuple[Nodes, ...] | None = None,
    composition: Composition | None = None,
) -> State:
    """Layers from the inputs upwards, t at its minimum (started from `t`), then the defects.

    **Raises:** `numpy.linalg.LinAlgError` where a tilt or a kernel is no covariance.
    """
    inputs = problem.input_covariance
    variances = (problem.first_variance if inputs is None else 1.0, *problem.weight_variances)
    hidden: list[HiddenLayer] = []
    value = 0.0
    for l, row in enumerate(tilts):
        tilt = Tilt(*unpacked(row, problem.C))
        below = hidden[-1].kernel if hidden else inputs
        rule = accuracy.first if below is None else accuracy.deeper
        layer = hidden_layer(problem, below, variances[l], tilt, rule, None if nodes is None else nodes[l])
        value += layer.log_total + 0.5 * tilt.against(layer.kernel, problem.counts)
        hidden.append(layer)
    readout = solve_readout(
        problem,
        hidden[-1].kernel,
        t,
        accuracy.deeper,
        None if nodes is None else nodes[-1],
        composition,
        accuracy.tolerance,
    )
    asked = [
        variance * packed(*layer.backward())
        for variance, layer in zip(variances[1:], (*hidden[1:], readout), strict=True)
    ]
    return State(tilts, tuple(hidden), readout, value + readout.value, np.array(asked) - tilts)
