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
from nonlazy.errors import DataError, InvalidInput
from tests.fuzzing.mutations import FEW, changed, damaged, outcome


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


@pytest.mark.parametrize("kind", ["external", "through", "soft", "virtual", "storage"])
def test_hdf5_leads_to_no_other_file(tmp_path, kind):
    h5py = pytest.importorskip("h5py")
    secret, path = tmp_path / "secret.h5", tmp_path / "layer.h5"
    with h5py.File(secret, "w") as file:
        file["activations"] = F
    with h5py.File(path, "w") as file:
        file["labels"] = LABELS
        if kind == "external":
            file["activations"] = h5py.ExternalLink(secret.name, "/activations")
        elif kind == "through":
            file["there"] = h5py.ExternalLink(secret.name, "/")
            file["activations"] = h5py.SoftLink("/there/activations")
        elif kind == "soft":
            file["activations"] = h5py.SoftLink("/nowhere")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape=F.shape, dtype=F.dtype)
            layout[:] = h5py.VirtualSource(secret.name, "activations", shape=F.shape)
            file.create_virtual_dataset("activations", layout)
        else:
            (tmp_path / "secret.bin").write_bytes(F.tobytes())
            raw = [(str(tmp_path / "secret.bin"), 0, F.nbytes)]
            file.create_dataset("activations", shape=F.shape, dtype=F.dtype, external=raw)
    with pytest.raises(DataError, match=r"links are not followed|in other files, which are not read"):
        detect(path)


@FEW
@given(data=st.data())
def test_zarr_metadata(store, data, capfd):
    path, files = store
    name = data.draw(st.sampled_from([name for name in sorted(files) if name.suffix == ".json"]))
    (path / name).write_text(json.dumps(data.draw(changed(json.loads(files[name])))))
    outcome(lambda: detect(path))
    (path / name).write_bytes(files[name])
    assert "Traceback" not in capfd.readouterr().err


def test_labels_that_would_fill_terabytes_are_refused(store):
    path, files = store
    name = next(name for name in files if name.parts == ("labels", "zarr.json"))
    # Zarr makes up what is not in a file.
    metadata = json.loads(files[name]) | {"shape": [10**12]}
    (path / name).write_text(json.dumps(metadata))
    with pytest.raises((DataError, InvalidInput)):
        detect(path)
    (path / name).write_bytes(files[name])


class Trap:
    """A pickle that tells of being loaded."""

    def __reduce__(self):
        return os.mkdir, ("loaded",)


@pytest.mark.parametrize("word", ["pickle", "\\u0070ickle"])
@pytest.mark.parametrize("first", [[], [{"id": "vlen-utf8"}]])
@pytest.mark.parametrize("dtype", ["<f8", "|O"])
def test_pickles_in_zarr_are_not_loaded(tmp_path, monkeypatch, capfd, dtype, first, word):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "layer.zarr"
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    for name, shape, chunk in (("activations", (6, 12), "0.0"), ("labels", (12,), "0")):
        (path / name).mkdir()
        metadata = dict(zarr_format=2, shape=shape, chunks=shape, dtype=dtype, fill_value=None, order="C")
        pickled = {**metadata, "compressor": None, "filters": [*first, {"id": "pickle", "protocol": 5}]}
        (path / name / ".zarray").write_text(json.dumps(pickled).replace("pickle", word))
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
