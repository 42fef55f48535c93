"""The checkpoint of one chain: one file, with a checksum."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling._durable import replace_durably


CHECKPOINTS = ".checkpoint"

_PROGRESS = "progress.json"
_CHECKSUM = "sha256"
# The last two are arguments of numpy.savez, which takes the arrays as keywords beside them.
_TAKEN = (_PROGRESS, _CHECKSUM, "file", "allow_pickle")


def checkpoint_path(store: Path, chain: int) -> Path:
    """Where the checkpoint of a chain lies: in a hidden folder of the store, so that it moves along with it."""
    return store / CHECKPOINTS / f"chain-{chain}.npz"


def save_checkpoint(path: Path, arrays: Mapping[str, np.ndarray], progress: Mapping[str, Any]) -> None:
    """Replaces the checkpoint in one step; the previous one stays where that fails.

    **Arguments:**

    - `arrays`: the state of the chain, plain numbers in any shape.
    - `progress`: plain values that fit in JSON.

    **Raises:** `nonlazy.errors.InvalidInput` for arrays that are not plain numbers; `OSError`.
    """
    members = {}
    for name, value in arrays.items():
        if name in _TAKEN:
            raise InvalidInput(f"checkpoint array {name!r}: this name is taken; choose another")
        members[name] = np.asarray(value)
        if members[name].dtype.kind not in "biufc":
            raise InvalidInput(
                f"checkpoint array {name!r} is of type {members[name].dtype}: only plain numbers are kept"
            )
    try:
        text = json.dumps(dict(progress))
    except TypeError as error:
        raise InvalidInput(f"the progress of a checkpoint must fit in JSON: {error}") from None
    members[_PROGRESS] = np.frombuffer(text.encode(), dtype=np.uint8)
    members[_CHECKSUM] = _checksum(members)
    replace_durably(path, lambda file: np.savez(file, **cast(dict[str, Any], members)))


def load_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """The arrays and the progress of a checkpoint, or None where there is none.

    **Raises:** `nonlazy.errors.StoreError` where the file is damaged.
    """
    members = _read(path)
    if members is None:
        return None
    checksum = members.pop(_CHECKSUM, None)
    if checksum is None or _PROGRESS not in members or not np.array_equal(checksum, _checksum(members)):
        raise _damaged(path, "its checksum does not match what it holds")
    return members, _decode(path, members.pop(_PROGRESS))


def load_progress(path: Path) -> dict[str, Any] | None:
    """The progress of a checkpoint alone, without the state, or None where there is none.

    **Raises:** `nonlazy.errors.StoreError` where the file is damaged.
    """
    members = _read(path, only=_PROGRESS)
    return None if members is None else _decode(path, members[_PROGRESS])


def _read(path: Path, only: str | None = None) -> dict[str, np.ndarray] | None:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as members:
            return {name: members[name] for name in ([only] if only else members.files)}
    except FileNotFoundError:
        return None
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
        "with overwriting; the draws up to this checkpoint can still be read with xarray"
    )


def _checksum(members: Mapping[str, np.ndarray]) -> np.ndarray:
    digest = hashlib.sha256()
    for name in sorted(members):
        value = members[name]
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        # Through uint8, since a zero-dimensional array and a non-contiguous one offer no plain buffer.
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), dtype=np.uint8)
