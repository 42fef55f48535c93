"""Samples against theory, through the contract of a run."""

from types import SimpleNamespace

import numpy as np
import pytest

from nonlazy import plots
from nonlazy.errors import InvalidInput


@pytest.fixture
def run(make_layer):
    net = make_layer("analog")
    rng = np.random.default_rng(4010)
    return SimpleNamespace(
        task=SimpleNamespace(X=np.eye(80), Y=net.Y, labels=net.labels, class_names=("0", "1", "2")),
        posterior="linear network, N = 60",
        readouts=lambda: rng.normal(size=(2, 30, 60, 3)),
        kernel=lambda layer=-1, chain=None: net.K,
        mean_outputs=lambda test=False: np.stack([net.f, net.f]),
    )


def test_densities_kernels_and_outputs(run, texts):
    prediction = SimpleNamespace(readout_covariance=np.eye(3), kernel=lambda X: run.kernel())
    figure = plots.compare(run, prediction)
    shown = " ".join(text.get_text() for text, _ in texts(figure))
    for expected in ("theory 1.000", "samples", "theory", "dashed: theory", "linear network, N = 60"):
        assert expected in shown


def test_prediction_without_covariance_is_refused(run):
    with pytest.raises(InvalidInput, match="no readout covariance"):
        plots.compare(run, SimpleNamespace())
