"""Whether what a run holds on disk is what was written: sizes at once, checksums when asked for.

Every number of a run stands under one checksum. Draws in full chunks, and the final means over a chain: CRC-32 of each
file, kept in the chain's checkpoint. Draws in the chunk that is being filled: in the checkpoint itself, under its
SHA-256. The task's data, the coordinates and the arrays' metadata: CRC-32 of each file, in a list that is written with
the run; so is that of the run's own metadata, without the mark of completeness, which alone may change. A run of before
there were such lists is taken as it is.
"""

import json
import math
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nonlazy._regular_files import LARGEST_JSON, check_regular
from nonlazy.errors import StoreError
from nonlazy.sampling.store._checkpoint import CHECKPOINTS, checkpoint_path, load_checkpoint, load_sums
from nonlazy.sampling.store._variable_file import chunk_path


ROOT = "zarr.json"
_FILES = "files.json"
_BLOCK = 2**22
_COPY = "put back a copy of this file"
_REPAIR = "The chain's checkpoint holds these draws: start the same run again to continue it, which writes them anew"


def write_sums(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Writes the list of a new run's files, all of which are there and will not change.

    **Arguments:** `folder` of the run; `attributes`: the run's own.

    **Raises:** `OSError`.
    """
    files = {
        file.relative_to(folder).as_posix(): [file.stat().st_size, _sum_of(file)]
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file != folder / ROOT and CHECKPOINTS not in file.parts
    }
    root = json.loads((folder / ROOT).read_bytes())
    text = json.dumps({"root": _sum_of_root(root, attributes), "attributes": sorted(attributes), "files": files})
    (folder / CHECKPOINTS / _FILES).write_text(text, encoding="utf-8")


def check_root(path: Path, metadata: Mapping[str, Any]) -> None:
    """That the run's metadata are those that were written. Attributes that somebody added do not count.

    **Raises:** `nonlazy.errors.StoreError`.
    """
    listed = _listed(path)
    if listed is None:
        return
    kept = {name: metadata["attributes"].get(name) for name in listed["attributes"]}
    if _sum_of_root(metadata, kept) != listed["root"]:
        raise _damaged(path / ROOT, "its checksum is not that of what was written")


def check_sizes(path: Path, chains: int) -> None:
    """That every file of the run that counts is there and has its size: quick, whatever the run's size.

    **Raises:** `nonlazy.errors.StoreError` that names the first file that is missing, truncated or too long.
    """
    for file, size, _ in _known(path):
        _check_size(file, size)
    for chain in range(chains):
        sums, filling = load_sums(checkpoint_path(path, chain))
        for file, size, _ in _chunks(path, chain, sums):
            _check_size(file, size)
        for _ in _being_filled(path, chain, filling):
            pass


def verify(path: Path, chains: int) -> int:
    """Reads the whole run and compares every file with its checksum.

    Of an interrupted run, chains that are ahead of the slowest are compared when they go on.

    **Returns:** the number of files that were compared.

    **Raises:** `nonlazy.errors.StoreError` that names the first file that is missing, truncated or damaged.
    """
    count = _compared(_known(path))
    # Reading a checkpoint compares the checksum of its own.
    checkpoints = [load_checkpoint(checkpoint_path(path, chain)) for chain in range(chains)]
    slowest = min(0 if loaded is None else loaded.progress.get("draws", 0) for loaded in checkpoints)
    for chain, loaded in enumerate(checkpoints):
        # Chains that go on together go back to the slowest: what the others hold beyond it may be half rewritten.
        if loaded is None or loaded.progress.get("draws", 0) > slowest:
            continue
        count += _compared(_chunks(path, chain, loaded.sums))
        for name, file in _being_filled(path, chain, {name: number for name, (number, _) in loaded.filling.items()}):
            records = loaded.filling[name][1].tobytes()
            if file.read_bytes()[: len(records)] != records:
                raise StoreError(f"{file} is damaged: its draws are not those of the chain's checkpoint. {_REPAIR}")
            count += 1
    return count


def verify_chain(path: Path, chain: int, sums: Mapping[str, Mapping[int, tuple[int, int]]]) -> None:
    """As `verify`, for the chunks of one chain, with the sums that its checkpoint holds."""
    _compared(_chunks(path, chain, sums))


def _compared(files: Iterable[tuple[Path, int, int]]) -> int:
    count = 0
    for file, size, checksum in files:
        _check_size(file, size)
        if _sum_of(file) != checksum:
            raise _damaged(file, "its checksum is not that of what was written")
        count += 1
    return count


def _known(path: Path) -> Iterator[tuple[Path, int, int]]:
    """Path, size and checksum of the files that were written with the run."""
    for name, (size, checksum) in (_listed(path) or {"files": {}})["files"].items():
        yield path / name, size, checksum


def _chunks(
    path: Path, chain: int, sums: Mapping[str, Mapping[int, tuple[int, int]]]
) -> Iterator[tuple[Path, int, int]]:
    arrays = _arrays(path) if sums else {}
    for name, chunks in sums.items():
        dims = len(_chunk_shape(path, arrays, name)[0]) - 1
        for number, (size, checksum) in chunks.items():
            yield chunk_path(path / name, chain, number, dims), size, checksum


def _being_filled(path: Path, chain: int, numbers: Mapping[str, int]) -> Iterator[tuple[str, Path]]:
    """The variables whose last chunk is not full, and its file, which has the size of a chunk."""
    arrays = _arrays(path) if numbers else {}
    for name, number in numbers.items():
        shape, itemsize = _chunk_shape(path, arrays, name)
        file = chunk_path(path / name, chain, number, len(shape) - 1)
        try:
            _check_size(file, math.prod(shape) * itemsize)
        except StoreError as error:
            raise StoreError(f"{str(error).partition('. Put back')[0]}. {_REPAIR}") from None
        yield name, file


def _arrays(path: Path) -> dict[str, Any]:
    try:
        check_regular(path / ROOT, StoreError, most=LARGEST_JSON, advice=_COPY)
        return json.loads((path / ROOT).read_bytes())["consolidated_metadata"]["metadata"]
    except StoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path / ROOT, f"{type(error).__name__}: {error}") from error


def _chunk_shape(path: Path, arrays: Mapping[str, Any], name: str) -> tuple[list[int], int]:
    try:
        shape = arrays[name]["chunk_grid"]["configuration"]["chunk_shape"]
        return [int(size) for size in shape], np.dtype(arrays[name]["data_type"]).itemsize
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path / ROOT, f"it has no variable {name} ({type(error).__name__}: {error})") from error


def _listed(path: Path) -> dict[str, Any] | None:
    where = path / CHECKPOINTS / _FILES
    try:
        check_regular(where, StoreError, most=LARGEST_JSON, advice=_COPY)
        listed = json.loads(where.read_bytes())
        # Nothing outside the run is ever looked at, whatever a list from elsewhere says.
        outside = [name for name in listed["files"] if ".." in name.split("/") or name.startswith("/")]
        whole = not outside and all(
            [type(number) for number in entry] == [int, int] for entry in listed["files"].values()
        )
        whole = whole and isinstance(listed["root"], int) and isinstance(listed["attributes"], list)
    except FileNotFoundError:
        return None
    except StoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(where, f"{type(error).__name__}: {error}") from error
    if not whole:
        raise _damaged(where, "it is not the list that was written")
    return listed


def _check_size(file: Path, size: int) -> None:
    try:
        about = file.stat()
    except OSError as error:
        what = "it is missing" if isinstance(error, FileNotFoundError) else str(error)
        raise _damaged(file, what) from error
    found = about.st_size
    if not stat.S_ISREG(about.st_mode):
        raise _damaged(file, "it is no regular file")
    if found != size:
        what = "truncated" if found < size else "too long"
        raise _damaged(file, f"{what}: it has {found} bytes, {size} were written")


def _sum_of(file: Path) -> int:
    checksum = 0
    try:
        with open(file, "rb") as stream:
            while block := stream.read(_BLOCK):
                checksum = zlib.crc32(block, checksum)
    except OSError as error:
        raise _damaged(file, str(error)) from error
    return checksum


def _sum_of_root(metadata: Mapping[str, Any], attributes: Mapping[str, Any]) -> int:
    what = {**metadata, "attributes": {name: attributes[name] for name in attributes if name != "complete"}}
    return zlib.crc32(json.dumps(what, sort_keys=True).encode())


def _damaged(file: Path, why: str) -> StoreError:
    return StoreError(
        f"{file} is damaged: {why}. Put back a copy of this file, or sample the run afresh "
        "(overwrite=True, --overwrite); what the other files hold is not affected and can still be read with xarray"
    )
