"""Two hidden layers: samples against the quenched theory at the chain's own fractions, at two sizes.

Stated before the run: every number may deviate by 4 Monte Carlo errors (false-alarm rate 6e-5 each; errors of kernel
blocks taken from single kernel entries, which is more than theirs) plus 1/N for what N neurons leave out.
"""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.deep import solve_deep


CODES = ((1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1))
SHARES = (0.29, 0.24, 0.24, 0.23)


@pytest.mark.statistical
@pytest.mark.parametrize("N", [60, 120])
def test_two_layers_at_the_chains_own_fractions(N):
    task = nl.tasks.toy(P=N, N0=N + 20, y_minus=0.5, seed=0)
    posterior = nl.Posterior(nl.Network(N, 2), task, temperature=0.01)
    start = nl.sampling.Planted(CODES, SHARES)
    run = nl.sample(posterior, draws=300, chains=1, seed=7, start=start, progress=False)

    active = run.class_activations()[0] > 0.5
    codes, counts = np.unique(active, axis=0, return_counts=True)
    fractions = {tuple(int(bit) for bit in code): count / N for code, count in zip(codes, counts, strict=True)}
    theory = solve_deep(posterior, fractions=fractions)
    assert theory.residual < theory.quadrature_error < 0.01

    entries = run.statistics()["kernel_entry"].values[0]
    errors = batch_errors(entries).max(axis=1)
    labels = task.labels
    for layer in (1, 2):
        K = run.kernel(layer - 1, chain=0)
        block, excess = theory.class_kernel(layer)
        for c in range(3):
            for d in range(c, 3):
                pairs = K[np.ix_(labels == c, labels == d)]
                off = ~np.eye(len(pairs), dtype=bool) if c == d else np.ones(pairs.shape, dtype=bool)
                assert abs(pairs[off].mean() - block[c, d]) < 4 * errors[layer - 1] + 1 / N, (layer, c, d)
            diagonal = np.diag(K)[labels == c].mean()
            assert abs(diagonal - block[c, c] - excess[c]) < 4 * errors[layer - 1] + 1 / N, (layer, c)

    readouts = run.readouts()[0]
    for k, code in enumerate(theory.codes.active):
        share = theory.codes.fraction[k]
        if share < 0.05:
            continue
        members = np.all(active == code, axis=1)
        draws = readouts[:, members].mean(axis=1)
        error = batch_errors(draws)
        assert np.all(np.abs(draws.mean(axis=0) - theory.codes.readout[k]) < 4 * error + 1 / N), theory.codes.names[k]

    layer1 = theory.layer_codes(1)
    snapshots = [run.activations(0, draw) for draw in run.kept_draws]
    means = np.concatenate([class_means(phi, labels) > 0.5 for phi in snapshots])
    for code, share in zip(layer1.active, layer1.fraction, strict=True):
        found = np.all(means == code, axis=1)
        by_draw = found.reshape(len(snapshots), N).mean(axis=1)
        # Draws this far apart may still be alike: a neuron's code is counted as independent in every second one.
        error = max(np.sqrt(2 * share * (1 - share) / len(means)), by_draw.std(ddof=1) / np.sqrt(len(snapshots) / 2))
        assert abs(found.mean() - share) < 4 * error + 1 / N, code


def class_means(phi, labels):
    return np.stack([phi[:, labels == c].mean(axis=1) for c in range(3)], axis=1)


def batch_errors(series, batches=10):
    """Standard error of the mean over the first axis, from the means of batches."""
    means = np.array([batch.mean(axis=0) for batch in np.array_split(series, batches)])
    return means.std(axis=0, ddof=1) / np.sqrt(batches)
