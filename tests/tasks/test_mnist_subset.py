"""The subset of MNIST that the package ships is what its tool makes from the originals."""

import runpy
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from nonlazy.tasks._idx import parse_idx


TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_mnist_subset.py"
SHIPPED = files("nonlazy.tasks") / "data" / "mnist"
NAMES = {
    "train-images-idx3-ubyte.gz": 3,
    "train-labels-idx1-ubyte.gz": 1,
    "t10k-images-idx3-ubyte.gz": 3,
    "t10k-labels-idx1-ubyte.gz": 1,
}


def shipped(name):
    return parse_idx((SHIPPED / name).read_bytes(), name, NAMES[name])


def test_sizes():
    for part in ("train", "t10k"):
        assert shipped(f"{part}-images-idx3-ubyte.gz").shape == (1500, 28, 28)
        assert np.bincount(shipped(f"{part}-labels-idx1-ubyte.gz")).tolist() == [500, 500, 500]
    assert sum(len((SHIPPED / name).read_bytes()) for name in NAMES) < 550_000


def test_provenance_and_licence_lie_beside_it():
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    assert "LeCun" in text
    assert "ShareAlike 3.0" in text


def test_no_training_image_is_a_test_image():
    train, test = ({image.tobytes() for image in shipped(f"{part}-images-idx3-ubyte.gz")} for part in ("train", "t10k"))
    assert not train & test


def test_made_from_the_originals(real_data, tmp_path, monkeypatch, capsys):
    if not TOOL.is_file():
        pytest.skip(f"needs the repository's {TOOL.name}")
    monkeypatch.setattr("sys.argv", [str(TOOL), str(real_data / "mnist"), "--out", str(tmp_path)])
    runpy.run_path(str(TOOL), run_name="__main__")
    for name, dimensions in NAMES.items():
        assert np.array_equal(parse_idx((tmp_path / name).read_bytes(), name, dimensions), shipped(name))
    assert "1500 of digits (0, 1, 2)" in capsys.readouterr().out
