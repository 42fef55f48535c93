import numpy as np
import pytest

from nonlazy.theory.linear._energy import LinearEnergy
from nonlazy.theory.linear._saddle import noiseless_saddle, noisy_saddle


def problem(depth=2, temperature=0.03, P=12, m=3, width=20, seed=0):
    generator = np.random.default_rng(seed)
    kappa = np.exp(generator.standard_normal(P))
    return LinearEnergy(kappa, generator.standard_normal((P, m)), depth, width, 0.4, temperature)


def matrix_energy(energy, H):
    """F straight from its definition, with matrix functions and no shared eigenbasis."""
    h, V = np.linalg.eigh(H)
    R = (V * np.exp(h)) @ V.T
    value = 0.5 * energy.depth * (np.trace(R) - np.sum(h) - energy.m)
    S = energy.variance * np.linalg.matrix_power(R, energy.depth)
    for kappa, y in zip(energy.kappa, energy.targets, strict=True):
        M = kappa * S + energy.temperature * np.eye(energy.m)
        value += 0.5 * np.linalg.slogdet(M)[1] / energy.width + 0.5 * y @ np.linalg.solve(M, y)
    return value


def symmetric(seed, m=3):
    A = np.random.default_rng(seed).standard_normal((m, m))
    return 0.5 * (A + A.T)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("temperature", [0.0, 0.2])
def test_energy_and_gradient_match_the_definition(depth, temperature):
    energy = problem(depth, temperature)
    H = symmetric(1)
    value, gradient = energy.value_and_gradient(H)
    assert value == pytest.approx(matrix_energy(energy, H), rel=1e-12)
    for seed in range(2, 6):
        direction, step = symmetric(seed), 1e-5
        slope = (matrix_energy(energy, H + step * direction) - matrix_energy(energy, H - step * direction)) / (2 * step)
        assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6)


def test_gradient_survives_equal_eigenvalues():
    energy = problem()
    exact = energy.value_and_gradient(0.3 * np.eye(3))[1]
    split = energy.value_and_gradient(np.diag([0.3, 0.3 + 1e-9, 0.3 - 1e-9]))[1]
    np.testing.assert_allclose(exact, split, atol=1e-7)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("temperature", [1e-6, 1e-2, 1.0, 100.0])
def test_solution_is_stationary_and_a_minimum(depth, temperature):
    energy = problem(depth, temperature, seed=depth)
    saddle = noisy_saddle(energy)
    assert saddle.stationarity < 1e-10
    H = (saddle.basis * np.log(saddle.ratios)) @ saddle.basis.T
    for seed in range(20):
        assert matrix_energy(energy, H + 0.05 * symmetric(seed)) > saddle.value
    assert saddle.certified


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_zero_temperature_solves_its_equation(depth):
    energy = problem(depth, 0.0)
    saddle = noiseless_saddle(energy)
    R = (saddle.basis * saddle.ratios) @ saddle.basis.T
    power = np.linalg.matrix_power
    target = (energy.targets / energy.kappa[:, None]).T @ energy.targets / energy.variance
    load = energy.kappa.size / energy.width
    np.testing.assert_allclose(power(R, depth + 1) - (1 - load) * power(R, depth), target, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("width", [6, 12, 20])
def test_low_temperature_joins_zero_temperature(depth, width):
    cold, zero = noisy_saddle(problem(depth, 1e-9, width=width)), noiseless_saddle(problem(depth, 0.0, width=width))
    np.testing.assert_allclose(np.sort(cold.ratios), np.sort(zero.ratios), rtol=1e-6)
    assert cold.value == pytest.approx(zero.value, rel=1e-6)


def test_the_lowest_of_two_minima_is_found_and_proven():
    """Five layers, one output: F has a minimum near the prior and one at the targets; a scan says which is lower."""
    found = set()
    for temperature in (0.3, 0.34, 0.342, 0.4):
        kappa = np.ones(40)
        energy = LinearEnergy(kappa, np.full((40, 1), 0.17), 5, 2000, 0.01, temperature)
        h = np.linspace(-3, 3, 60001)
        scan = energy.along_direction(np.exp(h)) + energy.label_force(np.exp(h))[:, 0, 0]
        minima = np.sum((scan[1:-1] < scan[:-2]) & (scan[1:-1] < scan[2:]))
        saddle = noisy_saddle(energy)
        # The scan misses the minimum by half a step of 1e-4 at most, at a curvature below 40.
        assert 0 <= scan.min() - saddle.value < 1e-7
        assert np.log(saddle.ratios[0]) == pytest.approx(h[scan.argmin()], abs=1e-4)
        assert saddle.certified
        found.add((int(minima), bool(saddle.ratios[0] > 1.5)))
    assert (2, True) in found and (2, False) in found


def test_no_variance_is_left_where_targets_vanish_and_inputs_outnumber_neurons():
    energy = problem(2, 0.0, P=12, width=8)
    flat = LinearEnergy(energy.kappa, energy.targets @ np.diag([1.0, 1.0, 0.0]), 2, 8, 0.4, 0.0)
    saddle = noiseless_saddle(flat)
    assert saddle.ratios.min() == 0.0 and saddle.value == -np.inf
    just = LinearEnergy(energy.kappa, flat.targets, 2, 12, 0.4, 0.0)
    cold = LinearEnergy(energy.kappa, flat.targets, 2, 12, 0.4, 1e-12)
    assert noiseless_saddle(just).value == pytest.approx(noisy_saddle(cold).value, abs=1e-3)
