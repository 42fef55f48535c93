"""Figure 6 from runs of seconds: its claims and table, and the picture from panels that were written and read back."""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.codes import detect
from nonlazy.figures import open_panels
from nonlazy.figures._panels import write_panels
from nonlazy.figures._reading import accuracy, errors_of_test_error, sampled_error
from nonlazy.figures._statistics import same_scheme
from nonlazy.figures.paper import _figure6
from nonlazy.figures.paper._figure6 import FIGURE_6
from tests.figures.image_runs import claim_keys, run, tiny_digits


@pytest.fixture(scope="module")
def data():
    return FIGURE_6.read({"sigmoid": run("digits"), "sigmoid-lazy": run("lazy")})


def test_experiments_are_three_networks_and_lazy_ones():
    assert list(FIGURE_6.experiments(False)) == [
        "linear", "sigmoid", "relu", "linear-lazy", "sigmoid-lazy", "relu-lazy",
    ]  # fmt: skip
    quick = FIGURE_6.experiments(True)
    assert list(quick) == ["linear", "sigmoid", "relu", "sigmoid-lazy"]
    assert (
        quick["sigmoid-lazy"].network.readout == "lazy" and quick["sigmoid-lazy"].name == "figure6-sigmoid-quick-lazy"
    )
    # The one experiment whose equilibrium needs jumps has them at the paper's size.
    moves = FIGURE_6.experiments(False)["sigmoid"].sampling.moves
    assert moves is not None and moves.kind == "jump"


def test_every_claim_but_those_of_the_missing_networks_is_measured(data):
    assert set(data.measured) == claim_keys("6") - {"15.outliers", "16.linear", "16.relu"}
    assert all(np.isfinite(value) for value in data.measured.values())


def test_errors_are_those_of_the_stored_outputs(data):
    found = run("digits")
    outputs = np.array([[found.outputs(d, c, test=True) for d in range(found.draws)] for c in range(found.chains)])
    everything = ((outputs - found.task.Y_test) ** 2).mean(axis=(0, 1, 2))
    rows = {row.quantity: row for row in data.table if row.experiment == "sigmoid"}
    for r in range(3):
        assert rows[f"test error, output {r}"].samples == pytest.approx(everything[r], rel=1e-5)
        assert rows[f"test error, output {r}"].theory is not None
    classes = ((outputs - found.task.Y_test) ** 2).sum(axis=3)[:, :, found.task.labels_test == 1].mean()
    assert rows["test error, inputs of class 1"].samples == pytest.approx(classes, rel=1e-5)
    process = nl.theory.gaussian_process(found.posterior).generalization_error().total
    ratio = max(everything / process)
    assert data.measured["17.error"] == pytest.approx(ratio, rel=1e-5)


def test_bias_and_variance_add_up():
    found = run("lazy")
    error = sampled_error(found)
    outputs = found.tree["posterior_predictive/f_test"].values.astype(float)
    np.testing.assert_allclose(error.variance, outputs.var(axis=(0, 1)).mean(axis=0), rtol=1e-6)
    assert all(one > 0 for one in errors_of_test_error(found, "input_class"))


def test_a_scheme_carries_over_where_kind_and_codes_do():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)

    def layer(codes):
        means = np.repeat(np.array(codes, float), 20, axis=0)
        return detect(0.05 + 0.9 * means[:, labels] + 0.02 * generator.standard_normal((60, 60)), labels, "sigmoid")

    one, same, other = (
        layer(c) for c in ([[1, 1, 0], [1, 0, 1], [0, 1, 1]], [[0, 1, 1], [1, 1, 0], [1, 0, 1]],
                           [[1, 0, 0], [1, 0, 1], [0, 1, 1]])
    )  # fmt: skip
    assert one.kind == "redundant"
    assert same_scheme(one, same) and not same_scheme(one, other)
    noise = detect(generator.random((60, 60)), labels, "sigmoid")
    assert not same_scheme(one, noise)


def test_accuracy_counts_the_largest_output():
    assert accuracy(np.array([[1.0, 0.0], [0.2, 0.1], [0.0, 3.0]]), np.array([0, 1, 1])) == pytest.approx(2 / 3)


def test_outliers_alone_are_the_predictor_without_its_bulk():
    posterior = tiny_digits().changed({"network": {"activation": "relu"}}).build()
    prediction = nl.theory.solve(posterior)
    X = posterior.task.X_test
    bulk = np.outer(prediction.bulk_model.mean(X), prediction.bulk.readout)
    np.testing.assert_allclose(
        _figure6._outliers_alone(prediction, X) + prediction._learned_share * bulk, prediction.predict(X), atol=1e-10
    )


def test_the_picture_is_drawn_from_panels_read_back(data, tmp_path):
    panels = open_panels(write_panels(data.panels, tmp_path / "panels.zarr"))
    figure = FIGURE_6.draw(panels)
    texts = {text.get_text() for text in figure.texts}
    assert {"sigmoidal", "a", "b", "c", "d"} <= texts
    bars = [axes for axes in figure.axes if axes.get_xlabel() == "output $r$"]
    # Squared bias and variance of samples, theory, Gaussian process and lazy network, for three outputs.
    assert [len(axes.patches) for axes in bars] == [24]
    heights = [patch.get_height() for patch in bars[0].patches[:3]]
    np.testing.assert_allclose(heights, sampled_error(run("digits")).bias2)
