"""The sampled readout covariance of linear networks against the exact matrix sampler and the saddle point."""

import numpy as np
from arviz_stats.base import array_stats

import nonlazy as nl
from tests.oracles.linear_matrix_sampler import Problem, sample


def compare(N: int, depth: int, draws: int, seed: int = 0, devices: int | None = None) -> None:
    """Targets 1/0, T = 1e-2, P = N: agreement within 4 Monte Carlo errors of both, plus 1/N of the largest entry.

    An entry's chance to miss 4 errors of its own is below 1e-4; the 1/N is what the saddle point neglects.
    """
    task = nl.tasks.toy(P=N, N0=N + 20, y_minus=0.0, seed=1)
    posterior = nl.Posterior(nl.Network(N, depth, "linear"), task, temperature=1e-2)
    run = nl.sample(posterior, draws=draws, chains=2, seed=seed, devices=devices, progress=False)
    readouts = run.readouts().astype(np.float64)
    moments = np.einsum("cdnr,cdns->cdrs", readouts, readouts) / N
    mean = moments.mean(axis=(0, 1))
    error = np.array([[float(array_stats.mcse(moments[..., r, s])) for s in range(3)] for r in range(3)])

    problem = Problem(task.X, task.Y, N, depth, posterior.temperature, posterior.sigma_a2, posterior.sigma2)
    exact = sample(problem, seed=2).readout_covariance()
    saddle = nl.theory.solve(posterior).readout_covariance
    assert run.diagnostics().converged
    # The errors themselves must be small enough for the comparison to mean something.
    assert np.max(error) < 0.02
    for predicted, its_error in ((exact.mean, exact.error), (saddle, 0.0)):
        allowed = 4 * np.hypot(error, its_error) + np.max(np.abs(predicted)) / N
        deviation = np.abs(mean - predicted)
        assert np.all(deviation <= allowed), f"off by {np.max(deviation / allowed):.2f} of what is allowed"
