"""Processes of points that die, and the locks that tell points and sweeps apart."""

import subprocess
import sys
from dataclasses import replace

import pytest

from nonlazy import sweeps
from nonlazy.errors import StoreError
from nonlazy.sweeps import _attempts, _process
from nonlazy.sweeps._cores import cores, points_at_once, processes, share
from nonlazy.sweeps._job import Job
from nonlazy.sweeps._lock import FolderLock
from nonlazy.sweeps._parse import identity
from nonlazy.sweeps._record import Record, read_record, write_record
from tests.sweeps.conftest import write_files


@pytest.fixture
def job(tmp_path):
    point = sweeps.load(write_files(tmp_path)).points[0]
    return Job(0, point.name, tmp_path / point.name, point.experiment, identity(point.experiment), False)


def launching(monkeypatch, script):
    """Every process of a point is this script; the list of how many were started."""
    started = []

    def launch(job, said, complaints):
        started.append(job.number)
        return subprocess.Popen([sys.executable, "-c", script], stdout=said, stderr=complaints)

    monkeypatch.setattr(_process, "_launch", launch)
    return started


def test_a_point_whose_process_dies_is_run_again_and_then_given_up(job, monkeypatch):
    started = launching(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    outcome = _process.run_process(job, lambda: False, retries=2)
    assert (outcome.state, len(started)) == ("failed", 3)
    assert "died 3 times, the last time by signal 9" in outcome.error and "memory" in outcome.error
    assert read_record(job.folder).error == outcome.error


def test_an_answer_of_any_length_is_read(job, monkeypatch):
    # More than a pipe holds, whose reader looks only once the process has ended.
    launching(monkeypatch, "import json; print(json.dumps({'state': 'failed', 'error': 'x' * 300_000}))")
    assert len(_process.run_process(job, lambda: False, retries=0).error) == 300_000


def test_a_point_that_answers_is_not_run_again(job, monkeypatch):
    started = launching(monkeypatch, """print('{"state": "failed", "error": "no"}')""")
    outcome = _process.run_process(job, lambda: False, retries=2)
    assert (outcome.state, outcome.error, len(started)) == ("failed", "no", 1)


def test_deaths_are_counted_by_point_whichever_worker_had_it(job, monkeypatch):
    """Workers that died can tell nobody: what they began and never ended is counted in the folder of the point."""
    started = launching(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    begun = replace(job, call="one")
    for _ in range(2):
        _attempts.begin(job.folder, "one")
    outcome = _process.run_process(begun, lambda: False, retries=2)
    assert (outcome.state, len(started)) == ("failed", 1) and "died 3 times, the last time by signal 9" in outcome.error
    for _ in range(3):
        _attempts.begin(job.folder, "one")
    outcome = _process.run_process(begun, lambda: False, retries=2)
    assert len(started) == 1 and "died 3 times, the last time with its worker" in outcome.error
    # Another call counts afresh, and so does whoever comes after an end.
    for _ in range(3):
        _attempts.begin(job.folder, "one")
    assert _attempts.unended(job.folder, "one") == 3 and _attempts.unended(job.folder, "two") == 0
    assert _process.run_process(replace(job, call="two"), lambda: False, retries=0).state == "failed"
    assert len(started) == 2 and _attempts.unended(job.folder, "one") == _attempts.unended(job.folder, "two") == 0


def test_a_point_that_was_done_before_its_worker_died_stays_done(job, monkeypatch):
    started = launching(monkeypatch, "pass")
    found = {"samples": {"loss": 1.0}, "diagnostics": {}, "codes": {}}
    write_record(job.folder, Record("done", identity=job.identity, found=found))
    _attempts.begin(job.folder, "one")
    outcome = _process.run_process(replace(job, call="one"), lambda: False, retries=0)
    assert (outcome.state, started) == ("done", []) and read_record(job.folder).found == found


def test_a_point_that_somebody_still_writes_is_left_to_them(job):
    script = f"""
import sys, time
from pathlib import Path
from nonlazy.sweeps._lock import FolderLock
lock = FolderLock(Path({str(job.folder)!r}), "taken")
print("held", flush=True)
time.sleep(60)
"""
    job.folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None and other.stdout.readline() == "held\n"
            assert _process.give_up(job, "gone").state == "failed"
        finally:
            other.kill()
    assert read_record(job.folder).state == "missing"


def test_errors_that_are_no_text_can_be_written_elsewhere(job):
    write_record(job.folder, Record("failed", error="no file 'x\udc80' but an emoji \U0001f600"))
    error = read_record(job.folder).error
    assert error.encode("utf-8").decode("utf-8") == error and error.startswith("no file 'x?' but an emoji \U0001f600")


def test_attempts_that_end_are_no_deaths(job, monkeypatch):
    launching(monkeypatch, """print('{"state": "failed", "error": "no"}')""")
    for _ in range(3):
        assert _process.run_process(replace(job, call="one"), lambda: False, retries=0).error == "no"
    launching(monkeypatch, "import time; time.sleep(60)")
    assert _process.run_process(replace(job, call="one"), lambda: True, retries=0).state == "stopped"
    assert _attempts.unended(job.folder, "one") == 0


def test_a_point_that_is_asked_to_stop_is_neither_done_nor_run_again(job, monkeypatch):
    started = launching(monkeypatch, "import time; time.sleep(60)")
    outcome = _process.run_process(job, lambda: True, retries=2)
    assert (outcome.state, len(started)) == ("stopped", 1) and outcome.seconds < 30
    assert read_record(job.folder).state == "missing"


def test_what_a_dying_process_says_is_told(job, monkeypatch):
    launching(monkeypatch, "raise SystemError('out of luck')")
    assert "out of luck" in _process.run_process(job, lambda: False, retries=0).error


HOLD = """
import fcntl, sys
file = open(sys.argv[1] + "/.lock", "a+b")
fcntl.lockf(file, fcntl.LOCK_SH if sys.argv[2] == "shared" else fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_a_lock_keeps_others_out_until_its_process_is_killed(tmp_path):
    for how in ("alone", "shared"):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path), how],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(StoreError, match="another sweep"):
                FolderLock(tmp_path, "another sweep", patience=0.0)
            if how == "shared":
                FolderLock(tmp_path, "another sweep", shared=True, patience=0.0).release()
            process.kill()
            process.wait()
            FolderLock(tmp_path, "another sweep").release()


def test_cores_are_shared_out_without_overlap(tmp_path, monkeypatch):
    monkeypatch.setattr("nonlazy.sweeps._cores.cores", lambda: tuple(range(8)))
    monkeypatch.setattr("os.sched_setaffinity", lambda *_: None, raising=False)
    # Four points of two chains fill eight cores: the system places them.
    assert share(0, 4, 2) is None
    parts = [share(slot, 3, 4) for slot in range(3)]
    assert parts == [(0, 1), (2, 3, 4), (5, 6, 7)]
    write_files(tmp_path)
    experiment = sweeps.load(tmp_path / "two.toml").base.changed({"sampling": {"chain_method": "processes"}})
    assert points_at_once(None, [experiment] * 20) == 8 and points_at_once(None, [experiment] * 3) == 3
    assert points_at_once(2, [experiment] * 20) == 2
    batched = experiment.changed({"sampling": {"chain_method": "batched", "chains": 4}})
    assert points_at_once(None, [experiment, batched]) == 1
    assert (processes(batched), processes(experiment.changed({"sampling": {"chains": 4}}))) == (1, 4)


def test_the_machine_has_cores():
    assert len(cores()) >= 1
