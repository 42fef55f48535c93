import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks import _check, image_folder


def save(path, value, size=(4, 5), mode="L"):
    """An image of `size` (height, width) with one value everywhere but a corner of 255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(size if mode == "L" else (*size, 3), value, dtype=np.uint8)
    pixels[0, 0] = 255
    Image.fromarray(pixels).save(path)


@pytest.fixture
def flat(tmp_path):
    """Ten images a class, classes cats and dogs; image k of class c has the value 10 k + c."""
    for c, name in enumerate(("cats", "dogs")):
        for k in range(10):
            save(tmp_path / "pets" / name / f"{k}.png", 10 * k + c)
    return tmp_path / "pets"


@pytest.fixture
def apart(tmp_path):
    """The same under train/ and test/; test images have values above 100."""
    for part, offset in (("train", 0), ("test", 100)):
        for c, name in enumerate(("cats", "dogs")):
            for k in range(6):
                save(tmp_path / "pets" / part / name / f"{k}.png", offset + 10 * k + c)
    return tmp_path / "pets"


def values(X):
    return np.rint(X[:, -1] * 255).astype(int)


def test_split_by_seed(flat):
    task = image_folder(flat, grey=True, preprocess="raw")
    assert (task.P, task.N0, task.m, len(task.labels_test)) == (16, 20, 2, 4)
    assert (task.class_names, task.name) == (("cats", "dogs"), "pets")
    train, test = set(values(task.X)), set(values(task.X_test))
    assert not train & test
    assert train | test == {10 * k + c for k in range(10) for c in range(2)}
    assert (values(task.X) % 10 == task.labels).all()
    assert (values(task.X_test) % 10 == task.labels_test).all()
    json.dumps(task.provenance)


def test_seeds_and_sizes(flat):
    def drawn(**arguments):
        return image_folder(flat, P=8, P_test=6, grey=True, preprocess="raw", **arguments)

    assert np.array_equal(drawn().X, drawn().X)
    assert not np.array_equal(drawn().X, drawn(seed=1).X)
    assert (drawn().P, len(drawn().labels_test)) == (8, 6)
    assert image_folder(flat, P=8, P_test=0).X_test is None


def test_train_and_test_folders(apart):
    task = image_folder(apart, grey=True, preprocess="raw")
    assert (task.P, len(task.labels_test)) == (12, 12)
    assert values(task.X).max() < 100 <= values(task.X_test).min()
    drawn = image_folder(apart, P=5, P_test=3, grey=True, preprocess="raw")
    assert (drawn.P, len(drawn.labels_test)) == (5, 3)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
@pytest.mark.parametrize("root", ["", "pets"])
def test_an_archive_gives_the_same(apart, tmp_path, suffix, root):
    path = tmp_path / f"pets{suffix}"
    with tarfile.open(path, "w:gz" if suffix.endswith("gz") else "w") as archive:
        archive.add(apart, arcname=root)
    packed, unpacked = (image_folder(p, P=6, P_test=3) for p in (path, apart))
    assert np.array_equal(packed.X, unpacked.X)
    assert np.array_equal(packed.X_test, unpacked.X_test)
    assert packed.name == "pets"


def test_classes_in_the_users_order(flat):
    task = image_folder(flat, classes=("dogs", 0), grey=True, preprocess="raw")
    assert task.class_names == ("dogs", "cats")
    assert (values(task.X) % 10 == 1 - task.labels).all()
    assert image_folder(flat, classes=("dogs",)).m == 1


def test_colour_planes_follow_one_another(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    for k in range(2):
        (tmp_path / f"c{k}").mkdir()
        Image.fromarray(pixels[k]).save(tmp_path / f"c{k}" / "image.png")
    task = image_folder(tmp_path, P_test=0, preprocess="raw")
    assert task.N0 == 60
    assert np.array_equal(np.rint(task.X * 255).reshape(2, 3, 4, 5), pixels.transpose(0, 3, 1, 2))
    assert task.provenance["image_shape"] == [3, 4, 5]


def test_mixed_sizes_are_named_and_can_be_resized(flat):
    save(flat / "cats" / "large.png", 3, size=(8, 10))
    with pytest.raises(DataError, match=r"large.png is 8 x 10: give size=") as raised:
        image_folder(flat)
    assert "cats/0.png is 4 x 5" in str(raised.value)
    assert image_folder(flat, size=(6, 7), grey=True).N0 == 42
    assert image_folder(flat, size=6, grey=True).N0 == 36


def test_hidden_and_other_files_are_passed_over_and_counted(flat):
    save(flat / "cats" / ".hidden.png", 0)
    (flat / "notes.txt").write_text("two classes")
    save(flat / "stray.png", 0)
    task = image_folder(flat)
    assert task.P + len(task.labels_test) == 20
    assert task.provenance["files_passed_over"] == 3


def test_an_unreadable_image_is_named(flat):
    (flat / "dogs" / "broken.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"dogs/broken.png: not a readable image"):
        image_folder(flat)


def test_a_truncated_image_is_named(flat):
    path = flat / "dogs" / "3.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"dogs/3.png: not a readable image"):
        image_folder(flat)


def test_sixteen_bit_images_are_refused_not_clipped(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((4, 5), 40_000, dtype=np.uint16)).save(tmp_path / "a" / "deep.png")
    with pytest.raises(DataError, match=r"a/deep.png: has pixels of mode I;16"):
        image_folder(tmp_path, P_test=0)


def test_an_archive_that_climbs_out_is_refused(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../cats/0.png"))
    (tmp_path / "bad.tar").write_bytes(stream.getvalue())
    with pytest.raises(DataError, match="points outside the archive"):
        image_folder(tmp_path / "bad.tar")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda root: root / "none", "no such folder or archive"),
        (lambda root: root / "cats" / "0.png", "neither a folder nor a tar archive"),
        (lambda root: root / "cats", "no images in class folders"),
    ],
)
def test_places_without_images(flat, change, match):
    with pytest.raises(DataError, match=match):
        image_folder(change(flat))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"P": 15, "P_test": 6}, "P = 15 training and P_test = 6 test inputs .* there are 20 images"),
        ({"P_test": 20}, "P = 0 training"),
        ({"P": 0}, "P is 0"),
        ({"classes": ("cats", "dog")}, "did you mean 'dogs'"),
        ({"size": (4, 0)}, "size is"),
        ({"size": (1_000_000, 1_000_000)}, "size is 1000000 x 1000000 pixels .*: at most 67108864"),
        ({"P": 1}, "no training input"),
        ({"preprocess": "none"}, "preprocess is 'none'"),
    ],
)
def test_refusals(flat, arguments, match):
    with pytest.raises(InvalidInput, match=match):
        image_folder(flat, **arguments)


def test_images_beyond_the_machines_memory_are_refused_before_they_are_decoded(flat, monkeypatch):
    monkeypatch.setattr(_check, "memory", lambda: 10**6)
    with pytest.raises(InvalidInput, match=r"numbers each: this needs .* of memory, and this machine has 0.0 GB"):
        image_folder(flat, size=2000)
