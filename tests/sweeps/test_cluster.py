"""A sweep on a Dask cluster of processes of their own, one of which is killed while it samples."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from nonlazy import sweeps
from nonlazy.errors import InvalidInput
from nonlazy.figures import RUN
from nonlazy.sweeps import _attempts
from nonlazy.sweeps._cluster import run_on_cluster
from nonlazy.sweeps._job import Job
from nonlazy.sweeps._parse import identity
from nonlazy.sweeps._record import read_record
from tests.sweeps.conftest import write_files


distributed = pytest.importorskip("distributed")
pytestmark = [
    # Dask leaves sockets and loops for the interpreter to close.
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL"),
]


@pytest.fixture(scope="module")
def client(quick_compilation):
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


def wait_for(what, seconds=120):
    begun = time.monotonic()
    while not (found := what()):
        assert time.monotonic() - begun < seconds, "nothing came of it"
        time.sleep(0.02)
    return found


def test_a_worker_that_is_killed_costs_nothing_but_time(tmp_path, client):
    # Long enough for a checkpoint, and for the worker to be killed after it.
    file = write_files(tmp_path, draws="3000")
    run = tmp_path / "cluster" / "temperature=0.01" / RUN
    checkpoint = run / ".checkpoint" / "chain-0.npz"
    killed = []

    def kill():
        wait_for(checkpoint.exists)
        busy = wait_for(lambda: [worker for worker, keys in client.processing().items() if keys])
        process = client.run(os.getpid, workers=busy)[busy[0]]
        os.kill(process, signal.SIGKILL)
        killed.append(run.stat().st_ino)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    result = sweeps.sweep(file, tmp_path / "cluster", cluster=client, points="0", progress=False)
    killer.join(10)
    assert result.records[0].state == "done", str(result)
    # It went on with the run that the killed worker had begun.
    assert killed == [run.stat().st_ino]
    undisturbed = sweeps.sweep(file, tmp_path / "here", points="0", progress=False)
    np.testing.assert_array_equal(result.run(0).readouts(), undisturbed.run(0).readouts())
    assert result.records[0].found == undisturbed.records[0].found


def test_retries_are_of_the_point_and_not_of_its_workers(tmp_path, client):
    """A worker takes over a point that three others have died with: it has had its retries."""
    point = sweeps.load(write_files(tmp_path)).points[0]
    folder = tmp_path / "results" / point.name
    folder.mkdir(parents=True)
    job = Job(0, point.name, folder, point.experiment, identity(point.experiment), False, call="some")
    for _ in range(3):
        _attempts.begin(folder, "some")
    ended = []
    run_on_cluster(client, [job], 2, lambda *_: None, ended.append)
    assert [outcome.state for outcome in ended] == ["failed"] and not (folder / RUN).exists()
    assert "died 3 times, the last time with its worker" in ended[0].error
    assert read_record(folder).error == ended[0].error


def test_a_point_that_fails_on_a_worker_is_recorded_there(made, client, tmp_path):
    file, folder, point = write_files(tmp_path), tmp_path / "results", "temperature=0.1"
    shutil.copytree(made.folder, folder)
    shutil.rmtree(folder / point)
    (folder / point).mkdir()
    (folder / point / RUN).write_text("in the way", encoding="utf-8")
    result = sweeps.sweep(file, folder, cluster=client.scheduler.address, progress=False)
    assert list(result.failed) == [point] and RUN in result.failed[point]
    assert [record.state for record in result.records] == ["done", "failed"]


def test_a_worker_without_nonlazy_says_so(tmp_path):
    """It would die of a task that it cannot unpack, without a word, and so would the next one."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text("import sys\nsys.modules['nonlazy'] = None\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(broken)}
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=logging.CRITICAL) as cluster:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--nthreads", "1"]
        worker = subprocess.Popen(
            [*command, "--no-nanny", "--no-dashboard"], env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        try:
            file = write_files(tmp_path)
            address = cluster.scheduler_address
            result = sweeps.sweep(file, tmp_path / "results", cluster=address, points="0", progress=False)
        finally:
            worker.kill()
            worker.wait()
    assert "the worker cannot run it: ModuleNotFoundError" in result.records[0].error
    assert "is this version of nonlazy installed there?" in result.records[0].error


def test_a_scheduler_file_that_is_none_is_refused(tmp_path):
    file = write_files(tmp_path)
    (tmp_path / "scheduler.json").write_text("x = 1", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no Dask scheduler answers at the one of"):
        sweeps.sweep(file, tmp_path / "results", scheduler_file=tmp_path / "scheduler.json")
