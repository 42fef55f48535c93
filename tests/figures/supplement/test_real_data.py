"""The supplement's real data, from a run of seconds on projected digits."""

import numpy as np
import pytest

from nonlazy.errors import DataError
from nonlazy.experiments import load
from nonlazy.figures import open_panels
from nonlazy.figures._panels import write_panels
from nonlazy.figures.supplement._real_data import S_REAL_DATA
from tests.figures.image_runs import claim_keys, run


@pytest.fixture(scope="module")
def data():
    return S_REAL_DATA.read({"cifar": run("lazy"), "mnist": run("digits")})


def test_every_claim_is_measured(data):
    assert set(data.measured) == claim_keys("s-real-data")
    rows = {(row.experiment, row.quantity): row for row in data.table}
    found = run("digits")
    right = (found.mean_outputs(test=True).mean(axis=0).argmax(axis=1) == found.task.labels_test).mean()
    assert rows["mnist", "test accuracy"].samples == pytest.approx(right) == data.measured["25.projected-accuracy"]
    assert rows["mnist", "test accuracy"].theory is not None
    # A lazy network has no codes and no theory but the Gaussian process, which the notes say.
    assert data.measured["25.cifar"] == 0 and rows["cifar", "test accuracy"].theory is None
    assert data.notes == ("cifar: the theory of this network could not be solved",)


def test_the_picture_is_drawn_from_panels_read_back(data, tmp_path):
    figure = S_REAL_DATA.draw(open_panels(write_panels(data.panels, tmp_path / "panels.zarr")))
    titles = [text.get_text() for text in figure.texts if "P = 24, N0 = 20, N = 30" in text.get_text()]
    assert [title.split(" (")[0] for title in titles] == ["three classes of CIFAR-10", "projected digits, P > N0"]


def test_projected_digits_have_more_inputs_than_input_numbers():
    for experiment in (load("s-real-data-mnist"), load("s-real-data-mnist").quick()):
        task = experiment.build_task()
        assert task.P > task.N0 == task.input_rank
        np.testing.assert_array_equal(np.unique(task.labels), [0, 1, 2])


def test_missing_photographs_are_refused_before_anything_is_sampled(monkeypatch, tmp_path):
    # The photographs' experiment is the first, and says what to do.
    assert next(iter(S_REAL_DATA.experiments(True))) == "cifar"
    monkeypatch.setenv("NONLAZY_DATA", str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    with pytest.raises(DataError, match=r"CIFAR-10 is expected there as cifar10/"):
        S_REAL_DATA.experiments(True)["cifar"].build_task()
