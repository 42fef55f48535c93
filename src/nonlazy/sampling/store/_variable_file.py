"""Writes the Zarr chunks of one variable of one chain.

The chunks of a run's variables are not compressed (random numbers hardly shrink), so that a chunk file is the plain
numbers in C order, little-endian, as the Zarr 3 specification lays down. They are written here and not through Zarr for
control over what is on disk when: a whole chunk is flushed to the disk; one that is being filled is not, since its
records go into every checkpoint as well, and that is one file to flush instead of one a variable.
"""

import math
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling.store._durable import make_folder, replace_file, sync_file, sync_folder


class VariableFile:
    """The chunks of one variable of one chain.

    **Arguments:** `path` of the array's folder; `name` for messages; `chain`; `metadata`: the array's in Zarr.
    """

    def __init__(self, path: Path, name: str, chain: int, metadata: dict[str, Any]):
        if [codec["name"] for codec in metadata["codecs"]] != ["bytes"] or metadata["dimension_names"][0] != "chain":
            raise InvalidInput(f"{name} is not a variable that the chains write")
        self.name = name
        self._array, self._chain = path, chain
        self._dims: tuple[str, ...] = tuple(metadata["dimension_names"][1:])
        self._shape: tuple[int, ...] = tuple(metadata["shape"][1:])
        self._chunk: tuple[int, ...] = tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"][1:])
        self._dtype = np.dtype(metadata["data_type"]).newbyteorder("<")
        self._fill = np.array(metadata["fill_value"], dtype=self._dtype)
        # The chunk being filled: its number, the chunk, the records in it, whether its file exists as this process
        # wants it, and whether records are in it that no checkpoint of this process holds.
        self._number = -1
        self._filling = np.empty((0,), dtype=self._dtype)
        self._filled = 0
        # Bytes and CRC-32 of every chunk that is full, by its number.
        self.sums: dict[int, tuple[int, int]] = {}
        self._has_file = False
        self._precious = False

    @property
    def has_records(self) -> bool:
        """Whether there is a record per draw or snapshot, rather than one per chain."""
        return self._dims[:1] in (("draw",), ("snapshot",))

    @property
    def filling(self) -> tuple[int, np.ndarray] | None:
        """The number of the chunk that is being filled and the records in it, which a checkpoint must hold, or None."""
        return None if self._number < 0 else (self._number, self._filling[: self._filled])

    def restore(self, number: int, records: np.ndarray) -> None:
        """Goes on with the chunk that was being filled at a checkpoint."""
        self._begin(number, np.full(self._chunk, self._fill))
        self._filled = len(records)
        self._filling[: self._filled] = records

    def fit(self, start: int | None, value: np.ndarray) -> np.ndarray:
        """`value` as it is stored.

        **Raises:** `nonlazy.errors.InvalidInput` where its shape or its numbers do not fit.
        """
        if self.has_records != (start is not None):
            right = "a record per draw, with write" if self.has_records else "one record per chain, with write_once"
            raise InvalidInput(f"{self.name} is written as {right}")
        record = self._shape[1:] if self.has_records else self._shape
        if value.ndim != len(self._shape) or value.shape[len(self._shape) - len(record) :] != record:
            raise InvalidInput(
                f"{self.name}: values of shape {value.shape} do not fit the dims {self._dims} of sizes {self._shape}"
            )
        if start is not None and not 0 <= start < start + value.shape[0] <= self._shape[0]:
            raise InvalidInput(
                f"{self.name}: {value.shape[0]} records from {start} on do not fit the {self._shape[0]} of the run"
            )
        converted = value.astype(self._dtype, copy=False)
        if self._dtype.kind in "iu" and not np.array_equal(converted, value):
            raise InvalidInput(f"{self.name}: these values do not fit into {self._dtype.name} without change")
        return converted

    def write(self, start: int | None, value: np.ndarray) -> None:
        """Writes what `fit` returned.

        **Raises:** `OSError`.
        """
        if start is None:
            self._write_whole(0, value)
            return
        rows, stop = self._chunk[0], start + value.shape[0]
        for number in range(start // rows, (stop - 1) // rows + 1):
            first = number * rows
            low, high = max(first, start), min(first + rows, stop)
            part = value[low - start : high - start]
            if len(part) == rows:
                self._write_whole(number, part)
                self._number = -1 if self._number == number else self._number
            else:
                self._write_part(number, low - first, part)

    def _write_whole(self, number: int, chunk: np.ndarray) -> None:
        path = self._path(number)
        make_folder(path.parent)
        replace_file(path, lambda file: file.write(_bytes(chunk)), sync=True)
        sync_folder(path.parent)
        self._sum(number, chunk)

    def _write_part(self, number: int, row: int, part: np.ndarray) -> None:
        path = self._path(number)
        if self._number != number:
            # Records before `row` were written, and flushed, by an earlier process.
            self._begin(number, self._read(path) if row > 0 else np.full(self._chunk, self._fill))
            self._precious = row > 0
        self._filling[row : row + len(part)] = part
        self._filled = row + len(part)
        if not self._has_file:
            make_folder(path.parent)
            replace_file(path, lambda file: file.write(_bytes(self._filling)), sync=self._precious)
            self._has_file = True
        else:
            # In place: this touches no record that was there before.
            with open(path, "r+b") as file:
                file.seek(row * math.prod(self._chunk[1:]) * self._dtype.itemsize)
                file.write(_bytes(part))
        if self._filled == min(self._chunk[0], self._shape[0] - number * self._chunk[0]):
            sync_file(path)
            sync_folder(path.parent)
            self._sum(number, self._filling)
            self._number = -1

    def _sum(self, number: int, chunk: np.ndarray) -> None:
        content = _bytes(chunk)
        self.sums[number] = (content.nbytes, zlib.crc32(content))

    def _begin(self, number: int, chunk: np.ndarray) -> None:
        self._number, self._filling, self._filled = number, chunk, 0
        self._has_file = self._precious = False

    def _read(self, path: Path) -> np.ndarray:
        size = os.path.getsize(path) if path.exists() else 0
        if size != math.prod(self._chunk) * self._dtype.itemsize:
            raise StoreError(f"{path}, to which draws are to be added, is missing or damaged ({size} bytes)")
        return np.fromfile(path, dtype=self._dtype).reshape(self._chunk)

    def _path(self, number: int) -> Path:
        return chunk_path(self._array, self._chain, number, len(self._chunk))


def chunk_path(array: Path, chain: int, number: int, dims: int) -> Path:
    """Where Zarr has a chunk of an array in this folder: `dims` without the chain, chunks along the first one alone."""
    grid = [chain, number, *[0] * (dims - 1)] if dims else [chain]
    return array.joinpath("c", *map(str, grid))


def _bytes(values: np.ndarray) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
