"""Lazy linear networks at P = N: what the saddle point misses of U falls as 1/N.

Its relative size, 1.5/N (L = 1) to 2.1/N (L = 3), is above the 1/N that is enough for the non-lazy readout, so the test
is one of scaling. N times the deviation from the exact matrix sampler must agree between widths within 4 Monte Carlo
errors plus one part in sqrt(N) of itself for the next order; a deviation that stayed the same as N doubles must stand
out of that. False alarms below 1%.
"""

import numpy as np
import pytest

import nonlazy as nl
from tests.oracles.linear_matrix_sampler import Problem, sample


def deviation(N, depth):
    """N (exact U - the saddle's), diagonal, and its Monte Carlo error; toy task, targets 1/0, T = 1e-2."""
    task = nl.tasks.toy(N, N + 20, y_minus=0.0, seed=1)
    posterior = nl.Posterior(nl.Network(N, depth, "linear", "lazy"), task, 1e-2)
    problem = Problem(task.X, task.Y, N, depth, 1e-2, posterior.sigma_a2, posterior.sigma2, lazy=True)
    exact = sample(problem, chains=200, draws=300, seed=2).readout_covariance()
    saddle = nl.theory.solve(posterior).readout_covariance
    return N * np.diag(exact.mean - saddle), N * np.diag(exact.error)


@pytest.mark.statistical
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_readout_covariance_converges_as_one_over_n(depth):
    found = {N: deviation(N, depth) for N in (100, 200, 400)}
    for small, large in ((100, 200), (200, 400)):
        (first, its_error), (second, second_error) = found[small], found[large]
        allowed = 4 * np.hypot(its_error, second_error) + np.abs(first) / np.sqrt(small)
        assert np.all(np.abs(first - second) < allowed), (first, second, allowed)
        if small == 100:
            assert np.all(first > allowed)
