"""The `Task`: inputs, targets and labels, for training and test."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Task:
    """A classification or regression task: what a network is trained and tested on.

    Inputs are rows here, as everywhere in nonlazy's public functions; the paper writes them as columns. The builders of
    `nonlazy.tasks` make tasks; `nonlazy.tasks.from_arrays` takes arrays of any kind of number and copies them. P > N0
    and a singular input kernel are allowed: what needs its inverse says so, and `input_rank` tells.

    The arrays of a task are read-only, and those it was made of are not to be changed afterwards.

    **Fields:**

    - `X`: training inputs, `(P, N0)`, float64.
    - `Y`: training targets, `(P, m)`, float64.
    - `labels`: class of each training input, `(P,)`, integers `0 .. C-1`.
    - `X_test`, `Y_test`, `labels_test`: the same for the test set, or None.
    - `class_names`: a name for each class, `(C,)`.
    - `name`: how the task is called in tables and figures.
    - `provenance`: where the data come from and how they were prepared, as plain values that fit in JSON.

    **Raises:** `nonlazy.errors.InvalidInput` where shapes do not fit or numbers are not finite.
    """

    X: Float[np.ndarray, "P N0"]
    Y: Float[np.ndarray, "P m"]
    labels: Int[np.ndarray, " P"]
    X_test: Float[np.ndarray, "P_test N0"] | None = None
    Y_test: Float[np.ndarray, "P_test m"] | None = None
    labels_test: Int[np.ndarray, " P_test"] | None = None
    class_names: tuple[str, ...] = ()
    name: str = "task"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        _check_set("training", self.X, self.Y, self.labels)
        if any(part is not None for part in (self.X_test, self.Y_test, self.labels_test)):
            if self.X_test is None or self.Y_test is None or self.labels_test is None:
                raise InvalidInput("a test set needs X_test, Y_test and labels_test together, or none of them")
            _check_set("test", self.X_test, self.Y_test, self.labels_test)
            if self.X_test.shape[1] != self.X.shape[1]:
                raise InvalidInput(
                    f"test inputs have N0 = {self.X_test.shape[1]} numbers each, training inputs {self.X.shape[1]}"
                )
            if self.Y_test.shape[1] != self.Y.shape[1]:
                raise InvalidInput(f"test targets have {self.Y_test.shape[1]} outputs, training {self.Y.shape[1]}")
        highest = max(int(part.max()) for part in (self.labels, self.labels_test) if part is not None)
        if not self.class_names:
            object.__setattr__(self, "class_names", tuple(str(c) for c in range(highest + 1)))
        if highest >= len(self.class_names):
            raise InvalidInput(f"label {highest} has no name: {len(self.class_names)} class names were given")
        for name in ("X", "Y", "labels", "X_test", "Y_test", "labels_test"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, _read_only(array, np.int64 if name.startswith("labels") else np.float64))

    @property
    def P(self) -> int:
        """Number of training inputs."""
        return self.X.shape[0]

    @property
    def N0(self) -> int:
        """Numbers in one input."""
        return self.X.shape[1]

    @property
    def m(self) -> int:
        """Number of outputs."""
        return self.Y.shape[1]

    @property
    def classes(self) -> int:
        """Number of classes C."""
        return len(self.class_names)

    @property
    def input_kernel(self) -> Float[np.ndarray, "P P"]:
        """K_0 = X X^T / N0 of the training inputs, `(P, P)`."""
        return self.X @ self.X.T / self.N0

    @functools.cached_property
    def input_rank(self) -> int:
        """Numerical rank of the training inputs, at most min(P, N0), counted once.

        The number of singular values of X above max(P, N0) times the rounding error of the largest. Below P, the input
        kernel K_0 is singular: the preactivations of a first-layer neuron, one an input, then lie in a space of this
        dimension, and a linear network cannot reach every choice of targets.
        """
        return int(np.linalg.matrix_rank(self.X))

    def __repr__(self) -> str:
        test = "" if self.X_test is None else f", {self.X_test.shape[0]} test inputs"
        return f"Task({self.name!r}: P={self.P}, N0={self.N0}, m={self.m}, {self.classes} classes{test})"


def _read_only(array: np.ndarray, kind: type) -> np.ndarray:
    # A view, so that the caller's own array stays writeable and nothing is copied.
    view = np.asarray(array, dtype=kind).view()
    view.flags.writeable = False
    return view


def _check_set(which: str, X, Y, labels) -> None:
    if X.ndim != 2 or Y.ndim != 2 or labels.ndim != 1:
        raise InvalidInput(
            f"{which} set: X must be (P, N0), Y (P, m) and labels (P,); got {X.shape}, {Y.shape} and {labels.shape}"
        )
    if not X.shape[0] == Y.shape[0] == labels.shape[0]:
        raise InvalidInput(
            f"{which} set: {X.shape[0]} inputs, {Y.shape[0]} targets and {labels.shape[0]} labels do not fit together"
        )
    if 0 in (*X.shape, *Y.shape):
        raise InvalidInput(f"{which} set is empty: X has shape {X.shape}, Y {Y.shape}")
    for name, array in (("X", X), ("Y", Y)):
        if not np.isfinite(array).all():
            raise InvalidInput(
                f"{which} set: {name} holds {int((~np.isfinite(array)).sum())} values that are not finite"
            )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise InvalidInput(f"{which} set: labels must be integers 0 .. C-1; got {labels.dtype}, lowest {labels.min()}")
