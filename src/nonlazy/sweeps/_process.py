"""Has a point run in a process of its own, watches it, and starts it again where it dies."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from nonlazy.errors import StoreError
from nonlazy.sampling import keep_programs
from nonlazy.sweeps import _attempts
from nonlazy.sweeps._job import Job
from nonlazy.sweeps._lock import FolderLock
from nonlazy.sweeps._record import Record, read_record, write_record


_POLL_SECONDS = 0.1
# How long a point that was asked to stop may take to write its checkpoints.
_GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class Outcome:
    """How a point ended. **Fields:** `number` of the point; `state`; `error`: why it failed; `seconds`: it took."""

    number: int
    state: Literal["done", "failed", "stopped"]
    error: str = ""
    seconds: float = 0.0


def run_process(job: Job, stopping: Callable[[], bool], retries: int) -> Outcome:
    """Runs a point in a process, again after each death of it, up to `retries` times; it goes on where it stood.

    Deaths of workers that had the point before count as well: they are those of the point, wherever it ran.

    **Arguments:** `stopping`: asked every moment whether to stop the process, checkpointed.
    """
    begun, here = time.monotonic(), 0
    cause = "with its worker"
    while True:
        deaths = max(here, _attempts.unended(job.folder, job.call))
        if deaths > retries:
            outcome = give_up(job, died(deaths, cause), time.monotonic() - begun)
            _attempts.end(job.folder)
            return outcome
        _attempts.begin(job.folder, job.call)
        # Files, not pipes: a pipe that nobody reads before the end stops whoever has more to say than fits in.
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complaints:
            process = _launch(job, said, complaints)
            _wait(process, stopping)
            answer = _answer(said)
            if answer is not None:
                _attempts.end(job.folder)
                return Outcome(job.number, _state(answer), answer["error"], time.monotonic() - begun)
            if stopping():
                _attempts.end(job.folder)
                return Outcome(job.number, "stopped", seconds=time.monotonic() - begun)
            cause, here = _cause(process.returncode, complaints), here + 1


def give_up(job: Job, error: str, seconds: float = 0.0) -> Outcome:
    """A point that nobody runs any more has failed, unless it was done before its process or worker died."""
    if job.folder.parent.is_dir():
        # Nobody may have come so far as to make it.
        with suppress(OSError):
            job.folder.mkdir(exist_ok=True)
    # Where somebody still writes the point, its record is theirs.
    with suppress(StoreError), FolderLock(job.folder, f"point {job.name} is being run"):
        if read_record(job.folder).answers(job.identity, job.theory):
            return Outcome(job.number, "done", seconds=seconds)
        write_record(job.folder, Record("failed", error=error, identity=job.identity, theory=job.theory))
    return Outcome(job.number, "failed", error, seconds)


def died(deaths: int, cause: str) -> str:
    """What to say of a point whose processes ended without a word: how often, and the last time how."""
    times = f"{deaths} times, the last time " if deaths > 1 else ""
    return f"its process died {times}{cause}; what was drawn is kept, and the same sweep goes on from there"


def environment() -> dict[str, str]:
    """The environment of the process of a point."""
    variables = os.environ | keep_programs()
    # One thread a point: cores are shared out between points.
    variables |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    # What this process can import its own can, too.
    variables["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return variables


def _launch(job: Job, said, complaints) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "nonlazy.sweeps._worker"],
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=complaints,
        env=environment(),
        # Ctrl-C reaches the whole group of a terminal; the sweep decides what it means.
        start_new_session=True,
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(pickle.dumps(job))
    return process


def _wait(process: subprocess.Popen, stopping: Callable[[], bool]) -> None:
    """Until the process ends; asks it to where it should stop."""
    asked: float | None = None
    try:
        while process.poll() is None:
            if asked is None and stopping():
                asked = time.monotonic()
                process.terminate()
            elif asked is not None and time.monotonic() - asked > _GRACE_SECONDS:
                process.kill()
            time.sleep(_POLL_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _answer(said) -> dict[str, str] | None:
    """What a process answered; None where it ended without an answer."""
    said.seek(0)
    with suppress(ValueError):
        return json.loads(said.read())
    return None


def _state(answer: dict[str, str]) -> Literal["done", "failed"]:
    return "done" if answer["state"] == "done" else "failed"


def _cause(code: int, complaints) -> str:
    complaints.seek(0)
    said = complaints.read().decode(errors="replace").strip()[-2000:]
    hint = " (often the sign of too little memory)" if code == -9 else ""
    why = f"by signal {-code}{hint}" if code < 0 else f"with exit status {code}"
    return f"{why}{': ' + said if said else ''}"
