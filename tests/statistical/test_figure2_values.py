"""Fig. 2 at the paper's size: centres of the codes against reference values measured beforehand with another program.

Tolerance 0.05, and 0.15 for class 0 of 0-1-1 and of 1-1-1, which depend on the shares of the codes.
"""

import numpy as np
import pytest

import nonlazy as nl


# Readouts and mean activations by class, at N = P = 500, T = 1e-3, after a quench.
REFERENCE = {
    "1-1-0": ((1.717, 1.553, -0.377), (0.902, 0.929, 0.093)),
    "1-0-1": ((1.710, -0.374, 1.546), (0.902, 0.094, 0.928)),
    "0-1-1": ((-0.433, 1.614, 1.613), (0.170, 0.943, 0.942)),
    "1-1-1": ((1.010, 1.340, 1.340), (0.757, 0.906, 0.905)),
}
LOOSE = {"0-1-1", "1-1-1"}


@pytest.mark.statistical
@pytest.mark.parametrize("moves", ["none", "jump"])
def test_centres_of_the_sigmoidal_codes(moves):
    task = nl.tasks.toy(P=500, N0=520, class_ratios=(0.5, 0.25, 0.25), y_minus=0.5, seed=0)
    posterior = nl.Posterior(nl.Network(500), task, temperature=1e-3)
    run = nl.sample(posterior, draws=100, moves=moves, seed=5, progress=False)
    scheme = nl.codes.detect(run.activations(), task.labels, activation="sigmoid")
    readouts, activations = run.readouts()[0, -10:].mean(axis=0), scheme.class_means
    assert {scheme.code_name(index) for index in range(len(scheme.fractions))} == set(REFERENCE)
    for index in range(len(scheme.fractions)):
        name = scheme.code_name(index)
        members = scheme.neuron_codes == index
        tolerance = np.array([0.15 if name in LOOSE else 0.05, 0.05, 0.05])
        for found, expected in zip((readouts, activations), REFERENCE[name], strict=True):
            assert np.all(np.abs(found[members].mean(axis=0) - expected) < tolerance), name


@pytest.mark.statistical
def test_three_outliers_of_the_rectified_network():
    task = nl.tasks.toy(P=500, N0=520, class_ratios=(0.5, 0.25, 0.25), y_minus=-0.5, seed=0)
    posterior = nl.Posterior(nl.Network(500, activation="relu"), task, temperature=1e-2)
    run = nl.sample(posterior, draws=50, chains=2, seed=6, progress=False)
    norms = np.sum(run.readouts() ** 2, axis=-1)
    assert np.all(np.sum(norms > 0.04 * 500, axis=-1) == 3)
    # Reference: |a|^2 of 400.5, 307.6 and 307.6.
    largest = np.sort(norms, axis=-1)[..., ::-1][..., :3].mean(axis=(0, 1))
    np.testing.assert_allclose(largest, (400.5, 307.6, 307.6), rtol=0.02)
