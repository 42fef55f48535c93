"""Figure 1 from layers whose schemes and kernels are known; its picture from the panels on disk."""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.figures._panels import open_panels, write_panels
from nonlazy.figures.claims import CLAIMS, judge
from nonlazy.figures.paper import FIGURE_1
from tests.figures.paper.made_runs import MadeRun, coded, rectified, toy


N = P = 60


def made(activation, lazy, generator):
    task = toy(P, -1.0, class_ratios=[0.5, 0.5], targets="binary")
    posterior = nl.Posterior(nl.Network(N, 1, activation, "lazy" if lazy else "non-lazy"), task, temperature=1e-2)
    labels = task.labels
    if lazy:
        z = generator.standard_normal((N, P))
    elif activation == "linear":
        z = np.outer(generator.standard_normal(N), np.where(labels == 0, 1, -1)) + generator.standard_normal((N, P))
    elif activation == "sigmoid":
        z = coded([[1, 0], [0, 1]], [0.5, 0.5], labels, N, 0.08, generator)
    else:
        z = rectified([[0], [1]], labels, N, generator, height=8.0)
    return MadeRun(posterior, z[None, None, None], generator.standard_normal((1, 1, N, 1)))


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(11)
    runs = {
        f"{activation}-{kind}": made(activation, kind == "lazy", generator)
        for kind in ("lazy", "nonlazy")
        for activation in ("linear", "sigmoid", "relu")
    }
    assert list(runs) == list(FIGURE_1.experiments(True))
    return FIGURE_1.read(runs)


def test_claims_are_measured_as_the_registry_words_them(data):
    numbers = dict(data.measured)
    assert {key.split(".")[0] for key in numbers} == {"1", "2"}
    assert numbers["1.lazy-schemes"] == 3 and numbers["2.schemes"] == 3
    assert numbers["1.contrast"] > 0.3 > numbers["1.lazy-contrast"]
    # Every criterion of the figure's claims has its number.
    keys = {criterion.key for claim in CLAIMS if claim.figure == "1" for criterion in claim.criteria}
    assert set(numbers) == keys and len(judge(CLAIMS, numbers)) == len(keys)


def test_lazy_theory_has_no_contrast_at_all(data):
    rows = {row.experiment: row for row in data.table if row.quantity == "block contrast of the kernel"}
    assert [rows[f"{name}-lazy"].theory for name in ("linear", "sigmoid", "relu")] == [0, 0, 0]
    assert all(rows[f"{name}-nonlazy"].theory > 0.5 for name in ("linear", "sigmoid"))


def test_the_picture_is_drawn_from_panels_on_disk(data, tmp_path):
    panels = open_panels(write_panels(data.panels, tmp_path / "panels.zarr"))
    figure = FIGURE_1.draw(panels)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 12
    # Kernels of one activation function, and its rasters, share their colours.
    for row in range(3):
        lazy, lazy_raster, other, raster = images[4 * row : 4 * row + 4]
        assert lazy.get_clim() == other.get_clim() and lazy_raster.get_clim() == raster.get_clim()
        assert lazy.get_cmap().name == other.get_cmap().name
