"""Shipped experiments and files of one's own: what is read, and what is said where it cannot be."""

from pathlib import Path

import numpy as np
import pytest

from nonlazy import experiments
from nonlazy.errors import DataError, InvalidInput


MINIMAL = """
[experiment]
name = "mine"

[task]
kind = "toy"
P = 10
N0 = 12

[network]
width = 10

[posterior]
temperature = 1e-2
"""


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# The package brings digits along, and no photographs.
_NEEDS_PHOTOGRAPHS = {name for name in experiments.names() if experiments.load(name).task.kind == "cifar10"}


def test_the_experiments_of_the_readme_are_shipped():
    assert {"equilibrium", "figure2-linear", "figure2-relu", "figure2-sigmoid", "mnist"} <= set(experiments.names())


@pytest.mark.parametrize("name", experiments.names())
def test_every_shipped_experiment_builds_and_is_named_as_its_file(name):
    experiment = experiments.load(name)
    assert experiment.name == name
    small = experiment.quick()
    assert small.network.width < experiment.network.width
    assert small.name == f"{name}-quick" and "quick" in small.about.title
    if name not in _NEEDS_PHOTOGRAPHS:
        assert small.build().network.width == small.network.width


@pytest.mark.parametrize(
    ("name", "P", "N0", "y_minus", "temperature"),
    [
        ("figure2-sigmoid", 500, 520, 0.5, 1e-3),
        ("figure2-linear", 200, 220, 0.0, 1e-3),
        ("figure2-relu", 500, 520, -0.5, 1e-2),
        ("mnist", 100, 784, -0.5, 1e-3),
    ],
)
def test_shipped_experiments_have_the_papers_parameters(name, P, N0, y_minus, temperature):
    posterior = experiments.load(name).build()
    task = posterior.task
    assert (task.P, task.N0, task.m, posterior.network.width, posterior.network.depth) == (P, N0, 3, P, 1)
    assert (task.Y.min(), task.Y.max()) == (y_minus, 1.0)
    assert posterior.temperature == temperature
    assert posterior.sigma_a2 == 1 / P
    if name == "mnist":
        assert task.X_test is not None and task.X_test.shape == (1000, 784)
    else:
        assert (np.bincount(task.labels) == [P // 2, P // 4, P // 4]).all()


def test_sampling_defaults_are_two_chains_of_200_draws():
    sampling = experiments.load("figure2-sigmoid").sampling
    assert (sampling.chains, sampling.draws) == (2, 200)


def test_an_experiment_survives_toml(tmp_path):
    for name in experiments.names():
        experiment = experiments.load(name)
        assert experiments.load(write(tmp_path, experiment.to_toml())) == experiment


def test_the_printed_toml_is_the_shipped_file(tmp_path):
    assert experiments.load(write(tmp_path, experiments.text("mnist"))) == experiments.load("mnist")


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    folder = tmp_path / "somewhere"
    folder.mkdir()
    np.savez(folder / "data.npz", X=np.eye(4), labels=np.array([0, 1, 0, 1]))
    text = MINIMAL.replace('kind = "toy"\nP = 10\nN0 = 12', 'kind = "npz"\npath = "data.npz"\ny_minus = -1')
    path = write(folder, text)
    monkeypatch.chdir(tmp_path)
    task = experiments.load(path.relative_to(tmp_path)).build_task()
    assert (task.P, task.Y.min()) == (4, -1.0)


def test_project_to_changes_the_input_dimension(tmp_path):
    text = MINIMAL.replace("N0 = 12", "N0 = 12\nproject_to = 5")
    assert experiments.load(write(tmp_path, text)).build_task().X.shape == (10, 5)


def test_the_file_s_sampling_settings_become_arguments(tmp_path):
    text = MINIMAL + (
        '[sampling]\nsampler = { kind = "hmc", trajectory_length = 2 }\nmoves = "none"\n'
        'start = { kind = "planted", codes = [[1, 1, 0], [1, 0, 1]] }\nwarmup = 7\n'
    )
    from nonlazy.sampling import HMC, Planted

    arguments = experiments.load(write(tmp_path, text)).sampling_arguments()
    assert arguments["sampler"] == HMC(trajectory_length=2.0)
    assert arguments["start"] == Planted(((1, 1, 0), (1, 0, 1)))
    assert (arguments["moves"], arguments["warmup"]) == ("none", 7)


def test_every_named_choice_becomes_an_argument(tmp_path):
    from nonlazy import sampling

    choices = {
        "start": {
            '"prior"': sampling.Prior(),
            '"annealed"': sampling.Annealed(),
            '{ kind = "outliers", codes = [[1, 0], [0, 1]] }': sampling.Outliers(((1, 0), (0, 1))),
            '{ kind = "continuation", y_minus = [0.0, 0.2] }': sampling.Continuation((0.0, 0.2)),
        },
        "sampler": {
            '"hmc"': sampling.HMC(),
            '"langevin"': sampling.Langevin(),
            '{ kind = "gradient-descent", step_size = 0.1 }': sampling.GradientDescent(0.1),
        },
        "moves": {'"rotations"': sampling.Rotations(), '"jump"': sampling.Jumps()},
    }
    for key, values in choices.items():
        for written, meant in values.items():
            experiment = experiments.load(write(tmp_path, f"{MINIMAL}\n[sampling]\n{key} = {written}\n"))
            assert experiment.sampling_arguments()[key] == meant


def test_changes_are_checked_as_a_file_is():
    experiment = experiments.load("mnist")
    changed = experiment.changed({"sampling": {"draws": 7}})
    assert changed.sampling.draws == 7 and changed.task == experiment.task
    assert changed.quick_changes == experiment.quick_changes
    with pytest.raises(InvalidInput, match=r"\[sampling\] draws is 0: it must be 1 or more"):
        experiment.changed({"sampling": {"draws": 0}})


def test_quick_without_a_quick_table(tmp_path):
    with pytest.raises(InvalidInput, match=r"no \[quick\] table"):
        experiments.load(write(tmp_path, MINIMAL)).quick()


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(InvalidInput, match="did you mean 'figure2-sigmoid'"):
        experiments.load("figure2-sigmoyd")
    with pytest.raises(InvalidInput, match="nonlazy ships deep-relu, equilibrium, few-shot-linear"):
        experiments.load("qqq")


def test_a_file_named_without_its_ending_is_pointed_to(tmp_path, monkeypatch):
    write(tmp_path, MINIMAL)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=r"write mine\.toml"):
        experiments.load("mine")


def test_malformed_toml_is_located(tmp_path):
    path = write(tmp_path, MINIMAL.replace("width = 10", "width = = 10"))
    with pytest.raises(InvalidInput, match=r"mine\.toml, line 11, column 9"):
        experiments.load(path)
    with pytest.raises(InvalidInput, match=r"mine\.toml, line \d+: .* where the file ends"):
        experiments.load(write(tmp_path, MINIMAL + '\n[sampling]\nstart = "pri'))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        experiments.load(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text file in UTF-8"):
        experiments.load(binary)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        experiments.load(tmp_path / "folder.toml")


def test_temperature_may_be_0_as_gradient_descent_needs_it():
    assert experiments.load("figure2-linear").changed({"posterior": {"temperature": 0.0}}).build().temperature == 0


def test_a_sweep_is_told_from_an_experiment(tmp_path):
    path = write(tmp_path, 'experiment = "mnist"\n[grid]\n"posterior.temperature" = [0.1, 0.2]')
    with pytest.raises(InvalidInput, match="is a sweep, not an experiment: give it to nonlazy sweep"):
        experiments.load(path)
