"""The figure of deep ReLU networks, from a run of seconds with two layers."""

import numpy as np
import pytest

from nonlazy.figures import open_panels
from nonlazy.figures._panels import write_panels
from nonlazy.figures._statistics import layer_scheme, outlying
from nonlazy.figures.ours import DEEP_RELU
from tests.figures.image_runs import run


@pytest.fixture(scope="module")
def data():
    return DEEP_RELU.read({"seed-0": run("relu"), "annealed": run("relu")})


def test_table_counts_outliers_and_their_classes(data):
    rows = {(row.experiment, row.quantity.split(" (")[0]): row for row in data.table}
    found = run("relu")
    for layer in range(2):
        schemes = [layer_scheme(found, layer=layer, chain=chain) for chain in range(found.chains)]
        row = rows["annealed", f"layer {layer + 1}: outliers"]
        assert row.samples == pytest.approx(np.mean([len(outlying(scheme)) for scheme in schemes]))
        alone = [
            sum(
                1
                for i in outlying(scheme)
                if (scheme.class_means[i] > scheme.class_means[i].max() / 2).tolist() == [True, False, False]
            )
            for scheme in schemes
        ]
        assert rows["from the prior", f"layer {layer + 1}: outliers of class 0 alone"].samples == pytest.approx(
            np.mean(alone)
        )
    large = ((found.readouts().astype(float) ** 2).sum(axis=3) > 0.04 * 24).sum(axis=2)
    row = rows["from the prior", "layer 2: neurons with |a|^2 > 0.04 N, all draws"]
    assert row.samples == pytest.approx(large.mean())
    # That chains do not agree is what the figure shows.
    assert not data.warnings and any("no theory" in note for note in data.notes)


def test_the_picture_is_drawn_from_panels_read_back(data, tmp_path):
    panels = open_panels(write_panels(data.panels, tmp_path / "panels.zarr"))
    assert set(panels.children) == {"from-the-prior", "annealed", "fewest", "most"}
    assert panels["fewest/activation"].shape[0] == 2
    assert any("L = 2" in text.get_text() for text in DEEP_RELU.draw(panels).texts)


def test_seeds_of_task_and_chains_differ():
    full = DEEP_RELU.experiments(False)
    assert sum(one.sampling.chains for one in full.values()) == 16
    assert [one.task.seed for one in full.values()] == [0, 1, 2, 0] == [one.sampling.seed for one in full.values()]
    assert [one.sampling.start.kind for one in full.values()] == ["prior"] * 3 + ["annealed"]
