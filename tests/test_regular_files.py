"""Pipes, devices and giants in the place of files are refused at once: to open them is to wait or read for ever."""

import os
import signal
import sys
from types import FrameType

import numpy as np
import pytest

import nonlazy as nl
from nonlazy import experiments, sweeps
from nonlazy._regular_files import LARGEST_JSON, LARGEST_TOML, check_regular, expanded, is_folder, is_regular, shown
from nonlazy.codes import _files as codes
from nonlazy.errors import DataError, InvalidInput, StoreError
from nonlazy.sampling.store._chain_writer import ChainWriter
from nonlazy.sampling.store._store import read_metadata
from nonlazy.tasks import from_npz
from tests.sampling import store_example as example


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
_SECONDS = 20.0


class StillReading(BaseException):
    """Not an `Exception`, which what is tested could take for a fault of the file."""


@pytest.fixture(autouse=True)
def deadline():
    """Without the check, opening a pipe waits for ever."""

    def late(number: int, frame: FrameType | None) -> None:
        raise StillReading

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def device(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/null")
    return path


def giant(path, size):
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(size)
    return path


KINDS = pytest.mark.parametrize(
    ("make", "said"), [(pipe, r"a named pipe \(FIFO\), not a regular file"), (device, "a character device")]
)


@KINDS
@pytest.mark.parametrize("load", [experiments.load, sweeps.load])
def test_texts(tmp_path, make, said, load):
    with pytest.raises(DataError, match=f"mine.toml cannot be read: it is {said}"):
        load(make(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").unlink()
    with pytest.raises(DataError, match=rf"has {LARGEST_TOML + 1} bytes, .* more than {LARGEST_TOML} \(16 MiB\)"):
        load(giant(tmp_path / "mine.toml", LARGEST_TOML + 1))


@KINDS
def test_the_sweep_of_a_folder(tmp_path, make, said):
    make(tmp_path / "sweep.toml")
    with pytest.raises(DataError, match=said):
        sweeps.load(tmp_path)


@KINDS
@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.csv", "a.tsv", "a.h5"])
def test_layers_and_their_labels(tmp_path, make, said, name):
    make(tmp_path / name)
    np.save(tmp_path / "layer.npy", np.eye(3))
    with pytest.raises(DataError, match=said):
        codes.load(tmp_path / name)
    if not name.endswith(".h5"):
        with pytest.raises(DataError, match=said):
            codes.load(tmp_path / "layer.npy", make(tmp_path / "labels.npy"))


@KINDS
def test_arrays_of_a_task(tmp_path, make, said):
    with pytest.raises(DataError, match=said):
        from_npz(make(tmp_path / "mine.npz"))


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run.zarr"
    example.create_example(path)
    example.sample_chain(path, 0)
    return path


@KINDS
@pytest.mark.parametrize("name", ["zarr.json", ".checkpoint/files.json", ".checkpoint/chain-0.npz"])
def test_runs(run, make, said, name):
    nl.open_run(run)
    make(run / name)
    with pytest.raises(StoreError, match=f"{name} cannot be read: it is {said}.*; put back a copy"):
        nl.open_run(run)


@pytest.mark.parametrize("name", ["zarr.json", ".checkpoint/files.json"])
def test_lists_of_a_run_that_are_too_long(run, name):
    giant(run / name, LARGEST_JSON + 1)
    with pytest.raises(StoreError, match=rf"{name} has {LARGEST_JSON + 1} bytes, .* \(64 MiB\)"):
        nl.open_run(run)


def test_the_data_of_a_run(run):
    file = next(path for path in run.joinpath("constant_data", "X").rglob("*") if path.is_file())
    size = file.stat().st_size
    pipe(file)
    with pytest.raises(StoreError, match="is damaged: it is no regular file"):
        nl.open_run(run)
    assert size > 0


def test_the_lock_of_a_chain(run):
    assert read_metadata(run)
    pipe(run / ".checkpoint" / "chain-1.lock")
    with pytest.raises(StoreError, match=r"chain-1.lock cannot be read: it is a named pipe .*; delete it"):
        ChainWriter(run, 1)


def test_links_to_files_are_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").symlink_to("a")
    assert check_regular(tmp_path / "b", most=5) == 5
    with pytest.raises(StoreError, match="has 5 bytes, and no such file has more than 4"):
        check_regular(tmp_path / "b", StoreError, most=4)
    assert is_regular(tmp_path / "b") and not is_folder(tmp_path / "b") and is_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        check_regular(tmp_path / "c")
    assert not is_regular(tmp_path / "c") and not is_folder(tmp_path / "a" / "c")
    with pytest.raises(DataError, match="it is a folder"):
        check_regular(tmp_path)


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b"])
def test_names_that_no_file_has(tmp_path, name):
    for look in (is_folder, is_regular):
        with pytest.raises(InvalidInput, match=r"cannot be looked at.*give another path"):
            look(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        check_regular(tmp_path / name)


def test_home_folders(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert str(expanded("~/a.toml")) == "/home/somebody/a.toml"
    with pytest.raises(InvalidInput, match=r"~nosuchuser/a.toml: there is no user of this name.*; write the path out"):
        expanded("~nosuchuser/a.toml")


def test_long_paths_are_shortened():
    assert shown("a" * 300) == "a" * 300
    # The end is the file's own name.
    assert shown("a" * 300 + "/b.npz") == "a" * 100 + "..." + "a" * 94 + "/b.npz"
