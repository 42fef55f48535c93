"""Points on the workers of a Dask cluster."""

import itertools
import logging
import pickle
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nonlazy.errors import InvalidInput, SamplingError
from nonlazy.sweeps._folder import STOP
from nonlazy.sweeps._job import Job
from nonlazy.sweeps._process import Outcome, died, give_up, run_process


_CONNECT_SECONDS = 20
_ROUND_SECONDS = 1.0
# A shared file system is asked less often than a local one could be.
_STOP_SECONDS = 2.0
_LEAVING = ("closing_gracefully", "closing", "closed", "stopping", "failed")
# How long a point waits for the one that has it, on a machine that the scheduler holds for dead.
_PATIENCE = 180.0
_LOST = (
    "the Dask scheduler is gone, or has forgotten the points: whatever is done is kept, and the same command goes on "
    "from there"
)


def connect(cluster: Any, scheduler_file: str | Path | None) -> Any:
    """A Dask client: of an address as "tcp://host:8786", a scheduler file, or a cluster; a client is returned as it is.

    **Raises:** `nonlazy.errors.InvalidInput` where Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise InvalidInput("sweeps on a cluster need Dask: pip install 'nonlazy[cluster]'") from None
    if isinstance(cluster, Client):
        return cluster
    if scheduler_file is not None and not Path(scheduler_file).is_file():
        raise InvalidInput(
            f"there is no scheduler file {scheduler_file}: dask scheduler --scheduler-file FILE writes one"
        )
    where = cluster if scheduler_file is None else f"the one of {scheduler_file}"
    try:
        if scheduler_file is not None:
            return Client(scheduler_file=str(scheduler_file), timeout=_CONNECT_SECONDS)
        return Client(cluster, timeout=_CONNECT_SECONDS)
    except Exception as error:
        # Of Dask, of the network, or of whatever reads the scheduler file.
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput(
            f"no Dask scheduler answers at {where} ({said}): give the address that dask scheduler prints, as "
            "tcp://host:8786, or the file that dask scheduler --scheduler-file FILE wrote"
        ) from None


def run_on_cluster(
    client: Any,
    jobs: Sequence[Job],
    retries: int,
    running: Callable[[int, int], object],
    ended: Callable[[Outcome], object],
) -> None:
    """Runs all points on a cluster, each once, and again after each death of its process or its worker, up to `retries`
    times for a point, however many workers had it.

    Dask itself gives up a task after some deaths of workers (four, by its own settings): it is handed in again, since
    deaths before the point was begun do not count.

    **Arguments:** `running`: called now and then with the numbers of points under way and of workers; `ended`: called
    with each outcome.

    **Raises:** `KeyboardInterrupt` on Ctrl-C, after which points that are under way stop by themselves within seconds,
    checkpointed; `nonlazy.errors.SamplingError` where the scheduler is lost.
    """
    from distributed import CancelledError, wait

    if not jobs:
        return
    token = uuid.uuid4().hex[:12]
    stop = jobs[0].folder.parent / f"{STOP}{token}"

    attempts = itertools.count()

    def submit(job: Job) -> Any:
        told = replace(job, stop=stop, patience=_PATIENCE)
        key = f"nonlazy-{token}-{job.number}-{next(attempts)}"
        return client.submit(pickle.loads, pickle.dumps(_Call(told, retries)), key=key, pure=False)

    def count(more: int = 0) -> None:
        workers = client.nthreads()
        running(min(sum(workers.values()), len(waiting)) + more, len(workers))

    waiting = {submit(job): (job, 0) for job in jobs}
    try:
        with _quiet():
            while waiting:
                try:
                    waited: Any = wait(list(waiting), timeout=_ROUND_SECONDS, return_when="FIRST_COMPLETED")
                    ready = waited.done
                except TimeoutError:
                    ready = set()
                for future in ready:
                    job, deaths = waiting.pop(future)
                    outcome = _outcome(future, job, deaths, retries)
                    if outcome is None:
                        waiting[submit(job)] = (job, deaths + 1)
                    elif outcome.state == "stopped":
                        # Its worker left in good order.
                        waiting[submit(job)] = (job, deaths)
                    else:
                        # One more than wait: `ended` takes it away.
                        count(1)
                        ended(outcome)
                count()
    except BaseException as error:
        with suppress(OSError):
            # Dask cannot interrupt what a worker runs: points look for this file.
            stop.touch()
        with suppress(Exception):
            client.cancel(list(waiting), force=True)
        if isinstance(error, (CancelledError, OSError)):
            raise SamplingError(_LOST) from error
        raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Dask logs of a scheduler that is lost, tracebacks included: nonlazy says it in a sentence."""
    logger = logging.getLogger("distributed.client")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Call:
    """A call of `run_on_worker` that unpickling makes.

    What a worker is sent so is bytes until the task runs: where nonlazy cannot be imported, the task fails and says
    so. Unpickled together with it, as Dask does, it would be the end of the worker, and of the next one after it.
    """

    def __init__(self, *arguments: Any):
        self._arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return run_on_worker, self._arguments


def run_on_worker(job: Job, retries: int) -> Outcome:
    """Runs a point in a process of its own, started by a Dask worker.

    The process stops, checkpointed, when the worker leaves in good order, as at the end of its lifetime, and ends when
    the worker dies.
    """
    from distributed import get_worker

    worker = get_worker()
    looked, seen = 0.0, False

    def stopping() -> bool:
        nonlocal looked, seen
        if job.stop is not None and time.monotonic() - looked > _STOP_SECONDS:
            looked, seen = time.monotonic(), job.stop.exists() or worker.status.name in _LEAVING
        return seen

    return run_process(job, stopping, retries)


def _outcome(future: Any, job: Job, deaths: int, retries: int) -> Outcome | None:
    """How a point ended; None where Dask has given it up, and it is to be handed in again."""
    from distributed import KilledWorker

    if future.status == "finished":
        return future.result()
    if future.status in ("cancelled", "lost"):
        raise SamplingError(_LOST)
    error = future.exception()
    if isinstance(error, KilledWorker):
        if deaths < retries:
            return None
        said = died(1, f"with its worker, again and again: {str(error).splitlines()[0]}")
    else:
        said = f"the worker cannot run it: {type(error).__name__}: {error}; is this version of nonlazy installed there?"
    return give_up(job, said)
