"""Samples against theory, through the contract of a run."""

from types import SimpleNamespace

import numpy as np
import pytest

import nonlazy as nl
from nonlazy import plots
from nonlazy.errors import InvalidInput


def linear(P=60, width=60):
    task = nl.tasks.toy(P, P + 4, seed=4011)
    return nl.theory.solve(nl.Posterior(nl.Network(width, 1, "linear"), task, 1e-3))


@pytest.fixture
def run():
    prediction = linear()
    task = prediction.posterior.task
    return SimpleNamespace(
        task=task,
        posterior=prediction.posterior,
        readouts=lambda: prediction.sample_readouts(2 * 30 * 60, seed=1).reshape(2, 30, 60, 3),
        kernel=lambda layer=-1, chain=None: prediction.kernel(task.X),
        mean_outputs=lambda test=False: np.stack([prediction.predict(task.X)] * 2),
    )


def test_densities_kernels_and_outputs(run, texts):
    figure = plots.compare(run, linear())
    shown = " ".join(text.get_text() for text, _ in texts(figure))
    for expected in ("$r$ = 0", "samples", "theory", "dashed: theory", "linear network"):
        assert expected in shown


def test_the_densities_are_those_of_the_samples(run):
    """Histogram and dashed curve have one scale: their areas agree to the noise of 3,600 readouts."""
    axes = plots.compare(run, linear()).axes[0]
    histograms = [patch for patch in axes.patches if hasattr(patch, "get_data")]
    curves = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert len(histograms) == len(curves) == 3
    for steps, curve in zip(histograms, curves, strict=True):
        values, edges, floor = steps.get_data()
        area = np.sum((values - floor) * np.diff(edges))
        x, y = curve.get_data()
        assert area == pytest.approx(np.trapezoid(y - floor, x), rel=0.01)


def test_a_prediction_of_another_task_is_refused(run):
    with pytest.raises(InvalidInput, match=r"P = 40.*P = 60"):
        plots.compare(run, linear(P=40))
