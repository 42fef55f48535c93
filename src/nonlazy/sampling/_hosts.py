"""One chain over many hosts: all run the same program and do the same things in the same order; the first one writes.

The hosts are those of `jax.distributed`. Where there is one, everything here is free, and imports no JAX.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput, SamplingError, StoreError
from nonlazy.sampling.store._checkpoint import checkpoint_path, load_checkpoint


_TEXT_BYTES = 4096
_APPEARS_SECONDS = 10.0


def several() -> bool:
    """Whether JAX runs on more than one host."""
    jax = sys.modules.get("jax")
    return jax is not None and jax.distributed.is_initialized() and jax.process_count() > 1


def first() -> bool:
    """Whether this is the host that writes and shows progress."""
    return not several() or sys.modules["jax"].process_index() == 0


def any_stops_first_is_due(stops: bool, due: bool) -> tuple[bool, bool]:
    """Whether any host wants to stop, and whether the first one's checkpoint is due: the same answer on all hosts."""
    if not several():
        return stops, due
    flags = _gathered(np.array([stops, due], np.int32))
    return bool(flags[:, 0].any()), bool(flags[0, 1])


def check_same(what: str, parts: Iterable[Any]) -> None:
    """That all hosts hold the same bytes.

    **Raises:** `nonlazy.errors.SamplingError` on all of them where they do not.
    """
    if not several():
        return
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    words = _gathered(np.frombuffer(digest.digest(), np.int32))
    different = [host for host, own in enumerate(words) if (own != words[0]).any()]
    if different:
        raise SamplingError(
            f"{what} of host {', '.join(map(str, different))} is not that of host 0: all hosts must make the same "
            "request with the same data, on devices of one kind and with the same versions of JAX and NumPy"
        )


def as_first_does(action: Callable[[], str]) -> str:
    """What `action` returns on the first host, which alone does it; where it raises there, all hosts raise.

    **Raises:** what `action` raises; `nonlazy.errors.SamplingError` on the other hosts where that is no error of
    nonlazy.
    """
    if not several():
        return action()
    error: BaseException | None = None
    said = {"text": "", "kind": ""}
    if first():
        try:
            said["text"] = action()
        except BaseException as caught:
            error = caught
            said = {"text": str(caught), "kind": type(caught).__name__}
    told = _told_by_first(said)
    if error is not None:
        raise error
    if told["kind"]:
        kind = {"StoreError": StoreError, "InvalidInput": InvalidInput}.get(told["kind"], SamplingError)
        raise kind(f"host 0: {told['text']}")
    return told["text"]


def lay_out(action: Callable[[], str], look: Callable[[], str]) -> str:
    """What `action` returns on the first host, which lays out the run; then all hosts `look`, whether the run is there
    and of their own request.

    **Raises:** as `as_first_does`, and what `look` raises on this host; `nonlazy.errors.StoreError` where it raises on
    another or a host does not see the run.
    """
    state = as_first_does(action)
    if not several():
        return state
    error, seen = None, "absent"
    # A folder of another host's needs a moment to show up on a shared disk.
    until = time.monotonic() + _APPEARS_SECONDS
    try:
        while (seen := look()) == "absent" and time.monotonic() < until:
            time.sleep(0.1)
    except Exception as caught:
        # Raised once the others know: they wait for this host's answer.
        error = caught
    answers = _gathered(np.array([error is not None, seen == "absent"], np.int32))
    if error is not None:
        raise error
    for answer, why in ((answers[:, 0], "asks for another run"), (answers[:, 1], "does not see its folder")):
        if answer.any():
            others = ", ".join(str(host) for host in np.flatnonzero(answer))
            raise StoreError(
                f"host {others} {why}: all hosts must make the same request, with store a folder that all of them see"
            )
    return state


@contextmanager
def explained() -> Iterator[None]:
    """Says what it means when devices of several hosts lose each other.

    **Raises:** `nonlazy.errors.SamplingError` for an error of JAX where there are several hosts.
    """
    import jax

    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if not several():
            raise
        raise SamplingError(
            f"the hosts lost each other, most often because one of them ended: see what the others say ({error}). What "
            "was drawn up to the last checkpoint is intact, and the same request on all hosts goes on from there"
        ) from error


class Onlooker:
    """Stands where the first host has a `ChainWriter`: it reads checkpoints, and writes nothing."""

    def __init__(self, path: Path, chain: int):
        self._checkpoint = checkpoint_path(path, chain)

    def load_checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """As `ChainWriter.load_checkpoint`."""
        loaded = load_checkpoint(self._checkpoint)
        return None if loaded is None else (loaded.arrays, loaded.progress)

    def write(self, group: str, start: int, values: Mapping[str, np.ndarray]) -> None:
        """Nothing."""

    def write_once(self, group: str, values: Mapping[str, np.ndarray]) -> None:
        """Nothing."""

    def checkpoint(self, arrays: Mapping[str, np.ndarray], progress: Mapping[str, Any]) -> None:
        """Nothing."""


def _gathered(values: np.ndarray) -> np.ndarray:
    """One row a host."""
    if not several():
        return values[None]
    from jax.experimental.multihost_utils import process_allgather

    return np.asarray(process_allgather(values)).reshape(-1, values.size)


def _told_by_first(said: dict[str, str]) -> dict[str, str]:
    from jax.experimental.multihost_utils import broadcast_one_to_all

    # A character takes up to twelve bytes in JSON's own escapes.
    text = json.dumps(said | {"text": said["text"][: _TEXT_BYTES // 16]}).encode()
    buffer = np.zeros(_TEXT_BYTES, np.int32)
    buffer[: len(text)] = np.frombuffer(text, np.uint8)
    told = np.asarray(broadcast_one_to_all(buffer)).astype(np.uint8).tobytes()
    return json.loads(told.rstrip(b"\0"))
