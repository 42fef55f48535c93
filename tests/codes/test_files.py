"""Activations and labels from files of every format, and files that hold something else."""

import numpy as np
import pytest
import zarr

from nonlazy import codes
from nonlazy.errors import DataError, InvalidInput


F = np.random.default_rng(5300).normal(size=(12, 20)).round(3)
LABELS = np.arange(20) % 3
NAMES = np.array(["cat", "dog", "eel"])[LABELS]


def check(layer, labels=LABELS):
    np.testing.assert_array_equal(np.asarray(layer.activations), F)
    np.testing.assert_array_equal(np.asarray(layer.labels), labels)


def test_npz(tmp_path):
    np.savez(tmp_path / "a.npz", activations=F, labels=NAMES, readouts=F[:, :3], other=np.array([None], dtype=object))
    layer = codes.load(tmp_path / "a.npz")
    check(layer, NAMES)
    assert layer.reference is None and layer.readouts.shape == (12, 3)


def test_npy_pairs_are_mapped_from_disk(tmp_path):
    np.save(tmp_path / "a.npy", F)
    with pytest.raises(InvalidInput, match=r"no .*a-labels.npy and no .*labels.npy: name the file of labels"):
        codes.load(tmp_path / "a.npy")
    np.save(tmp_path / "labels.npy", LABELS)
    check(codes.load(tmp_path / "a.npy"))
    np.save(tmp_path / "a-labels.npy", NAMES)
    layer = codes.load(tmp_path / "a.npy")
    check(layer, NAMES)
    assert isinstance(layer.activations, np.memmap)
    (tmp_path / "b.txt").write_text("\n".join(map(str, LABELS)), encoding="utf-8")
    check(codes.load(tmp_path / "a.npy", tmp_path / "b.txt"))


def test_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["activations"], file["labels"], file["notes"] = F, NAMES.astype("S"), "text"
    check(codes.load(tmp_path / "a.h5"), NAMES)
    (tmp_path / "b.h5").write_bytes(b"no HDF5")
    with pytest.raises(DataError, match="cannot be read as an HDF5 file"):
        codes.load(tmp_path / "b.h5")


def test_hdf5_without_h5py_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(DataError, match=r"pip install 'nonlazy\[hdf5\]'"):
        codes.load(tmp_path / "a.h5")


def test_zarr(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group["activations"], group["y"] = F, LABELS
    check(codes.load(tmp_path / "a.zarr"))
    zarr.open_group(tmp_path / "b.zarr", mode="w")["phi"] = F
    with pytest.raises(InvalidInput, match="no activations and no labels; its arrays are phi"):
        codes.load(tmp_path / "b.zarr")
    (tmp_path / "c.zarr").mkdir()
    with pytest.raises(DataError, match="cannot be read as a Zarr group"):
        codes.load(tmp_path / "c.zarr")


@pytest.mark.parametrize("where", [0, 5, 12])
def test_tables_with_a_header(tmp_path, where):
    columns = [f"n{i}" for i in range(12)]
    columns.insert(where, "Label")
    rows = [[str(value) for value in column] for column in F.T]
    for row, name in zip(rows, NAMES, strict=True):
        row.insert(where, name)
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in [columns, *rows]), encoding="utf-8")
    check(codes.load(tmp_path / "a.csv"), NAMES)


def test_tables_without_a_header(tmp_path):
    text = "\n".join("\t".join([*map(str, column), str(label)]) for column, label in zip(F.T, LABELS, strict=True))
    (tmp_path / "a.tsv").write_text(text, encoding="utf-8")
    check(codes.load(tmp_path / "a.tsv"))
    np.save(tmp_path / "y.npy", LABELS)
    layer = codes.load(tmp_path / "a.tsv", tmp_path / "y.npy")
    assert layer.activations.shape == (13, 20)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", DataError, "is empty"),
        ("a,b\n1,2\n", InvalidInput, "no column labels, label, y, class; its columns are a, b"),
        ("label,y\n1,2\n", InvalidInput, "2 columns of labels: label, y"),
        ("a,label\n1,0\n2\n", DataError, "line 3: 1 cells, where the first line has 2"),
        ("a,label\nx,0\n", DataError, "must be numbers: could not convert string to float: 'x'"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, error, message):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message):
        codes.load(tmp_path / "a.csv")


def test_other_files(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"")
    with pytest.raises(DataError, match=r"of no format that is read: \.npz, \.npy"):
        codes.load(tmp_path / "a.mat")
    with pytest.raises(DataError, match="there is no file"):
        codes.load(tmp_path / "b.npy")
    (tmp_path / "c.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"cannot be read as a \.npy file"):
        codes.load(tmp_path / "c.npy", tmp_path / "c.npy")
    np.save(tmp_path / "d.npy", F)
    with pytest.raises(DataError, match=r"labels in .*a\.mat: give \.npy"):
        codes.load(tmp_path / "d.npy", tmp_path / "a.mat")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_files_that_are_none_of_numpys_are_not_called_pickles(tmp_path, name):
    (tmp_path / name).write_text("hello, this is a text", encoding="utf-8")
    np.save(tmp_path / "labels.npy", LABELS)
    with pytest.raises(DataError, match=r"no NumPy file|is not a \.npz file") as raised:
        codes.load(tmp_path / name)
    assert "pickle" not in str(raised.value)


class Trap:
    def __reduce__(self):
        return exec, ("raise AssertionError('a pickle was loaded')",)


def test_pickles_are_not_loaded(tmp_path):
    trap = np.array([Trap()], dtype=object)
    np.savez(tmp_path / "a.npz", activations=trap, labels=LABELS)
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    for name in ("a.npz", "a.npy"):
        with pytest.raises(
            DataError, match=r"cannot be read .*: it holds Python objects .*, which nonlazy never loads"
        ):
            codes.load(tmp_path / name, tmp_path / "a.npy")


def test_files_that_break_off_where_they_are_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        layer = np.random.default_rng(0).normal(size=(40, 200))
        file.create_dataset("activations", data=layer, chunks=(10, 200), compression="gzip")
        file["labels"] = np.arange(200) % 2
        place = file["activations"].id.get_chunk_info(2).byte_offset
    data = bytearray(path.read_bytes())
    data[place : place + 100] = bytes(100)
    path.write_bytes(data)
    found = codes.load(path)
    with pytest.raises(DataError, match="activations of neurons 0 to 39 cannot be read"):
        codes.detect(found.activations, found.labels)
