import hashlib
import json
import shutil

import numpy as np
import pytest

from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks import _mnist, mnist
from nonlazy.tasks._idx import parse_idx, write_idx


def mnist_files(train=(0, 1, 2, 7), test=(0, 1, 2, 7), a_digit=6):
    """Small files under the official names; pixel 0 of an image is its number in the file, pixel 1 its digit."""
    files = {}
    for part, digits in (("train", train), ("t10k", test)):
        labels = np.tile(np.array(digits, dtype=np.uint8), a_digit)
        images = np.random.default_rng(len(part)).integers(0, 256, (labels.size, 28, 28), dtype=np.uint8)
        images[:, 0, 0], images[:, 0, 1] = np.arange(labels.size), labels
        files[f"{part}-images-idx3-ubyte.gz"] = write_idx(images)
        files[f"{part}-labels-idx1-ubyte.gz"] = write_idx(labels)
    return files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with small MNIST files, named by NONLAZY_DATA."""
    (tmp_path / "mnist").mkdir()
    for name, content in mnist_files().items():
        (tmp_path / "mnist" / name).write_bytes(content)
    monkeypatch.setenv("NONLAZY_DATA", str(tmp_path))
    return tmp_path / "mnist"


def test_the_default_needs_no_network():
    task = mnist(100)
    assert (task.P, task.N0, task.m, len(task.labels_test)) == (100, 784, 3, 1000)
    assert task.class_names == ("0", "1", "2")
    assert np.unique(task.Y).tolist() == [-0.5, 1.0]
    assert task.provenance["source"] == "subset that nonlazy ships"
    assert task.provenance["preprocessing"]["mean"] == [0.1307]
    json.dumps(task.provenance)


def test_two_digits_have_a_thousand_test_images_in_the_subset():
    assert len(mnist(1000, classes=(2, 1)).labels_test) == 1000


def test_subset_images_are_digits():
    # A nearest-mean reading of the digits: over 90 % on MNIST 0/1/2, where labels that do not belong to their images
    # give a third.
    task = mnist(None, P_test=None, source="embedded")
    assert (task.P, len(task.labels_test)) == (1500, 1500)
    means = np.array([task.X[task.labels == c].mean(axis=0) for c in range(3)])
    distances = ((task.X_test[:, None] - means) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == task.labels_test).mean() > 0.9


def test_labels_follow_the_order_of_the_classes(folder):
    task = mnist(10, classes=(7, 0), P_test=5, preprocess="raw")
    digits = np.array((7, 0))
    assert (np.rint(task.X[:, 1] * 255) == digits[task.labels]).all()
    assert (np.rint(task.X_test[:, 1] * 255) == digits[task.labels_test]).all()
    assert (task.class_names, task.name) == (("7", "0"), "MNIST 7/0")
    assert (np.argmax(task.Y, axis=1) == task.labels).all()


def test_classes_by_name(folder):
    assert np.array_equal(mnist(5, classes=("7", "0"), P_test=0).X, mnist(5, classes=(7, 0), P_test=0).X)


def test_training_draws_do_not_depend_on_the_test_set():
    without, with_test = mnist(50, P_test=0), mnist(50, P_test=10)
    assert without.X_test is None
    assert np.array_equal(without.X, with_test.X)


def test_seeds():
    assert np.array_equal(mnist(50, seed=1).X, mnist(50, seed=1).X)
    assert not np.array_equal(mnist(50, seed=1).X, mnist(50, seed=2).X)


def test_standardisation_is_that_of_the_whole_originals(folder):
    raw, standard = (mnist(8, P_test=0, preprocess=how).X for how in ("raw", "standardize"))
    np.testing.assert_allclose(standard, (raw - 0.1307) / 0.3081, rtol=1e-14)


def test_the_folder_comes_first_then_the_subset_then_the_download(folder, serving, monkeypatch, cache):
    files = mnist_files(train=(0, 5), test=(0, 5))
    monkeypatch.setattr(
        _mnist, "CHECKSUMS", {name: "sha256:" + hashlib.sha256(data).hexdigest() for name, data in files.items()}
    )
    with serving(files) as (address, asked):
        monkeypatch.setattr(_mnist, "MIRRORS", (address,))
        assert mnist(12, P_test=5).provenance["source"] == f"folder {folder}"
        assert mnist(12, P_test=5, source="embedded").provenance["source"] == "subset that nonlazy ships"
        assert asked == []
        monkeypatch.delenv("NONLAZY_DATA")
        assert mnist(12, P_test=5).provenance["source"] == "subset that nonlazy ships"
        assert asked == []
        for _ in range(2):
            task = mnist(5, classes=(0, 5), P_test=5)
            assert task.provenance["source"] == "download, checksum verified"
            assert sorted(asked) == sorted(files)
    assert sorted(f.name for f in (cache / "mnist").iterdir()) == sorted(files)


def test_more_than_the_subset_holds_is_downloaded(monkeypatch):
    monkeypatch.setattr(_mnist, "MIRRORS", ())
    for arguments in ({"P": 1501}, {"P": 10, "P_test": 1501}, {"P": None}, {"P": 10, "P_test": None}):
        with pytest.raises(DataError, match=r"could not be downloaded.*NONLAZY_DATA, or ask for digits 0, 1 and 2"):
            mnist(**arguments)


def test_a_data_folder_without_mnist_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("NONLAZY_DATA", str(tmp_path))
    assert mnist(40).provenance["source"] == "subset that nonlazy ships"
    with pytest.raises(DataError, match="has no folder 'mnist'"):
        mnist(40, source="folder")


def test_a_data_folder_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("NONLAZY_DATA", str(tmp_path / "none"))
    with pytest.raises(DataError, match="no such folder: correct it, or unset it"):
        mnist(10)


def test_source_folder_without_a_folder():
    with pytest.raises(DataError, match="NONLAZY_DATA; it is not set"):
        mnist(10, source="folder")


def test_plain_files_in_the_folder(folder):
    expected = mnist(8, P_test=4)
    for file in list(folder.iterdir()):
        dimensions = 3 if "images" in file.name else 1
        array = parse_idx(file.read_bytes(), file.name, dimensions)
        header = bytes((0, 0, 8, dimensions)) + np.array(array.shape, dtype=">u4").tobytes()
        file.with_suffix("").write_bytes(header + array.tobytes())
        file.unlink()
    assert np.array_equal(mnist(8, P_test=4).X, expected.X)


@pytest.mark.parametrize(
    ("file", "content", "match"),
    [
        ("train-images-idx3-ubyte.gz", None, "has no train-images-idx3-ubyte.gz"),
        ("train-images-idx3-ubyte.gz", write_idx(np.zeros((24, 28, 27), np.uint8)), "28 x 27 pixels; MNIST has 28 x"),
        ("train-images-idx3-ubyte.gz", write_idx(np.zeros((23, 28, 28), np.uint8)), "23 images, .* 24 labels"),
        ("t10k-labels-idx1-ubyte.gz", write_idx(np.full(24, 10, np.uint8)), "holds the label 10"),
        ("t10k-labels-idx1-ubyte.gz", b"", "0 bytes, too short"),
        ("train-labels-idx1-ubyte.gz", write_idx(np.zeros((24, 1), np.uint8)), "magic number"),
    ],
)
def test_damaged_files_are_named(folder, cache, file, content, match):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(DataError, match=match) as raised:
        mnist(5)
    assert file in str(raised.value)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"P": 0}, "P is 0.*None takes every training image"),
        ({"P_test": -1}, "P_test is -1"),
        ({"P": 13, "classes": (0, 7)}, r"13 training examples .* there are 12 .*\(6 of class 0, 6 of class 7\)"),
        ({"P_test": 13, "classes": (0, 7)}, "13 test examples .* there are 12"),
        ({"classes": (0, 10)}, "MNIST has no class 10"),
        ({"classes": (0, 0)}, "names 0 more than once"),
        ({"classes": ()}, "classes is empty"),
        ({"P": 1, "P_test": 0}, "no training input .*choose a larger P or another seed"),
        ({"seed": -2}, "seed is -2"),
        ({"preprocess": "standardise"}, "did you mean 'standardize'"),
        ({"source": "web"}, "source is 'web': choose one of 'auto', 'folder', 'embedded', 'download'"),
        ({"source": "embedded", "classes": (0, 3)}, "has the digits 0, 1 and 2; 0, 3 were asked for"),
        ({"source": "embedded", "P": 1501}, "1501 training examples .* there are 1500"),
        ({"y_plus": -0.5}, "both -0.5"),
    ],
)
def test_refusals(folder, arguments, match):
    with pytest.raises(InvalidInput, match=match):
        mnist(**({"P": 10, "P_test": 5} | arguments))


def test_arguments_are_refused_before_files_are_read(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(InvalidInput, match="P is 0"):
        mnist(0)


def test_real_files(real_data):
    task = mnist(100, classes=tuple(range(10)), P_test=None)
    assert (task.P, task.name, len(task.labels_test)) == (100, "MNIST", 10_000)
    everything = mnist(None, classes=tuple(range(10)), P_test=0)
    assert everything.P == 60_000
    # The published constants have four digits.
    assert abs(everything.X.mean()) < 5e-4
    assert abs(everything.X.std() - 1) < 5e-4
