"""`sweep`: checks all points, has them run here or on a cluster, and gathers what they found."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.figures import results_folder
from nonlazy.sweeps._check import check_points
from nonlazy.sweeps._cores import points_at_once
from nonlazy.sweeps._display import display
from nonlazy.sweeps._folder import check_folder, discard_points, lay_out
from nonlazy.sweeps._job import Job
from nonlazy.sweeps._load import SWEEP, load
from nonlazy.sweeps._lock import FolderLock
from nonlazy.sweeps._parse import identity
from nonlazy.sweeps._process import Outcome
from nonlazy.sweeps._quantities import show_fault
from nonlazy.sweeps._record import read_record
from nonlazy.sweeps._result import SweepResult, read_result
from nonlazy.sweeps._sweep import Sweep


def sweep(
    source: Sweep | str | Path,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    cluster: Any = None,
    scheduler_file: str | Path | None = None,
    points: str | None = None,
    show: Sequence[str] = (),
    retries: int = 2,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    announce: Callable[[str], object] = lambda _: None,
) -> SweepResult:
    """Runs the points of a sweep, and gathers their numbers.

    All points are checked before the first one runs. Points that are done are not run again, one that was interrupted
    goes on where it stopped, one that failed is tried again; so the same call goes on with a sweep that ended early. A
    sweep may grow: with more values in its file, the same call runs what is new.

    **Arguments:**

    - `source`: a `Sweep`, or what `nonlazy.sweeps.load` takes; with a folder of results, the sweep goes on there.
    - `out`: the folder; None: `nonlazy-sweep-NAME` in the current one.
    - `jobs`: how many points run at the same time, a process each; None: one a core, or one where chains run on an
      accelerator. Their chains share out the cores.
    - `cluster`: run on this Dask cluster instead: an address as "tcp://host:8786", a `distributed.Client`, or a cluster
      object. The folder must lie on a file system that its workers share. `scheduler_file`: of the scheduler, instead.
    - `points`: only these, as "3", "0:10" or "0:10,15" (`Sweep.select`); several such calls may run side by side.
      Results are then not gathered: `open_sweep(folder).write()` does so.
    - `show`: the quantities to draw; empty: those of the sweep.
    - `retries`: how often a point is run again after its process or its worker has died.
    - `resume`: insist that the folder holds the sweep already. `overwrite`: start afresh.
    - `progress`: show it, on standard error. `announce`: called with lines that say what is done.

    **Returns:** a `SweepResult`; points that failed are part of it.

    **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.DataError` and `nonlazy.errors.StoreError` before
    anything runs; `nonlazy.errors.SamplingError` where the scheduler is lost; `KeyboardInterrupt` on Ctrl-C, with
    everything that was drawn kept.
    """
    asked = source if isinstance(source, Sweep) else load(source)
    if not isinstance(source, Sweep) and out is None and Path(source).expanduser().is_dir():
        out = source
    folder = results_folder(f"sweep-{asked.name}", out).absolute()
    numbers = range(len(asked.points)) if points is None else asked.select(points)
    chosen = [asked.points[number] for number in numbers]
    _check_arguments(jobs, cluster, scheduler_file, show, retries, resume, overwrite)
    if resume and not (folder / SWEEP).is_file():
        raise InvalidInput(f"{folder} holds no sweep to go on with: leave --resume out to begin")
    check_points(asked.name, chosen)
    check_folder(folder, asked, overwrite)
    at_once = points_at_once(jobs, [point.experiment for point in chosen])
    client = None
    if cluster is not None or scheduler_file is not None:
        from nonlazy.sweeps._cluster import connect

        client = connect(cluster, scheduler_file)
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"folder {folder} cannot be made: {error.strerror}; choose another folder") from None
        taken = f"another sweep is running in {folder}: wait for it, stop it, or choose another folder with --out"
        with FolderLock(folder, taken, shared=points is not None, patience=1.0):
            lay_out(folder, asked)
            if overwrite:
                discard_points(folder, chosen)
            _run(asked, folder, numbers, client, at_once, retries, progress, announce)
            result = read_result(asked, folder)
            if points is None:
                try:
                    result.write(show)
                except InvalidInput as error:
                    # Known only now; the work is done, and what failed is still to be told.
                    announce(f"Not drawn: {error}")
        return result
    finally:
        if client is not None and client is not cluster:
            client.close()


def _run(
    asked: Sweep,
    folder: Path,
    numbers: Sequence[int],
    client: Any,
    at_once: int,
    retries: int,
    progress: bool,
    announce: Callable[[str], object],
) -> None:
    jobs = []
    for number in numbers:
        point = asked.points[number]
        job = Job(
            number, point.name, folder / point.name, point.experiment, identity(point.experiment), asked.theory
        )  # fmt: skip
        if not read_record(job.folder).answers(job.identity, job.theory):
            jobs.append(job)
    done = len(numbers) - len(jobs)
    if not jobs:
        announce(f"{_count(done)}: all done already")
        return
    where = "on this machine" if client is None else f"on the cluster {client.scheduler.address}"
    at_once = min(at_once, len(jobs))
    together = f", {at_once} at a time" if client is None else ""
    announce(f"{_count(len(jobs))} to run {where}{together}" + (f"; {done} done already" if done else ""))
    names = {job.number: job.name for job in jobs}
    with display(progress, len(numbers), done) as shown:

        def ended(outcome: Outcome) -> None:
            shown.ended(names[outcome.number], outcome)

        if client is None:
            from nonlazy.sweeps._local import run_locally

            run_locally(jobs, at_once, retries, lambda number: shown.started(names[number]), ended)
        else:
            from nonlazy.sweeps._cluster import run_on_cluster

            run_on_cluster(client, jobs, retries, shown.count, ended)


def _count(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"


def _check_arguments(
    jobs: int | None,
    cluster: Any,
    scheduler_file: str | Path | None,
    show: Sequence[str],
    retries: int,
    resume: bool,
    overwrite: bool,
) -> None:
    if resume and overwrite:
        raise InvalidInput(
            "--resume goes on with the sweep that is there, --overwrite deletes it: choose one of the two"
        )
    if cluster is not None and scheduler_file is not None:
        raise InvalidInput("--cluster and --scheduler-file both name a scheduler: choose one of the two")
    if jobs is not None and (cluster is not None or scheduler_file is not None):
        raise InvalidInput("--jobs is for this machine: on a cluster, its workers decide how many points run at once")
    if retries < 0:
        raise InvalidInput(f"--retries is {retries}: it must be 0 or more")
    for name in show:
        fault = show_fault(name)
        if fault:
            raise InvalidInput(f"--show: {fault}")
