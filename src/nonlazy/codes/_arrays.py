"""From whatever a user hands over to checked NumPy arrays."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput


def as_activations(activations: Any, name: str = "activations") -> Float[np.ndarray, "neurons inputs"]:
    """A float64 array `(neurons, inputs)` of NumPy, JAX, PyTorch, xarray or nested lists.

    **Raises:** `nonlazy.errors.InvalidInput` for other shapes, an empty layer, and values that are not finite.
    """
    if hasattr(activations, "detach"):
        activations = activations.detach().cpu()
    try:
        array = np.asarray(activations)
        if np.iscomplexobj(array):
            raise TypeError("they are complex")
        array = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} cannot be read as an array of numbers: {error}") from None
    if array.ndim != 2:
        raise InvalidInput(f"{name} have shape {array.shape}: give a table (neurons, inputs)")
    if 0 in array.shape:
        raise InvalidInput(f"{name} are empty: {array.shape[0]} neurons, {array.shape[1]} inputs")
    bad = ~np.isfinite(array)
    if bad.any():
        neuron, position = np.argwhere(bad)[0]
        raise InvalidInput(
            f"{name} hold {int(bad.sum())} values that are not finite, the first at neuron {neuron}, input {position}"
        )
    return array


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
