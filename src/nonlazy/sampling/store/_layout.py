"""Which arrays a run on disk has: their groups, dimensions, sizes and Zarr chunks."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.tasks import Task


Per = Literal["draw", "warmup", "snapshot", "chain"]

# A chunk is one file, and its records are part of every checkpoint until it is full: large enough to keep the files
# few, small enough for that.
_CHUNK_BYTES = 2**19
_CHUNK_RECORDS = 4096
_LARGEST_KNOWN_CHUNK_BYTES = 2**26


@dataclass(frozen=True)
class Variable:
    """A quantity that every chain writes.

    **Fields:**

    - `group`, `name`: where it lies in the tree; ArviZ's group names where it has one.
    - `dims`, `shape`: of one record, without the chain and without the draw.
    - `dtype`: a number type; flags are `"uint8"`, since netCDF knows no booleans.
    - `per`: how often there is a record: per `"draw"`, per draw of the `"warmup"` (dimension `draw`, too, as in ArviZ's
      warm-up groups), per `"snapshot"` (a draw that is kept in full), or one per `"chain"`.
    - `description`: what it is, in words, for whoever opens the file.
    """

    group: str
    name: str
    dims: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = "float64"
    per: Per = "draw"
    description: str = ""

    def __post_init__(self):
        where = f"variable {self.group}/{self.name}"
        if len(self.dims) != len(self.shape):
            raise InvalidInput(f"{where} has dims {self.dims} but shape {self.shape}")
        if np.dtype(self.dtype).kind not in "iuf":
            raise InvalidInput(f"{where} is of type {self.dtype}: integers or floats are kept (uint8 for flags)")
        if len(set(self.all_dims)) != len(self.all_dims) or self.name in self.all_dims:
            raise InvalidInput(f"{where} has dims {self.all_dims}: they must differ from each other and from its name")
        if min(self.shape, default=1) < 1:
            raise InvalidInput(f"{where} has shape {self.shape}: every size must be 1 or more")

    @property
    def all_dims(self) -> tuple[str, ...]:
        """The dimensions on disk, chain first."""
        record = {"draw": ("draw",), "warmup": ("draw",), "snapshot": ("snapshot",), "chain": ()}[self.per]
        return ("chain", *record, *self.dims)

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes on disk."""
        # By the CF conventions this is how a file tells which variables are coordinates of another.
        kept = {"coordinates": "draw"} if self.per == "snapshot" else {}
        return {"description": self.description, **kept} if self.description else kept


@dataclass(frozen=True)
class StoredArray:
    """An array on disk, with its values where they are known from the start."""

    group: str
    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: tuple[int, ...]
    values: np.ndarray | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes on disk, before compression; the last chunk of a chain is stored whole."""
        counts = [-(-size // chunk) * chunk for size, chunk in zip(self.shape, self.chunks, strict=True)]
        return math.prod(counts) * self.dtype.itemsize


@dataclass(frozen=True)
class Layout:
    """Everything that fixes the arrays of a run besides its task.

    **Fields:** `chains`, `draws`, `warmup`: counts; `variables`; `snapshot_draws`: the draws that are kept in full;
    `coordinates`: values along a dimension (`chain` and `draw` count from 0 and `layer` from 1 unless given);
    `constants`: arrays for the group `constant_data`, each as (dims, values).
    """

    chains: int
    draws: int
    warmup: int
    variables: Sequence[Variable]
    snapshot_draws: Sequence[int] = ()
    coordinates: Mapping[str, np.ndarray] = field(default_factory=dict)
    constants: Mapping[str, tuple[tuple[str, ...], np.ndarray]] = field(default_factory=dict)

    def __post_init__(self):
        for name, value, least in (("chains", self.chains, 1), ("draws", self.draws, 1), ("warmup", self.warmup, 0)):
            if value < least:
                raise InvalidInput(f"{name} is {value}: it must be {least} or more")
        outside = [draw for draw in self.snapshot_draws if not 0 <= draw < self.draws]
        if outside or list(self.snapshot_draws) != sorted(set(self.snapshot_draws)):
            raise InvalidInput(f"snapshot_draws {list(self.snapshot_draws)} must increase within 0 .. {self.draws - 1}")
        kinds: dict[str, set[str]] = {}
        for variable in self.variables:
            kinds.setdefault(variable.group, set()).add(variable.per)
            if variable.per == "snapshot" and not self.snapshot_draws:
                raise InvalidInput(f"variable {variable.group}/{variable.name} is per snapshot: give snapshot_draws")
        for group, kind in kinds.items():
            if {"draw", "warmup"} <= kind:
                raise InvalidInput(f"group {group!r} mixes draws and warm-up draws: put the warm-up in one of its own")

    def arrays(self) -> Iterator[StoredArray]:
        """The arrays of the variables, their coordinates, and the constants."""
        records = {"draw": self.draws, "warmup": self.warmup, "snapshot": len(self.snapshot_draws)}
        sizes: dict[str, dict[str, int]] = {}
        for variable in self.variables:
            if variable.per == "warmup" and self.warmup == 0:
                continue
            record = () if variable.per == "chain" else (records[variable.per],)
            shape = (self.chains, *record, *variable.shape)
            dtype = np.dtype(variable.dtype)
            group = sizes.setdefault(variable.group, {})
            for dim, size in zip(variable.all_dims, shape, strict=True):
                if group.setdefault(dim, size) != size:
                    raise InvalidInput(f"dim {dim!r} of group {variable.group!r} is both {group[dim]} and {size} long")
            yield StoredArray(
                variable.group,
                variable.name,
                variable.all_dims,
                shape,
                dtype,
                _variable_chunks(shape, dtype.itemsize, has_records=bool(record)),
                attributes=variable.attributes,
            )
        for group, dims in sizes.items():
            yield from self._coordinates(group, dims)
        for name, (dims, values) in self.constants.items():
            yield known_array("constant_data", name, dims, values)

    def _coordinates(self, group: str, sizes: Mapping[str, int]) -> Iterator[StoredArray]:
        for dim, size in sizes.items():
            values = self.coordinates.get(dim)
            if values is None and dim in ("chain", "draw", "layer"):
                values = np.arange(size) + (1 if dim == "layer" else 0)
            # Coordinates of the draws do not fit the warm-up, which may be shorter or longer.
            if dim == "draw" and values is not None and len(values) != size:
                values = np.arange(size)
            if values is None:
                continue
            if len(values) != size:
                raise InvalidInput(f"coordinate {dim!r} has {len(values)} values for the {size} in group {group!r}")
            yield known_array(group, dim, (dim,), values)
        if "snapshot" in sizes:
            yield known_array(group, "draw", ("snapshot",), np.asarray(self.snapshot_draws))


def task_arrays(task: Task) -> Iterator[StoredArray]:
    """The task's data: inputs and labels in `constant_data`, targets in `observed_data`."""
    sets = [("", task.X, task.Y, task.labels)]
    if task.X_test is not None and task.Y_test is not None and task.labels_test is not None:
        sets.append(("_test", task.X_test, task.Y_test, task.labels_test))
    for suffix, X, Y, labels in sets:
        yield known_array("constant_data", f"X{suffix}", (f"input{suffix}", "component"), X)
        yield known_array("constant_data", f"labels{suffix}", (f"input{suffix}",), labels)
        yield known_array("observed_data", f"Y{suffix}", (f"input{suffix}", "output"), Y)


def known_array(group: str, name: str, dims: Sequence[str], values: np.ndarray) -> StoredArray:
    """An array whose values are known when the run is created."""
    values = np.asarray(values)
    if values.dtype.kind not in "iuf" or values.ndim != len(dims):
        raise InvalidInput(
            f"{group}/{name} is of type {values.dtype}, shape {values.shape}: it must hold numbers along {tuple(dims)}"
        )
    chunks = _known_chunks(values.shape, values.dtype.itemsize)
    return StoredArray(group, name, tuple(dims), values.shape, values.dtype, chunks, values)


def write_arrays(folder: Path, arrays: Sequence[StoredArray], attributes: Mapping[str, Any]) -> None:
    """A new Zarr store in `folder` with these arrays, its metadata consolidated.

    **Raises:** `OSError`.
    """
    import zarr

    root = zarr.create_group(folder, zarr_format=3, attributes=dict(attributes))
    groups = {name: root.create_group(name) for name in dict.fromkeys(array.group for array in arrays)}
    for array in arrays:
        stored = groups[array.group].create_array(
            array.name,
            shape=array.shape,
            dtype=array.dtype,
            chunks=array.chunks,
            compressors=None if array.values is None else "auto",
            fill_value=np.nan if array.dtype.kind == "f" else 0,
            dimension_names=array.dims,
            attributes=dict(array.attributes),
        )
        if array.values is not None:
            stored[...] = array.values
    with warnings.catch_warnings():
        # Zarr warns that not every reader knows consolidated metadata; those that don't read the store all the same.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(folder)


def _variable_chunks(shape: Sequence[int], itemsize: int, *, has_records: bool) -> tuple[int, ...]:
    if not has_records:
        return (1, *shape[1:])
    records = max(1, _CHUNK_BYTES // (math.prod(shape[2:]) * itemsize))
    return (1, min(shape[1], records, _CHUNK_RECORDS), *shape[2:])


def _known_chunks(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    if not shape:
        return ()
    rows = max(1, _LARGEST_KNOWN_CHUNK_BYTES // max(1, math.prod(shape[1:]) * itemsize))
    return (max(1, min(shape[0], rows)), *shape[1:])
