import errno
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling._run import open_run
from nonlazy.sampling.store._chain_writer import ChainWriter
from nonlazy.sampling.store._checkpoint import checkpoint_path, load_checkpoint
from nonlazy.sampling.store._layout import Variable
from nonlazy.sampling.store._store import create, finish
from tests.sampling import store_example as example


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "run.zarr"
    example.create_example(path)
    return path


@pytest.fixture
def store(tmp_path, empty):
    return Path(shutil.copytree(empty, tmp_path / "run.zarr"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, empty):
    path = Path(shutil.copytree(empty, tmp_path_factory.mktemp("uninterrupted") / "run.zarr"))
    example.sample_chain(path, 0)
    return path


def assert_same_arrays(one: Path, other: Path, chain: int = 0):
    """Bit for bit, every array of the chain, and its checkpoint."""
    trees = [xarray.open_datatree(path, engine="zarr", chunks=None) for path in (one, other)]
    for name, child in trees[0].children.items():
        for variable, values in child.data_vars.items():
            pair = [values, trees[1][f"{name}/{variable}"]]
            if "chain" in values.dims:
                pair = [array.isel(chain=chain) for array in pair]
            assert pair[0].values.tobytes() == pair[1].values.tobytes(), (name, variable)
    saved = [load_checkpoint(checkpoint_path(path, chain)) for path in (one, other)]
    assert saved[0] is not None and saved[1] is not None and saved[0].progress == saved[1].progress
    for name, value in saved[0].arrays.items():
        np.testing.assert_array_equal(value, saved[1].arrays[name], strict=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills child processes that it forks")
@pytest.mark.parametrize(("how", "seed"), [("operation", 0), ("operation", 1), ("time", 2)])
def test_chain_killed_at_random_moments_continues_bit_for_bit(store, uninterrupted, how, seed):
    script = str(Path(example.__file__))
    # In a process of its own, since forking one with threads (Zarr's) is unsafe.
    done = subprocess.run([sys.executable, script, str(store), how, str(seed), "8"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # By time, a quick machine may be done before the later kills.
    assert int(done.stdout) >= (4 if how == "operation" else 1)
    assert_same_arrays(store, uninterrupted)


def test_loss_of_power_in_a_half_filled_chunk_loses_nothing(store, uninterrupted):
    example.sample_chain(store, 0, stop=25)
    filling = load_checkpoint(checkpoint_path(store, 0)).filling
    assert "posterior/readout" in filling and "sample_stats/loss" in filling
    for name in filling:
        # What an unflushed file may look like afterwards.
        for file in (store / name / "c" / "0").rglob("0"):
            if file.is_file():
                file.write_bytes(b"")
    example.sample_chain(store, 0)
    assert_same_arrays(store, uninterrupted)


@pytest.mark.parametrize("chunk", [1, 3, 7, 40])
def test_length_of_the_pieces_changes_no_draw(store, uninterrupted, chunk):
    example.sample_chain(store, 0, stop=20, chunk=5)
    example.sample_chain(store, 0, chunk=chunk)
    assert_same_arrays(store, uninterrupted)


def test_pieces_of_any_length_fill_many_chunks(tmp_path):
    path = tmp_path / "run.zarr"
    values = np.random.default_rng(0).normal(size=(50, 100, 100))
    create(
        path,
        example.example_posterior(),
        {},
        provenance={},
        chains=1,
        draws=50,
        variables=[Variable("posterior", "z", ("neuron", "input"), (100, 100))],
    )
    start = 0
    for count in (1, 4, 6, 2, 13, 1, 20, 3):
        # A new writer each time, as after a restart.
        with ChainWriter(path, 0) as writer:
            writer.load_checkpoint()
            writer.write("posterior", start, {"z": values[start : start + count]})
            start += count
            writer.checkpoint({}, {"draws": start})
    assert len(list((path / "posterior" / "z" / "c" / "0").iterdir())) > 3
    # All chunks are whole, the shorter last one, too: the checkpoint need not hold any of them.
    assert load_checkpoint(checkpoint_path(path, 0)).filling == {}
    stored = xarray.open_datatree(path, engine="zarr", chunks=None)["posterior/z"]
    np.testing.assert_array_equal(stored.values[0], values)


@pytest.mark.parametrize("operation", ["replace", "fsync"])
@pytest.mark.parametrize("count", [1, 6, 11, 14])
def test_full_disk_stops_with_the_earlier_draws_intact(store, uninterrupted, monkeypatch, operation, count):
    example.sample_chain(store, 0, stop=20)
    example.sample_chain(store, 1, stop=25)
    kept = open_run(store).readouts().copy()
    real, remaining = getattr(os, operation), count

    def full(*arguments):
        nonlocal remaining
        remaining -= 1
        if remaining <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, operation, full)
    with pytest.raises(StoreError, match=r"chain 0 of .* could not write .*No space left.*free some space"):
        example.sample_chain(store, 0)
    monkeypatch.undo()
    run = open_run(store)
    assert run.draws >= 20
    np.testing.assert_array_equal(run.readouts()[:, :20], kept)
    assert not [name for _, _, names in os.walk(store) for name in names if name.endswith(".partial")]
    example.sample_chain(store, 0)
    assert_same_arrays(store, uninterrupted)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "other"])
def test_damaged_checkpoint_is_named(store, damage):
    example.sample_chain(store, 0, stop=20)
    path = checkpoint_path(store, 0)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 3] ^= 1
    elif damage == "emptied":
        content = bytearray()
    path.write_bytes(content)
    if damage == "other":
        np.savez(path, state=np.zeros(3))
    with ChainWriter(store, 0) as writer, pytest.raises(StoreError, match=r"chain-0\.npz is damaged"):
        writer.load_checkpoint()


def test_checkpoint_whose_arrays_were_exchanged_is_refused(store):
    example.sample_chain(store, 0, stop=20)
    path = checkpoint_path(store, 0)
    with np.load(path) as members:
        kept = {name: members[name] for name in members.files}
    kept["state/state"] = kept["state/state"] + 1e-9
    np.savez(path, **kept)
    with ChainWriter(store, 0) as writer, pytest.raises(StoreError, match="checksum does not match"):
        writer.load_checkpoint()


def test_checkpoint_keeps_types_shapes_and_names(store):
    arrays = {
        "key": np.array([1, 2**32 - 1], np.uint32),
        "file": np.float32(0.1),
        "progress.json": np.zeros((2, 0, 3), np.int8),
        "allow_pickle": np.arange(6.0).reshape(2, 3).T,
    }
    with ChainWriter(store, 0) as writer:
        assert writer.load_checkpoint() is None
        writer.checkpoint(arrays, {"draws": 0, "phase": "warm-up"})
        loaded, progress = writer.load_checkpoint()
    assert progress == {"draws": 0, "phase": "warm-up"}
    assert set(loaded) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(loaded[name], value, strict=True)


def test_what_does_not_fit_is_refused_before_anything_is_written(store):
    with ChainWriter(store, 0) as writer:
        right = {"loss": np.zeros(5)}
        for start, values, said in (
            (0, {"energy": np.zeros(5)}, "no variable sample_stats/energy"),
            (0, {**right, "kernel_entry": np.zeros((5, 2, 4))}, r"kernel_entry: values of shape \(5, 2, 4\)"),
            (0, {**right, "loss": np.zeros(())}, r"loss: values of shape \(\)"),
            (38, right, "5 records from 38 on do not fit the 40"),
            (-1, right, "do not fit"),
            (0, {**right, "diverging": np.full(5, 300)}, "do not fit into uint8 without change"),
            (0, {**right, "sum_a2": np.zeros(4)}, "different numbers of records"),
            (0, {"loss": np.zeros(0)}, "0 records"),
        ):
            with pytest.raises(InvalidInput, match=said):
                writer.write("sample_stats", start, values)
        with pytest.raises(InvalidInput, match="with write_once"):
            writer.write("running_means", 0, {"kernel": np.zeros((1, 2, 6, 6))})
        with pytest.raises(InvalidInput, match="a record per draw, with write"):
            writer.write_once("sample_stats", right)
        with pytest.raises(InvalidInput, match="not a variable that the chains write"):
            writer.write("constant_data", 0, {"X": np.zeros((1, 7))})
        for draws in (None, 41, -1, True):
            with pytest.raises(InvalidInput, match=r"number of draws, 0 \.\. 40"):
                writer.checkpoint({}, {"draws": draws})
        with pytest.raises(InvalidInput, match="only plain numbers"):
            writer.checkpoint({"name": np.array(["a"])}, {"draws": 0})
    assert not any((store / "sample_stats" / "loss").glob("c/*"))
    with pytest.raises(InvalidInput, match=r"chains 0 \.\. 1"):
        ChainWriter(store, 2)


def test_two_processes_cannot_write_one_chain(store):
    pytest.importorskip("fcntl")
    text = "import sys; from nonlazy.sampling.store._chain_writer import ChainWriter; ChainWriter(sys.argv[1], 0)"
    with ChainWriter(store, 0), ChainWriter(store, 1):
        done = subprocess.run([sys.executable, "-c", text, str(store)], capture_output=True, text=True)
    assert "chain 0 of" in done.stderr and "being written by another process" in done.stderr


def test_writing_imports_neither_xarray_nor_zarr(store):
    text = (
        "import sys, types, nonlazy, numpy as np\n"
        # The package without its __init__, which imports much else.
        "package = types.ModuleType('nonlazy.sampling')\n"
        "package.__path__ = [nonlazy.__path__[0] + '/sampling']\n"
        "sys.modules['nonlazy.sampling'] = package\n"
        "from nonlazy.sampling.store._chain_writer import ChainWriter\n"
        "with ChainWriter(sys.argv[1], 0) as writer:\n"
        "    writer.write('sample_stats', 0, {'loss': np.zeros(3)})\n"
        "    writer.checkpoint({}, {'draws': 3})\n"
        "assert not set(sys.modules) & {'xarray', 'zarr'}\n"
    )
    assert subprocess.run([sys.executable, "-c", text, str(store)]).returncode == 0


def test_memory_does_not_grow_with_the_draws(tmp_path):
    def peak(draws: int) -> int:
        path = tmp_path / f"{draws}.zarr"
        variables = [Variable("posterior", "z", ("neuron", "input"), (50, 50)), Variable("sample_stats", "loss")]
        posterior = example.example_posterior()
        create(path, posterior, {}, provenance={}, chains=1, draws=draws, variables=variables)
        piece = np.zeros((10, 50, 50))
        tracemalloc.start()
        with ChainWriter(path, 0) as writer:
            for start in range(0, draws, 10):
                writer.write("posterior", start, {"z": piece})
                writer.write("sample_stats", start, {"loss": piece[:, 0, 0]})
                writer.checkpoint({"z": piece[0]}, {"draws": start + 10})
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    few, many = peak(100), peak(1000)
    # The draws beyond the first run's are 18 MB. Up to a chunk of 4,096 draws, the losses' chunk grows: 7 kB, which
    # writing a checkpoint holds a few times over.
    assert many < few + 100_000


def test_finish_asks_for_all_draws(store):
    example.sample_chain(store, 0)
    example.sample_chain(store, 1, stop=25)
    with pytest.raises(StoreError, match="chain 1 has 25 of 40 draws"):
        finish(store)
    example.sample_chain(store, 1)
    finish(store)
    assert json.loads((store / "zarr.json").read_text())["attributes"]["complete"] == 1
