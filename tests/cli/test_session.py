"""`nonlazy run`, `figure` and `show` from start to end, at a size of seconds."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from nonlazy.cli._app import app
from nonlazy.sampling import open_run


TINY = """
[experiment]
name = "tiny"
title = "A tiny network"

[task]
kind = "mnist"
P = 12
P_test = 20
source = "embedded"

[network]
width = 16

[posterior]
temperature = 1e-2

[sampling]
chains = 2
draws = 12
warmup = 20
chain_method = "sequential"
"""


def invoke(*arguments: str):
    return CliRunner().invoke(app, [*arguments])


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """A folder in which `nonlazy run tiny.toml` was run, and its result."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "tiny.toml").write_text(TINY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "100")
        return folder, invoke("run", "tiny.toml", "--no-progress")


@pytest.fixture
def here(sampled, monkeypatch):
    monkeypatch.chdir(sampled[0])
    monkeypatch.setenv("COLUMNS", "100")
    return sampled[0]


def test_a_run_leaves_picture_numbers_samples_and_experiment(sampled):
    folder, result = sampled
    results = folder / "nonlazy-tiny"
    assert "Traceback" not in result.output, result.output
    written = {path.name for path in results.iterdir()}
    pictures = {f"{name}.{kind}" for name in ("tiny", "tiny-theory") for kind in ("png", "pdf")}
    assert written == {*pictures, "tiny.json", "run.zarr", "experiment.toml"}
    assert (results / "tiny.png").read_bytes().startswith(b"\x89PNG")
    assert (results / "tiny.pdf").read_bytes().startswith(b"%PDF")
    assert all(name in result.output for name in ("Coding scheme", "Outputs", "test inputs", "R-hat"))


def test_the_exit_status_is_the_verdict_on_the_chains(sampled):
    folder, result = sampled
    found = json.loads((folder / "nonlazy-tiny" / "tiny.json").read_text(encoding="utf-8"))
    assert result.exit_code == (0 if found["diagnostics"]["converged"] else 1)
    # Twelve draws a chain are fewer than the fifty that a Monte Carlo error wants.
    assert found["diagnostics"]["warnings"]


def test_the_numbers_are_consistent(sampled):
    folder, _ = sampled
    found = json.loads((folder / "nonlazy-tiny" / "tiny.json").read_text(encoding="utf-8"))
    assert sum(row["neurons"] for row in found["codes"]) == 16
    assert sum(row["inputs"] for row in found["outputs"]) == 12
    assert found["test"]["inputs"] == 20 and len(found["test"]["total"]) == 3
    assert (found["chains"], found["draws"], found["complete"]) == (2, 12, True)


def test_the_written_experiment_is_the_one_that_ran(here):
    from nonlazy import experiments

    assert experiments.load("nonlazy-tiny/experiment.toml") == experiments.load("tiny.toml")


def test_a_complete_run_is_not_sampled_again(sampled, here):
    before = open_run("nonlazy-tiny/run.zarr").provenance["started"]
    result = invoke("run", "tiny.toml", "--no-progress", "--resume")
    assert result.exit_code == sampled[1].exit_code
    assert open_run("nonlazy-tiny/run.zarr").provenance["started"] == before


def test_another_experiment_in_the_folder_is_refused(here):
    result = invoke("run", "tiny.toml", "--no-progress", "--seed", "5")
    assert result.exit_code == 2
    assert "seed" in result.output and "Traceback" not in result.output
    assert open_run("nonlazy-tiny/run.zarr").provenance["seed"] == 0


def test_resume_insists_on_a_run(here):
    result = invoke("run", "tiny.toml", "--no-progress", "--resume", "--out", "elsewhere")
    assert result.exit_code == 2
    assert "no run to resume" in " ".join(result.output.split())
    assert not (here / "elsewhere").exists()


def test_overwrite_starts_afresh(here):
    shutil.copytree("nonlazy-tiny", "copy")
    result = invoke("run", "tiny.toml", "--no-progress", "--seed", "5", "--draws", "4", "--overwrite", "--out", "copy")
    assert result.exit_code in (0, 1), result.output
    run = open_run("copy/run.zarr")
    assert (run.provenance["seed"], run.draws) == (5, 4)


def test_show_tells_what_a_run_holds(sampled, here):
    for path in ("nonlazy-tiny/run.zarr", "nonlazy-tiny"):
        result = invoke("show", path)
        assert result.exit_code == sampled[1].exit_code, result.output
        text = " ".join(result.output.split())
        assert "2 chains of 12 draws, complete" in text and "seed 0" in text and "tiny.png" in text
        assert "Coding scheme" in text and "R-hat" in text


def test_show_draws_elsewhere_when_asked(here):
    invoke("show", "nonlazy-tiny/run.zarr", "--out", "pictures")
    assert {path.suffix for path in (here / "pictures").iterdir()} == {".png", ".pdf", ".json"}


def test_show_refuses_a_file_as_folder_before_it_prints_anything(here):
    result = invoke("show", "nonlazy-tiny", "--out", "tiny.toml")
    assert result.exit_code == 2
    assert "tiny.toml is a file: give a folder" in result.output and "Coding scheme" not in result.output


def test_show_says_that_a_run_is_a_folder(here):
    assert "tiny.toml is a file: give a run, which is a folder" in " ".join(invoke("show", "tiny.toml").output.split())


def test_show_refuses_what_is_no_run(here):
    for path in ("tiny.toml", "."):
        result = invoke("show", path)
        assert result.exit_code == 2 and "Traceback" not in result.output


@pytest.mark.parametrize(
    ("options", "expected"),
    [((), "the same command goes on"), (("--overwrite",), "the same command without --overwrite goes on")],
)
def test_an_interrupted_overwrite_is_not_to_be_repeated(tmp_path, monkeypatch, options, expected):
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def interrupted(experiment, folder, **arguments):
        (folder / "run.zarr").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("nonlazy.cli._session.sample_experiment", interrupted)
    result = invoke("run", "tiny.toml", *options)
    assert result.exit_code == 130
    assert expected in " ".join(result.output.split())


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_says_how_to_go_on_and_keeps_what_was_drawn(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    command = [sys.executable, "-c", "from nonlazy.cli import main; main()"]
    long = ["run", "tiny.toml", "--no-progress", "--draws", "100000", "--chains", "1"]
    process = subprocess.Popen([*command, *long], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    store = tmp_path / "nonlazy-tiny" / "run.zarr"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (store.exists() and _draws(store)):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in said and "goes on from there" in said and "Traceback" not in said
    kept = _draws(store)
    assert kept > 0
    shown = subprocess.run([*command, "show", "nonlazy-tiny"], cwd=tmp_path, capture_output=True, text=True)
    assert f"interrupted: {kept} of 100000 draws" in " ".join(shown.stdout.split()), shown.stderr
    assert shown.returncode == 1


def _draws(store) -> int:
    from nonlazy.errors import StoreError

    try:
        return open_run(store).draws
    except StoreError:
        return 0
