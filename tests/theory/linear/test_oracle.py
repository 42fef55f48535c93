"""The closed form of linear networks against the exact matrix sampler.

Tolerances: 4 Monte Carlo errors, plus 1/N relative to the largest entry for the fluctuations of the m x m matrices,
which the saddle point neglects, and L/N for the predictor's variance, which holds U^L. The Monte Carlo part alone has a
false-alarm rate below 1% a test; the seeds are fixed.
"""

import numpy as np
import pytest

import nonlazy as nl
from tests.oracles.linear_matrix_sampler import Problem, sample


def assert_close(predicted, found, relative):
    allowed = 4 * found.error + relative * np.max(np.abs(found.mean))
    deviation = np.abs(predicted - found.mean)
    assert np.all(deviation <= allowed), f"off by {np.max(deviation / allowed):.2f} of what is allowed"


def orthogonal(y_minus):
    return nl.tasks.toy(100, 120, y_minus=y_minus, seed=1)


def correlated(N0=130, P=100):
    generator = np.random.default_rng(5)
    scales = np.linspace(0.4, 1.6, N0)
    labels = np.sort(np.arange(P) % 3)
    X = scales * generator.standard_normal((P, N0)) + 0.3 * generator.standard_normal((3, N0))[labels]
    return nl.tasks.from_arrays(X, np.eye(3)[labels] * 1.2 - 0.2, labels)


def compare(task, network, temperature, readout_variance=None, weight_variance=1.0, chains=60):
    posterior = nl.Posterior(network, task, temperature, readout_variance, weight_variance)
    N, L = network.width, network.depth
    prediction = nl.theory.solve(posterior)
    problem = Problem(
        task.X, task.Y, N, L, temperature, posterior.sigma_a2, posterior.sigma2, lazy=network.readout == "lazy"
    )
    draws = sample(problem, chains=chains, seed=2)
    new = np.random.default_rng(9).standard_normal((2, task.N0)) * np.std(task.X) + 0.5 * task.X[[0, -1]]
    inputs = np.concatenate([task.X[[0, 1, 60, 99]], new])
    assert prediction.residual < 1e-10
    assert_close(prediction.readout_covariance, draws.readout_covariance(), 1 / N)
    assert_close(prediction.predict(inputs), draws.outputs(inputs, thin=10), 1 / N)
    assert_close(prediction.predictor_variance(inputs), draws.outputs_variance(inputs, thin=10), L / N)
    for layer in range(1, L + 1):
        assert_close(prediction.kernel(inputs, layer=layer), draws.kernel(inputs, inputs, layer, thin=10), 1 / N)


@pytest.mark.parametrize(("depth", "y_minus", "temperature"), [(1, 0.0, 1e-2), (2, 0.0, 1e-2), (2, -0.5, 1e-3)])
def test_orthogonal_inputs(depth, y_minus, temperature):
    compare(orthogonal(y_minus), nl.Network(100, depth, "linear"), temperature)


@pytest.mark.statistical
def test_correlated_inputs():
    compare(correlated(), nl.Network(100, 2, "linear"), 1e-2)


def test_general_prior_variances():
    compare(correlated(), nl.Network(120, 2, "linear"), 1e-2, readout_variance=0.25, weight_variance=(0.6, 1.7))


def test_more_inputs_than_dimensions():
    compare(correlated(N0=40), nl.Network(100, 2, "linear"), 1e-2)


@pytest.mark.statistical
def test_high_temperature():
    compare(orthogonal(0.0), nl.Network(100, 2, "linear"), 1.0)


@pytest.mark.statistical
@pytest.mark.parametrize("N", [100, 200])
@pytest.mark.parametrize(("y_minus", "temperature"), [(0.0, 1e-2), (-0.5, 1e-2)])
def test_three_layers(N, y_minus, temperature):
    compare(orthogonal(y_minus), nl.Network(N, 3, "linear"), temperature, chains=200)
