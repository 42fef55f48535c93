"""Damaged files of activations for `nonlazy codes`, in every format."""

import csv
import io
import json
import os
import pickle
import shutil

import numpy as np
import pytest
import zarr
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from nonlazy import codes
from nonlazy.cli._app import app
from nonlazy.errors import DataError
from tests.fuzzing.mutations import FEW, damaged, outcome


F = np.random.default_rng(0).normal(size=(6, 12)).round(2)
LABELS = np.arange(12) % 3


def content(kind):
    stream = io.BytesIO()
    if kind == "npz":
        np.savez_compressed(stream, activations=F, labels=LABELS)
    elif kind == "npy":
        np.save(stream, F)
    elif kind == "csv":
        text = io.StringIO()
        csv.writer(text).writerows([[*(f"n{i}" for i in range(6)), "label"], *np.column_stack([F.T, LABELS]).tolist()])
        stream.write(text.getvalue().encode())
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(stream, "w") as file:
            file.create_dataset("activations", data=F, compression="gzip")
            file["labels"] = LABELS
    return stream.getvalue()


def detect(path):
    layer = codes.load(path)
    codes.detect(layer.activations, layer.labels)


@pytest.mark.parametrize("kind", ["npz", "npy", "csv", "h5"])
@FEW
@given(st.data())
def test_files(tmp_path, kind, data):
    np.save(tmp_path / "labels.npy", LABELS)
    path = tmp_path / f"layer.{kind}"
    path.write_bytes(data.draw(damaged(content(kind))))
    outcome(lambda: detect(path))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "layer.zarr"
    group = zarr.open_group(path, mode="w")
    group["activations"], group["labels"] = F, LABELS
    return path, {file.relative_to(path): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


@FEW
@given(data=st.data())
def test_zarr_groups(store, data, capfd):
    path, files = store
    name = data.draw(st.sampled_from(sorted(files)))
    (path / name).write_bytes(data.draw(damaged(files[name])))
    outcome(lambda: detect(path))
    (path / name).write_bytes(files[name])
    assert "Traceback" not in capfd.readouterr().err


class Trap:
    """A pickle that tells of being loaded."""

    def __reduce__(self):
        return os.mkdir, ("loaded",)


@pytest.mark.parametrize("dtype", ["<f8", "|O"])
def test_pickles_in_zarr_are_not_loaded(tmp_path, monkeypatch, capfd, dtype):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "layer.zarr"
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    for name, shape, chunk in (("activations", (6, 12), "0.0"), ("labels", (12,), "0")):
        (path / name).mkdir()
        metadata = dict(zarr_format=2, shape=shape, chunks=shape, dtype=dtype, fill_value=None, order="C")
        pickled = {**metadata, "compressor": None, "filters": [{"id": "pickle", "protocol": 5}]}
        (path / name / ".zarray").write_text(json.dumps(pickled))
        (path / name / chunk).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match="pickled objects, which are never loaded"):
        detect(path)
    assert not (tmp_path / "loaded").exists() and "Traceback" not in capfd.readouterr().err


def test_the_command_says_what_is_wrong(tmp_path, store):
    files = {
        "a.npz": content("npz")[:200],
        "a.npy": content("npy")[:90],
        "a.csv": b"\xff\xfe",
        "a.mat": b"x",
        "a.h5": b"",
    }
    for name, held in files.items():
        (tmp_path / name).write_bytes(held)
    shutil.copytree(store[0], tmp_path / "a.zarr")
    for array in ("activations", "labels"):
        (tmp_path / "a.zarr" / array / "zarr.json").write_text("{")
    np.save(tmp_path / "labels.npy", LABELS)
    for name in [*files, "a.zarr", "missing.npz", "x" * 300 + ".npz"]:
        result = CliRunner().invoke(app, ["codes", str(tmp_path / name)])
        said = result.output + result.stderr
        assert result.exit_code == 2, (name, said)
        assert "Traceback" not in said and "bug" not in said
