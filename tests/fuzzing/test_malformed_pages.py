"""Damaged JSON of figures and damaged pictures: a page or an error, and nothing from outside of the folder on it."""

import io
import json

import pytest
from hypothesis import given, strategies as st
from PIL import Image
from typer.testing import CliRunner

from nonlazy.cli._app import app
from nonlazy.errors import StoreError
from nonlazy.figures.claims import CLAIMS
from nonlazy.figures.claims._page import claims_page, gather
from nonlazy.figures.pages import page, write_page
from tests.fuzzing.mutations import FEW, changed, damaged, outcome


_CLAIM = CLAIMS[0]
_CRITERION = _CLAIM.criteria[0]
GOOD = {
    "figure": _CLAIM.figure,
    "title": "Codes",
    "quick": True,
    "command": "nonlazy figure 2 --quick",
    "table": [
        {
            "experiment": "one",
            "quantity": "a",
            "theory": 1.0,
            "samples": 1.1,
            "error": 0.1,
            "deviation": 1,
            "paper": None,
        }
    ],
    "claims": [
        {
            "claim": _CLAIM.number,
            "key": _CRITERION.key,
            "statistic": _CRITERION.statistic,
            "criterion": str(_CRITERION),
            "value": 0.5,
            "holds": True,
        }
    ],
    "notes": ["a note"],
    "warnings": ["a warning"],
    "posteriors": {"one": "sigmoid network"},
    "provenance": {"one": {"versions": {"python": "3"}, "seed": 0, "list": [1, [2]]}},
}


def png():
    stream = io.BytesIO()
    Image.new("RGB", (20, 10)).save(stream, "PNG")
    return stream.getvalue()


PNG = png()


@pytest.fixture
def folder(tmp_path):
    """A figure's folder, beside one whose text must not get onto the page."""
    folder = tmp_path / "figure"
    for name, text in (("figure/one", "mine = 1"), ("secret", "SECRET")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "experiment.toml").write_text(text)
    (tmp_path / "experiment.toml").write_text("SECRET")
    (folder / "figure-2.png").write_bytes(PNG)
    return folder


def write(folder, numbers):
    (folder / "figure-2.json").write_text(numbers if isinstance(numbers, str) else json.dumps(numbers))


def read(folder):
    assert "SECRET" not in write_page(folder).read_text(encoding="utf-8")


def test_the_undamaged_page_is_made(folder):
    write(folder, GOOD)
    assert "mine = 1" in page(folder) and "a note" in page(folder)
    assert _CLAIM.statement in claims_page(gather(folder))


@FEW
@given(data=st.data())
def test_other_values(folder, data):
    write(folder, data.draw(changed(GOOD)))
    outcome(lambda: read(folder))
    outcome(lambda: claims_page(gather(folder)))


@FEW
@given(data=st.data())
def test_damaged_bytes(folder, data):
    (folder / "figure-2.json").write_bytes(data.draw(damaged(json.dumps(GOOD).encode())))
    outcome(lambda: read(folder))
    outcome(lambda: claims_page(gather(folder)))


@FEW
@given(data=st.data())
def test_damaged_pictures(folder, data):
    write(folder, GOOD)
    (folder / "figure-2.png").write_bytes(data.draw(damaged(PNG)))
    outcome(lambda: read(folder))


@pytest.mark.parametrize("name", ["../secret", "..", "", "one/../../secret", "a\\b"])
def test_names_of_experiments_lead_nowhere_else(folder, name):
    write(folder, GOOD | {"posteriors": {name: "text"}})
    with pytest.raises(StoreError, match="no name of an experiment"):
        page(folder)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({name: value for name, value in GOOD.items() if name != "title"}, "no 'title'"),
        (GOOD | {"table": [{"quantity": "a"}]}, "row 1 of table has no 'experiment'"),
        (GOOD | {"claims": [3]}, "row 1 of claims is int"),
        (GOOD | {"provenance": {"one": 3}}, "provenance of one"),
        ("[" * 100_000, "cannot be read"),
        (json.dumps(GOOD)[:-200], "cannot be read"),
    ],
    ids=["key", "column", "row", "kind", "nested", "cut"],
)
def test_the_command_says_what_is_wrong(folder, numbers, said):
    write(folder, numbers)
    result = CliRunner().invoke(app, ["report", str(folder)])
    text = " ".join((result.output + result.stderr).split())
    assert result.exit_code == 2 and said in text, text
    assert "Traceback" not in text and "bug" not in text
