"""Texts on disk that are whole or not there, whatever happens while they are written."""

import errno
import os
import tempfile
from pathlib import Path

from nonlazy.errors import StoreError


# What the system says where there is no room left.
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Once: to ask for it is to change it for a moment, for all threads of the process.
UMASK = _umask()


def replace_text(path: Path, text: str) -> Path:
    """Writes a text file in the place of `path`, whole or not at all; returns `path`.

    **Raises:** `OSError`.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads; results are for everyone the folder is for.
        os.chmod(temporary, 0o666 & ~UMASK)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """As `replace_text`, in a folder that is made where it is missing.

    **Raises:** `nonlazy.errors.StoreError` where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return replace_text(path, text)
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> StoreError:
    """What to say of a file or folder that cannot be written, and what to do."""
    remedy = "free some space, and give the same command again" if error.errno in FULL else "choose another folder"
    return StoreError(f"{path} cannot be written: {error.strerror or error}; {remedy}")
