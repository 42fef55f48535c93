"""`nonlazy sweep` as somebody types it, with mistakes."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from nonlazy import sweeps
from nonlazy.cli._app import app
from nonlazy.figures import RUN
from tests.figures.pages.test_page import Parsed
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
    copy, shipped = sweeps.load("mine.toml"), sweeps.load("phase-diagram")
    # Its results must not end up in the folder of the shipped one.
    assert (copy.name, shipped.name) == ("mine", "phase-diagram") and replace(copy, name=shipped.name) == shipped
    assert "Results: nonlazy-sweep-mine" in invoke("mine.toml", "--dry-run", "--points", "0")[1]


def test_a_dry_run_lists_the_points_and_makes_nothing(here):
    code, said = invoke("two.toml", "--dry-run", "--points", "1")
    assert code == 0 and "1: temperature=0.1" in said and "0: temperature" not in said and "It can be run" in said
    assert "1 point to run on this machine, 1 at a time" in said and "Results: nonlazy-sweep-two" in said
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
    said = invoke("elsewhere", "--gather", "--show", "accuracy")[1]
    assert said.startswith("Error: no point has 'accuracy': accuracy needs test inputs")
    shutil.rmtree(here / "elsewhere" / "temperature=0.1")
    code, said = invoke("elsewhere", "--gather")
    assert code == 1 and "1 of 2 points done, 1 not begun; nonlazy sweep elsewhere goes on with the others" in said
    said = invoke("two.toml", "--gather", "--out", "elsewhere")[1]
    assert "nonlazy sweep two.toml --out elsewhere goes on with the others" in said


def test_a_torn_experiment_of_a_point_is_no_obstacle(made, here):
    shutil.copytree(made.folder, here / "elsewhere")
    (here / "elsewhere" / "temperature=0.1" / "experiment.toml").write_text("", encoding="utf-8")
    code, said = invoke("two.toml", "--out", "elsewhere", "--dry-run")
    assert code == 0 and "1: temperature=0.1 (done)" in said


def test_points_alone_say_how_to_gather_them(made, here):
    shutil.copytree(made.folder, here / "elsewhere")
    code, said = invoke("two.toml", "--point", "1", "--out", "elsewhere")
    assert code == 1 and "1 of 1 points done." in said
    assert "Nothing was gathered: nonlazy sweep two.toml --out elsewhere --gather does that" in said


def test_a_dry_run_says_what_the_run_would_say(made, here):
    """Of the folder, whether it is taken, and which points are done."""
    folder = here / "nonlazy-sweep-two"
    shutil.copytree(made.folder, folder)
    shutil.rmtree(folder / "temperature=0.1")
    code, said = invoke("two.toml", "--dry-run")
    assert code == 0 and "0: temperature=0.01 (done)" in said and "1 point to run" in said and "1 done already" in said
    assert not (folder / "temperature=0.1").exists()
    assert "2 points to run" in invoke("two.toml", "--dry-run", "--overwrite")[1]
    write_files(here, draws="9")
    for arguments in ([], ["--dry-run"]):
        assert "[sampling] draws is 8 there and 9 here" in invoke("two.toml", "--no-progress", *arguments)[1]
    (here / "letters").mkdir()
    (here / "letters" / "one.txt").touch()
    refusals = [
        (["--out", "letters"], "holds other files, and no sweep"),
        (["--out", "two.toml"], "is a file"),
        (["--jobs", "1000", "--out", "new"], "--jobs is 1000"),
        (["--show", "los"], "did you mean 'loss'?"),
        (["--resume", "--out", "new"], "holds no sweep to go on with"),
        (["--cluster", "tcp://127.0.0.1:1", "--scheduler-file", "x"], "both name a scheduler"),
        (["--scheduler-file", "x", "--out", "new"], "no scheduler file x"),
    ]
    for arguments, expected in refusals:
        code, said = invoke("two.toml", "--dry-run", *arguments)
        assert code == 2 and expected in said
    assert not (here / "new").exists() and len(list((here / "letters").iterdir())) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_a_dry_run_says_that_another_sweep_is_at_the_folder(made, here):
    shutil.copytree(made.folder, here / "nonlazy-sweep-two")
    hold = "import fcntl, sys; f = open(sys.argv[1], 'a+b'); fcntl.lockf(f, fcntl.LOCK_EX); print(); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", hold, "nonlazy-sweep-two/.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout.readline()
        assert invoke("two.toml", "--dry-run")[1].startswith("Error: another sweep is running in")
        process.kill()
        process.wait()
    assert invoke("two.toml", "--dry-run")[0] == 0


def test_a_folder_with_a_shipped_name_is_named_with_its_path(made, here):
    shutil.copytree(made.folder, "width")
    code, said = invoke("width", "--dry-run", "--points", "0")
    assert code == 0 and "width is the sweep that nonlazy ships" in said and "./width" in said
    assert "0: width=25,P=25,N0=26" in said or "width=25" in said
    code, said = invoke("width", "--gather")
    assert code == 2 and "nonlazy-sweep-width holds no sweep" in said
    code, said = invoke("./width", "--gather", "--show", "loss")
    assert code == 1 and "2 of 2 points done" in said and (here / "width" / "loss.png").exists()


def test_the_report_of_a_sweep_is_one_page(made, here):
    shutil.copytree(made.folder, "results")
    shutil.rmtree("results/temperature=0.1/run.zarr")
    (here / "results" / "temperature=0.1" / "point.json").write_text(json.dumps(
        {**vars(made.records[1]), "state": "failed", "error": "out <of> luck", "found": {}, "seconds": 1.0}
    ), encoding="utf-8")  # fmt: skip
    result = CliRunner().invoke(app, ["report", "results"])
    assert result.exit_code == 0 and "report.html" in result.output
    text = (here / "results" / "report.html").read_text(encoding="utf-8")
    found = Parsed(text)
    # The shares of the codes, which is what the sweep draws.
    assert not found.open and not found.links and found.pictures == 1
    for said in ("Two temperatures", "1 of 2 points done, 1 failed, 1 not converged", "posterior.temperature",
                 "out <of> luck", "temperature=0.01", "theory: fraction[", "theory certified",
                 "nonlazy sweep sweep.toml", "width = 16",
                 made.run(0).provenance["versions"]["nonlazy"]):  # fmt: skip
        assert said in found.text
    assert CliRunner().invoke(app, ["report", "results", "--out", "page.html"]).exit_code == 0
    assert (here / "page.html").read_text(encoding="utf-8") == text
    assert CliRunner().invoke(app, ["report", "results", "--out", "results"]).exit_code == 2


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nonlazy.sweeps.sweep", interrupted)
    code, said = invoke("two.toml")
    assert code == 130 and "the same command goes on from there" in said
    assert "the same command without --overwrite goes on" in invoke("two.toml", "--overwrite")[1]
    assert "0 of 2 points done, 0 begun, 2 to do" in said


def test_what_is_done_and_begun_is_counted_after_ctrl_c(made, here, monkeypatch):
    shutil.copytree(made.folder, "nonlazy-sweep-two")
    (here / "nonlazy-sweep-two" / "temperature=0.1" / "point.json").unlink()
    assert "1: temperature=0.1 (begun)" in invoke("two.toml", "--dry-run")[1]

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nonlazy.sweeps.sweep", interrupted)
    assert "Interrupted: 1 of 2 points done, 1 begun, 0 to do." in invoke("two.toml")[1]
    assert "Interrupted: 0 of 1 points done, 1 begun, 0 to do." in invoke("two.toml", "--points", "1")[1]


def test_a_refusal_has_no_title_before_it():
    assert invoke("two.toml", "--show", "accuracy")[1].startswith("Error: --show: accuracy needs test inputs")


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
        (["two.toml", "--gather", "--cluster", "tcp://x:1"], "leave out --cluster"),
        (["two.toml", "--gather", "--scheduler-file", "x.json"], "leave out --scheduler-file"),
        (["two.toml", "--gather", "--points", "0"], "leave out --points"),
        (["two.toml", "--gather", "--retries", "1"], "leave out --retries"),
        (["two.toml", "--gather", "--resume"], "leave out --resume"),
        (["two.toml", "--gather", "--overwrite"], "leave out --overwrite"),
        (["two.toml", "--gather", "--dry-run"], "leave out --dry-run"),
        (["two.toml", "--gather", "--no-progress"], "leave out --no-progress"),
        (["two.toml", "--retries", "-1"], "--retries is -1"),
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
