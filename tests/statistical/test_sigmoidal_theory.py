"""The class-level theory of sigmoidal networks: a sweep of random tasks, and against chains that change codes.

Tolerances were fixed before the first run: 4.5 Monte Carlo errors of a mean, plus a multiple of 1/N for what the theory
of large N leaves out. With four shares and twenty-one coordinates a size, a false alarm is to be expected in 3e-4 of
the runs.
"""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.sampling import Jumps
from nonlazy.theory.sigmoidal import solve_sigmoidal_classes
from tests.theory.sigmoidal.problems import random_posterior, toy_posterior


@pytest.mark.statistical
def test_two_hundred_random_tasks():
    """All are solved and certified for large P; at finite P, the few that are not certified or solved say why."""
    open_at_finite_size = []
    for seed in range(200):
        posterior = random_posterior(seed)
        limit = solve_sigmoidal_classes(posterior, finite_size=False)
        assert limit.certified and limit.residual < 1e-9 and limit.gap < 1e-6, seed
        try:
            finite = solve_sigmoidal_classes(posterior)
        except InvalidInput as refusal:
            assert "did not settle" in str(refusal) or "quadrature nodes" in str(refusal), seed
            open_at_finite_size.append(seed)
            continue
        assert finite.residual < 1e-9, seed
        assert abs(finite.codes.fraction.sum() - 1) < 1e-12, seed
        if not finite.certified:
            assert "missed" in finite.certificate, seed
            open_at_finite_size.append(seed)
    assert len(open_at_finite_size) <= 20, open_at_finite_size


def block_error(values, blocks=8):
    """Monte Carlo error of the mean over draws (axis 1) and chains (axis 0), from means of long blocks."""
    parts = np.concatenate([np.array_split(chain, blocks) for chain in values], axis=0)
    means = np.array([part.mean(axis=0) for part in parts])
    return means.std(axis=0, ddof=1) / np.sqrt(len(means))


@pytest.mark.statistical
@pytest.mark.parametrize("size", [100, 200])
def test_shares_and_centres_of_equilibrated_chains(size):
    posterior = toy_posterior(P=size, T=1e-2, seed=1)
    theory = solve_sigmoidal_classes(posterior)
    run = nl.sample(posterior, draws=400, chains=2, moves=Jumps(), seed=11, progress=False)
    readouts = np.asarray(run.readouts())
    chains, draws, neurons, m = readouts.shape
    code = theory.assign(readouts.reshape(-1, m)).reshape(chains, draws, neurons)
    for k, name in enumerate(theory.codes.names):
        member = code == k
        share = member.mean(axis=2)
        tolerance = 4.5 * block_error(share) + 1.0 / size
        assert abs(share.mean() - theory.codes.fraction[k]) < tolerance, name
        total = np.einsum("sdn,sdnr->sdr", member, readouts)
        centre = total.sum(axis=(0, 1)) / member.sum()
        deviation = (total - member.sum(axis=2)[..., None] * centre) / member.sum(axis=2).mean()
        tolerance = 4.5 * block_error(deviation) + 3.0 / size
        assert np.all(np.abs(centre - theory.codes.readout[k]) < tolerance), name
    # The mean training error is T t.
    task, T = posterior.task, posterior.temperature
    outputs = np.asarray(run.tree["posterior_predictive/f"])
    for c in range(3):
        members = task.labels == c
        missed = (task.Y[members] - outputs[:, :, members]).mean(axis=2)
        expected = T * theory.dual_field[members][0]
        tolerance = 4.5 * block_error(missed) + 3.0 * np.max(np.abs(T * theory.dual_field)) / size
        assert np.all(np.abs(missed.mean(axis=(0, 1)) - expected) < tolerance), c


@pytest.mark.statistical
@pytest.mark.parametrize("size", [100, 200])
def test_predictor_variance_of_equilibrated_chains(size):
    """The variance averaged over inputs and outputs, relative to the theory's: 4.5 errors + 3/N, for new inputs of two
    kinds and the training inputs."""
    base = toy_posterior(P=size, T=1e-2, seed=1).task
    beyond = np.linalg.svd(base.X)[2][size:] * np.sqrt(base.N0)
    near = 0.8 * base.X[:: size // 10] + 0.6 * np.resize(beyond, (10, base.N0))
    X_test = np.concatenate([beyond[:10], near])
    task = nl.tasks.from_arrays(
        base.X, base.Y, base.labels, X_test, np.zeros((20, base.m)), np.zeros(20, dtype=np.int64)
    )
    posterior = nl.Posterior(nl.Network(size), task, 1e-2)
    theory = solve_sigmoidal_classes(posterior)
    run = nl.sample(posterior, draws=400, chains=2, moves=Jumps(), seed=12, thin=3, progress=False)
    new = np.asarray(run.tree["posterior_predictive/f_test"], dtype=np.float64)
    trained = np.asarray(run.tree["posterior_predictive/f"], dtype=np.float64)
    for name, outputs, X in (
        ("orthogonal", new[:, :, :10], X_test[:10]),
        ("near a training input", new[:, :, 10:], X_test[10:]),
        ("training", trained, base.X),
    ):
        squares = (outputs - outputs.mean(axis=(0, 1))) ** 2 / theory.predictor_variance(X)
        ratio = squares.mean(axis=(2, 3))
        assert abs(ratio.mean() - 1) < 4.5 * block_error(ratio) + 3 / size, name
