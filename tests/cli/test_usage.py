"""The command line as somebody meets it who has just installed nonlazy: help, lists, and mistakes."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from nonlazy import experiments
from nonlazy.cli._app import app
from nonlazy.figures import FIGURES


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A terminal of known width, without colours, so that messages are not broken at odd places.
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def refused(*arguments: str) -> str:
    """The message of a command that must be refused with status 2, in one paragraph."""
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("command", ["figure", "run", "show", "codes", "experiments"])
def test_every_command_has_help_with_examples(command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.output and f"nonlazy {command}" in result.output


def test_the_first_page_says_where_to_start_and_what_the_exit_status_means():
    output = invoke("--help").output
    assert "nonlazy figure 2" in output and "Exit status" in output


def test_experiments_are_listed_and_printed():
    listed = invoke("experiments").output
    assert all(name in listed for name in experiments.names())
    assert invoke("experiments", "--show", "mnist").output == experiments.text("mnist")


def test_figures_are_listed_with_the_time_that_they_take():
    result = invoke("figure")
    assert result.exit_code == 0
    for name, one in FIGURES.items():
        assert any(line.split()[:1] == [name] and one.title[:10] in line for line in result.output.splitlines())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("figure", "9"), "figure '9' is not one that this version draws: 1, 2"),
        (("figure", "equilibrium", "--activation", "relu"), "--activation is of figure 2, not of equilibrium"),
        (("figure", "1", "--resume"), "nonlazy-figure-1 holds no run of this figure to go on with"),
        (("figure", "2", "--activation", "gelu"), "no activation 'gelu': choose one of sigmoid, linear, relu"),
        (("figure", "2", "--draws", "0"), "[sampling] draws is 0: it must be 1 or more"),
        (("figure", "2", "--draws", "many"), "Invalid value for '--draws'"),
        (("figure", "2", "--resume", "--overwrite"), "choose one of the two"),
        (("run", "nist"), "experiment 'nist' is not known: did you mean 'mnist'?"),
        (("run", "none.toml"), "there is no file none.toml"),
        (("show", "none.zarr"), "none.zarr"),
        (("experiments", "--show", "minst"), "did you mean 'mnist'?"),
        (("codes", "none.npz"), "there is no file none.npz"),
        (("codes",), "Usage"),
        (("figur", "2"), "No such command 'figur'"),
    ],
)
def test_mistakes_are_explained(arguments, expected):
    assert expected in refused(*arguments)


def test_typos_in_a_file_are_explained(empty_folder):
    text = experiments.text("mnist").replace("width = 100 ", "widht = 100 ").replace("1e-3", "-1")
    (empty_folder / "mine.toml").write_text(text, encoding="utf-8")
    message = refused("run", "mine.toml")
    assert "key 'widht' is not known: did you mean 'width'?" in message
    assert "temperature is -1: it must be 0 or more" in message


@pytest.mark.parametrize("command", [("figure", "2"), ("run", "mnist")])
def test_an_out_folder_that_is_a_file_is_refused(empty_folder, command):
    (empty_folder / "taken").write_text("", encoding="utf-8")
    assert "taken is a file: give a folder" in refused(*command, "--out", "taken")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("Unable to allocate 7 TiB"), "memory of this machine does not suffice (Unable to allocate 7 TiB)"),
        (MemoryError(), "memory of this machine does not suffice: ask for fewer"),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), "a/b: Permission denied"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a" * 5000), f"...{'a' * 100}: File name too long"),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot be written: No space left on device; free some"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_the_machine_refuses_is_no_bug(error, said, monkeypatch):
    def load(name):
        raise error

    monkeypatch.setattr(experiments, "load", load)
    message = refused("run", "mnist")
    assert said in message and "bug" not in message


def test_other_errors_are_bugs(monkeypatch):
    def load(name):
        raise OSError("without a file")

    monkeypatch.setattr(experiments, "load", load)
    result = invoke("run", "mnist")
    assert result.exit_code == 3 and "This is a bug in nonlazy" in result.output


@pytest.mark.parametrize("command", ["run", "sweep", "codes", "show", "report"])
@pytest.mark.parametrize("ending", ["", ".toml", ".npz"])
def test_names_too_long_for_a_file_are_shortened(command, ending):
    message = refused(command, "a" * 5000 + ending)
    assert "aaa..." in message and len(message) < 1000


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_homes_of_nobody(command, empty_folder):
    assert "~nosuchuser/x.toml: there is no user of this name" in refused(command, "~nosuchuser/x.toml")
    task = '[task]\nkind = "npz"\npath = "~nosuchuser/x.npz"\n'
    rest = '[experiment]\nname = "a"\n[network]\nwidth = 4\n[posterior]\ntemperature = 0.1\n'
    (empty_folder / "mine.toml").write_text(rest + task, encoding="utf-8")
    (empty_folder / "sweep.toml").write_text(
        'experiment = "mine.toml"\n[grid]\nsampling.seed = [1, 2]\n', encoding="utf-8"
    )
    name = "mine.toml" if command == "run" else "./sweep.toml"
    assert "~nosuchuser/x.npz: there is no user of this name" in refused(command, name)


def test_debug_adds_the_traceback():
    result = invoke("run", "nist", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.output and "experiment 'nist' is not known" in result.output


def layer(folder, **arrays):
    """A layer of 60 neurons in the codes 1-1-0, 1-0-1 and 0-1-1, as a file."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 30)
    codes = np.tile([[1, 1, 0], [1, 0, 1], [0, 1, 1]], (20, 1))
    activations = np.clip(0.1 + 0.8 * codes[:, labels] + 0.05 * generator.standard_normal((60, 90)), 0, 1)
    np.savez(folder / "layer.npz", **{"activations": activations, "labels": labels, **arrays})


def test_codes_of_a_file(empty_folder):
    layer(empty_folder)
    result = invoke("codes", "layer.npz", "--activation", "sigmoid")
    assert result.exit_code == 0
    assert all(text in result.output for text in ("redundant", "1-1-0", "1-0-1", "0-1-1"))


def test_codes_as_json(empty_folder):
    layer(empty_folder)
    found = json.loads(invoke("codes", "layer.npz", "--activation", "sigmoid", "--json").output)
    assert found["kind"] == "redundant"
    assert {row["code"]: row["neurons"] for row in found["codes"]} == {"1-1-0": 20, "1-0-1": 20, "0-1-1": 20}
    assert len(found["neuron_codes"]) == 60


def test_files_without_codes_are_explained(empty_folder):
    np.savez(empty_folder / "other.npz", phi=np.eye(3), labels=np.arange(3))
    assert "holds no activations; its arrays are phi, labels" in refused("codes", "other.npz")
    (empty_folder / "text.npz").write_text("no archive", encoding="utf-8")
    assert "text.npz is not a .npz file" in refused("codes", "text.npz")
    layer(empty_folder, labels=np.arange(5))
    assert "Error" in refused("codes", "layer.npz")
    (empty_folder / "broken.npz").write_bytes((empty_folder / "other.npz").read_bytes()[:-30])
    assert "broken.npz" in refused("codes", "broken.npz")


def test_the_installed_command_prints_its_version():
    done = subprocess.run(
        [sys.executable, "-c", "from nonlazy.cli import main; main()", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("nonlazy ")


def test_importing_nonlazy_and_asking_for_help_bring_no_heavy_modules():
    heavy = "jax, matplotlib, scipy, xarray, zarr, pydantic, numpy, PIL, pooch".split(", ")
    program = (
        "import sys, nonlazy\n"
        "from typer.testing import CliRunner\n"
        "from nonlazy.cli._app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
