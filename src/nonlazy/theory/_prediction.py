"""What every theory answers: the `Prediction` protocol, and the records its methods return."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task


if TYPE_CHECKING:
    import xarray

Ensemble = Literal["equilibrium", "quenched"]
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
    """What the theory says of a posterior.

    Further attributes depend on the coding scheme: `codes` (redundant), `outliers` and `bulk` (sparse),
    `readout_covariance` (analog).

    **Attributes:**

    - `posterior`: what was solved.
    - `ensemble`: `"equilibrium"`, or `"quenched"` where the fractions of the codes were given.
    - `free_energy`: -log of the evidence, per neuron and training input, up to a constant that each theory states.
    - `residual`: by how much the solution misses the equations; 0 is exact.
    - `gap`: upper bound on how far the free energy lies above its optimum, per neuron.
    - `certified`: whether `gap` proves that the solution is the optimum. `certificate` says why, or what is not known.
    """

    @property
    def posterior(self) -> Posterior: ...

    @property
    def ensemble(self) -> Ensemble: ...

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

    def predictor_variance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior variance of the outputs, `(inputs, m)`; 0 where the theory is that of infinite width."""
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

    def preactivation_density(
        self, grid: Float[np.ndarray, " points"], code: int | None, label: int, layer: int = -1
    ) -> Float[np.ndarray, " points"]:
        """Density, on `grid`, of a neuron's preactivation on a training input of class `label`.

        `code` is the neuron's code, an index into the theory's codes; None averages over all neurons.
        """
        ...

    def to_xarray(self) -> "xarray.Dataset":
        """The numbers of the prediction as a labelled `xarray.Dataset`."""
        ...


def error_on_test_inputs(
    prediction: Prediction, task: Task | None = None, by: Grouping = "output"
) -> GeneralizationError:
    """The `generalization_error` of a prediction: its mean predictor's squared error, and its variance, on a test set.

    By output: means over all test inputs. By input class: sums over outputs, means over the inputs of the class.

    **Raises:** `nonlazy.errors.InvalidInput` without a test set, or where the task has another number of outputs.
    """
    learned = prediction.posterior.task
    task = learned if task is None else task
    if by not in ("output", "input_class"):
        raise InvalidInput(f"by is {by!r}: choose 'output' or 'input_class'")
    if task.X_test is None or task.Y_test is None or task.labels_test is None:
        raise InvalidInput(f"task {task.name!r} has no test set: give one with X_test, Y_test and labels_test")
    if task.m != learned.m:
        raise InvalidInput(f"task {task.name!r} has m = {task.m} outputs; {learned.m} were learned")
    mean, variance = prediction.predict(task.X_test), prediction.predictor_variance(task.X_test)
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
