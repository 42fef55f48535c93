"""What a folder of results holds after requests that were accepted, refused or interrupted."""

import pytest

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.experiments import load
from nonlazy.figures import _experiment, results_folder, sample_experiment


OUTPUTS = ("toy.png", "toy.pdf", "toy-theory.png", "toy-theory.pdf", "toy.json")


def experiment():
    return load("figure2-sigmoid").changed({"task": {"P": 12, "N0": 14}, "network": {"width": 10}})


def refuse(posterior, **arguments):
    raise InvalidInput("refused")


def interrupt(posterior, *, store, **arguments):
    """Lays a run out as `nonlazy.sample` does and is interrupted."""
    store.mkdir(exist_ok=True)
    (store / "zarr.json").unlink(missing_ok=True)
    (store / "zarr.json").write_text("laid out", encoding="utf-8")
    raise KeyboardInterrupt


@pytest.fixture
def earlier(tmp_path):
    """A folder with the files of an earlier run and one of the user's own."""
    (tmp_path / "run.zarr").mkdir()
    for name in (*OUTPUTS, "experiment.toml", "run.zarr/zarr.json", "notes.txt"):
        (tmp_path / name).write_text("earlier", encoding="utf-8")
    return tmp_path


def test_an_interrupted_run_has_its_experiment_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_experiment, "sample", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sample_experiment(experiment(), tmp_path / "new")
    assert load(tmp_path / "new" / "experiment.toml") == experiment()


def test_overwriting_removes_the_outputs_of_the_earlier_run(earlier, monkeypatch):
    monkeypatch.setattr(_experiment, "sample", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sample_experiment(experiment(), earlier, name="toy", overwrite=True)
    assert {path.name for path in earlier.iterdir()} == {"run.zarr", "experiment.toml", "notes.txt"}
    assert load(earlier / "experiment.toml") == experiment()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_refused_request_leaves_the_folder_as_it_was(earlier, monkeypatch, overwrite):
    monkeypatch.setattr(_experiment, "sample", refuse)
    with pytest.raises(InvalidInput):
        sample_experiment(experiment(), earlier, name="toy", overwrite=overwrite)
    assert {path.name for path in earlier.iterdir()} == {*OUTPUTS, "experiment.toml", "run.zarr", "notes.txt"}
    assert (earlier / "experiment.toml").read_text(encoding="utf-8") == "earlier"


def test_a_refused_request_leaves_no_empty_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(_experiment, "sample", refuse)
    with pytest.raises(InvalidInput):
        sample_experiment(experiment(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_experiment_that_cannot_be_written_is_said_so(tmp_path, monkeypatch):
    monkeypatch.setattr(_experiment, "sample", refuse)
    (tmp_path / "experiment.toml").mkdir()
    with pytest.raises(StoreError, match=r"experiment\.toml cannot be written"):
        sample_experiment(experiment(), tmp_path)


def test_a_folder_inside_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(InvalidInput, match="taken is a file"):
        results_folder("toy", tmp_path / "taken" / "inside")
