"""Pools of labelled images, and the draw of a task's examples from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8

from nonlazy.errors import InvalidInput
from nonlazy.tasks._check import listed


@dataclass(frozen=True, eq=False)
class Pool:
    """Images that examples are drawn from.

    **Fields:**

    - `labels`: class of each image, `(images,)`.
    - `read`: from indices `(k,)` to pixels `(k, N0)`, so that only images that were drawn need decoding.
    """

    labels: Int[np.ndarray, " images"]
    read: Callable[[Int[np.ndarray, " k"]], UInt8[np.ndarray, "k N0"]]

    @staticmethod
    def of_arrays(pixels: UInt8[np.ndarray, "images N0"], labels: Int[np.ndarray, " images"]) -> "Pool":
        """A pool of images that are all decoded already."""
        return Pool(labels, lambda indices: pixels[indices])

    def counts(self, classes: Sequence[int]) -> Int[np.ndarray, " C"]:
        """Number of images in each of `classes`."""
        return np.bincount(self.labels, minlength=max(classes) + 1)[list(classes)]

    def positions(self, classes: Sequence[int]) -> Int[np.ndarray, " images"]:
        """Indices of all images in `classes`, in the pool's order."""
        return np.flatnonzero(np.isin(self.labels, list(classes)))


@dataclass(frozen=True, eq=False)
class Draw:
    """Examples drawn from a pool, sorted by class.

    **Fields:** `indices`: into the pool, `(k,)`. `labels`: `(k,)`, the position of each example's class in the classes
    that were asked for.
    """

    indices: Int[np.ndarray, " k"]
    labels: Int[np.ndarray, " k"]


def draw(
    pool: Pool,
    classes: Sequence[int],
    size: int | None,
    stream: np.random.Generator,
    what: str,
    names: Sequence[str],
) -> Draw:
    """`size` images drawn without replacement, each image of `classes` alike likely; None takes them all.

    With the same stream a smaller draw is a part of a larger one. Within a class the examples of a draw keep the order
    in which they were drawn, those of a whole pool the pool's order.

    **Raises:** `nonlazy.errors.InvalidInput` where there are not so many; the text says how many there are.
    """
    available = pool.positions(classes)
    if size is not None:
        if size > available.size:
            raise InvalidInput(
                f"{size} {what} examples were asked for; there are {available.size} in these classes "
                f"({listed(pool.counts(classes), names)})"
            )
        available = stream.permutation(available)[:size]
    # A table from class to position; classes that were not asked for do not occur in `available`.
    position = np.zeros(int(pool.labels.max(initial=0)) + 1 + max(classes), dtype=np.int64)
    position[list(classes)] = np.arange(len(classes))
    labels = position[pool.labels[available]]
    order = np.argsort(labels, kind="stable")
    return Draw(available[order], labels[order])
