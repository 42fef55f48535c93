"""From whatever a user hands over as labels to checked classes."""

from typing import Any

import numpy as np
from jaxtyping import Int

from nonlazy.errors import InvalidInput


def as_classes(labels: Any, inputs: int) -> tuple[tuple[Any, ...], Int[np.ndarray, " inputs"]]:
    """The distinct labels in sorted order, and the index of each input's class.

    **Raises:** `nonlazy.errors.InvalidInput` where labels do not fit the inputs, are no class labels, name one class
    only, or name a class for every input.
    """
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu()
    array = np.asarray(labels)
    if array.ndim != 1:
        raise InvalidInput(
            f"labels have shape {array.shape}: give one class label an input, ({inputs},); "
            "of one-hot targets take the arg max over outputs"
        )
    if array.size != inputs:
        raise InvalidInput(
            f"{array.size} labels do not fit activations of {inputs} inputs; activations are (neurons, inputs)"
        )
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and (array == np.round(array)).all()):
            raise InvalidInput("labels are not whole numbers: class labels are integers or strings")
        array = array.astype(np.int64)
    if array.dtype.kind in "OT" and all(isinstance(label, str) for label in array):
        array = array.astype(str)
    if array.dtype.kind not in "biuUS":
        raise InvalidInput(f"labels are of type {array.dtype}: class labels are integers or strings")
    names, classes = np.unique(array, return_inverse=True)
    if names.size < 2:
        raise InvalidInput(f"all labels are {names[0]!s}: codes need two classes or more")
    if names.size == inputs:
        raise InvalidInput(
            f"each of the {inputs} inputs has a class of its own: the spread within classes, which tells signal from "
            "noise, needs at least one class with two inputs"
        )
    return tuple(names.tolist()), classes
