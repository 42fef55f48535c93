"""The posterior's convention: densities against products of Gaussians, defaults, conditionals."""

import math
import sys

import numpy as np
import pytest
import scipy.stats

from nonlazy import Network, Posterior
from nonlazy.errors import InvalidInput
from nonlazy.network import Weights
from nonlazy.tasks import toy


TASK = toy(6, 8, seed=5200)


def draw(posterior, seed):
    rng = np.random.default_rng(seed)
    N, task = posterior.network.width, posterior.task
    hidden = tuple(rng.standard_normal((N, task.N0 if l == 0 else N)) for l in range(posterior.network.depth))
    return Weights(hidden, rng.standard_normal((N, task.m)))


@pytest.mark.parametrize(("readout", "noise"), [("non-lazy", 0.3 / 5), ("lazy", 0.3)])
def test_log_density_is_prior_times_likelihood(readout, noise):
    posterior = Posterior(Network(5, 2, "sigmoid", readout), TASK, 0.3, 0.7, (1.3, 0.4))

    def log_density(weights):
        f = posterior.network.outputs(weights, TASK.X)
        total = scipy.stats.norm.logpdf(TASK.Y, f, math.sqrt(noise)).sum()
        total += scipy.stats.norm.logpdf(weights.readout, 0, math.sqrt(0.7)).sum()
        for matrix, variance in zip(weights.hidden, (1.3, 0.4), strict=True):
            total += scipy.stats.norm.logpdf(matrix, 0, math.sqrt(variance)).sum()
        return total

    first, second = draw(posterior, 1), draw(posterior, 2)
    difference = posterior.log_density(first) - posterior.log_density(second)
    assert difference == pytest.approx(log_density(first) - log_density(second), rel=1e-10)
    assert posterior.noise_variance == pytest.approx(noise)


@pytest.mark.parametrize(
    ("activation", "readout", "depth", "expected"),
    [
        ("sigmoid", "non-lazy", 1, 1 / 6),
        ("tanh", "non-lazy", 3, 1 / 6),
        ("relu", "non-lazy", 1, 1 / 6),
        ("relu", "non-lazy", 3, 6 ** (-1 / 3)),
        ("linear", "non-lazy", 2, 6 ** (-1 / 2)),
        ("relu", "lazy", 2, 1.0),
    ],
)
def test_default_readout_variance(activation, readout, depth, expected):
    assert Posterior(Network(5, depth, activation, readout), TASK, 0.1).sigma_a2 == pytest.approx(expected)


def test_readout_conditional_is_the_gaussian_of_the_joint_density():
    posterior = Posterior(Network(3, 1, "relu"), TASK, 0.2, 0.5)
    weights = draw(posterior, 3)
    phi = posterior.network.activations(weights, TASK.X)[-1]
    mean, covariance = posterior.readout_conditional(phi)
    at_mean = posterior.log_density(Weights(weights.hidden, mean))
    for seed in range(5):
        step = np.random.default_rng(seed).standard_normal(mean.shape)
        quadratic = 0.5 * np.einsum("ir,ij,jr->", step, np.linalg.inv(covariance), step)
        moved = posterior.log_density(Weights(weights.hidden, mean + step))
        assert at_mean - moved == pytest.approx(quadratic, rel=1e-9)


def test_it_says_its_convention():
    text = str(Posterior(Network(5), TASK, 0.1))
    assert "noise variance T/N = 0.02" in text and "sigma_a^2 = 0.166667" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1"),
        ({"temperature": math.nan}, "finite"),
        ({"temperature": 0.1, "readout_variance": 0.0}, "readout_variance is 0"),
        ({"temperature": 0.1, "weight_variance": (1.0, 1.0)}, "2 entries for 1 hidden"),
        ({"temperature": 0.1, "weight_variance": -1.0}, "weight_variance is -1"),
        ({"temperature": 1e-320}, r"temperature is 1e-320.*2\.2250738585072014e-308 or more"),
        ({"temperature": 5e-308}, r"temperature is 5e-308, and the noise variance 1e-308: above 0"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        Posterior(Network(5), TASK, **arguments)


def test_the_lowest_temperature_is_that_of_a_normal_noise_variance():
    least = sys.float_info.min
    assert Posterior(Network(5), TASK, 5 * least).noise_variance >= least
    assert Posterior(Network(5, readout="lazy"), TASK, least).noise_variance == least
    with pytest.raises(InvalidInput, match="choose a higher temperature, or 0"):
        Posterior(Network(5, readout="lazy"), TASK, least / 2)


@pytest.mark.parametrize(("size", "name"), [({"depth": 10**12}, "depth"), ({"width": 10**400}, "width")])
def test_sizes_that_no_posterior_has(size, name):
    with pytest.raises(InvalidInput, match=f"{name} is 1000.*at most"):
        Posterior(Network(**{"width": 5, **size}), TASK, 0.1)


def test_no_density_without_noise():
    posterior = Posterior(Network(5), TASK, 0.0)
    weights = draw(posterior, 4)
    with pytest.raises(InvalidInput, match="temperature is 0"):
        posterior.log_density(weights)
    with pytest.raises(InvalidInput, match="temperature is 0"):
        posterior.readout_conditional(np.zeros((5, 6)))
