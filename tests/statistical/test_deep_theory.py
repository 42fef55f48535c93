"""Two and three hidden layers: samples against the quenched theory at the chain's own fractions, at two sizes.

Stated before the run: every number may deviate by 4 Monte Carlo errors (false-alarm rate 6e-5 each; errors of kernel
blocks taken from single kernel entries, which is more than theirs) plus (L - 1)/N, that is 1/N for what N neurons leave
out in each layer below the feature layer, plus the quadrature error that the theory states, times the size of what is
compared (1 for kernels, activations and fractions, 1.5 for readouts).
"""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.deep import solve_deep


CODES = ((1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1))
SHARES = (0.29, 0.24, 0.24, 0.23)


@pytest.mark.statistical
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("N", [60, 120])
def test_layers_at_the_chains_own_fractions(depth, N):
    task = nl.tasks.toy(P=N, N0=N + 20, y_minus=0.5, seed=0)
    posterior = nl.Posterior(nl.Network(N, depth), task, temperature=0.01)
    start = nl.sampling.Planted(CODES, SHARES)
    record = nl.sampling.Record(snapshots=100)
    run = nl.sample(
        posterior, draws=300, chains=1, seed=7, start=start, thin=3, warmup=1000, record=record, progress=False
    )

    active = run.class_activations()[0] > 0.5
    codes, counts = np.unique(active, axis=0, return_counts=True)
    fractions = {tuple(int(bit) for bit in code): count / N for code, count in zip(codes, counts, strict=True)}
    theory = solve_deep(posterior, fractions=fractions)
    assert theory.residual < theory.quadrature_error < 0.02
    left_out = (depth - 1) / N + theory.quadrature_error

    entries = run.statistics()["kernel_entry"].values[0]
    errors = batch_errors(entries).max(axis=1)
    labels = task.labels
    for layer in range(1, depth + 1):
        K = run.kernel(layer - 1, chain=0)
        block, excess = theory.class_kernel(layer)
        for c in range(3):
            for d in range(c, 3):
                pairs = K[np.ix_(labels == c, labels == d)]
                off = ~np.eye(len(pairs), dtype=bool) if c == d else np.ones(pairs.shape, dtype=bool)
                assert abs(pairs[off].mean() - block[c, d]) < 4 * errors[layer - 1] + left_out, (layer, c, d)
            diagonal = np.diag(K)[labels == c].mean()
            assert abs(diagonal - block[c, c] - excess[c]) < 4 * errors[layer - 1] + left_out, (layer, c)

    readouts, snapshots = run.readouts()[0], run.kept_draws
    means = {
        layer: np.stack([class_means(run.activations(layer - 1, draw), labels) for draw in snapshots])
        for layer in range(1, depth + 1)
    }
    for k, code in enumerate(theory.codes.active):
        if theory.codes.fraction[k] < 0.05:
            continue
        members = np.all(active == code, axis=1)
        draws = readouts[:, members].mean(axis=1)
        off = np.abs(draws.mean(axis=0) - theory.codes.readout[k])
        assert np.all(off < 4 * batch_errors(draws) + 1.5 * left_out), theory.codes.names[k]
        draws = means[depth][:, members].mean(axis=1)
        off = np.abs(draws.mean(axis=0) - theory.codes.activation[k])
        assert np.all(off < 4 * batch_errors(draws) + left_out), theory.codes.names[k]

    for layer in range(1, depth):
        predicted = theory.layer_codes(layer)
        for code, share in zip(predicted.active, predicted.fraction, strict=True):
            found = np.all((means[layer] > 0.5) == code, axis=2).mean(axis=1)
            assert abs(found.mean() - share) < 4 * batch_errors(found[:, None])[0] + left_out, (layer, code)


def class_means(phi, labels):
    return np.stack([phi[:, labels == c].mean(axis=1) for c in range(3)], axis=1)


def batch_errors(series, batches=10):
    """Standard error of the mean over the first axis, from the means of batches."""
    means = np.array([batch.mean(axis=0) for batch in np.array_split(series, batches)])
    return means.std(axis=0, ddof=1) / np.sqrt(batches)
