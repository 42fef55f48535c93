"""The exact matrix sampler against answers that are known without it.

Comparisons allow 4.5 Monte Carlo errors. With at most 60 numbers a test, and errors that are themselves estimated from
30 batches or 100 chains, a test's false-alarm rate is below 1% (Student's t with 29 degrees of freedom);
seeds are fixed.
"""

import math

import numpy as np
import pytest

from tests.oracles.linear_matrix_sampler import Problem, estimate, sample


ERRORS = 4.5


def assert_agree(found, expected, expected_error=0.0):
    error = np.sqrt(found.error**2 + expected_error**2)
    assert np.all(np.abs(found.mean - expected) <= ERRORS * error), (found.mean, expected, error)


@pytest.mark.parametrize("depth", [1, 3])
def test_without_data_the_prior_comes_back(depth):
    generator = np.random.default_rng(0)
    X, Y = generator.standard_normal((5, 4)), generator.standard_normal((5, 2))
    variances = (0.5, 2.0, 1.5)[:depth]
    problem = Problem(X, Y, 6, depth, 1e9, 0.3, variances)
    draws = sample(problem, seed=1)
    for layer in range(1, depth + 1):
        prior = 0.3 * math.prod(variances[layer:])
        assert_agree(estimate(draws.G[:, :, layer - 1]), prior * np.eye(2))
        kernel = math.prod(variances[:layer]) * X @ X.T / 4
        # At T = 1e9 the data still matter by about 1e-9.
        assert_agree(draws.kernel(X, X, layer, thin=10), kernel, 1e-8)
    assert_agree(draws.outputs(X, thin=10), np.zeros((5, 2)), 1e-6)


def _density_of_one_output(problem, s, N):
    """Unnormalised density over log G_1 .. log G_L of a network with one output, straight from the definition."""
    logs = np.array(s)
    G = np.exp(logs)
    above, total = problem.readout_variance, 0.0
    for layer in range(problem.depth, 0, -1):
        g = G[layer - 1]
        total += 0.5 * N * math.log(g / above) - 0.5 * N * g / above
        above = problem.sigma2[layer - 1] * g
    K = problem.X @ problem.X.T / problem.X.shape[1]
    covariance = problem.output_variance * G[0] * K + problem.noise * np.eye(len(K))
    y = problem.Y[:, 0]
    return total - 0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * y @ np.linalg.solve(covariance, y)


def _one_output_one_layer(kind, lazy):
    generator = np.random.default_rng(2)
    X, Y = generator.standard_normal((4, 3)), generator.standard_normal((4, 1))
    problem = kind(X, Y, 5, 1, 0.05, 0.7, (1.3,), lazy)
    grid = np.linspace(-8, 4, 4000)
    weight = np.array([_density_of_one_output(problem, [s], 5) for s in grid])
    weight = np.exp(weight - weight.max())
    moments = [np.sum(weight * np.exp(k * grid)) / np.sum(weight) for k in (1, 2)]
    return sample(problem, seed=3).G[:, :, 0, 0, 0], moments


@pytest.mark.parametrize("lazy", [False, True])
def test_one_output_one_layer_by_quadrature(lazy):
    G, (first, second) = _one_output_one_layer(Problem, lazy)
    assert_agree(estimate(G), first)
    assert_agree(estimate(G**2), second)


class WithoutJacobian(Problem):
    """The sampler's problem with the Jacobian of log T_11 forgotten."""

    def log_density(self, x, heat=1.0):
        return super().log_density(x, heat) - x[:, 0]


def test_a_forgotten_jacobian_is_noticed():
    G, (first, _) = _one_output_one_layer(WithoutJacobian, lazy=False)
    found = estimate(G)
    assert abs(found.mean - first) > 2 * ERRORS * found.error


def test_one_output_two_layers_by_quadrature():
    generator = np.random.default_rng(4)
    X, Y = generator.standard_normal((3, 3)), generator.standard_normal((3, 1))
    problem = Problem(X, Y, 7, 2, 0.1, 0.5, (0.8, 1.4))
    grid = np.linspace(-5, 3, 160)
    weight = np.array([[_density_of_one_output(problem, [s1, s2], 7) for s2 in grid] for s1 in grid])
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    draws = sample(problem, seed=5)
    assert_agree(estimate(draws.G[:, :, 0, 0, 0]), np.sum(weight * np.exp(grid)[:, None]))
    assert_agree(estimate(draws.G[:, :, 1, 0, 0]), np.sum(weight * np.exp(grid)[None, :]))


@pytest.mark.parametrize(("depth", "lazy"), [(1, False), (2, False), (2, True)])
def test_tiny_networks_by_weighting_draws_of_all_weights(depth, lazy):
    generator = np.random.default_rng(6)
    N, N0, m, P = 3, 2, 2, 2
    X, Y = generator.standard_normal((P, N0)), 0.7 * generator.standard_normal((P, m))
    new = generator.standard_normal((2, N0))
    inputs = np.concatenate([X, new])
    variances, sigma_a2, temperature = (1.2, 0.7)[:depth], 0.8, 0.5
    problem = Problem(X, Y, N, depth, temperature, sigma_a2, variances, lazy)
    draws = sample(problem, seed=7)

    batches = []
    for _ in range(30):
        n = 40_000
        signal = np.broadcast_to(inputs.T / math.sqrt(N0), (n, N0, inputs.shape[0]))
        kernels = []
        for variance in variances:
            W = math.sqrt(variance) * generator.standard_normal((n, N, signal.shape[1]))
            z = W @ signal
            kernels.append(z.transpose(0, 2, 1) @ z / N)
            signal = z / math.sqrt(N)
        A = math.sqrt(sigma_a2) * generator.standard_normal((n, N, m))
        f = z.transpose(0, 2, 1) @ A / (math.sqrt(N) if lazy else N)
        weight = np.exp(-np.sum((Y - f[:, :P]) ** 2, axis=(1, 2)) / (2 * problem.noise))
        rows = [A.transpose(0, 2, 1) @ A / N, f, f**2, *kernels]
        batches.append([np.mean(weight)] + [np.tensordot(weight, row, 1) / n for row in rows])
    mass = np.array([batch[0] for batch in batches])

    def brute_force(k):
        values = np.array([batch[k] for batch in batches])
        mean = values.mean(axis=0) / mass.mean()
        linear = values - mean * mass.reshape(-1, *[1] * mean.ndim)
        return mean, linear.std(axis=0, ddof=1) / math.sqrt(len(batches)) / mass.mean()

    assert_agree(draws.readout_covariance(), *brute_force(1))
    assert_agree(draws.outputs(inputs, thin=4), *brute_force(2))
    variance, (second, error) = draws.outputs_variance(inputs, thin=4), brute_force(3)
    mean = brute_force(2)[0]
    assert_agree(variance, second - mean**2, np.hypot(error, 2 * np.abs(mean) * brute_force(2)[1]))
    for layer in range(1, depth + 1):
        assert_agree(draws.kernel(inputs, inputs, layer, thin=4), *brute_force(3 + layer))
