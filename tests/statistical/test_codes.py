"""`nonlazy.codes.detect` on laws that set no threshold, and on networks that nobody tuned for it.

The layers are those of benchmarks/codes.py at another seed; the limits are those that docs/codes.md promises, with room
for the binomial error of the trials made here (four standard errors unless said otherwise).
"""

import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import nonlazy as nl


pytestmark = pytest.mark.statistical
SEED = 7_654_321


@pytest.fixture(scope="module")
def trials():
    folder = str(Path(__file__).resolve().parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    from _codes import trials

    yield trials
    sys.path.remove(folder)


def test_null_layers_are_taken_for_a_scheme_in_less_than_one_of_a_hundred(trials):
    found = sum(trials.false_positives(1000, SEED).values(), Counter())
    # At a true rate of .5 % (half of what is promised), more than 14 of 1,000 have a probability of 2e-4.
    assert found.total() == 1000 and found.total() - found["none"] <= 14


def test_kinds_of_layers_of_unknown_laws(trials):
    for scheme, generators in trials.confusion(40, SEED).items():
        counts = sum(generators.values(), Counter())
        share = counts[scheme] / counts.total()
        assert share > 0.95 - 4 * np.sqrt(0.95 * 0.05 / counts.total()), (scheme, generators)


def test_power_at_the_limit(trials):
    for row in trials.power(40, SEED):
        assert row["kind"] > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 40), row
        # Confidences come true within .05, where codes are shared and where they are not.
        assert abs(row["right"] - row["expected"]) < 0.05 + 4 * 0.5 / np.sqrt(40 * row["neurons"]), row
        # No worse than every class mean by itself.
        assert row["right"] > row["alone"] - 0.05, row


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mlp_classifier_on_its_own_digits(seed):
    datasets, networks = pytest.importorskip("sklearn.datasets"), pytest.importorskip("sklearn.neural_network")
    X, y = datasets.load_digits(return_X_y=True)
    X = (X - X.mean(axis=0)) / 8
    layers = {}
    for name, steps, rate in (("trained", 200, 1e-3), ("untrained", 1, 1e-12), ("another", 1, 1e-12)):
        number = seed + 100 * (name == "another")
        network = networks.MLPClassifier((100,), max_iter=steps, learning_rate_init=rate, random_state=number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network.fit(X, y)
        layers[name] = np.maximum(X @ network.coefs_[0] + network.intercepts_[0], 0).T
    trained = nl.codes.detect(layers["trained"], y, "relu", reference=layers["untrained"])
    assert trained.kind == "analog" and trained.alignment.value > 0.5
    assert nl.codes.detect(layers["another"], y, "relu", reference=layers["untrained"]).kind == "none"
    shuffled = np.random.default_rng(seed).permutation(y)
    assert nl.codes.detect(layers["trained"], shuffled, "relu").kind == "none"


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_lazy_posteriors_have_no_scheme(activation):
    N = 150
    task = nl.tasks.toy(P=N, N0=N + 10, class_ratios=(0.5, 0.25, 0.25), y_minus=-0.5, seed=0)
    posterior = nl.Posterior(nl.Network(N, activation=activation, readout="lazy"), task, 1e-2)
    run = nl.sample(posterior, draws=20, seed=3, progress=False)
    for draw in run.kept_draws:
        assert nl.codes.detect(run.activations(draw=draw), task.labels, activation).kind == "none"


def test_switching_of_a_posterior_whose_codes_are_frozen():
    N = 100
    task = nl.tasks.toy(P=N, N0=N + 10, class_ratios=(0.5, 0.25, 0.25), y_minus=0.5, seed=0)
    posterior = nl.Posterior(nl.Network(N, activation="sigmoid"), task, 1e-3)
    run = nl.sample(posterior, draws=40, seed=3, progress=False, moves="none")
    means = []
    for draw in run.kept_draws:
        phi = run.activations(draw=draw)
        means.append(np.stack([phi[:, task.labels == c].mean(axis=1) for c in np.unique(task.labels)], axis=1))
    found = nl.codes.switching(np.stack(means), threshold=0.5)
    assert found.broken and found.stable and found.late_overlap > 0.9
    assert found.vector_overlap is not None and found.vector_overlap[-1] > 0.9


def test_a_perceptron_trained_by_gradient_descent_has_codes_unless_it_is_lazy(trials):
    pytest.importorskip("torch")
    from _codes import networks

    found = networks._torch(quick=False)
    non_lazy, lazy = found["PyTorch, SGD, non-lazy"][0], found["PyTorch, SGD, lazy"][0]
    # Ten classes, as in the paper's Fig. 7: most neurons have a code of their own.
    assert non_lazy.kind == "redundant" and len(non_lazy.codes) > 100
    assert lazy.kind == "none"
