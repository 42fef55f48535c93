"""Files that a crash at any moment leaves either as they were or as they should be."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def replace_durably(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes a file through `write` and puts it in the place of `path` in one step; it is on disk when this returns.

    The file is written beside its final place, flushed to the disk and renamed. A process killed at any moment, or a
    machine that loses power, leaves the old file or the new one; a full disk leaves the old one. One process at a time
    may write a `path`: what a killed one left behind is written over.

    **Raises:** `OSError`.
    """
    replace_file(path, write, sync=True)
    sync_folder(path.parent)


def replace_file(path: Path, write: Callable[[IO[bytes]], object], *, sync: bool) -> None:
    """As `replace_durably`, but after a loss of power the old file may be back, or, without `sync`, a torn one.

    **Raises:** `OSError`.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with open(temporary, "wb") as file:
            write(file)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_folder(folder: Path) -> None:
    """Creates a folder, and those above it, durably where they are new.

    **Raises:** `OSError`.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Makes renames within `folder` survive a loss of power, on systems that can flush a folder.

    **Raises:** `OSError`.
    """
    if os.name != "nt":
        _sync(folder, os.O_RDONLY)


def sync_tree(folder: Path) -> None:
    """Flushes every file and folder below `folder` to the disk.

    **Raises:** `OSError`.
    """
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            sync_file(Path(parent, name))
        sync_folder(Path(parent))


def sync_file(path: Path) -> None:
    """Flushes a file to the disk.

    **Raises:** `OSError`.
    """
    _sync(path, os.O_RDWR)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
