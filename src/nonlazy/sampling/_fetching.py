"""Compiled functions whose results come to the host as one array: many small ones cost a transfer each."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class Fetched:
    """A compiled function of several arguments that returns `(kept, fetched)`: `kept` stays on the device, `fetched`
    comes as a tree of NumPy arrays of one precision.

    **Arguments:** `function`; `axes`: for each argument 0 where a batch of chains has its leading axis, else None;
    `batched`; `dtype`: the precision. Whole numbers must be small enough for it (below 2^24 in float32). `shardings`:
    of `kept` and of the one array, where there are many devices.
    """

    def __init__(
        self,
        function: Callable[..., tuple[Any, Any]],
        axes: tuple[int | None, ...],
        batched: bool,
        dtype,
        shardings: tuple[Any, Any] | None = None,
    ):
        def packed(*arguments):
            kept, fetched = function(*arguments)
            return kept, jnp.concatenate([jnp.ravel(leaf).astype(dtype) for leaf in jax.tree.leaves(fetched)])

        self._function, self._axes, self._batched = function, axes, batched
        over = jax.vmap(packed, in_axes=axes) if batched else packed
        self._compiled = jax.jit(over) if shardings is None else jax.jit(over, out_shardings=shardings)
        self._shapes: list[tuple[int, ...]] | None = None
        self._structure: Any = None

    def __call__(self, *arguments: Any) -> tuple[Any, Any]:
        """The results; those of a batch of chains with its leading axis."""
        kept, packed = self._compiled(*arguments)
        if self._shapes is None:
            self._lay_out(arguments)
        return kept, self._unpack(np.asarray(packed))

    def _lay_out(self, arguments: tuple[Any, ...]) -> None:
        def of_one_chain(argument: Any, axis: int | None) -> Any:
            drop = 1 if self._batched and axis == 0 else 0
            return jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x)[drop:], x.dtype), argument)

        one = [of_one_chain(argument, axis) for argument, axis in zip(arguments, self._axes, strict=True)]
        leaves, self._structure = jax.tree.flatten(jax.eval_shape(self._function, *one)[1])
        self._shapes = [leaf.shape for leaf in leaves]

    def _unpack(self, packed: np.ndarray) -> Any:
        assert self._shapes is not None
        chains = packed.shape[:-1]
        leaves, begin = [], 0
        for shape in self._shapes:
            end = begin + math.prod(shape)
            leaves.append(packed[..., begin:end].reshape(chains + shape))
            begin = end
        return jax.tree.unflatten(self._structure, leaves)
