"""Pictures on disk: the same bytes every time, whole or not at all; and what importing costs."""

import subprocess
import sys

import pytest
from matplotlib.figure import Figure

from nonlazy import plots
from nonlazy.errors import StoreError


def picture():
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2, 3])
    return figure


def test_same_figure_same_bytes(tmp_path):
    first = [path.read_bytes() for path in plots.save(picture(), tmp_path / "deep" / "one")]
    paths = plots.save(picture(), tmp_path / "two.v1")
    assert [path.name for path in paths] == ["two.v1.png", "two.v1.pdf"]
    assert [path.read_bytes() for path in paths] == first
    assert first[0].startswith(b"\x89PNG") and first[1].startswith(b"%PDF")
    assert b"CreationDate" not in first[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "two.v1.pdf", "two.v1.png"]


def test_failure_leaves_the_older_picture(tmp_path):
    png, _ = plots.save(picture(), tmp_path / "one")
    before = png.read_bytes()

    class Broken:
        def savefig(self, file, **_):
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"cannot write .*one\.png: No space left on device"):
        plots.save(Broken(), tmp_path / "one")
    assert png.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        plots.save(picture(), tmp_path / "file" / "one")


def test_import_loads_neither_matplotlib_nor_jax_and_drawing_no_pyplot():
    code = (
        "import sys, numpy as np; from nonlazy import codes, plots;"
        "assert not {'matplotlib', 'jax', 'rich'} & set(sys.modules), 'import';"
        "rng = np.random.default_rng(0); y = np.arange(40) % 2; F = rng.normal(size=(20, 40)) + 3 * (y == 1);"
        "s = codes.detect(F, y); f = np.eye(2)[y];"
        "plots.layer(None, rng.normal(size=(20, 2)), F, y, f, f, s);"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
