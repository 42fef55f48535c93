import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks import _cifar10, _cifar_binary, cifar10
from nonlazy.tasks._download import RemoteFile


COLOURS = np.random.default_rng(0).integers(0, 256, (10, 3), dtype=np.uint8)
BATCHES = (*_cifar_binary.TRAINING_BATCHES, *_cifar_binary.TEST_BATCHES)


def archive(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def original(records=20):
    """An archive of the original's format; every image has one colour, that of its class."""
    labels = (np.arange(records) % 10).astype(np.uint8)
    batch = np.column_stack([labels, np.repeat(COLOURS[labels], 1024, axis=1)]).tobytes()
    return archive({f"cifar-10-batches-bin/{name}": batch for name in BATCHES})


def jpeg(classes=_cifar10.CLASSES, size=(32, 32), a_class=3):
    """An archive of JPEG files; images of one colour lose next to nothing."""
    files = {}
    for part in ("train", "test"):
        for c in classes:
            colour = COLOURS[_cifar10.CLASSES.index(c)] if c in _cifar10.CLASSES else COLOURS[0]
            stream = io.BytesIO()
            pixels = np.broadcast_to(colour, (*size, 3)).copy()
            Image.fromarray(pixels).save(stream, "JPEG", quality=100, subsampling=0)
            for k in range(a_class):
                files[f"{part}/{c}/{k:04d}.jpg"] = stream.getvalue()
    return archive(files)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder for CIFAR-10, named by NONLAZY_DATA; the original's batches have 20 images here."""
    monkeypatch.setattr(_cifar_binary, "RECORDS", 20)
    monkeypatch.setenv("NONLAZY_DATA", str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    return tmp_path / "cifar10"


def test_original_archive(folder):
    (folder / "cifar-10-binary.tar.gz").write_bytes(original())
    task = cifar10(None, P_test=None, preprocess="raw")
    assert (task.P, task.N0, task.m, len(task.labels_test)) == (100, 3072, 10, 20)
    np.testing.assert_allclose(task.X.reshape(100, 3, 1024)[:, :, 0] * 255, COLOURS[task.labels], atol=1e-12)
    assert np.unique(task.Y).tolist() == [-0.1, 1.0]
    assert (task.name, task.class_names) == ("CIFAR-10", _cifar10.CLASSES)
    assert "lossy" not in task.provenance
    json.dumps(task.provenance)


def test_jpeg_archive_is_the_same_within_its_loss_and_says_so(folder):
    (folder / "cifar10-jpeg.tar.gz").write_bytes(jpeg())
    task = cifar10(None, P_test=None, preprocess="raw")
    assert (task.P, len(task.labels_test)) == (30, 30)
    # One colour at quality 100: conversion to YCbCr and back rounds by a few grey levels.
    assert np.abs(task.X.reshape(30, 3, 1024)[:, :, 0] * 255 - COLOURS[task.labels]).max() <= 4
    assert task.provenance["lossy"] == "JPEG"
    assert task.name == "CIFAR-10 (JPEG)"


def test_the_original_comes_first(folder):
    (folder / "cifar-10-binary.tar.gz").write_bytes(original())
    (folder / "cifar10-jpeg.tar.gz").write_bytes(jpeg())
    assert "lossy" not in cifar10(80, P_test=0).provenance


def test_classes_by_name_and_number_in_the_users_order(folder):
    (folder / "cifar-10-binary.tar.gz").write_bytes(original())
    task = cifar10(12, classes=("truck", 3), P_test=4, preprocess="raw")
    assert task.class_names == ("truck", "cat")
    np.testing.assert_allclose(task.X[:, 0] * 255, COLOURS[[9, 3]][task.labels, 0], atol=1e-12)
    assert task.name == "CIFAR-10 truck/cat"


def test_standardisation_a_channel(folder):
    (folder / "cifar-10-binary.tar.gz").write_bytes(original())
    raw, standard = (cifar10(80, P_test=0, preprocess=how).X for how in ("raw", "standardize"))
    mean = np.repeat((0.4914, 0.4822, 0.4465), 1024)
    deviation = np.repeat((0.2470, 0.2435, 0.2616), 1024)
    np.testing.assert_allclose(standard, (raw - mean) / deviation, rtol=1e-12)


def test_download(serving, monkeypatch, cache):
    monkeypatch.setattr(_cifar_binary, "RECORDS", 20)
    data = original()
    with serving({"cifar-10-binary.tar.gz": data}) as (address, asked):
        remote = RemoteFile(
            "cifar-10-binary.tar.gz",
            (address + "cifar-10-binary.tar.gz",),
            "sha256:" + hashlib.sha256(data).hexdigest(),
        )
        monkeypatch.setattr(_cifar10, "REMOTE", remote)
        for _ in range(2):
            assert cifar10(30, P_test=5).provenance["source"] == "download, checksum verified"
    assert asked == ["cifar-10-binary.tar.gz"]
    assert [f.name for f in (cache / "cifar10").iterdir()] == ["cifar-10-binary.tar.gz"]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("other.tar.gz", b"", "has neither cifar-10-binary.tar.gz nor cifar10-jpeg.tar.gz"),
        ("cifar-10-binary.tar.gz", original()[:-100], "truncated"),
        ("cifar-10-binary.tar.gz", original(records=19), "19 images"),
        ("cifar-10-binary.tar.gz", archive({"cifar-10-batches-bin/test_batch.bin": b""}), "holds no .*data_batch_1"),
        ("cifar10-jpeg.tar.gz", jpeg(classes=_cifar10.CLASSES[:9]), "no images in train/truck"),
        ("cifar10-jpeg.tar.gz", jpeg(classes=(*_cifar10.CLASSES, "zebra")), "a folder train/zebra"),
        ("cifar10-jpeg.tar.gz", jpeg(size=(32, 31)), "is 32 x 31 pixels.*this task takes 32 x 32"),
        ("cifar10-jpeg.tar.gz", b"not an archive", "not a readable tar archive"),
    ],
)
def test_damaged_archives_are_named(folder, cache, name, content, match):
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=match) as raised:
        cifar10(6, classes=(0, 1), P_test=0)
    assert str(folder) in str(raised.value)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"classes": ("cat", "dgo")}, "a class of CIFAR-10 is 'dgo'.*did you mean 'dog'"),
        ({"classes": (10,)}, "CIFAR-10 has no class 10"),
        ({"classes": ("cat", 3)}, "names cat more than once"),
        ({"source": "embedded"}, "nonlazy ships no part of CIFAR-10"),
        ({"P": 101}, "there are 100 in these classes"),
    ],
)
def test_refusals(folder, arguments, match):
    (folder / "cifar-10-binary.tar.gz").write_bytes(original())
    with pytest.raises(InvalidInput, match=match):
        cifar10(**({"P": 20, "P_test": 0} | arguments))


def test_real_files(real_data):
    task = cifar10(300, classes=("airplane", "automobile", "bird"), P_test=1000)
    assert (task.P, len(task.labels_test)) == (300, 1000)
    # A standardised pixel has mean square 1 over all images; over 300 images of three classes it is within a quarter.
    assert abs(np.diag(task.input_kernel).mean() - 1) < 0.25
