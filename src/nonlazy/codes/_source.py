"""A layer's activations, read a few neurons at a time, so that they may be larger than memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from nonlazy.errors import DataError, InvalidInput, NonlazyError


# Values held in double precision at a time.
CHUNK_BYTES = 32 * 2**20
# Fourth powers summed over neurons and inputs stay within double precision.
LARGEST = 1e60


@dataclass(frozen=True, eq=False)
class Layer:
    """Activations `(neurons, inputs)` that are read by rows: `read(start, stop)` gives a checked float64 array.

    **Fields:** `neurons`, `inputs`: the shape; `name`: what errors call it; `step`: neurons a chunk;
    `rows`: reads neurons start to stop.
    """

    neurons: int
    inputs: int
    name: str
    step: int
    rows: Callable[[int, int], Any]

    def read(self, start: int, stop: int) -> Float[np.ndarray, "rows inputs"]:
        """Neurons `start` to `stop`, not to be written into.

        **Raises:** `nonlazy.errors.InvalidInput` for values that are not finite numbers, `nonlazy.errors.DataError` for
        files that cannot be read on.
        """
        try:
            rows = self.rows(start, stop)
        except NonlazyError:
            raise
        # What a damaged chunk raises depends on the format and on how it was compressed.
        except Exception as error:
            what = str(error) or type(error).__name__
            raise DataError(f"{self.name} of neurons {start} to {stop - 1} cannot be read: {what}") from None
        array = _numbers(rows, self.name)
        # The extremes tell of NaN, too, without a table of truth values.
        largest = max(float(array.max()), -float(array.min())) if array.size else 0.0
        if not largest <= LARGEST:
            bad = ~np.isfinite(array)
            if bad.any():
                neuron, position = np.argwhere(bad)[0]
                more = "" if (start, stop) == (0, self.neurons) else f" among neurons {start} to {stop - 1}"
                raise InvalidInput(
                    f"{self.name} hold {int(bad.sum())} values that are not finite{more}, the first at neuron "
                    f"{start + neuron}, input {position}"
                )
            raise InvalidInput(f"{self.name} hold {largest:g}: above {LARGEST:g} squares of them overflow, scale them")
        return array

    def chunks(self) -> Iterator[tuple[slice, Float[np.ndarray, "rows inputs"]]]:
        """All neurons in order: their places, and their activations."""
        for start in range(0, self.neurons, self.step):
            stop = min(start + self.step, self.neurons)
            yield slice(start, stop), self.read(start, stop)


def as_layer(activations: Any, name: str = "activations") -> Layer:
    """Whatever holds a table of numbers as a `Layer`.

    NumPy arrays (memory-mapped ones are read in pieces), JAX arrays, PyTorch tensors on any device, xarray arrays
    (transposed where their dimensions are named "input" and "neuron"), h5py datasets, Zarr and dask arrays, data
    frames, nested lists.

    **Raises:** `nonlazy.errors.InvalidInput` for other shapes and an empty layer; the values are checked when read.
    """
    if isinstance(activations, Layer):
        return activations
    dims = getattr(activations, "dims", None)
    if dims is not None and set(dims) == {"neuron", "input"} and tuple(dims) == ("input", "neuron"):
        activations = activations.transpose("neuron", "input")
    if not _sliceable(activations):
        activations = _numbers(activations, name)
    shape = tuple(activations.shape)
    if len(shape) != 2:
        raise InvalidInput(f"{name} have shape {shape}: give a table (neurons, inputs)")
    if 0 in shape:
        raise InvalidInput(f"{name} are empty: {shape[0]} neurons, {shape[1]} inputs")
    neurons, inputs = int(shape[0]), int(shape[1])
    step = int(np.clip(CHUNK_BYTES // (8 * inputs), 1, neurons))
    stored = getattr(activations, "chunks", None)
    if stored and isinstance(stored[0], int) and step > stored[0] > 0:
        step -= step % stored[0]  # whole chunks of the file: none is decompressed twice
    return Layer(neurons, inputs, name, step, lambda start, stop: activations[start:stop])


def _sliceable(array: Any) -> bool:
    """Whether rows can be read one by one at no more cost than all at once."""
    kind = type(array).__module__.split(".")[0]
    return isinstance(array, np.ndarray) or hasattr(array, "detach") or kind in ("h5py", "zarr", "xarray", "dask")


def _numbers(values: Any, name: str) -> Float[np.ndarray, "..."]:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if values.is_floating_point():
            values = values.double()  # NumPy knows no bfloat16
    try:
        array = np.asarray(values)
        if np.iscomplexobj(array):
            raise TypeError("they are complex")
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} cannot be read as an array of numbers: {error}") from None
