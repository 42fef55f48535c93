"""Figure 7 from a run of seconds on digits; and what happens at the paper's size without a GPU."""

import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.experiments import load
from nonlazy.figures import open_panels
from nonlazy.figures._panels import write_panels
from nonlazy.figures._statistics import level_gap
from nonlazy.figures.paper._figure7 import FIGURE_7, FIGURE_7_FULL
from nonlazy.figures.paper._figure7_size import memory_needed, operations
from tests.figures.image_runs import claim_keys, run


@pytest.fixture(scope="module")
def data():
    return FIGURE_7.read({"cifar": run("deep")})


def test_what_only_the_papers_size_decides_is_not_measured(data):
    assert set(data.measured) == claim_keys("7", full_size=False)
    assert set(FIGURE_7_FULL.read({"cifar": run("deep")}).measured) == claim_keys("7")
    assert any("P = 24, N = 30" in note and "P = 50,000" in note for note in data.notes)


def test_gaps_are_of_all_draws_that_were_kept(data):
    found, gaps = run("deep"), []
    for test, labels in ((True, found.task.labels_test), (False, found.task.labels)):
        layers = [found.activations(-1, d, c, test=test).astype(float) for c in range(2) for d in found.kept_draws]
        gaps.append(np.mean([level_gap(layer, labels) for layer in layers]))
    assert data.measured["18.test-gap"] == pytest.approx(gaps[0] / gaps[1])
    rows = {row.quantity: row.samples for row in data.table}
    right = (found.mean_outputs(test=True).mean(axis=0).argmax(axis=1) == found.task.labels_test).mean()
    assert rows["test accuracy at P = 24, N = 30"] == pytest.approx(right)


def test_the_picture_states_its_size(data, tmp_path):
    figure = FIGURE_7.draw(open_panels(write_panels(data.panels, tmp_path / "panels.zarr")))
    assert any("P = 24, N = 30" in text.get_text() and "N = 1,000" in text.get_text() for text in figure.texts)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert "class of the training input" in labels and "class of the test input" in labels


def test_the_papers_size_is_refused_without_a_gpu_before_any_work(monkeypatch):
    import jax

    class Cpu:
        platform = "cpu"

    monkeypatch.setattr(jax, "devices", lambda: [Cpu()])
    with pytest.raises(InvalidInput, match=r"needs a GPU with \d+ GB of memory, and JAX sees none"):
        FIGURE_7_FULL.experiments(False)
    assert FIGURE_7_FULL.experiments(True)["cifar"].network.width == 60


def test_the_papers_size_is_refused_on_a_small_gpu_and_starts_on_a_large_one(monkeypatch):
    import jax

    class Gpu:
        platform, device_kind, held = "gpu", "a card", 2e9

        def memory_stats(self):
            return {"bytes_limit": self.held}

    monkeypatch.setattr(jax, "devices", lambda: [Gpu()])
    with pytest.raises(InvalidInput, match="a card gives 2 GB"):
        FIGURE_7_FULL.experiments(False)
    Gpu.held = 80e9
    assert FIGURE_7_FULL.experiments(False)["cifar"].network.width == 1000


def test_memory_and_operations_of_the_papers_size():
    experiment = load("figure7-full")
    # 4 N N0 P + 6 N^2 P + 6 N m P, and at least the inputs and the activations of both layers of a chain.
    assert operations(experiment) == pytest.approx(9.17e11, rel=0.01)
    assert memory_needed(experiment) > 4 * 50_000 * (3072 + 2 * 1000 * experiment.sampling.chains)
    assert memory_needed(experiment, 8) < memory_needed(experiment) / 8
