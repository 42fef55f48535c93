"""Targets from labels, one rule for every task."""

import math

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from nonlazy.errors import InvalidInput
from nonlazy.tasks._check import whole_number


def one_hot(
    labels: ArrayLike, classes: int, y_plus: float | int = 1.0, y_minus: float | int = 0.0
) -> Float[np.ndarray, "P classes"]:
    """Targets with one output a class: y+ for an input's own class, y- for the others.

    **Arguments:**

    - `labels`: class of each input, `(P,)`, integers `0 .. classes - 1`.
    - `classes`: number of classes C, which is the number of outputs m.
    - `y_plus`, `y_minus`: the two target values, finite and different.

    **Returns:** `(P, classes)`, float64.

    **Raises:** `nonlazy.errors.InvalidInput`.

    Source: van Meegen & Sompolinsky (2025), "Results": one-hot targets with values y+ and y-.
    """
    labels = whole_labels("labels", labels)
    classes = whole_number("classes", classes, 1)
    if labels.size and labels.max() >= classes:
        raise InvalidInput(f"labels reach {labels.max()}, but there are {classes} classes, 0 .. {classes - 1}")
    y_plus, y_minus = target_values(y_plus, y_minus)
    Y = np.full((labels.size, classes), y_minus)
    Y[np.arange(labels.size), labels] = y_plus
    return Y


def target_values(y_plus: float | int, y_minus: float | int) -> tuple[float, float]:
    """y+ and y- as two floats.

    **Raises:** `nonlazy.errors.InvalidInput` where one is not a finite number, or where both are the same.
    """
    values = []
    for name, value in (("y_plus", y_plus), ("y_minus", y_minus)):
        try:
            values.append(float(value))
        except (TypeError, ValueError):
            raise InvalidInput(f"{name} is {value!r}: it must be a number") from None
        if not math.isfinite(values[-1]):
            raise InvalidInput(f"{name} is {values[-1]}: it must be finite")
    if values[0] == values[1]:
        raise InvalidInput(f"y_plus and y_minus are both {values[0]:g}: such targets do not tell the classes apart")
    return values[0], values[1]


def whole_labels(name: str, labels: ArrayLike) -> np.ndarray:
    """A copy of `labels` as a vector of integers, 0 or more.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    found = np.asarray(labels)
    if found.ndim != 1:
        raise InvalidInput(f"{name} has shape {found.shape}: it must be a vector, one class an input")
    if not np.issubdtype(found.dtype, np.integer):
        raise InvalidInput(
            f"{name} holds {found.dtype} values: it must hold integers 0 .. C-1 "
            "(names become integers with numpy.unique(names, return_inverse=True))"
        )
    if found.size and found.min() < 0:
        raise InvalidInput(f"{name} holds {found.min()}: classes are counted from 0")
    return np.array(found, dtype=np.int64)
