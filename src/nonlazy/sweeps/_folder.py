"""The folder of a sweep: laid out, kept apart from other sweeps, and cleared where it starts afresh."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from nonlazy._whole_files import replace_text, unwritable
from nonlazy.errors import NonlazyError, StoreError
from nonlazy.experiments import load as load_experiment
from nonlazy.sweeps._keys import SECTIONS
from nonlazy.sweeps._load import SWEEP, load
from nonlazy.sweeps._lock import FolderLock
from nonlazy.sweeps._parse import identity
from nonlazy.sweeps._record import POINT
from nonlazy.sweeps._result import RUN
from nonlazy.sweeps._sweep import Point, Sweep


EXPERIMENT = "experiment.toml"
# Points on a cluster that find their file stop.
STOP = ".stop-"
_STOP_SECONDS = 3600.0


def check_folder(folder: Path, sweep: Sweep, overwrite: bool) -> None:
    """Refuses a folder that holds something else than this sweep, or other points of it.

    **Raises:** `nonlazy.errors.StoreError`; the text says in what the first point differs.
    """
    # Another job of an array may be laying it out right now: its lock and its experiment come before its sweep.
    if not folder.exists() or all(path.name.startswith(".") or path.name == EXPERIMENT for path in folder.iterdir()):
        return
    if not (folder / SWEEP).is_file():
        raise StoreError(f"{folder} holds other files, and no sweep: choose another folder")
    try:
        there = load(folder)
    except NonlazyError as error:
        raise StoreError(f"{folder} holds a sweep that cannot be read: {error}") from None
    if set(there.keys) != set(sweep.keys):
        raise StoreError(
            f"{folder} holds another sweep, over {', '.join(there.keys)} and not {', '.join(sweep.keys)}: choose "
            "another folder with --out"
        )
    if overwrite:
        return
    for point in sweep.points:
        path = folder / point.name / EXPERIMENT
        try:
            if not (folder / point.name / RUN).exists():
                continue
            found = load_experiment(path)
        except NonlazyError:
            # A run tells its own settings, too, and refuses others.
            continue
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}; choose another folder with --out") from None
        if identity(found) != identity(point.experiment):
            before, now = found.to_tables(), point.experiment.to_tables()
            different = [
                f"[{section}] {key} is {before[section].get(key)!r} there and {now[section].get(key)!r} here"
                for section in SECTIONS
                for key in {**before[section], **now[section]}
                if before[section].get(key) != now[section].get(key)
            ]
            raise StoreError(
                f"{folder} holds another sweep: in point {point.name}, {'; '.join(different[:3])}. Choose another "
                "folder with --out, or start afresh with --overwrite"
            )


def lay_out(folder: Path, sweep: Sweep) -> None:
    """Writes the sweep and its experiment into the folder, where they are not there yet.

    **Raises:** `nonlazy.errors.StoreError`.
    """
    try:
        for name, text in ((EXPERIMENT, sweep.base.to_toml()), (SWEEP, sweep.to_toml())):
            path = folder / name
            # Many jobs of an array may do so at the same time.
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                replace_text(path, text)
        for path in folder.glob(f"{STOP}*"):
            # Whatever a sweep on a cluster that was interrupted asked to stop has stopped.
            if time.time() - path.stat().st_mtime > _STOP_SECONDS:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None


def discard_points(folder: Path, points: Sequence[Point]) -> None:
    """Removes the runs and records of points.

    **Raises:** `nonlazy.errors.StoreError` where another process is at one of them, or it cannot be removed.
    """
    for point in points:
        place = folder / point.name
        if not place.is_dir():
            continue
        with FolderLock(place, f"point {point.name} is being run by another process: wait for it, or stop it"):
            try:
                (place / POINT).unlink(missing_ok=True)
                if (place / RUN).is_dir():
                    shutil.rmtree(place / RUN)
                (place / EXPERIMENT).unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"{place} cannot be removed: {error.strerror}") from None
