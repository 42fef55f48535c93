"""Runs that are stopped at any moment go on and give, bit for bit, what the uninterrupted run gives."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import StoreError
from nonlazy.sampling import Jumps, _driver, open_run
from nonlazy.sampling._progress import Silent
from nonlazy.sampling.store._chain_writer import ChainWriter
from nonlazy.sampling.store._store import chain_progress, read_attributes
from tests.sampling.runs import assert_same_draws, sample
from tests.sampling.small_posteriors import general_task


pytestmark = pytest.mark.usefixtures("quick_compilation")


class CrashError(Exception):
    pass


class Stopper(Silent):
    """Ends the run after an iteration of a chain: by Ctrl-C, or by an error, which leaves the last checkpoint alone."""

    def __init__(self, chain, iteration, how):
        self.chain, self.iteration, self.how = chain, iteration, how

    def show(self, progress):
        if (progress.chain, progress.iteration) == (self.chain, self.iteration):
            if self.how == "crash":
                raise CrashError
            signal.raise_signal(signal.SIGINT)


def stop(monkeypatch, chain, iteration, how, **arguments):
    with monkeypatch.context() as patch:
        patch.setattr(_driver, "display", lambda *_: Stopper(chain, iteration, how))
        with pytest.raises(CrashError if how == "crash" else KeyboardInterrupt):
            sample(**arguments)


def progress_of(path):
    return chain_progress(path, read_attributes(path))


def test_ctrl_c_keeps_what_was_drawn_and_the_run_goes_on(tmp_path, monkeypatch, reference):
    # The runs have 6 iterations of warm-up, then 8 draws of 2.
    path = tmp_path / "run.zarr"
    stop(monkeypatch, 0, 4, "ctrl-c", store=path, chains=3)
    # The iteration that was under way is finished first, and nothing is lost.
    assert progress_of(path)[0]["iteration"] == 5
    assert open_run(path).draws == 0
    stop(monkeypatch, 0, 9, "ctrl-c", store=path, chains=3, resume=True)
    # In the middle of a draw, the draw is finished first.
    assert (progress_of(path)[0]["iteration"], progress_of(path)[0]["draws"]) == (10, 2)
    stop(monkeypatch, 1, 15, "ctrl-c", store=path, chains=3)
    run = open_run(path)
    assert not run.complete
    assert [progress.get("draws", 0) for progress in progress_of(path)] == [8, 5, 0]
    assert_same_draws(sample(store=path, chains=3), reference)


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 1000.0])
def test_a_crash_costs_what_came_after_the_last_checkpoint(tmp_path, monkeypatch, reference, checkpoint_seconds):
    path = tmp_path / "run.zarr"
    arguments: dict[str, Any] = dict(store=path, chains=1, checkpoint_seconds=checkpoint_seconds)
    stop(monkeypatch, 0, 13, "crash", **arguments)
    assert progress_of(path)[0].get("draws", 0) == (3 if checkpoint_seconds == 0 else 0)
    assert_same_draws(sample(**arguments), reference)


def test_chains_of_a_batch_go_on_together(tmp_path, monkeypatch):
    arguments: dict[str, Any] = dict(chains=3, chain_method="batched", checkpoint_seconds=0.0)
    whole = sample(**arguments)
    path = tmp_path / "run.zarr"
    checkpoint = ChainWriter.checkpoint

    def fail(self, arrays, progress):
        # The other chains' checkpoints are ahead of the first one's then.
        if self.chain == 0 and progress["draws"] == 5:
            raise CrashError
        checkpoint(self, arrays, progress)

    with monkeypatch.context() as patch:
        patch.setattr(ChainWriter, "checkpoint", fail)
        with pytest.raises(CrashError):
            sample(store=path, **arguments)
    assert [progress["draws"] for progress in progress_of(path)] == [4, 5, 5]
    stop(monkeypatch, 2, 17, "ctrl-c", store=path, **arguments)
    assert_same_draws(sample(store=path, **arguments), whole)


@pytest.mark.parametrize("task", [nl.tasks.toy(P=12, N0=14, y_minus=0.5, seed=1), general_task(12, 14)])
def test_jumps_keep_their_table_of_codes(tmp_path, monkeypatch, task):
    posterior = nl.Posterior(nl.Network(12, 1, "sigmoid"), task, 0.1)
    arguments: dict[str, Any] = dict(
        posterior=posterior, chains=1, moves=Jumps(every=2), warmup=24, checkpoint_seconds=0.0
    )
    whole = sample(**arguments)
    assert int(whole.statistics()["move_accepted"].sum()) > 0
    path = tmp_path / "run.zarr"
    stop(monkeypatch, 0, 31, "crash", store=path, **arguments)
    assert_same_draws(sample(store=path, **arguments), whole)


# Processes that end. They draw more, so that they are at work when they are told to stop.

MORE: dict[str, Any] = dict(
    chains=1, draws=1500, thin=1, checkpoint_seconds=0.05, record=nl.sampling.Record(snapshots=3, test=False)
)
# What is started in the background of a shell without job control, as tests may be, ignores Ctrl-C.
SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.sampling.runs import sample
from tests.sampling.test_interruptions import MORE
sample(store=sys.argv[1], chain_method=sys.argv[2], **{**MORE, "draws": int(sys.argv[3])})
"""


@pytest.fixture(scope="module")
def more(quick_compilation):
    return sample(**MORE)


class Sampling:
    """A process of its own, and the leader of a group as under a shell, that samples to `path`."""

    def __init__(self, path: Path, method: str, draws: int = MORE["draws"]):
        self.path = path
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(path), method, str(draws)],
            env=environment,
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, draws: int) -> None:
        """Returns when there are as many draws. The process and its own stand still then, and whenever the draws are
        counted: on a busy machine they would be at their end before it is known that they have begun."""
        limit = time.monotonic() + 120
        while True:
            assert self.process.poll() is None, f"ended too early: {self.process.communicate()[1]}"
            os.killpg(self.process.pid, signal.SIGSTOP)
            if self._draws() >= draws:
                return
            assert time.monotonic() < limit
            self.go_on(0.02)

    def go_on(self, seconds: float) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)
        time.sleep(seconds)

    def _draws(self) -> int:
        try:
            return progress_of(self.path)[0].get("draws", 0)
        except StoreError:
            return 0

    def end(self, how: signal.Signals) -> str:
        os.killpg(self.process.pid, how)
        os.killpg(self.process.pid, signal.SIGCONT)
        return self.process.communicate(timeout=60)[1]


def test_a_killed_process_goes_on_bit_for_bit(tmp_path, more):
    path = tmp_path / "run.zarr"
    rng = np.random.default_rng()
    for first in (1, 600):
        sampling = Sampling(path, "sequential")
        sampling.wait_for(first)
        sampling.go_on(rng.uniform(0.0, 0.1))
        sampling.end(signal.SIGKILL)
        assert sampling.process.returncode == -signal.SIGKILL
        run = open_run(path)
        assert first <= run.draws < 1500 and not run.complete
        np.testing.assert_array_equal(run.readouts(), more.readouts()[:, : run.draws])
    assert_same_draws(sample(store=path, resume=True, **MORE), more)


def test_ctrl_c_on_processes_leaves_none_behind_and_the_run_goes_on(tmp_path):
    path = tmp_path / "run.zarr"
    # Enough draws that the signal comes before the last, however busy the machine is.
    longer: dict[str, Any] = {**MORE, "draws": 6000}
    sampling = Sampling(path, "processes", longer["draws"])
    sampling.wait_for(1)
    said = sampling.end(signal.SIGINT)
    assert "KeyboardInterrupt" in said, sampling.process.returncode
    assert sampling.process.returncode != 0
    with pytest.raises(ProcessLookupError):
        os.killpg(sampling.process.pid, 0)
    before = open_run(path).draws
    assert 1 <= before < 6000
    run = sample(store=path, chain_method="processes", resume=True, **longer)
    assert run.complete and run.draws == 6000
    two = sample(chain_method="processes", **{**longer, "chains": 2})
    assert_same_draws(run, two)
    assert not np.isclose(two.readouts()[0], two.readouts()[1]).all()


def test_memory_does_not_grow_with_the_number_of_draws(tmp_path):
    # A draw of this run is 24 kB, 1500 of them are 36 MB, of which nothing may stay.
    script = """
import resource, sys
import nonlazy as nl
from tests.sampling.small_posteriors import general_task
posterior = nl.Posterior(nl.Network(20, 1, "sigmoid"), general_task(20, 25, test=1500), 0.1)
for draws in (200, 200, 1500):
    nl.sample(posterior, draws, warmup=5, moves="none", sampler=nl.sampling.Langevin(step_size=0.01, steps=1),
              chain_method="sequential", progress=False, checkpoint_seconds=0.2, record=nl.sampling.Record(snapshots=2))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "linux" else 1024**2))
"""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)])}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    _, short, long = map(int, result.stdout.split())
    assert long - short < 15, f"{short} MB after 200 draws, {long} MB after 1500"
