"""Outliers and bulk of ReLU networks: theory against Hamiltonian Monte Carlo at two sizes; many random tasks."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

import nonlazy as nl
from nonlazy.errors import TheoryError
from nonlazy.theory.rectified import solve_rectified
from tests.theory.rectified.random_tasks import check, random_posterior


DRAWS = 100


def averages(run, N: int, classes: int, labels):
    """By chain and draw: abar and zbar of each class's outliers, parallel ones merged; bulk readout and activation.

    Outliers along one direction count as one whose |abar|^2 is their sum (theory.md II.7: chains can end with a class's
    outlier split in two).
    """
    readout, activation, bulk, bulk_activation = [], [], [], []
    for chain in range(run.chains):
        for draw in run.kept_draws:
            a = run.readouts()[chain, draw].astype(np.float64)
            phi = run.activations(draw=draw, chain=chain).astype(np.float64)
            means = np.stack([phi[:, labels == c].mean(axis=1) for c in range(classes)], axis=1)
            outlier = np.sum(a**2, axis=1) > 0.04 * N
            own = np.argmax(means[outlier], axis=1)
            merged_a, merged_z = np.zeros((classes, a.shape[1])), np.zeros(classes)
            for c in range(classes):
                rows = a[outlier][own == c]
                merged_z[c] = np.linalg.norm(means[outlier][own == c, c]) / np.sqrt(N)
                total = np.linalg.norm(rows, axis=1) @ rows
                merged_a[c] = total / np.sqrt(max(np.linalg.norm(total), 1e-300)) / np.sqrt(N)
            readout.append(merged_a)
            activation.append(merged_z)
            bulk.append(a[~outlier].mean(axis=0))
            bulk_activation.append(means[~outlier].mean(axis=0))
    shape = (run.chains, len(run.kept_draws), -1)
    parts = (readout, activation, bulk, bulk_activation)
    return [np.reshape(part, shape) for part in parts]


@pytest.mark.statistical
@pytest.mark.parametrize("N", [100, 200])
def test_outliers_and_bulk_agree_with_samples(N):
    """Within 4 Monte Carlo errors plus 1/N, for all 18 numbers: an exact theory fails with a chance below 1.2e-3.

    The 1/N is the order of what the theory neglects: fluctuations of the dual field.
    """
    task = nl.tasks.toy(P=N, N0=N + 10, y_minus=-0.5, seed=0)
    posterior = nl.Posterior(nl.Network(N, activation="relu"), task, temperature=1e-2)
    run = nl.sample(
        posterior,
        draws=DRAWS,
        chains=2,
        seed=1,
        thin=10,
        progress=False,
        record=nl.sampling.Record(snapshots=DRAWS),
    )
    assert run.diagnostics().converged
    prediction = solve_rectified(posterior)
    order = np.argsort(np.argmax(prediction.outliers.preactivation, axis=1))
    theory = (
        prediction.outliers.readout[order].ravel(),
        np.max(prediction.outliers.preactivation[order], axis=1),
        prediction.bulk.readout,
        prediction.bulk.activation,
    )
    for name, samples, expected in zip(
        ("outlier readouts", "outlier class means", "bulk readout", "bulk activation"),
        averages(run, N, 3, task.labels),
        theory,
        strict=True,
    ):
        mean = samples.mean(axis=(0, 1))
        error = np.array([float(array_stats.mcse(samples[..., k])) for k in range(samples.shape[-1])])
        assert np.max(error) < 0.01, f"{name}: Monte Carlo error {np.max(error):.3g} is too large to compare"
        deviation, allowed = np.abs(mean - expected), 4 * error + 1 / N
        assert np.all(deviation <= allowed), f"{name}: off by {np.max(deviation / allowed):.2f} of what is allowed"


@pytest.mark.statistical
@pytest.mark.parametrize("seed", range(100))
def test_random_tasks_are_solved(seed):
    check(random_posterior(seed))


@pytest.mark.statistical
def test_active_sets_that_do_not_settle_are_refused_with_their_residual():
    """MNIST at P = 30 and T = 0, where P = 28 is solved."""
    mnist = nl.tasks.mnist(30, P_test=0, source="embedded")
    with pytest.raises(TheoryError, match="1e-06 is promised"):
        solve_rectified(nl.Posterior(nl.Network(30, activation="relu"), mnist, 0.0))
