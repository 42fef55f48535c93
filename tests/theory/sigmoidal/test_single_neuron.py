import math

import numpy as np
import pytest
from scipy import integrate, stats

from nonlazy import activations
from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal import single_neuron


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "erf"])
@pytest.mark.parametrize("variance", [0.3, 1.0, 4.0])
def test_cumulants_are_those_of_a_plain_quadrature(name, variance):
    neuron = single_neuron(activations.get(name), variance)
    x = np.linspace(-12, 12, 4001)
    weight = np.exp(-(x**2) / 2)
    weight /= weight.sum()
    phi = np.asarray(neuron.phi(x * math.sqrt(variance)))
    fields = np.array([-200.0, -40.0, -13.0, -0.3, 0.0, 1e-3, 7.0, 30.0, 150.0, 500.0])
    tilt = weight * np.exp(np.outer(fields, phi) - np.max(np.outer(fields, phi), axis=1, keepdims=True))
    total = tilt.sum(axis=1)
    mean = tilt @ phi / total
    g, slope, curvature = neuron.cumulants(fields)
    np.testing.assert_allclose(g, np.log(total) + np.max(np.outer(fields, phi), axis=1), atol=1e-12, rtol=1e-13)
    np.testing.assert_allclose(slope, mean, atol=1e-13)
    np.testing.assert_allclose(curvature, np.sum(tilt * (phi - mean[:, None]) ** 2, axis=1) / total, atol=1e-13)


def test_no_field_gives_the_gaussian_averages():
    """<phi> = 1/2 and <phi^2> = 1/4 + arcsin[(pi/2) v / (1 + pi v / 2)] / (2 pi) for the paper's sigmoid."""
    for v in (0.5, 1.0, 2.0):
        neuron = single_neuron(activations.get("sigmoid"), v)
        _, mean, variance = neuron.cumulants(np.zeros(1))
        assert mean[0] == pytest.approx(0.5, abs=1e-14)
        expected = math.asin(math.pi / 2 * v / (1 + math.pi * v / 2)) / (2 * math.pi)
        assert variance[0] == pytest.approx(expected, abs=1e-14)


def test_kinks_and_jumps_are_integrated_too():
    ramp = single_neuron(activations.get(lambda z: np.clip(z + 0.3, -1, 1), kind="sigmoidal"), 1.0)
    exact = integrate.quad(
        lambda z: stats.norm.pdf(z) * math.exp(2 * np.clip(z + 0.3, -1, 1)), -12, 12, points=[-1.3, 0.7]
    )
    assert ramp.log_average(np.array([2.0]))[0] == pytest.approx(math.log(exact[0]), abs=1e-10)
    step = single_neuron(activations.get(lambda z: np.sign(z - 0.21), kind="sigmoidal"), 1.0)
    up = stats.norm.sf(0.21)
    assert step.log_average(np.array([1.5]))[0] == pytest.approx(
        math.log(up * math.exp(1.5) + (1 - up) * math.exp(-1.5)), abs=1e-12
    )


def test_density_is_normalised_and_has_the_mean_activation():
    neuron = single_neuron(activations.get("tanh"), 1.7)
    grid = np.linspace(-14, 14, 2001)
    for h in (-5.0, 0.4, 20.0):
        density = neuron.density(grid, np.array(h))
        assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-12)
        assert np.trapezoid(density * np.tanh(grid), grid) == pytest.approx(neuron.mean(np.array(h)), abs=1e-12)


def test_refuses_what_is_not_bounded():
    with pytest.raises(InvalidInput, match="bounded"):
        single_neuron(activations.get(lambda z: z, kind="sigmoidal"), 1.0)
    with pytest.raises(InvalidInput, match="constant"):
        single_neuron(activations.get(lambda z: 0 * z + 2, kind="sigmoidal"), 1.0)
    with pytest.raises(InvalidInput, match="still grows"):
        single_neuron(activations.get(lambda z: np.arcsinh(z), kind="sigmoidal"), 1.0)


def test_small_variances_do_not_make_phi_unbounded():
    """g = log <exp(h phi)> = h phi(0) + h^2 phi'(0)^2 v / 2 where phi is linear over all preactivations."""
    for name, middle, slope in (("sigmoid", 0.5, 0.5), ("tanh", 0.0, 1.0)):
        neuron = single_neuron(activations.get(name), 1e-6)
        assert neuron.high == pytest.approx(1) and neuron.middle == pytest.approx(middle)
        h = np.array([-3.0, 0.5, 20.0])
        np.testing.assert_allclose(neuron.log_average(h), h * middle + h**2 * slope**2 * 5e-7, atol=1e-9)
