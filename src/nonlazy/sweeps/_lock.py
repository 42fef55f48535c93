"""Locks on folders, which the system lets go of however a process ends."""

import time
from pathlib import Path
from typing import IO

from nonlazy._whole_files import unwritable
from nonlazy.errors import StoreError


class FolderLock:
    """A lock on a folder, held until `release` or the end of the process.

    Where the system or the file system has no locks, nothing is locked. The process that holds it may take it again.

    **Arguments:** `folder`: it must exist; `shared`: many may hold it, but none together with one that is not shared;
    `patience`: seconds to wait for another process; `taken`: what to say where it does not let go.

    **Raises:** `nonlazy.errors.StoreError` where another process holds it.
    """

    def __init__(self, folder: Path, taken: str, *, shared: bool = False, patience: float = 3.0):
        self._file: IO[bytes] | None = None
        try:
            import fcntl
        except ImportError:
            return
        try:
            # Kept open on purpose: the lock lasts as long as the file is open.
            self._file = open(folder / ".lock", "a+b")
        except OSError as error:
            raise unwritable(folder, error) from None
        begun = time.monotonic()
        while True:
            try:
                fcntl.lockf(self._file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                return
            except (BlockingIOError, PermissionError):
                # A process whose parent was killed needs a moment to notice and to let go.
                if time.monotonic() - begun > patience:
                    self.release()
                    raise StoreError(taken) from None
                time.sleep(0.1)
            except OSError:
                self.release()
                return

    def release(self) -> None:
        """Lets go of the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
