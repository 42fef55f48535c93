import errno
import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import xarray
import zarr

from nonlazy import Posterior
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling.store import _store
from nonlazy.sampling.store._layout import Variable
from nonlazy.sampling.store._lock import being_written
from nonlazy.sampling.store._store import create, discard, finish, status
from nonlazy.tasks import Task
from tests.sampling import store_example as example


CONFIGURATION = {"sampler": {"draws": 40, "seed": 0}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.zarr"


def test_status_follows_the_run(path):
    posterior = example.example_posterior()
    assert status(path, posterior, CONFIGURATION) == "absent"
    example.create_example(path)
    assert status(path, posterior, CONFIGURATION) == "partial"
    for chain in range(example.CHAINS):
        example.sample_chain(path, chain)
    assert status(path, posterior, CONFIGURATION) == "partial"
    finish(path)
    assert status(path, posterior, CONFIGURATION) == "complete"
    finish(path)
    with pytest.raises(StoreError, match="holds this experiment already"):
        example.create_example(path)
    discard(path)
    assert status(path, posterior, CONFIGURATION) == "absent"
    assert os.listdir(path.parent) == []
    discard(path)


def test_another_experiment_is_refused_with_both_values(path):
    example.create_example(path)
    posterior = example.example_posterior()
    with pytest.raises(StoreError, match=r"sampler\.draws is 40 there and 80 here.*overwrite"):
        status(path, posterior, {"sampler": {"draws": 80, "seed": 0}})
    with pytest.raises(StoreError, match=r"posterior\.temperature is 0\.01 there and 0\.02 here"):
        status(path, example.example_posterior(temperature=0.02), CONFIGURATION)
    with pytest.raises(StoreError, match=r'sampler\.moves is not set there and "jump" here; sampler\.seed is 0 there'):
        status(path, posterior, {"sampler": {"draws": 40, "moves": "jump", "seed": 1}})
    with pytest.raises(StoreError, match=r"sampler\.d is not set there and 4 here; and 2 more"):
        status(path, posterior, {"sampler": {"b": 2, "c": 3, "d": 4}})
    with pytest.raises(StoreError, match="holds another experiment"):
        example.create_example(path, draws=80)


def test_other_data_are_another_experiment_and_other_words_are_not(path):
    example.create_example(path)
    posterior = example.example_posterior()
    task = posterior.task

    def status_with(X, **words):
        parts = (task.Y, task.labels.astype(np.int32), task.X_test, task.Y_test, task.labels_test)
        return status(path, Posterior(posterior.network, Task(X, *parts, **words), 0.01), CONFIGURATION)

    assert status_with(task.X.copy(), name="other words", class_names=("a", "b")) == "partial"
    changed = task.X.copy()
    changed[3, 2] += 1e-12
    with pytest.raises(StoreError, match=r"posterior\.task\.sha256_of_data"):
        status_with(changed)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"notes.txt": "mine"}, "a folder with other files"),
        ({"zarr.json": "{}"}, "cannot be read as a run of nonlazy"),
        ({"zarr.json": "{"}, "cannot be read as a run of nonlazy"),
        ({"zarr.json": '{"attributes": {"creator": "someone"}}'}, "of 'someone', not a run"),
        ({"zarr.json": '{"attributes": {"creator": "nonlazy", "format": 99}}'}, "later nonlazy .format 99"),
    ],
)
def test_what_is_not_a_run_is_left_alone(path, content, said):
    path.mkdir()
    for name, text in content.items():
        (path / name).write_text(text)
    for touch in (lambda: status(path, example.example_posterior(), {}), lambda: discard(path)):
        with pytest.raises(StoreError, match=said):
            touch()
    with pytest.raises(StoreError, match=said):
        example.create_example(path)
    assert {file.name: file.read_text() for file in path.iterdir()} == content


def test_a_file_in_the_way_and_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        example.create_example(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be created at"):
        example.create_example(tmp_path / "file" / "run.zarr")


def test_missing_folders_are_created_and_an_empty_one_is_taken(tmp_path):
    (tmp_path / "a" / "b" / "run.zarr").mkdir(parents=True)
    for path in (tmp_path / "a" / "b" / "run.zarr", tmp_path / "c" / "d" / "run.zarr"):
        example.create_example(path)
        assert status(path, example.example_posterior(), CONFIGURATION) == "partial"


def test_too_small_a_disk_is_told_beforehand(path, monkeypatch):
    monkeypatch.setattr(_store.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    with pytest.raises(StoreError, match=r"needs about 8\.\d MB.*has 1\.0 MB free"):
        example.create_example(path, checkpoint_bytes=2_000_000)
    assert os.listdir(path.parent) == []


def test_disk_that_fills_up_during_the_creation_leaves_nothing(path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        example.create_example(path)
    assert os.listdir(path.parent) == []


def test_opens_with_plain_xarray_and_zarr_without_warnings(path):
    example.create_example(path)
    example.sample_chain(path, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = xarray.open_datatree(path, engine="zarr")
        group = xarray.open_zarr(path, group="sample_stats", chunks=None)
        readout = zarr.open_group(path, mode="r")["posterior/readout"]
    assert tree["posterior/readout"].dims == ("chain", "draw", "neuron", "output")
    assert tree["posterior/readout"].attrs["description"] == "readouts a"
    assert "draw" in tree["snapshots"].coords and tree["snapshots/draw"].values.tolist() == list(example.SNAPSHOTS)
    assert tree["running_means/kernel"].coords["layer"].values.tolist() == [1, 2]
    assert group["diverging"].dtype == np.uint8
    assert not np.isnan(readout[0]).any() and np.isnan(readout[1]).all()
    assert tree.attrs["complete"] == 0


def test_no_booleans_and_no_nested_attributes_so_that_netcdf_takes_it(path, tmp_path):
    pytest.importorskip("h5netcdf")
    example.create_example(path)
    xarray.open_datatree(path, engine="zarr").to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    assert (tmp_path / "run.nc").stat().st_size > 0


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        (dict(dims=("input",)), "has dims"),
        (dict(dtype="bool"), "integers or floats"),
        (dict(dims=("x",), shape=(3,)), "must differ from each other and from its name"),
        (dict(dims=("draw",), shape=(3,)), "must differ"),
        (dict(dims=("input",), shape=(0,)), "1 or more"),
        (dict(per="warmup"), "mixes draws and warm-up"),
        (dict(per="snapshot"), "give snapshot_draws"),
        (dict(dims=("neuron",), shape=(5,)), "dim 'neuron' of group 'posterior' is both 4 and 5"),
    ],
)
def test_variables_that_do_not_fit_are_refused(path, variable, said):
    others = [Variable("posterior", "readout", ("neuron",), (4,))]
    with pytest.raises(InvalidInput, match=said):
        create(
            path,
            example.example_posterior(),
            {},
            provenance={},
            chains=1,
            draws=5,
            variables=[*others, Variable("posterior", "x", **variable)],
        )
    assert not path.exists()


def test_what_does_not_fit_in_json_is_refused(path):
    posterior = example.example_posterior()
    for configuration, provenance in (({"f": len}, {}), ({}, {"f": len}), ({"posterior": 1}, {})):
        with pytest.raises(InvalidInput, match=r"JSON|posterior"):
            create(path, posterior, configuration, provenance=provenance, chains=1, draws=1, variables=[])


def test_what_killed_processes_left_beside_a_run_is_removed_once_it_is_old(path):
    finished = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    gone = finished.stdout.strip()
    fresh = path.with_name(f".{path.name}.creating-{int(gone) + 1}")
    running = path.with_name(f".{path.name}.discarded-{os.getpid()}")
    old = [path.with_name(f".{path.name}.{kind}-{gone}") for kind in ("creating", "discarded")]
    for folder in (*old, running, fresh):
        folder.mkdir()
        (folder / "part").write_text("half")
    for folder in (*old, running):
        os.utime(folder, (0, 0))
    example.create_example(path)
    assert not any(folder.exists() for folder in old)
    assert running.exists() and fresh.exists()


def test_a_run_under_way_is_told_from_an_interrupted_one(path):
    example.create_example(path)
    assert not being_written(path, 2)
    hold = (
        "import sys; from pathlib import Path; from nonlazy.sampling.store._lock import ChainLock, lock_path\n"
        "lock = ChainLock(lock_path(Path(sys.argv[1]), 1), 1); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert being_written(path, 2) and not being_written(path, 1)
        other.communicate("")
    assert not being_written(path, 2)
