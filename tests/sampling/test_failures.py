"""Twenty kills, a full disk in the middle of a write, and what a reader sees of a run after each.

How runs of a sampler are stopped and go on is tested in `test_interruptions`, and with twenty kills of real sampling in
`tests/statistical/test_killed_runs.py`; damaged files in `tests/fuzzing/test_malformed_runs.py`; interrupted downloads
in `tests/tasks/test_download.py`; a start that is not finite, and a run that goes on with another configuration, in
`test_driver`.
"""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nonlazy.errors import StoreError
from nonlazy.sampling import open_run
from nonlazy.sampling.store._chain_writer import ChainWriter
from nonlazy.sampling.store._checkpoint import checkpoint_path, load_checkpoint
from tests.sampling import store_example as example


DRAWS, KILLS = 400, 20


def assert_same_run(one, other):
    """Bit for bit, every chunk and the checkpoint's arrays of chain 0."""
    for array in sorted(one.rglob("c/0")):
        for file in [array, *array.rglob("*")]:
            if file.is_file():
                assert file.read_bytes() == (other / file.relative_to(one)).read_bytes(), file
    saved = [load_checkpoint(checkpoint_path(path, 0)) for path in (one, other)]
    assert saved[0] is not None and saved[1] is not None and saved[0].progress == saved[1].progress
    assert saved[0].sums == saved[1].sums
    for name, value in saved[0].arrays.items():
        np.testing.assert_array_equal(value, saved[1].arrays[name], strict=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("uninterrupted") / "run.zarr"
    example.create_example(path, draws=DRAWS)
    example.sample_chain(path, 0, draws=DRAWS)
    return path


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills child processes that it forks")
def test_twenty_kills_while_writing_change_no_bit(tmp_path, uninterrupted):
    path = tmp_path / "run.zarr"
    example.create_example(path, draws=DRAWS)
    # In a process of its own, since forking one with threads (Zarr's) is unsafe. Each child is killed with SIGKILL at
    # one of its next 40 operations on files, drawn at random; a draw takes about two.
    command = [sys.executable, example.__file__, str(path), "operation", "7", str(KILLS), "40", str(DRAWS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == KILLS
    assert_same_run(uninterrupted, path)
    assert open_run(path).verify() > 0


resource = pytest.importorskip("resource")


@pytest.fixture
def limited():
    """A function that lets files grow to so many bytes and no further: the write fails half-way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size=before[0]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    limit()


@pytest.mark.parametrize("size", [0, 1, 150, 1000, 3000, 9000])
def test_a_write_that_breaks_off_leaves_the_earlier_draws(tmp_path, uninterrupted, limited, size):
    path = tmp_path / "run.zarr"
    example.create_example(path, draws=DRAWS)
    for chain in (0, 1):
        example.sample_chain(path, chain, draws=DRAWS, stop=100)
    before = open_run(path)
    kept = before.readouts()
    limited(size)
    try:
        with pytest.raises(StoreError) as raised:
            example.sample_chain(path, 0, draws=DRAWS)
    finally:
        limited()
    cause = raised.value.__cause__
    assert isinstance(cause, OSError) and cause.errno == errno.EFBIG
    assert "free some space or repair the disk" in str(raised.value)
    # The chain went on for a while, perhaps; the run has the draws that both chains have.
    run = open_run(path)
    assert run.draws == 100
    np.testing.assert_array_equal(run.readouts(), kept)
    assert not [name for _, _, names in os.walk(path) for name in names if name.endswith(".partial")]
    example.sample_chain(path, 0, draws=DRAWS)
    assert_same_run(uninterrupted, path)


def test_a_disk_that_is_full_from_the_start_leaves_nothing(tmp_path, limited):
    limited(100)
    try:
        with pytest.raises(StoreError, match="cannot be created"):
            example.create_example(tmp_path / "run.zarr")
    finally:
        limited()
    assert list(tmp_path.iterdir()) == []


def test_a_chain_with_a_broken_chunk_is_repaired_by_going_on(tmp_path, uninterrupted):
    path = tmp_path / "run.zarr"
    example.create_example(path, draws=DRAWS)
    example.sample_chain(path, 0, draws=DRAWS, stop=30)
    # What a loss of power can leave of a chunk that was being filled.
    file = Path(path / "sample_stats" / "loss" / "c" / "0" / "0")
    file.write_bytes(b"")
    with pytest.raises(StoreError, match=rf"{file} is damaged: truncated.*start the same run again"):
        open_run(path)
    example.sample_chain(path, 0, draws=DRAWS)
    assert_same_run(uninterrupted, path)


def test_means_that_were_replaced_after_the_last_checkpoint_are_no_damage(tmp_path, uninterrupted):
    path = tmp_path / "run.zarr"
    example.create_example(path, draws=DRAWS)
    example.sample_chain(path, 0, draws=DRAWS, stop=100)
    for value in (1.0, 2.0):
        # Killed between the means and the checkpoint that would follow, twice.
        with ChainWriter(path, 0) as writer:
            writer.load_checkpoint()
            writer.write_once("running_means", {"kernel": np.full((1, example.L, example.P, example.P), value)[0]})
        open_run(path).verify()
    example.sample_chain(path, 0, draws=DRAWS)
    assert_same_run(uninterrupted, path)


def test_a_chain_ahead_of_the_others_is_compared_when_it_goes_on(tmp_path):
    path = tmp_path / "run.zarr"
    example.create_example(path, draws=DRAWS)
    for chain, stop in ((0, 100), (1, 200)):
        example.sample_chain(path, chain, draws=DRAWS, stop=stop)
    file = path / "warmup_sample_stats" / "log_density" / "c" / "1" / "0"
    file.write_bytes(bytes(file.stat().st_size))
    open_run(path).verify()
    with pytest.raises(StoreError, match=f"{file} is damaged"):
        example.sample_chain(path, 1, draws=DRAWS)
