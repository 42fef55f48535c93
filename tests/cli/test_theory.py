"""`nonlazy theory`."""

import pytest
from typer.testing import CliRunner

from nonlazy.cli._app import app
from nonlazy.cli._theory import parsed_fractions
from nonlazy.errors import InvalidInput


def call(*arguments):
    return CliRunner().invoke(app, ["theory", *arguments])


def test_prints_and_writes(tmp_path):
    result = call("figure2-linear", "--out", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert "readout covariance U" in result.output and "Solved in" in result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "theory.png", "theory.pdf", "theory.zarr", "theory.json"
    }  # fmt: skip


def test_writes_nothing_where_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("figure2-linear", "--no-files").exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_refusals_leave_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (("figure2-linear", "--limit"), ("figure2-linear", "--fractions", "1-0-0=1"), ("nothing",)):
        assert call(*arguments).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_fractions():
    assert parsed_fractions(None) is None
    assert parsed_fractions("1-1-0=.4, 0-1-1=0.6") == {(1, 1, 0): 0.4, (0, 1, 1): 0.6}
    for text in ("1-1-0", "1-2-0=.4", "1-1-0=a", "=1", "1-1-0=.4,,", "1-1-0=nan"):
        with pytest.raises(InvalidInput, match="write a code and its share"):
            parsed_fractions(text)
    with pytest.raises(InvalidInput, match="twice"):
        parsed_fractions("1-0=0.5,1-0=0.5")
