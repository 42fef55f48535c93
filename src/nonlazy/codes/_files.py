"""Activations and labels from files; nothing that is unpickled is ever loaded."""

import csv
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nonlazy._numpy_files import numpy_fault, numpy_format
from nonlazy._regular_files import check_regular, is_folder, shown
from nonlazy.errors import DataError, InvalidInput


FORMATS = ".npz, .npy, .csv, .tsv, .h5, .hdf5, .zarr"
_NAMES = {
    "activations": ("activations",),
    "labels": ("labels", "label", "y", "class"),
    "reference": ("reference",),
    "readouts": ("readouts",),
}
_KNOWN = {name for names in _NAMES.values() for name in names}
_ZARR_ARRAYS = ("zarr.json", ".zarray")


@dataclass(frozen=True, eq=False)
class LayerFile:
    """A layer's arrays as a file holds them; large ones stay on disk until they are read.

    **Fields:** `activations` `(neurons, inputs)`, `labels` `(inputs,)`, `reference` and `readouts` or None.
    """

    activations: Any
    labels: Any
    reference: Any = None
    readouts: Any = None


def load(path: str | Path, labels: str | Path | None = None) -> LayerFile:
    """Reads a layer's activations and labels.

    - .npz, .h5, .hdf5 and .zarr hold arrays `activations` (neurons, inputs) and `labels` (inputs,), and may hold
      `reference` (an untrained network's activations on the same inputs) and `readouts` (neurons, classes).
    - .npy holds activations; the labels are in a second file, `labels`: .npy, or .csv or .txt with a label a line. By
      default "X.npy" looks for "X-labels.npy" and "labels.npy" beside it.
    - .csv and .tsv hold an input a line: the class in a column named label, labels, class or y (or, without a header,
      in the last one), and a column a neuron. So they are tables (inputs, neurons), as such tables usually are.

    Arrays in .npy, .h5 and .zarr files are read a few neurons at a time and may be larger than memory.

    **Raises:** `nonlazy.errors.DataError` for a file that is missing, corrupt or of another format, and where h5py is
    needed and not installed; `nonlazy.errors.InvalidInput` where arrays are missing.
    """
    path = _existing(Path(path), whole_folder=Path(path).suffix.lower() == ".zarr")
    suffix = path.suffix.lower()
    read = {".npz": _npz, ".h5": _hdf5, ".hdf5": _hdf5, ".zarr": _zarr}.get(suffix)
    if read is not None:
        arrays = dict(read(path))
        if labels is not None:
            arrays["labels"] = _labels(Path(labels))
        return _chosen(path, arrays)
    if suffix == ".npy":
        return LayerFile(_npy(path), _labels(_beside(path) if labels is None else Path(labels)))
    if suffix in (".csv", ".tsv"):
        return _table(path, "\t" if suffix == ".tsv" else ",", None if labels is None else _labels(Path(labels)))
    raise DataError(f"{path} is of no format that is read: {FORMATS}")


def _existing(path: Path, whole_folder: bool = False) -> Path:
    try:
        if not (whole_folder and is_folder(path)):
            check_regular(path)
    except FileNotFoundError:
        raise DataError(f"there is no file {shown(path)}") from None
    return path


def _chosen(path: Path, arrays: Mapping[str, Any]) -> LayerFile:
    found = {}
    for name, others in _NAMES.items():
        found[name] = next((arrays[other] for other in others if other in arrays), None)
    missing = [name for name in ("activations", "labels") if found[name] is None]
    if missing:
        held = ", ".join(arrays) or "none"
        raise InvalidInput(f"{path} holds no {' and no '.join(missing)}; its arrays are {held}")
    return LayerFile(**found)


def _npz(path: Path) -> dict[Any, Any]:
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not a .npz file: write one with numpy.savez(path, activations=..., labels=...)")
    try:
        # The file is opened here, because numpy leaves it open where it turns out to be damaged.
        with path.open("rb") as stream:
            if numpy_format(stream) != "npz":
                raise ValueError("it does not begin as one: write it with numpy.savez")
            with np.load(stream, allow_pickle=False) as file:
                return {name: file[name] if name in _KNOWN else None for name in file.files}
    # A damaged archive raises almost anything: BadZipFile, KeyError, NotImplementedError, zlib.error, MemoryError.
    except Exception as error:
        raise DataError(f"{path} cannot be read as a .npz file: {numpy_fault(error)}") from None


def _npy(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            if numpy_format(stream) != "npy":
                raise ValueError("it is no NumPy file: write it with numpy.save")
        return np.load(path, mmap_mode="r", allow_pickle=False)
    # A damaged header raises almost anything: ValueError, TypeError, OverflowError, SyntaxError, MemoryError.
    except Exception as error:
        raise DataError(f"{path} cannot be read as a .npy file: {numpy_fault(error)}") from None


def _hdf5(path: Path) -> dict[Any, Any]:
    try:
        import h5py
    except ImportError:
        raise DataError(f"{path} is an HDF5 file, and h5py is not installed: pip install 'nonlazy[hdf5]'") from None
    try:
        file = h5py.File(path, "r")
        found = {name: _own(path, file, name) if name in _KNOWN else None for name in file}
        return {name: _decoded(held) for name, held in found.items() if held is None or isinstance(held, h5py.Dataset)}
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read as an HDF5 file: {_words(error)}") from None


def _own(path: Path, file: Any, name: Any) -> Any:
    """A member that lies in the file itself: links, virtual datasets and external storage can read any other file."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise DataError(f"{path}: {name!r} is a link, and links are not followed: copy the array into the file")
    held = file[name]
    if isinstance(held, h5py.Dataset) and (held.is_virtual or held.external):
        raise DataError(
            f"{path}: {name!r} keeps its numbers in other files, which are not read: copy them into this one"
        )
    return held


def _decoded(dataset: Any) -> Any:
    if dataset is None or dataset.ndim != 1:
        return dataset
    # Labels are read here, so that what is wrong with them is the file's fault.
    return dataset.asstr()[...] if dataset.dtype.kind in "OS" else dataset[...]


def _zarr(path: Path) -> dict[str, Any]:
    # Arrays are opened one by one: a group that opens all its arrays prints what goes wrong with each.
    try:
        if not any((path / name).is_file() for name in ("zarr.json", ".zgroup")):
            raise DataError(f"{path} cannot be read as a Zarr group: it has neither zarr.json nor .zgroup")
        held = [folder for folder in sorted(path.iterdir()) if any((folder / name).is_file() for name in _ZARR_ARRAYS)]
        return {folder.name: _zarr_array(folder) if folder.name in _KNOWN else None for folder in held}
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read as a Zarr group: {_words(error)}") from None


def _zarr_array(folder: Path) -> Any:
    import zarr

    metadata = next(folder / name for name in _ZARR_ARRAYS if (folder / name).is_file())
    # Written anew, because JSON can spell a word in several ways.
    if "pickle" in json.dumps(json.loads(metadata.read_bytes())):
        raise DataError(f"{folder} holds pickled objects, which are never loaded: store plain numbers")
    array = zarr.open_array(folder, mode="r")
    return array[...] if array.ndim == 1 else array


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _beside(path: Path) -> Path:
    candidates = [path.with_name(f"{path.stem}-labels.npy"), path.with_name("labels.npy")]
    for candidate in candidates:
        if candidate.exists() and candidate != path:
            return candidate
    names = " and no ".join(str(candidate) for candidate in candidates)
    raise InvalidInput(f"{path} holds activations only, and there is no {names}: name the file of labels (--labels)")


def _labels(path: Path) -> Any:
    _existing(path)
    if path.suffix.lower() == ".npy":
        return np.array(_npy(path))
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise DataError(f"labels in {path}: give .npy, or .csv or .txt with a label a line")
    return _typed([line[-1].strip() for line in _lines(path, ",")])


def _lines(path: Path, delimiter: str) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [line for line in csv.reader(file, delimiter=delimiter) if any(cell.strip() for cell in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as text: {error}") from None


def _typed(values: list[str]) -> Any:
    try:
        numbers = np.array([int(value) for value in values])
    except ValueError:
        return np.array(values)
    # Whole numbers beyond 64 bits are names.
    return np.array(values) if numbers.dtype.kind == "O" else numbers


def _table(path: Path, delimiter: str, labels: Any) -> LayerFile:
    lines = _lines(path, delimiter)
    if not lines:
        raise DataError(f"{path} is empty")
    header = [cell.strip().lower() for cell in lines[0]]
    named = [place for place, cell in enumerate(header) if cell in _NAMES["labels"]]
    has_header = bool(named) or not any(_is_number(cell) for cell in header[:-1])
    if len(named) > 1:
        raise InvalidInput(f"{path} has {len(named)} columns of labels: {', '.join(header[place] for place in named)}")
    if labels is None and has_header and not named:
        raise InvalidInput(
            f"{path} has no column {', '.join(_NAMES['labels'])}; its columns are {', '.join(header[:8])}"
        )
    place = named[0] if named else (len(header) - 1 if labels is None else None)
    rows = lines[has_header:]
    for number, row in enumerate(rows, start=1 + has_header):
        if len(row) != len(header):
            raise DataError(f"{path}, line {number}: {len(row)} cells, where the first line has {len(header)}")
    if labels is None and place is not None:
        labels = _typed([row[place].strip() for row in rows])
    try:
        values = np.array([[float(cell) for k, cell in enumerate(row) if k != place] for row in rows])
    except ValueError as error:
        raise DataError(f"{path}: activations must be numbers: {error}") from None
    return LayerFile(values.T, labels)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
