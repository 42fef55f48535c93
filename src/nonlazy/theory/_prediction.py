"""What every theory answers: the `Prediction` protocol, and the records its methods return."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from nonlazy.posterior import Posterior
from nonlazy.tasks import Task


Grouping = Literal["output", "input_class"]


@dataclass(frozen=True, eq=False)
class GeneralizationError:
    """Expected squared error on test inputs, its two parts apart.

    **Fields:** `by`: how it is grouped; `groups`: what each entry belongs to; `bias2`: squared error of the mean
    predictor, `(groups,)`; `variance`: posterior variance of the predictor, `(groups,)`.
    """

    by: Grouping
    groups: tuple[str, ...]
    bias2: Float[np.ndarray, " groups"]
    variance: Float[np.ndarray, " groups"]

    @property
    def total(self) -> Float[np.ndarray, " groups"]:
        """bias^2 + variance, `(groups,)`."""
        return self.bias2 + self.variance

    def __str__(self) -> str:
        heading = "output" if self.by == "output" else "input class"
        width = max(len(heading), *(len(group) for group in self.groups))
        lines = [f"{heading:<{width}}  {'error':>10}  {'bias^2':>10}  {'variance':>10}"]
        for group, total, bias2, variance in zip(self.groups, self.total, self.bias2, self.variance, strict=True):
            lines.append(f"{group:<{width}}  {total:10.4g}  {bias2:10.4g}  {variance:10.4g}")
        return "\n".join(lines)


@runtime_checkable
class Prediction(Protocol):
    """What the theory says of a posterior. Further attributes depend on the kind of network.

    **Attributes:**

    - `posterior`: what was solved.
    - `free_energy`: -log of the evidence, per neuron and training input, up to a constant that each theory states.
    - `residual`: by how much the solution misses the equations; 0 is exact.
    - `gap`: upper bound on how far the free energy lies above its optimum, per neuron.
    - `certified`: whether `gap` proves that the solution is the optimum. `certificate` says why, or what is not known.
    """

    @property
    def posterior(self) -> Posterior: ...

    @property
    def free_energy(self) -> float: ...

    @property
    def residual(self) -> float: ...

    @property
    def gap(self) -> float: ...

    @property
    def certified(self) -> bool: ...

    @property
    def certificate(self) -> str: ...

    def predict(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior mean of the outputs, `(inputs, m)`."""
        ...

    def kernel(
        self,
        X1: Float[np.ndarray, "inputs1 N0"],
        X2: Float[np.ndarray, "inputs2 N0"] | None = None,
        layer: int = -1,
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """Posterior mean of a layer's kernel, `(inputs1, inputs2)`; `X2` None means `X1`."""
        ...

    def generalization_error(self, task: Task | None = None, by: Grouping = "output") -> GeneralizationError:
        """Expected squared error on the test inputs of `task`, or of the task that was solved."""
        ...

    def readout_density(
        self, direction: Float[np.ndarray, " m"], grid: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """Density of a neuron's readout vector projected on the unit vector along `direction`, on `grid`."""
        ...

    def sample_readouts(self, n: int, seed: int) -> Float[np.ndarray, "n m"]:
        """Readout vectors of `n` independent neurons, `(n, m)`."""
        ...


def error_on_test_inputs(
    task: Task,
    mean: Float[np.ndarray, "P_test m"],
    variance: Float[np.ndarray, "P_test m"],
    by: Grouping,
) -> GeneralizationError:
    """Group squared bias and variance of a predictor on the test inputs of `task`.

    By output: means over all test inputs. By input class: sums over outputs, means over the inputs of the class.
    """
    assert task.Y_test is not None and task.labels_test is not None
    bias2 = (task.Y_test - mean) ** 2
    if by == "output":
        groups = task.class_names if len(task.class_names) == task.m else tuple(str(r) for r in range(task.m))
        return GeneralizationError(by, groups, bias2.mean(axis=0), variance.mean(axis=0))
    present = np.unique(task.labels_test)
    members = [task.labels_test == c for c in present]
    return GeneralizationError(
        by,
        tuple(task.class_names[c] for c in present),
        np.array([bias2[inputs].sum(axis=1).mean() for inputs in members]),
        np.array([variance[inputs].sum(axis=1).mean() for inputs in members]),
    )
