"""`sweep`: checks all points, has them run here or on a cluster, and gathers what they found."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nonlazy._whole_files import unwritable
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sweeps._display import display
from nonlazy.sweeps._folder import discard_points, lay_out
from nonlazy.sweeps._plan import Plan, plan
from nonlazy.sweeps._process import Outcome
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
    - `retries`: how often a point is run again after its process or its worker has died; deaths are counted by point,
      whichever workers had it.
    - `resume`: insist that the folder holds the sweep already. `overwrite`: start afresh.
    - `progress`: show it, on standard error. `announce`: called with lines that say what is done.

    **Returns:** a `SweepResult`; points that failed are part of it.

    **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.DataError` and `nonlazy.errors.StoreError` before
    anything runs; `nonlazy.errors.SamplingError` where the scheduler is lost; `KeyboardInterrupt` on Ctrl-C, with
    everything that was drawn kept.
    """
    planned = plan(
        source, out, jobs=jobs, cluster=cluster, scheduler_file=scheduler_file, points=points, show=show,
        retries=retries, resume=resume, overwrite=overwrite,
    )  # fmt: skip
    folder, asked = planned.folder, planned.sweep
    client = None
    if planned.remote:
        from nonlazy.sweeps._cluster import connect

        client = connect(cluster, scheduler_file)
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from None
        with planned.lock():
            lay_out(folder, asked)
            if overwrite:
                discard_points(folder, planned.points)
            _run(planned, client, retries, progress, announce)
            result = read_result(asked, folder)
            if points is None:
                try:
                    result.write(show)
                except InvalidInput as error:
                    # Known only now; the work is done, and what failed is still to be told.
                    announce(f"Not drawn: {error}")
                except StoreError as error:
                    done = str(result).splitlines()[0]
                    raise StoreError(f"{done}; they are kept, but not gathered: {error}") from None
        return result
    finally:
        if client is not None and client is not cluster:
            client.close()


def _run(planned: Plan, client: Any, retries: int, progress: bool, announce: Callable[[str], object]) -> None:
    jobs = planned.jobs()
    where = "on this machine" if client is None else f"on the cluster {client.scheduler.address}"
    announce(planned.said(jobs, where))
    if not jobs:
        return
    names = {job.number: job.name for job in jobs}
    with display(progress, len(planned.numbers), len(planned.numbers) - len(jobs)) as shown:

        def ended(outcome: Outcome) -> None:
            shown.ended(names[outcome.number], outcome)

        if client is None:
            from nonlazy.sweeps._local import run_locally

            at_once = min(planned.at_once, len(jobs))
            run_locally(jobs, at_once, retries, lambda number: shown.started(names[number]), ended)
        else:
            from nonlazy.sweeps._cluster import run_on_cluster

            run_on_cluster(client, jobs, retries, shown.count, ended)
