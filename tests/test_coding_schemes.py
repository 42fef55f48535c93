"""The paper's result (its Fig. 2): which coding scheme grows from a random start, at a size that takes seconds."""

import numpy as np

import nonlazy as nl


def feature_layer(activation: str, N: int, y_minus: float, temperature: float, **sampling):
    task = nl.tasks.toy(P=N, N0=N + 10, class_ratios=(0.5, 0.25, 0.25), y_minus=y_minus, seed=0)
    posterior = nl.Posterior(nl.Network(N, activation=activation), task, temperature)
    run = nl.sample(posterior, draws=20, seed=3, progress=False, **sampling)
    return run, nl.codes.detect(run.activations(), task.labels, activation=activation)


def codes_of(scheme) -> dict[str, float]:
    return {scheme.code_name(index): share for index, share in enumerate(scheme.fractions)}


def test_sigmoidal_networks_share_four_codes():
    _, scheme = feature_layer("sigmoid", 150, 0.5, 1e-3, moves="none")
    shares = codes_of(scheme)
    assert scheme.kind == "redundant"
    assert set(shares) == {"1-1-0", "1-0-1", "0-1-1", "1-1-1"}
    assert all(shares[code] > 0.2 for code in ("1-1-0", "1-0-1", "0-1-1"))
    assert 0 < shares["1-1-1"] < 0.2


def test_rectified_networks_have_one_outlier_a_class():
    run, scheme = feature_layer("relu", 150, -0.5, 1e-2)
    readouts = run.readouts()[0]
    norms = np.sum(readouts**2, axis=-1)
    assert np.all(np.sum(norms > 0.04 * 150, axis=-1) == 3)
    outliers = np.argsort(norms[-1])[-3:]
    assert sorted(np.argmax(readouts[-1, outliers], axis=-1)) == [0, 1, 2]
    assert scheme.kind == "sparse"
    assert sorted(codes_of(scheme)) == ["0-0-1", "0-1-0", "1-0-0"]
    assert set(np.flatnonzero(scheme.neuron_codes >= 0)) == set(outliers)


def test_linear_networks_are_analog():
    _, scheme = feature_layer("linear", 100, 0.0, 1e-3)
    assert scheme.kind == "analog"
