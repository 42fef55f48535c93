import numpy as np
import pytest
from scipy.stats import multivariate_normal

import nonlazy as nl
from nonlazy.theory.sigmoidal.general._averages import averages_of
from nonlazy.theory.sigmoidal.general._bivariate import bivariate_normal


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@pytest.mark.parametrize("name", ["sigmoid", "erf"])
def test_averages_are_those_of_quadrature(name):
    phi = nl.Network(1, activation=name).phi
    m, v = np.array([-2.0, 0.3, 1.1]), np.array([0.2, 1.0, 0.5])
    z = m[:, None] + np.sqrt(v)[:, None] * NODES
    averages = averages_of(name)
    found = averages.derivatives(m, v)
    np.testing.assert_allclose(found[0], phi(z) @ WEIGHTS, atol=1e-9)
    np.testing.assert_allclose(found[1], phi.slope(z) @ WEIGHTS, atol=1e-8)
    np.testing.assert_allclose(averages.mean(m, v), found[0], atol=1e-14)
    np.testing.assert_allclose(averages.slope(m, v), found[1], atol=1e-14)


@pytest.mark.parametrize("order", range(5))
def test_each_derivative_is_that_of_the_one_before(order):
    averages, m, v, step = averages_of("erf"), np.linspace(-2, 2, 9), np.full(9, 0.7), 1e-5
    difference = (averages.derivatives(m + step, v)[order] - averages.derivatives(m - step, v)[order]) / (2 * step)
    np.testing.assert_allclose(averages.derivatives(m, v)[order + 1], difference, atol=1e-8)


def test_the_variance_acts_as_half_the_second_derivative():
    averages, m, v, step = averages_of("sigmoid"), np.linspace(-2, 2, 9), np.full(9, 0.7), 1e-5
    difference = (averages.mean(m, v + step) - averages.mean(m, v - step)) / (2 * step)
    np.testing.assert_allclose(0.5 * averages.derivatives(m, v)[2], difference, atol=1e-9)


@pytest.mark.parametrize("correlation", [-0.9, -0.3, 0.0, 0.5, 0.95])
def test_bivariate_normal_agrees_with_scipy(correlation):
    points = np.random.default_rng(0).normal(scale=1.5, size=(6, 2))
    x, y = points[:, :1], points[:, 1:]
    found = bivariate_normal(x, y, np.full_like(x, correlation))
    covariance = np.array([[1, correlation], [correlation, 1]])
    law = multivariate_normal(cov=covariance)  # pyright: ignore[reportArgumentType]
    expected = [law.cdf(point) for point in points]
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-7)


def test_activations_without_closed_form_are_refused():
    with pytest.raises(nl.errors.InvalidInput, match="'tanh'"):
        averages_of("tanh")
