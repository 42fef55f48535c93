"""A lock that keeps two processes from writing the same chain."""

import time
from contextlib import suppress
from pathlib import Path

from nonlazy._regular_files import check_regular
from nonlazy.errors import StoreError
from nonlazy.sampling.store._checkpoint import CHECKPOINTS


_PATIENCE = 3.0


class ChainLock:
    """Held by the process that writes a chain, and let go by the system however that process ends.

    The same process may take it again. Where the system or the file system has no such locks, nothing is locked.

    **Raises:** `nonlazy.errors.StoreError` where another process holds it.
    """

    def __init__(self, path: Path, chain: int):
        self._file = None
        try:
            import fcntl
        except ImportError:
            return
        try:
            path.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                check_regular(path, StoreError, advice="delete it")
            # Kept open on purpose: the lock lasts as long as the file is open.
            self._file = open(path, "ab")
        except OSError as error:
            raise StoreError(f"chain {chain} of {path.parent.parent} cannot be written: {error}") from error
        begun = time.monotonic()
        try:
            while True:
                try:
                    fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except (BlockingIOError, PermissionError):
                    # A process whose parent was killed needs a moment to notice and to let go.
                    if time.monotonic() - begun > _PATIENCE:
                        raise
                    time.sleep(0.1)
        except (BlockingIOError, PermissionError):
            self.release()
            raise StoreError(
                f"chain {chain} of {path.parent.parent} is being written by another process: "
                "wait for it, stop it, or choose another path"
            ) from None
        except OSError:
            self.release()

    def release(self) -> None:
        """Lets go of the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


def lock_path(store: Path, chain: int) -> Path:
    """Where the lock of a chain lies."""
    return store / CHECKPOINTS / f"chain-{chain}.lock"


def being_written(store: Path, chains: int) -> bool:
    """Whether another process is writing one of the run's chains right now.

    Not for the process that writes the run itself: asking would let go of its own locks.
    """
    try:
        import fcntl
    except ImportError:
        return False
    for chain in range(chains):
        try:
            file = open(lock_path(store, chain), "r+b")
        except OSError:
            continue
        with file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                return True
            except OSError:
                continue
    return False
