"""Damaged IDX files, images, archives and arrays: errors of nonlazy's own, nothing outside, no pickle, no hang."""

import bz2
import gzip
import io
import lzma
import tarfile
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from nonlazy.errors import DataError, NonlazyError
from nonlazy.tasks import from_npz, image_folder
from nonlazy.tasks._archive import read_members
from nonlazy.tasks._cifar_binary import PIXELS, parse_archive, parse_batch
from nonlazy.tasks._idx import parse_idx, write_idx
from nonlazy.tasks._image_files import FORMATS, Decoding, decode, shape_of
from tests.fuzzing.mutations import FEW, damaged, outcome


PIXELS_OF_ONE = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
IDX = write_idx(np.random.default_rng(1).integers(0, 256, (4, 5, 3), dtype=np.uint8))


def image(kind):
    stream = io.BytesIO()
    Image.fromarray(PIXELS_OF_ONE).save(stream, kind)
    return stream.getvalue()


def tar(names=("a/one.png", "a/two.png", "b/one.png", "b/two.png")):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in names:
            content = image("PNG")
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


IMAGES = {kind: image(kind) for kind in FORMATS}
TAR = tar()
ARCHIVES = {"": TAR, ".gz": gzip.compress(TAR), ".bz2": bz2.compress(TAR), ".xz": lzma.compress(TAR)}


@FEW
@given(st.data(), st.booleans())
def test_idx(data, zipped):
    content = data.draw(damaged(IDX if zipped else gzip.decompress(IDX)))
    outcome(lambda: parse_idx(content, "images", 3))


@pytest.mark.parametrize("shape", [(0, 2**32 - 1, 2**32 - 1), (0, 28, 28)])
def test_an_idx_file_without_data_is_refused(shape):
    header = bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in shape)
    with pytest.raises(DataError, match="holds no data"):
        parse_idx(header, "images", 3)


@pytest.mark.parametrize("kind", FORMATS)
@FEW
@given(st.data(), st.booleans())
def test_images(kind, data, resize):
    content = data.draw(damaged(IMAGES[kind]))
    outcome(lambda: decode("image", content, Decoding(grey=False, shape=(6, 5), resize=resize)))
    outcome(lambda: shape_of("image", content))


def test_only_the_formats_of_the_suffixes_are_decoded():
    # Pillow takes a file for what it holds, whatever its name, and hands some formats to other programs.
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 5\n%%EndComments\n%%EOF\n"
    with Image.open(io.BytesIO(content)) as found:
        assert found.format == "EPS"
    with pytest.raises(DataError, match="not a readable image"):
        decode("image.png", content, Decoding(grey=True, shape=(5, 6)))


def test_a_large_image_is_refused_from_its_header(monkeypatch):
    stream = io.BytesIO()
    Image.new("L", (3000, 2000)).save(stream, "PNG")
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("it was decompressed"))
    with pytest.raises(DataError, match="is 2000 x 3000 pixels"):
        decode("image", stream.getvalue(), Decoding(grey=True, shape=(28, 28)))


@pytest.mark.parametrize("suffix", ARCHIVES)
@FEW
@given(st.data())
def test_archives(tmp_path, suffix, data):
    path = tmp_path / f"archive.tar{suffix}"
    path.write_bytes(data.draw(damaged(ARCHIVES[suffix])))
    outcome(lambda: read_members(path))
    outcome(lambda: image_folder(path))
    assert list(tmp_path.iterdir()) == [path]


@FEW
@given(st.lists(st.text(st.sampled_from("ab./\\~\0é"), min_size=1, max_size=12), min_size=1, max_size=4))
def test_names_in_archives_lead_nowhere_else(tmp_path, names):
    path = tmp_path / "archive.tar"
    path.write_bytes(tar(names))
    try:
        members = read_members(path)
    except NonlazyError:
        members = {}
    for name in members:
        assert not PurePosixPath(name).is_absolute() and ".." not in name.split("/") and "\\" not in name
    # Nothing is ever unpacked.
    assert list(tmp_path.iterdir()) == [path]


@FEW
@given(st.binary(max_size=3 * (PIXELS + 1)))
def test_cifar_batches(content):
    outcome(lambda: parse_batch(content, "batch", 2))
    outcome(lambda: parse_archive({"cifar-10-batches-bin/test_batch.bin": content}, "archive", ("test_batch.bin",), 2))


class Trap:
    """A pickle that tells of being loaded."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was loaded')",)


@pytest.fixture(scope="module")
def npz():
    stream = io.BytesIO()
    X = np.random.default_rng(0).normal(size=(4, 3))
    np.savez_compressed(stream, X=X, labels=np.arange(4) % 2, class_names=np.array(["cat", "dog"]))
    return stream.getvalue()


@FEW
@given(data=st.data())
def test_npz_tasks(tmp_path, npz, data):
    path = tmp_path / "task.npz"
    path.write_bytes(data.draw(damaged(npz)))
    outcome(lambda: from_npz(path))


def test_a_task_is_not_unpickled(tmp_path):
    path = tmp_path / "task.npz"
    np.savez(path, X=np.array([[Trap()]], dtype=object), labels=np.zeros(1, int))
    with pytest.raises(DataError, match="plain arrays"):
        from_npz(path)
