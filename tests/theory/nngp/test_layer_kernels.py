"""The kernels of wide random networks against the recursion.

Tolerance: 4.5 Monte Carlo errors (false alarms below 1e-3 a test), plus 10/N of the largest entry for L >= 2, where a
network of finite width has fluctuating kernels below; the factor bounds kurtosis and curvature of the activations.
"""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.network import Weights
from nonlazy.theory.nngp import gaussian_process


def random_kernels(network, variances, X, draws, seed):
    """K_l of `draws` networks drawn from the prior, `(draws, L, inputs, inputs)`."""
    generator = np.random.default_rng(seed)
    N, found = network.width, []
    for _ in range(draws):
        fan_in = [X.shape[1]] + [N] * (network.depth - 1)
        hidden = tuple(np.sqrt(v) * generator.standard_normal((N, n)) for v, n in zip(variances, fan_in, strict=True))
        found.append(network.kernels(Weights(hidden, np.zeros((N, 1))), X))
    return np.array(found)


@pytest.mark.parametrize(
    ("activation", "depth"),
    [("linear", 3), ("sigmoid", 3), ("erf", 3), ("tanh", 3), ("relu", 3), ("softplus", 3), ("requ", 2)],
)
def test_kernels_of_random_networks(activation, depth):
    N, draws, variances = 250, 150, (1.3, 0.7, 1.1)[:depth]
    network = nl.Network(N, depth, activation)
    generator = np.random.default_rng(2)
    X = generator.standard_normal((4, 6)) * np.array([[0.5], [1.0], [1.0], [1.4]])
    X[3] += X[2]
    task = nl.tasks.from_arrays(X, np.ones((4, 1)), np.zeros(4, dtype=int))
    prediction = gaussian_process(network, task, temperature=1.0, weight_variance=variances)
    kernels = random_kernels(network, variances, X, draws, seed=3)
    mean, error = kernels.mean(axis=0), kernels.std(axis=0, ddof=1) / np.sqrt(draws)
    np.testing.assert_allclose(prediction.kernel(X, layer=0), X @ X.T / 6)
    for layer in range(1, depth + 1):
        expected = prediction.kernel(X, layer=layer)
        bias = 0.0 if layer == 1 else 10 / N * np.max(expected)
        deviation = np.abs(mean[layer - 1] - expected)
        assert np.all(deviation < 4.5 * error[layer - 1] + bias), (layer, deviation, error[layer - 1])
    np.testing.assert_allclose(prediction.kernel(X[:2], X[1:]), prediction.kernel(X)[:2, 1:], rtol=1e-9)
