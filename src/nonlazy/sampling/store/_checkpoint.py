"""The checkpoint of one chain: one file, with a checksum."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from nonlazy._regular_files import check_regular
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling.store._durable import replace_durably


CHECKPOINTS = ".checkpoint"

_PROGRESS = "progress.json"
_CHECKSUM = "sha256"
_STATE = "state/"
_FILLING = "filling/"
_SUMS = "sums/"


def checkpoint_path(store: Path, chain: int) -> Path:
    """Where the checkpoint of a chain lies: in a hidden folder of the store, so that it moves along with it."""
    return store / CHECKPOINTS / f"chain-{chain}.npz"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    **Fields:** `arrays`: the state of the chain; `progress`: plain values; `filling`: for each variable whose last Zarr
    chunk is not full, the chunk's number and the records in it; `sums`: for each variable, the bytes and the CRC-32 of
    every full chunk by its number.
    """

    arrays: dict[str, np.ndarray]
    progress: dict[str, Any]
    filling: dict[str, tuple[int, np.ndarray]]
    sums: dict[str, dict[int, tuple[int, int]]]


def save_checkpoint(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    progress: Mapping[str, Any],
    filling: Mapping[str, tuple[int, np.ndarray]],
    sums: Mapping[str, Mapping[int, tuple[int, int]]],
) -> None:
    """Replaces the checkpoint in one step; the previous one stays where that fails. Arguments as in `Checkpoint`.

    **Raises:** `nonlazy.errors.InvalidInput` for arrays that are not plain numbers, or progress that does not fit in
    JSON; `OSError`.
    """
    members = {}
    for name, value in arrays.items():
        members[_STATE + name] = np.asarray(value)
        kind = members[_STATE + name].dtype
        if kind.kind not in "biufc":
            raise InvalidInput(f"checkpoint array {name!r} is of type {kind}: only plain numbers are kept")
    try:
        text = json.dumps(
            {"progress": dict(progress), "filling": {name: number for name, (number, _) in filling.items()}}
        )
    except TypeError as error:
        raise InvalidInput(f"the progress of a checkpoint must fit in JSON: {error}") from None
    members |= {_FILLING + name: records for name, (_, records) in filling.items()}
    for name, chunks in sums.items():
        rows = [(number, *chunks[number]) for number in sorted(chunks)]
        members[_SUMS + name] = np.array(rows, dtype=np.int64).reshape(-1, 3)
    members[_PROGRESS] = np.frombuffer(text.encode(), dtype=np.uint8)
    members[_CHECKSUM] = _checksum(members)
    replace_durably(path, lambda file: np.savez(file, **cast(dict[str, Any], members)))


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The last checkpoint, or None where there is none.

    **Raises:** `nonlazy.errors.StoreError` where the file is damaged.
    """
    members = _read(path)
    if members is None:
        return None
    checksum = members.pop(_CHECKSUM, None)
    if checksum is None or _PROGRESS not in members or not np.array_equal(checksum, _checksum(members)):
        raise _damaged(path, "its checksum does not match what it holds")
    text = _decode(path, members.pop(_PROGRESS))
    arrays = {name.removeprefix(_STATE): value for name, value in members.items() if name.startswith(_STATE)}
    filling = {name: (number, members[_FILLING + name]) for name, number in text["filling"].items()}
    return Checkpoint(arrays, text["progress"], filling, _sums(members))


def load_progress(path: Path) -> dict[str, Any] | None:
    """The progress of a checkpoint alone, without the state, or None where there is none.

    **Raises:** `nonlazy.errors.StoreError` where the file is damaged.
    """
    members = _read(path, only=_PROGRESS)
    if members is None:
        return None
    if _PROGRESS not in members:
        raise _damaged(path, "it tells no progress")
    try:
        progress = _decode(path, members[_PROGRESS])["progress"]
        counts = [progress.get(name, 0) for name in ("draws", "warmup")]
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not all(type(count) is int and count >= 0 for count in counts):
        raise _damaged(path, f"it counts {counts[0]!r} draws")
    return progress


def load_sums(path: Path) -> tuple[dict[str, dict[int, tuple[int, int]]], dict[str, int]]:
    """The sums of a checkpoint alone, as in `Checkpoint`, and the numbers of the chunks that are being filled.

    **Raises:** `nonlazy.errors.StoreError` where the file is damaged.
    """
    try:
        members = _read(path, only=(_SUMS, _PROGRESS))
        if members is None:
            return {}, {}
        return _sums(members), dict(_decode(path, members[_PROGRESS])["filling"])
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _sums(members: Mapping[str, np.ndarray]) -> dict[str, dict[int, tuple[int, int]]]:
    return {
        name.removeprefix(_SUMS): {number: (size, checksum) for number, size, checksum in rows.tolist()}
        for name, rows in members.items()
        if name.startswith(_SUMS)
    }


def _read(path: Path, only: str | tuple[str, ...] = "") -> dict[str, np.ndarray] | None:
    try:
        check_regular(path, StoreError, advice="put back a copy of the chain's checkpoint")
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as members:
            return {name: members[name] for name in members.files if name.startswith(only)}
    except FileNotFoundError:
        return None
    except StoreError:
        raise
    except PermissionError as error:
        raise StoreError(f"the checkpoint {path} cannot be read: {error}") from error
    # A damaged zip archive raises almost anything: BadZipFile, KeyError, ValueError, EOFError, zlib.error, MemoryError.
    except Exception as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _decode(path: Path, text: np.ndarray) -> dict[str, Any]:
    try:
        return json.loads(text.tobytes())
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the checkpoint {path} is damaged ({why}). Put back a copy of the file, or start the run afresh "
        "(overwrite=True, --overwrite); the draws up to this checkpoint can still be read with xarray"
    )


def _checksum(members: Mapping[str, np.ndarray]) -> np.ndarray:
    digest = hashlib.sha256()
    for name in sorted(members):
        value = members[name]
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        # Through uint8, since a zero-dimensional array and a non-contiguous one offer no plain buffer.
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), dtype=np.uint8)
