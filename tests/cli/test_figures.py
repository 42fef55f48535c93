"""`nonlazy figure` and `nonlazy report` from start to end, with figures of seconds in place of the shipped ones."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nonlazy.cli import _all_figures, _figures
from nonlazy.cli._app import app
from nonlazy.errors import TheoryError
from tests.figures.test_produce import definition


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def invoke(*arguments: str):
    return CliRunner().invoke(app, [*arguments])


def use(monkeypatch, *figures):
    known = {one.name: one for one in figures}
    monkeypatch.setattr(_figures, "FIGURES", known)
    monkeypatch.setattr("nonlazy.figures.FIGURES", known)


def unconverged(runs):
    found = definition().read(runs)
    return replace(found, warnings=("linear: the chains have not converged",))


def impossible(runs):
    raise TheoryError("no such theory")


def test_a_figure_prints_its_table_claims_and_notes(monkeypatch, empty_folder):
    use(monkeypatch, definition(("linear",)))
    result = invoke("figure", "test", "--quick", "--no-progress")
    assert result.exit_code == 0, result.output
    for said in ("Figure test: A test", "quick size, about 1 s", "mean readout, a", "none, it says", "Note: a note",
                 "In all three networks the outputs match", "holds", "nonlazy-figure-test-quick"):  # fmt: skip
        assert said in result.output
    shown = invoke("show", "nonlazy-figure-test-quick")
    assert shown.exit_code == 2 and "nonlazy-figure-test-quick/linear" in " ".join(shown.output.split())
    made = invoke("report", "nonlazy-figure-test-quick")
    assert made.exit_code == 0 and (empty_folder / "nonlazy-figure-test-quick" / "report.html").is_file()


def test_chains_that_disagree_end_with_one(monkeypatch):
    use(monkeypatch, replace(definition(("linear",)), read=unconverged))
    result = invoke("figure", "test", "--no-progress")
    assert result.exit_code == 1
    assert "Warning: linear: the chains have not converged" in result.output


# What a figure's process does here in place of `nonlazy figure NAME`: the figures of this test are not shipped.
PROCESS = """
import os
import sys
from dataclasses import replace
from typer.testing import CliRunner
from nonlazy.cli import _app, _figures
from nonlazy.errors import TheoryError
from tests.cli.test_figures import impossible, unconverged
from tests.figures.test_produce import definition
name = sys.argv[2]
read = {"bad": impossible, "odd": unconverged}.get(name, definition().read)
known = {name: replace(definition(("linear",)), name=name, read=read)}
import nonlazy.figures
nonlazy.figures.FIGURES = _figures.FIGURES = known
_app.app(sys.argv[1:])
"""


def test_all_goes_on_after_a_figure_that_cannot_be_made(monkeypatch, empty_folder):
    known = {name: replace(definition(("linear",)), name=name) for name in ("bad", "odd", "test")}
    known["large"] = replace(definition(("linear",)), name="large", on_request=True)
    monkeypatch.setattr(_all_figures, "FIGURES", known)
    monkeypatch.setattr("nonlazy.figures.FIGURES", known)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]))
    command = _all_figures._command
    monkeypatch.setattr(_all_figures, "_command", lambda *given: [sys.executable, "-c", PROCESS, *command(*given)[3:]])
    result = invoke("figure", "all", "--quick", "--no-progress", "--out", "here", "--draws", "5")
    assert result.exit_code == 1
    assert "no such theory" in result.output and "Figure bad is missing." in result.output
    assert "2 of 3 figures in here" in result.output
    assert "missing: bad; not converged: odd" in result.output
    assert (empty_folder / "here" / "figure-test-quick" / "figure-test-quick.png").is_file()
    assert "# The paper's claims" in (empty_folder / "here" / "claims.md").read_text(encoding="utf-8")
    # Options reach each figure.
    assert "draws = 5" in (empty_folder / "here/figure-test-quick/linear/experiment.toml").read_text(encoding="utf-8")


def test_all_goes_on_with_figures_that_were_begun_and_begins_the_others(tmp_path):
    commands = [_all_figures._command(definition(), True, place, True, []) for place in (tmp_path, tmp_path / "new")]
    assert ["--resume" in command for command in commands] == [True, False]


def test_times_are_said_as_people_say_them():
    assert [_figures.duration(value) for value in (45.0, 100.0, 300.0, 7200.0)] == ["45 s", "2 min", "5 min", "2.0 h"]
