"""Compiled programs that the processes of chains keep on disk, so that no later one compiles them again.

They are in JAX's own compilation cache, which goes by what is compiled, for what and by which version: what comes from
there is what compiling would give, bit for bit. The folder may be deleted at any time.
"""

import hashlib
import os
import platform
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nonlazy._machine import cache_folder


_MOST_BYTES = 2**30
# A process that compiles for longer than this is not waited for: it may be stopped, or at the other end of a network.
_PATIENCE_SECONDS = 60.0
_LISTEN_SECONDS = 0.05
_FOLDER, _LEAST = "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
_MARK, _LOCK, _PROGRAM = ".compiled", ".lock", "-cache"
# What is younger may be being written.
_WRITING_SECONDS = 30.0
# How JAX's entries begin where the package zstandard is installed, which refuses incomplete ones as zlib does.
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


def keep_programs() -> dict[str, str]:
    """The environment variables that have a process keep what JAX compiles, so that later ones need not compile it.

    The processes that nonlazy starts, and its command line, have them. For chains that run in a script's own process,
    as on a GPU: `os.environ.update(keep_programs())` before JAX is imported.

    **Returns:** `JAX_COMPILATION_CACHE_DIR`, the folder `compiled` within `nonlazy` in the user's cache folder, one for
    each kind of processor, and `JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS`, so that small programs are kept as well;
    not those that are set already, and nothing where there is no place to write. Where the folder holds more than
    1 GiB, what was written first is deleted, and so is what was not written to its end.
    """
    small = {} if _LEAST in os.environ else {_LEAST: "0"}
    if _FOLDER in os.environ:
        return small
    try:
        folder = cache_folder() / "compiled" / _processor()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # A user without a home has no cache folder either.
        return {}
    if not os.access(folder, os.W_OK):
        return {}
    _tidy(folder, _MOST_BYTES)
    return {_FOLDER: str(folder), **small}


def _processor() -> str:
    """A name for this kind of processor: what was compiled for one may stop another with an illegal instruction."""
    described = [platform.system(), platform.machine(), platform.processor()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        wanted = ("model name", "flags", "Features", "CPU implementer", "CPU part")
        described += sorted({line for line in lines if line.split("\t")[0].split(":")[0].strip() in wanted})
    return hashlib.sha256("\n".join(described).encode()).hexdigest()[:16]


def _tidy(folder: Path, most: int) -> None:
    """Deletes programs that were not written to their end, and what was written first until the rest has no more than
    `most` bytes."""
    entries = []
    with suppress(OSError):
        for there in folder.iterdir():
            with suppress(OSError):
                # On a GPU XLA has a folder of its own there.
                if there.is_file():
                    entries.append((there.stat().st_mtime, there.stat().st_size, there))
    excess = sum(size for _, size, _ in entries) - most
    for written, size, there in sorted(entries):
        with suppress(OSError):
            if excess > 0 or _is_damaged(there, written):
                there.unlink()
                excess -= size


def _is_damaged(path: Path, written: float) -> bool:
    """Whether a program cannot be unpacked. JAX writes in place and never writes again what is there, so that one whose
    process was killed, or had no room, would be in the way for ever. Those that are whole are marked as read-only."""
    mode = path.stat().st_mode
    if not path.name.endswith(_PROGRAM) or not mode & stat.S_IWUSR or time.time() - written < _WRITING_SECONDS:
        return False
    content = path.read_bytes()
    if content.startswith(_ZSTANDARD):
        return False
    try:
        zlib.decompress(content)
    except zlib.error:
        return True
    path.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return False


@contextmanager
def compiling(*what: object) -> Iterator[None]:
    """Around the first call of a function that takes long to compile: while one process is there, those that would
    compile the same wait, and find it kept.

    Without a folder for compiled programs, or without locks, all compile for themselves.

    **Arguments:** `what`: tells apart what is compiled.
    """
    import jax

    folder = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    name = hashlib.sha256(repr((jax.__version__, what)).encode()).hexdigest()[:16]
    enabled = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    if not (folder and enabled) or (Path(folder) / (name + _MARK)).exists():
        yield
        return
    mark = Path(folder) / (name + _MARK)
    with _lock(Path(folder) / (name + _LOCK), mark):
        yield
        with suppress(OSError):
            mark.touch()


@contextmanager
def _lock(path: Path, mark: Path) -> Iterator[None]:
    """Holds the lock at `path`, waiting for it until `mark` is there or patience ends."""
    try:
        import fcntl

        file = path.open("wb")
    except (ImportError, OSError):
        yield
        return
    with file:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not mark.exists() and time.monotonic() < end:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LISTEN_SECONDS)
            except OSError:
                break
        yield
