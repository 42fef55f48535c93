"""One chain over many devices: the inputs are shared out, each device computes what belongs to its own.

Every device has P / K of the inputs, filled up with zeros that count for nothing where K does not divide P. Weights are
the same on all devices, and so is all randomness; a gradient with respect to them is a sum over the inputs, which the
devices add up, once a gradient. Where the first layer is sampled as preactivations on the inputs (K_0 = 1), those are
shared out along with them, and only the readouts' gradient and the loss cross from device to device.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from nonlazy.sampling._coordinates import Coordinates
from nonlazy.sampling._job import Job
from nonlazy.sampling.kernels._potential import Position, Problem


_AXIS = "inputs"


class Shards:
    """How the arrays of one chain lie on several devices.

    **Arguments:** `devices`; `P`, `P_test`: inputs; `factored`: whether z^1 needs a matrix product; `depth`: L.
    """

    def __init__(self, devices: Sequence[Any], P: int, P_test: int, factored: bool, depth: int):
        self._mesh = Mesh(np.array(devices), (_AXIS,))
        self._P, self._factored = P, factored
        self._counts = {"f": (0, P), "f_test": (0, P_test), "preactivation": (2, P), "preactivation_test": (2, P_test)}
        self._factor: jax.Array | None = None
        self.everywhere = NamedSharding(self._mesh, PartitionSpec())
        everywhere: Any = self.everywhere
        first: Any = everywhere if factored else self.along(1, axes=2)
        self.of_position = Position(first, (everywhere,) * (depth - 1), everywhere)

    @property
    def padding(self) -> int:
        """Inputs that are only padding, at the end of the last devices' shares."""
        return -self._P % self._mesh.size

    def along(self, axis: int, axes: int) -> NamedSharding:
        """Arrays of `axes` axes whose axis `axis` counts inputs."""
        return NamedSharding(self._mesh, PartitionSpec(*(_AXIS if i == axis else None for i in range(axes))))

    def put(self, values: Any, dtype: Any, axis: int | None) -> jax.Array:
        """An array on the devices: shared out along `axis`, filled up with zeros there; the same on all where None.

        Each host reads and converts the share of its own devices alone.
        """
        values = np.asarray(values)
        if axis is None:
            whole = np.asarray(values, dtype)
            return jax.make_array_from_callback(whole.shape, self.everywhere, lambda index: whole[index])
        missing = -values.shape[axis] % self._mesh.size
        shape = tuple(n + missing * (i == axis) for i, n in enumerate(values.shape))

        def share(index: Any) -> np.ndarray:
            there = values[index].astype(dtype)
            wanted = len(range(*index[axis].indices(shape[axis])))
            return np.pad(there, [(0, wanted - n if i == axis else 0) for i, n in enumerate(there.shape)])

        return jax.make_array_from_callback(shape, self.along(axis, values.ndim), share)

    def problem(self, values: Problem, dtype: Any) -> Problem:
        """The potential on the devices; the inputs' factor, the same in all phases, is sent there once."""
        if self._factor is None:
            self._factor = self.put(values.factor, dtype, 0 if self._factored else None)
        targets = self.put(values.targets, dtype, 1)
        placed = {name: self.put(getattr(values, name), dtype, None) for name in values._fields[1:-1]}
        return Problem(self._factor, targets=targets, **placed)

    def position(self, values: Position, dtype: Any) -> Position:
        """A position on the devices."""
        return Position(
            self.put(values.first, dtype, None if self._factored else 1),
            tuple(self.put(matrix, dtype, None) for matrix in values.hidden),
            self.put(values.readout, dtype, None),
        )

    def fetch(self, tree: Any) -> Any:
        """A state, a position or what is kept of a draw in NumPy, whole, on every host, without padding."""
        fetched = jax.tree.map(_whole, tree)
        if isinstance(fetched, dict):
            return self.without_padding(fetched)
        position = fetched if isinstance(fetched, Position) else fetched.position
        if not self._factored:
            position = position._replace(first=position.first[:, : self._P])
        return position if isinstance(fetched, Position) else fetched._replace(position=position)

    def without_padding(self, kept: dict[str, Any]) -> dict[str, Any]:
        """What is kept of a draw, for the inputs that there are."""
        kept = dict(kept)
        for name in kept.keys() & self._counts.keys():
            axis, count = self._counts[name]
            kept[name] = kept[name][(slice(None),) * axis + (slice(count),)]
        return kept


def shards_of(job: Job, where: Coordinates) -> Shards | None:
    """Where the arrays of a job's chains lie; None for one device."""
    if job.devices == 1:
        return None
    task, depth = job.posterior.task, job.posterior.network.depth
    P_test = 0 if task.X_test is None else task.X_test.shape[0]
    return Shards(jax.devices()[: job.devices], task.P, P_test, where.factor is not None, depth)


def _whole(array: jax.Array) -> np.ndarray:
    if array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    from jax.experimental.multihost_utils import process_allgather

    return np.asarray(process_allgather(array, tiled=True))
