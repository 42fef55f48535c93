"""Codes or class means along chains of samples, as checked arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.codes._two_levels import two_levels
from nonlazy.errors import InvalidInput


_DRAWS = 6


@dataclass(frozen=True, eq=False)
class Trajectories:
    """The code of every neuron in every draw.

    **Fields:** `codes`: index into `names`, -1 for none, `(chains, draws, neurons)`; `names`: given whole numbers, or
    rows of active classes; `means`: class means `(chains, draws, neurons, classes)` or None.
    """

    codes: Int[np.ndarray, "chains draws neurons"]
    names: tuple[Any, ...]
    means: Float[np.ndarray, "chains draws neurons classes"] | None

    def counts(self) -> Int[np.ndarray, "chains draws codes"]:
        """Neurons with each code."""
        return np.stack([np.sum(self.codes == k, axis=2) for k in range(len(self.names))], axis=2)

    def fractions(self) -> Float[np.ndarray, "chains draws codes"]:
        """Shares of the neurons that have a code."""
        counts = self.counts()
        return counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)


def as_trajectories(trajectories: Any, threshold: float | None) -> Trajectories:
    """Checks what `switching` takes; see there.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    array = np.asarray(trajectories)
    if array.dtype.kind not in "iubf":
        raise InvalidInput(f"trajectories are of type {array.dtype}: give whole numbers, truth values or class means")
    indices = array.dtype.kind in "iu"
    dimensions = (2, 3) if indices else (3, 4)
    if array.ndim not in dimensions:
        wanted = "([chains,] draws, neurons)" if indices else "([chains,] draws, neurons, classes)"
        kind = {"b": "active classes", "f": "class means"}.get(array.dtype.kind, "indices of codes")
        raise InvalidInput(f"{kind} of shape {array.shape}: give {wanted}")
    if array.ndim == dimensions[0]:
        array = array[None]
    if array.shape[1] < _DRAWS or array.shape[2] < 2 or array.shape[0] < 1:
        raise InvalidInput(
            f"{array.shape[0]} chains, {array.shape[1]} draws, {array.shape[2]} neurons: give one chain, {_DRAWS} "
            "draws and two neurons at least"
        )
    if indices:
        if array.min() < -1:
            raise InvalidInput(f"code {array.min()} is below -1, which stands for no code")
        names, places = np.unique(array, return_inverse=True)
        places = places.reshape(array.shape) - (names[0] == -1)
        return Trajectories(places, tuple(names[names >= 0].tolist()), None)
    means = None
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InvalidInput(f"class means hold {int((~np.isfinite(array)).sum())} values that are not finite")
        means = array.astype(float)
        if threshold is None:
            levels = two_levels(means.reshape(-1, 1), np.zeros(1))
            threshold = 0.5 * float(levels.lower[0] + levels.upper[0])
        elif not np.isfinite(threshold):
            raise InvalidInput(f"threshold is {threshold}: give a finite number in units of the activations, or None")
        array = means > threshold
    rows, places = np.unique(~array.reshape(-1, array.shape[-1]), axis=0, return_inverse=True)
    names = tuple(tuple(int(active) for active in row) for row in ~rows)
    return Trajectories(places.reshape(array.shape[:-1]).astype(int), names, means)
