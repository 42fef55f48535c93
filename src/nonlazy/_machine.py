"""The machine under a process: its cores, its place for what can be had again, and the process that started it."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path


_WATCH_SECONDS = 0.3


def cores() -> tuple[int, ...]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def memory() -> int | None:
    """The machine's memory in bytes; None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def cache_folder() -> Path:
    """Where downloads and compiled programs are kept: `nonlazy` in the user's cache folder of the operating system."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("nonlazy"))


def end_with_parent(act: Callable[[], object] = lambda: os._exit(1)) -> None:
    """Has this process end soon after the one that started it: whatever it was writing, the last checkpoint stands.

    **Arguments:** `act`: what ends it, called from a thread of its own.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        act()

    threading.Thread(target=watch, daemon=True).start()
