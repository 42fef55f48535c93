import numpy as np
import pytest

from nonlazy.errors import DataError
from nonlazy.tasks._cifar_binary import FOLDER, parse_archive, parse_batch


def batch(labels, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), dtype=np.uint8)
    return np.column_stack([np.array(labels, dtype=np.uint8), pixels]).tobytes(), pixels


def test_reads_labels_and_colour_planes():
    data, pixels = batch([3, 9, 0])
    images, labels = parse_batch(data, "batch", records=3)
    assert labels.tolist() == [3, 9, 0]
    assert np.array_equal(images, pixels)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-1], "batch: truncated: 3 images of 3073 bytes are 9219 bytes, the file has 9218"),
        (lambda data: data[:-3073], r"truncated.*\(2 images\)"),
        (lambda data: data + data[:3073], r"too long.*\(4 images\)"),
        (lambda data: b"\x0a" + data[1:], "image 0 has label 10"),
        (lambda data: b"", r"\(0 images\)"),
    ],
)
def test_damaged_batches_are_refused_by_name(change, match):
    with pytest.raises(DataError, match=match):
        parse_batch(change(batch([1, 2, 3])[0]), "batch", records=3)


def test_the_original_has_ten_thousand_images_a_batch():
    with pytest.raises(DataError, match="10000 images of 3073 bytes are 30730000 bytes"):
        parse_batch(batch([1])[0], "batch")


def test_archive_joins_batches_and_names_a_missing_one():
    members = {f"{FOLDER}/one.bin": batch([1])[0], f"{FOLDER}/two.bin": batch([2])[0]}
    images, labels = parse_archive(members, "archive", ("one.bin", "two.bin"), records=1)
    assert images.shape == (2, 3072)
    assert labels.tolist() == [1, 2]
    with pytest.raises(DataError, match=f"archive: holds no {FOLDER}/three.bin"):
        parse_archive(members, "archive", ("one.bin", "three.bin"), records=1)
