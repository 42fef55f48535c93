"""Writes the Zarr chunks of one variable of one chain.

The chunks of a run's variables are not compressed (random numbers hardly shrink), so that a chunk file is the plain
numbers in C order, little-endian, as the Zarr 3 specification lays down. Writing them here instead of through Zarr makes
every write atomic and durable, keeps the chunk that is being filled in memory instead of reading it back, and takes a
tenth of the time.
"""

from pathlib import Path
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling._durable import make_folder, replace_durably


class VariableFile:
    """The chunks of one variable of one chain.

    **Arguments:** `path` of the array's folder; `name` for messages; `chain`; `metadata`: the array's in Zarr.
    """

    def __init__(self, path: Path, name: str, chain: int, metadata: dict[str, Any]):
        if [codec["name"] for codec in metadata["codecs"]] != ["bytes"] or metadata["dimension_names"][0] != "chain":
            raise InvalidInput(f"{name} is not a variable that the chains write")
        self.name = name
        self.folder = path / "c" / str(chain)
        self.renamed = False
        self._dims: tuple[str, ...] = tuple(metadata["dimension_names"][1:])
        self._shape: tuple[int, ...] = tuple(metadata["shape"][1:])
        self._chunk: tuple[int, ...] = tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"][1:])
        self._dtype = np.dtype(metadata["data_type"]).newbyteorder("<")
        self._fill = np.array(metadata["fill_value"], dtype=self._dtype)
        self._filling: tuple[int, np.ndarray] | None = None

    @property
    def has_records(self) -> bool:
        """Whether there is a record per draw or snapshot, rather than one per chain."""
        return self._dims[:1] in (("draw",), ("snapshot",))

    def fit(self, start: int | None, value: np.ndarray) -> np.ndarray:
        """`value` as it is stored.

        **Raises:** `nonlazy.errors.InvalidInput` where its shape or its numbers do not fit.
        """
        if self.has_records != (start is not None):
            right = "a record per draw, with write" if self.has_records else "one record per chain, with write_once"
            raise InvalidInput(f"{self.name} is written as {right}")
        record = self._shape[1:] if self.has_records else self._shape
        if (value.shape[1:] if self.has_records and value.ndim else value.shape) != record:
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
            self._put(0, value)
            return
        rows, stop = self._chunk[0], start + value.shape[0]
        for number in range(start // rows, (stop - 1) // rows + 1):
            first = number * rows
            low, high = max(first, start), min(first + rows, stop)
            part = value[low - start : high - start]
            if len(part) == rows:
                self._put(number, part)
                continue
            if self._filling is None or self._filling[0] != number:
                self._filling = (number, self._read(number))
            chunk = self._filling[1]
            chunk[low - first : high - first] = part
            self._put(number, chunk)

    def _put(self, number: int, chunk: np.ndarray) -> None:
        path = self._path(number)
        make_folder(path.parent)
        data = np.ascontiguousarray(chunk).reshape(-1).view(np.uint8).data
        replace_durably(path, lambda file: file.write(data), sync_parent=False)
        self.renamed = True

    def _read(self, number: int) -> np.ndarray:
        path = self._path(number)
        if not path.exists():
            return np.full(self._chunk, self._fill)
        chunk = np.fromfile(path, dtype=self._dtype)
        if chunk.size != np.prod(self._chunk):
            raise StoreError(f"{path} is damaged: it holds {chunk.size} numbers instead of {np.prod(self._chunk)}")
        return chunk.reshape(self._chunk)

    def _path(self, number: int) -> Path:
        return self.folder.joinpath(*(str(index) for index in (number, *[0] * (len(self._chunk) - 1))))
