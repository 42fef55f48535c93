"""From the output of a convolutional or transformer layer to one number a neuron and input."""

from typing import Any

import numpy as np
from jaxtyping import Float32

from nonlazy.errors import InvalidInput


REDUCTIONS = ("mean", "max", "flatten", "first", "last")


def reduced(output: Any, how: str, channels: str, name: str) -> Float32[np.ndarray, "inputs neurons"]:
    """Outputs of a batch, an input a row.

    **Arguments:**

    - `output`: `(inputs, ...)`.
    - `how`: over all axes but inputs and channels: the mean, the maximum, the first or last token; or `"flatten"`:
      every unit is a neuron.
    - `channels`: where the channels are, after the inputs or at the end.
    - `name`: of the layer, for errors.

    **Raises:** `nonlazy.errors.InvalidInput` for outputs without numbers, and tokens of what has several axes of them.
    """
    array = np.asarray(output)
    if array.dtype.kind == "V" and "float" in array.dtype.name:
        array = array.astype(np.float32)  # JAX's bfloat16, which NumPy does not know as a number
    if array.ndim == 0 or array.dtype.kind not in "fiub":
        raise InvalidInput(f"layer {name} gives no table of numbers (shape {array.shape}, type {array.dtype})")
    array = array.astype(np.float32)
    if array.ndim <= 2 or how == "flatten":
        return array.reshape(array.shape[0], -1)
    if channels == "first":
        array = np.moveaxis(array, 1, -1)
    if how in ("first", "last"):
        if array.ndim != 3:
            raise InvalidInput(
                f"layer {name} has outputs of shape {array.shape[1:]} for each input, and {how!r} needs (tokens, "
                "features): choose mean, max or flatten"
            )
        return array[:, 0 if how == "first" else -1]
    positions = array.reshape(array.shape[0], -1, array.shape[-1])
    return positions.mean(axis=1) if how == "mean" else positions.max(axis=1)


def said(shape: tuple[int, ...], how: str, channels: str) -> str:
    """What `reduced` does to outputs of this shape, in words."""
    if len(shape) <= 2:
        return "none"
    if how == "flatten":
        return f"every unit of {'x'.join(map(str, shape[1:]))}"
    positions = shape[2:] if channels == "first" else shape[1:-1]
    where = f"{'x'.join(map(str, positions))} positions"
    return f"{how} of {where}" if how in ("mean", "max") else f"{how} of {where[:-10]} tokens"
