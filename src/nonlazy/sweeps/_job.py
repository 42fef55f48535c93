"""One point, from its experiment to its record; run in a process of its own by `_worker`."""

import os
import platform
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nonlazy._version import __version__
from nonlazy.errors import NonlazyError, StoreError
from nonlazy.experiments import Experiment
from nonlazy.sweeps._lock import FolderLock
from nonlazy.sweeps._record import Record, read_record, write_record


@dataclass(frozen=True)
class Job:
    """What the process of a point is told.

    **Fields:** `number` and `name` of the point; `folder`: of the point; `identity`: of its experiment; `theory`:
    whether it is solved; `patience`: how many seconds to wait where another process still writes the point; `stop`: a
    file whose appearance asks to stop; `cores`: the only ones that the point may use, or None; `call`: of `sweep`, all
    of whose attempts at the point are counted together; `version`: of nonlazy.
    """

    number: int
    name: str
    folder: Path
    experiment: Experiment
    identity: str
    theory: bool
    patience: float = 3.0
    stop: Path | None = None
    cores: tuple[int, ...] | None = None
    call: str = ""
    version: str = __version__


def run_job(job: Job) -> Record:
    """Samples the point where that is left to do, reads its numbers, and leaves the record beside the run.

    An error of the point is part of its record; `KeyboardInterrupt` leaves it to be gone on with.

    **Raises:** `nonlazy.errors.StoreError` where the record cannot be written.
    """
    begun = time.monotonic()
    try:
        return _run(job, begun)
    except _Busy as error:
        # Whoever is at the point writes its record.
        return Record("failed", error=str(error))
    except NonlazyError as error:
        said = str(error)
    except Exception as error:
        said = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    record = Record("failed", said, time.monotonic() - begun, job.identity, job.theory)
    if job.folder.parent.is_dir():
        write_record(job.folder, record)
    return record


class _Busy(StoreError):
    """Another process is at the point."""


def _run(job: Job, begun: float) -> Record:
    if job.version != __version__:
        raise StoreError(
            f"nonlazy {__version__} is installed on this worker, {job.version} where the sweep was started: install one"
        )
    if not job.folder.parent.is_dir():
        raise StoreError(
            f"there is no folder {job.folder.parent} on this worker ({platform.node()}): results of a sweep on a "
            "cluster must be on a file system that all its machines share"
        )
    if job.cores is not None:
        with suppress(AttributeError, OSError):
            os.sched_setaffinity(0, job.cores)
    # Imported here, because they take a second.
    from nonlazy.figures import sample_experiment
    from nonlazy.sweeps._numbers import point_numbers

    job.folder.mkdir(exist_ok=True)
    try:
        lock = FolderLock(job.folder, f"point {job.name} is being run by another process", patience=job.patience)
    except StoreError as error:
        raise _Busy(str(error)) from None
    with lock:
        record = read_record(job.folder)
        if record.answers(job.identity, job.theory):
            return record
        run = sample_experiment(job.experiment, job.folder, name=job.experiment.name, progress=False)
        found = point_numbers(run, job.theory)
        # Numbers that are only read again say nothing of how long the point takes.
        again = record.state == "done" and record.identity == job.identity
        seconds = record.seconds if again else time.monotonic() - begun
        record = Record("done", "", seconds, job.identity, job.theory, found)
        write_record(job.folder, record)
        return record
