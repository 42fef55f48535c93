"""`nonlazy sweep` as somebody types it, with mistakes."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from nonlazy import sweeps
from nonlazy.cli._app import app
from nonlazy.figures import RUN
from tests.sweeps.conftest import write_files


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    write_files(tmp_path)
    return tmp_path


def invoke(*arguments):
    result = CliRunner().invoke(app, ["sweep", *arguments])
    assert "Traceback" not in result.output
    return result.exit_code, " ".join(result.output.split())


def test_without_a_name_it_lists_the_sweeps():
    code, said = invoke()
    assert code == 0 and all(name in said for name in sweeps.names())


def test_a_printed_sweep_can_be_read(here):
    result = CliRunner().invoke(app, ["sweep", "--print", "phase-diagram"])
    (here / "mine.toml").write_text(result.output, encoding="utf-8")
    assert sweeps.load("mine.toml") == sweeps.load("phase-diagram")


def test_a_dry_run_lists_the_points_and_makes_nothing(here):
    code, said = invoke("two.toml", "--dry-run", "--points", "1")
    assert code == 0 and "1: temperature=0.1" in said and "0: temperature" not in said and "1 can be run" in said
    assert {path.name for path in here.iterdir()} == {"tiny.toml", "two.toml"}


def test_a_point_that_fails_is_listed_and_the_status_says_so(made, here):
    """The other point is done, and is not run again; what failed is tried again by the same command."""
    folder = here / "nonlazy-sweep-two"
    shutil.copytree(made.folder, folder)
    point = folder / "temperature=0.1"
    shutil.rmtree(point)
    point.mkdir()
    # No run can be laid out here, which nothing tells beforehand.
    (point / RUN).write_text("in the way", encoding="utf-8")
    code, said = invoke("two.toml", "--no-progress", "--show", "loss")
    assert code == 1
    assert "1 point to run" in said and "1 done already" in said and "1 of 2 points done" in said
    assert "failed: temperature=0.1" in said and RUN in said and "not converged: temperature=0.01 (one chain)" in said
    assert "In nonlazy-sweep-two: " in said and (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((point / "point.json").read_text(encoding="utf-8"))["state"] == "failed"
    result = sweeps.open_sweep(folder)
    assert list(result.data["points/state"].values) == ["done", "failed"] and bool(result["loss"].isnull()[1])
    assert float(result["loss"][0]) == float(made["loss"][0])


def test_gathering_runs_nothing(made, here):
    shutil.copytree(made.folder, "elsewhere")
    code, said = invoke("elsewhere", "--gather", "--show", "sum_a2")
    # One chain can agree with no other.
    assert code == 1 and "2 of 2 points done" in said and (here / "elsewhere" / "sum-a2.png").exists()
    assert invoke("two.toml", "--gather")[0] == 2
    assert invoke("elsewhere", "--gather", "--show", "accuracy")[1].startswith("Error: no point has 'accuracy'")


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nonlazy.sweeps.sweep", interrupted)
    code, said = invoke("two.toml")
    assert code == 130 and "the same command goes on from there" in said
    assert "the same command without --overwrite goes on" in invoke("two.toml", "--overwrite")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["phase"], "did you mean 'phase-diagram'?"),
        (["tiny.toml"], "is an experiment, not a sweep"),
        (["none.toml"], "there is no file none.toml"),
        (["two.toml", "--points", "2"], "there is no point 2"),
        (["two.toml", "--jobs", "0"], "--jobs is 0"),
        (["two.toml", "--show", "los"], "did you mean 'loss'?"),
        (["two.toml", "--gather", "--jobs", "1"], "leave out --jobs"),
        (["two.toml", "--points", "0", "--show", "loss"], "give it to --gather"),
        (["two.toml", "--resume", "--overwrite"], "choose one of the two"),
        (["two.toml", "--resume"], "holds no sweep to go on with"),
        (["two.toml", "--cluster", "tcp://127.0.0.1:1", "--jobs", "1"], "--jobs is for this machine"),
        (["two.toml", "--quick"], "has no [quick] table"),
        (["--print", "phase"], "did you mean 'phase-diagram'?"),
    ],
)
def test_mistakes_are_refused_with_what_would_be_right(here, arguments, said):
    code, output = invoke(*arguments)
    assert code == 2 and said in output
    assert {path.name for path in here.iterdir()} == {"tiny.toml", "two.toml"}
