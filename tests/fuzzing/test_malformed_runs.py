"""Runs on disk of which one file is damaged: named, never a traceback, and never other numbers than were written."""

import json
import os
import pickle
import shutil

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from typer.testing import CliRunner

from nonlazy.cli._app import app
from nonlazy.errors import NonlazyError, StoreError
from nonlazy.sampling import open_run
from nonlazy.sampling.store._checkpoint import CHECKPOINTS, checkpoint_path
from nonlazy.sampling.store._store import finish, status
from tests.fuzzing.mutations import FEWER, changed, damaged, outcome
from tests.sampling import store_example as example


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A complete run and an interrupted one."""
    paths = [tmp_path_factory.mktemp("runs") / "run.zarr" for _ in range(2)]
    for path, stop in zip(paths, (None, 25), strict=True):
        example.create_example(path)
        for chain in range(example.CHAINS):
            example.sample_chain(path, chain, stop=stop)
    finish(paths[0])
    return paths


@pytest.fixture(scope="module")
def contents(runs):
    return [
        {file.relative_to(path).as_posix(): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
        for path in runs
    ]


def read(path):
    """Everything that a user reads."""
    run = open_run(path)
    values = [run.readouts(), run.task.X, run.task.Y]
    values += [run.preactivations(0, draw, 0) for draw in run.kept_draws]
    return values + [group[str(name)].values for group in run.tree.children.values() for name in group.data_vars]


@pytest.fixture(scope="module")
def right(runs):
    return [read(path) for path in runs]


@FEWER
@given(data=st.data())
def test_one_damaged_file(runs, contents, right, data):
    which = data.draw(st.integers(0, 1))
    path, files = runs[which], contents[which]
    name = data.draw(st.sampled_from([name for name in sorted(files) if not name.endswith(".lock")]))
    content = data.draw(damaged(files[name]))
    assume(content != files[name])
    (path / name).write_bytes(content)
    try:
        open_run(path).verify()
        same = read(path)
    except NonlazyError as error:
        assert str(path) in str(error)
    else:
        # What passes for whole gives the numbers that were written: another layout of the same JSON, say, or a chunk
        # that is in the checkpoint as well.
        for one, other in zip(right[which], same, strict=True):
            np.testing.assert_array_equal(one, other)
    finally:
        (path / name).write_bytes(files[name])


@FEWER
@given(data=st.data())
def test_without_its_list_of_checksums_a_run_is_read_or_refused(runs, contents, data):
    """As runs of an older nonlazy are, whose every damage need not be found."""
    listed = runs[0] / CHECKPOINTS / "files.json"
    names = [name for name in sorted(contents[0]) if name.endswith(("zarr.json", ".npz"))]
    name = data.draw(st.sampled_from(names))
    content = data.draw(damaged(contents[0][name]))
    try:
        listed.unlink()
        (runs[0] / name).write_bytes(content)
        outcome(lambda: open_run(runs[0]))
        outcome(lambda: status(runs[0], example.example_posterior(), {"sampler": {"draws": 40, "seed": 0}}))
    finally:
        (runs[0] / name).write_bytes(contents[0][name])
        listed.write_bytes(contents[0][listed.relative_to(runs[0]).as_posix()])


CHUNK = "posterior_predictive/f/c/1/0/0/0"


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        (CHUNK, "flip", "checksum"),
        (CHUNK, "cut", "truncated"),
        (CHUNK, "remove", "missing"),
        ("constant_data/X/c/0/0", "flip", "checksum"),
        ("running_means/kernel/c/0/0/0/0", "flip", "checksum"),
        ("zarr.json", "edit", "checksum"),
        (f"{CHECKPOINTS}/chain-1.npz", "flip", "damaged"),
    ],
)
def test_a_damaged_file_is_found_by_its_checksum_and_named(tmp_path, runs, name, damage, said):
    path = tmp_path / "run.zarr"
    shutil.copytree(runs[0], path)
    whole = len([file for file in path.rglob("*") if file.is_file() and file.suffix not in (".lock", ".npz")])
    # Every file is under a checksum of its own, but for the list itself and the run's metadata, which it holds.
    assert open_run(path).verify() == whole - 2
    file = path / name
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[-1]
    elif damage == "edit":
        content = json.dumps(json.loads(content) | {"node_type": "groups"}).encode()
    file.unlink()
    if damage != "remove":
        file.write_bytes(content)
    with pytest.raises(StoreError, match=rf"{name} is damaged.*{said}|{said}.*{name}|{name} is {said}"):
        open_run(path).verify()


def test_chains_do_not_go_on_from_draws_that_were_damaged(tmp_path, runs):
    path = tmp_path / "run.zarr"
    shutil.copytree(runs[1], path)
    file = path / "warmup_sample_stats" / "log_density" / "c" / "0" / "0"
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    before = checkpoint_path(path, 0).read_bytes()
    with pytest.raises(StoreError, match=rf"{file} is damaged: its checksum"):
        example.sample_chain(path, 0)
    assert checkpoint_path(path, 0).read_bytes() == before
    # The other chain goes on.
    example.sample_chain(path, 1)


def test_the_command_names_the_file(tmp_path, runs):
    path = tmp_path / "run.zarr"
    shutil.copytree(runs[0], path)
    with (path / CHUNK).open("r+b") as file:
        file.truncate(5)
    result = CliRunner().invoke(app, ["show", str(path)])
    assert result.exit_code == 2
    assert CHUNK in result.stderr.replace("\n", "") and "Traceback" not in result.stderr


class Trap:
    """A pickle that tells of being loaded."""

    def __reduce__(self):
        return os.mkdir, ("loaded",)


def test_a_run_with_pickled_arrays_is_refused(tmp_path, monkeypatch, runs):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.zarr"
    shutil.copytree(runs[0], path)
    metadata = json.loads((path / "zarr.json").read_text())
    name = "sample_stats/log_density"
    node = metadata["consolidated_metadata"]["metadata"][name]
    # As of Zarr 2, which knows a codec that loads pickles; the second one hides it from Zarr's own check.
    node |= {
        "zarr_format": 2,
        "chunks": node["shape"],
        "dtype": "|O",
        "order": "C",
        "compressor": None,
        "fill_value": "",
    }
    node |= {"filters": [{"id": "vlen-utf8"}, {"id": "pickle", "protocol": 5}]}
    (path / "zarr.json").write_text(json.dumps(metadata))
    (path / name / "0.0").write_bytes(pickle.dumps(Trap()))
    (path / CHECKPOINTS / "files.json").unlink()
    with pytest.raises(StoreError, match="log_density is not as nonlazy writes arrays"):
        open_run(path).statistics()
    assert not (tmp_path / "loaded").exists()


@FEWER
@given(data=st.data())
def test_other_metadata_without_checksums(runs, contents, data):
    """Metadata that somebody changed along with their checksums."""
    files, listed = contents[0], runs[0] / CHECKPOINTS / "files.json"
    try:
        listed.unlink()
        (runs[0] / "zarr.json").write_text(json.dumps(data.draw(changed(json.loads(files["zarr.json"])))))
        outcome(lambda: open_run(runs[0]))
        outcome(lambda: status(runs[0], example.example_posterior(), {"sampler": {"draws": 40, "seed": 0}}))
    finally:
        (runs[0] / "zarr.json").write_bytes(files["zarr.json"])
        listed.write_bytes(files[listed.relative_to(runs[0]).as_posix()])
