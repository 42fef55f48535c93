"""What a sweep is going to do, found out and checked before it does anything."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.figures import results_folder
from nonlazy.sweeps._absence import need
from nonlazy.sweeps._check import check_points
from nonlazy.sweeps._cores import points_at_once
from nonlazy.sweeps._folder import check_folder
from nonlazy.sweeps._gather import quantity
from nonlazy.sweeps._job import Job
from nonlazy.sweeps._load import SWEEP, load, results_of
from nonlazy.sweeps._lock import FolderLock
from nonlazy.sweeps._parse import identity
from nonlazy.sweeps._quantities import show_fault
from nonlazy.sweeps._record import read_record
from nonlazy.sweeps._result import RUN, read_result
from nonlazy.sweeps._sweep import Point, Sweep


@dataclass(frozen=True, eq=False)
class Plan:
    """A sweep whose points can be sampled, and whose folder is its own or empty.

    **Fields:** `sweep`; `folder`; `numbers`: of the points that are asked for; `at_once`: how many run at the same time
    on this machine; `remote`: whether they run on a cluster instead; `part`: whether other calls may run beside it;
    `overwrite`: whether what is there counts for nothing.
    """

    sweep: Sweep
    folder: Path
    numbers: tuple[int, ...]
    at_once: int
    remote: bool
    part: bool
    overwrite: bool

    @property
    def points(self) -> tuple[Point, ...]:
        """The points that are asked for."""
        return tuple(self.sweep.points[number] for number in self.numbers)

    def jobs(self) -> list[Job]:
        """The points that are still to be run, as the folder is now."""
        call = uuid.uuid4().hex[:12]
        jobs = []
        for number, point in zip(self.numbers, self.points, strict=True):
            folder, known = self.folder / point.name, identity(point.experiment)
            if self.overwrite or not read_record(folder).answers(known, self.sweep.theory):
                jobs.append(Job(number, point.name, folder, point.experiment, known, self.sweep.theory, call=call))
        return jobs

    def standing(self, point: Point) -> str:
        """What has become of a point so far: "done", "failed", "begun" (it goes on from its checkpoint) or ""."""
        if self.overwrite:
            return ""
        folder = self.folder / point.name
        record = read_record(folder)
        known, sampled = identity(point.experiment), (folder / RUN).exists()
        if record.state != "missing" and record.identity == known:
            # Numbers that have to be read again need the run.
            gone = record.state == "done" and not sampled and not record.answers(known, self.sweep.theory)
            return "" if gone else record.state
        return "begun" if sampled else ""

    def said(self, jobs: Sequence[Job], where: str = "on this machine") -> str:
        """In words that `jobs` are to be run, and how many of them have been begun before."""
        left, done = len(jobs), len(self.numbers) - len(jobs)
        if not left:
            return f"{_count(done)}: all done already"
        together = "" if self.remote else f", {min(self.at_once, left)} at a time"
        states = [self.standing(self.sweep.points[job.number]) for job in jobs]
        before = {
            "begun, to go on from where they stopped": states.count("begun"),
            "failed before": states.count("failed"),
            "sampled, to be read again": states.count("done"),
        }
        said = ", ".join(f"{count} {what}" for what, count in before.items() if count)
        said = said.replace("1 begun, to go on from where they stopped", "1 begun, to go on from where it stopped")
        known = f" ({said})" if said else ""
        return f"{_count(left)} to run {where}{together}{known}" + (f"; {done} done already" if done else "")

    def lock(self, patience: float = 1.0) -> FolderLock:
        """Keeps other sweeps out of the folder, which must exist.

        **Raises:** `nonlazy.errors.StoreError` where one is at it.
        """
        taken = f"another sweep is running in {self.folder}: wait for it, stop it, or choose another folder with --out"
        return FolderLock(self.folder, taken, shared=self.part, patience=patience)

    def check_lock(self) -> None:
        """Raises `nonlazy.errors.StoreError` where another sweep is running in the folder; makes nothing."""
        if (self.folder / ".lock").is_file():
            self.lock(patience=0.0).release()


def plan(
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
) -> Plan:
    """Checks everything that can be checked before a sweep runs, and makes nothing. Arguments are those of `sweep`.

    **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.DataError` and `nonlazy.errors.StoreError`.
    """
    remote = cluster is not None or scheduler_file is not None
    asked = source if isinstance(source, Sweep) else load(source)
    if not isinstance(source, Sweep) and out is None:
        out = results_of(source)
    folder = results_folder(f"sweep-{asked.name}", out).absolute()
    numbers = tuple(range(len(asked.points))) if points is None else asked.select(points)
    chosen = [asked.points[number] for number in numbers]
    _check_arguments(jobs, cluster, scheduler_file, show, retries, resume, overwrite)
    if resume and not (folder / SWEEP).is_file():
        raise InvalidInput(f"{folder} holds no sweep to go on with: leave --resume out to begin")
    check_folder(folder, asked, overwrite)
    _check_writable(folder)
    at_once = points_at_once(jobs, [point.experiment for point in chosen])
    tests = check_points(asked.name, chosen, elsewhere=remote)
    if points is None:
        _check_needs(asked, None if overwrite else folder, show, tests)
    return Plan(asked, folder, numbers, at_once, remote, points is not None, overwrite)


def _count(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"


def _check_needs(asked: Sweep, folder: Path | None, show: Sequence[str], tests: bool) -> None:
    """Refuses to draw what no point of the sweep can have, and none has in `folder`."""
    where = "--show" if show else "show"
    for name in show or asked.show:
        lacking = need(name, asked, tests)
        # The theory may be there from an earlier call that asked for it.
        if lacking and (folder is None or quantity(read_result(asked, folder).data, name) is None):
            raise InvalidInput(f"{where}: {lacking}")


def _check_writable(folder: Path) -> None:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise StoreError(f"{folder} cannot be written: {nearest} does not permit it; choose another folder with --out")


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
