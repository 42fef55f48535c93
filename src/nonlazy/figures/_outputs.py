"""What the network answers: mean outputs against targets, class by class, and the error on test inputs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.tasks import Task


@dataclass(frozen=True)
class OutputRow:
    """Mean outputs on the training inputs of one class, and their targets, one number an output."""

    name: str
    inputs: int
    target: tuple[float, ...]
    output: tuple[float, ...]


@dataclass(frozen=True)
class TestError:
    """Errors on the test inputs, the paper's eps_r = (1/P*) sum over inputs of <(y^r - f_r(x))^2>.

    **Fields:** `inputs`: how many; `bias2` and `variance`, one number an output: the squared error of the posterior
    mean predictor, and its variance over draws, both averaged over inputs; `accuracy`: share of the inputs whose
    largest mean output is their class's, None where outputs are not one a class.
    """

    inputs: int
    bias2: tuple[float, ...]
    variance: tuple[float, ...]
    accuracy: float | None

    @property
    def total(self) -> tuple[float, ...]:
        """eps_r: squared bias + variance, one number an output."""
        return tuple(b + v for b, v in zip(self.bias2, self.variance, strict=True))


def output_names(task: Task) -> tuple[str, ...]:
    """A name for each output: its class where there is one a class, else 1 .. m."""
    return task.class_names if len(task.class_names) == task.m else tuple(str(r + 1) for r in range(task.m))


def output_rows(
    outputs: Float[np.ndarray, "P m"],
    targets: Float[np.ndarray, "P m"],
    labels: Int[np.ndarray, " P"],
    class_names: tuple[str, ...],
) -> tuple[OutputRow, ...]:
    """One row a class that has training inputs."""
    rows = []
    for index, name in enumerate(class_names):
        chosen = labels == index
        if chosen.any():
            target = tuple(float(v) for v in targets[chosen].mean(axis=0))
            output = tuple(float(v) for v in outputs[chosen].mean(axis=0))
            rows.append(OutputRow(name, int(chosen.sum()), target, output))
    return tuple(rows)


def error_on_test(
    mean: Float[np.ndarray, "P_test m"],
    variance: Float[np.ndarray, "P_test m"],
    targets: Float[np.ndarray, "P_test m"],
    labels: Int[np.ndarray, " P_test"],
    classes: int,
) -> TestError:
    """The `TestError` of posterior mean outputs and their variance over draws."""
    return TestError(
        inputs=len(mean),
        bias2=tuple(float(v) for v in ((targets - mean) ** 2).mean(axis=0)),
        variance=tuple(float(v) for v in variance.mean(axis=0)),
        accuracy=float((mean.argmax(axis=1) == labels).mean()) if mean.shape[1] == classes else None,
    )
