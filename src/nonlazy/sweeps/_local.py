"""Points on the cores of this machine, a process each."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import Empty, Queue

from nonlazy.sweeps._cores import processes, share
from nonlazy.sweeps._job import Job
from nonlazy.sweeps._process import Outcome, run_process


def run_locally(
    jobs: Sequence[Job],
    at_once: int,
    retries: int,
    started: Callable[[int], object],
    ended: Callable[[Outcome], object],
) -> None:
    """Runs all points, `at_once` of them at the same time.

    **Arguments:** `started`, `ended`: called in this thread with each point's number and outcome.

    **Raises:** `KeyboardInterrupt` on Ctrl-C, once every point has written what it has.
    """
    stop = threading.Event()
    slots: Queue[int] = Queue()
    for slot in range(at_once):
        slots.put(slot)
    told: Queue[int | Outcome | BaseException] = Queue()

    def one(job: Job) -> None:
        slot = slots.get()
        try:
            if not stop.is_set():
                told.put(job.number)
                cores = share(slot, at_once, processes(job.experiment))
                told.put(run_process(replace(job, cores=cores), stop.is_set, retries))
        except BaseException as error:
            told.put(error)
        finally:
            slots.put(slot)

    left = len(jobs)
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for job in jobs:
                pool.submit(one, job)
            while left:
                try:
                    # A wait without end would not hear Ctrl-C on some systems.
                    message = told.get(timeout=0.5)
                except Empty:
                    continue
                if isinstance(message, BaseException):
                    raise message
                if isinstance(message, int):
                    started(message)
                else:
                    ended(message)
                    left -= 1
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
