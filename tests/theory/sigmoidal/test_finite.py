"""Finite P against reference values, brute-force quadrature and the exact sum over neurons."""

import math

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.sigmoidal import solve_sigmoidal_classes
from nonlazy.theory.sigmoidal._finite import first_field, solve_finite
from nonlazy.theory.sigmoidal._limit import solve_limit
from nonlazy.theory.sigmoidal._problem import class_problem
from tests.theory.sigmoidal.problems import toy_posterior, toy_problem


def finite(problem):
    return solve_finite(problem, first_field(problem, solve_limit(problem)))


@pytest.mark.parametrize(("P", "share"), [(500, 0.03959), (200, 0.04239)])
def test_reference_shares(P, share):
    prediction = solve_sigmoidal_classes(toy_posterior(P=P))
    named = dict(zip(prediction.codes.names, prediction.codes.fraction, strict=True))
    # The rule that tells codes apart where they touch differs from the reference's by some 1e-5.
    assert named["1-1-1"] == pytest.approx(share, abs=3e-5)
    assert named["1-1-0"] == pytest.approx(named["1-0-1"], abs=1e-6)
    assert prediction.residual < 1e-9 and prediction.quadrature_error < 1e-10 and prediction.certified
    assert prediction.codes.fraction.sum() == pytest.approx(1, abs=1e-14)


def test_large_sizes_approach_the_limit_as_one_over_size():
    limit = solve_limit(toy_problem(P=400, T=0.002))
    gaps = []
    for P in (400, 800, 1600):
        law = finite(toy_problem(P=P, T=0.002))
        gaps.append(limit.value - law.value)
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.05)
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(("m", "P", "T"), [(1, 30, 0.02), (1, 12, 0.0), (2, 40, 0.01)])
def test_moments_and_energy_by_brute_force(m, P, T):
    """At the field that was found, integrals over a plain grid of readouts and of preactivations."""
    if m == 1:
        task = nl.tasks.toy(P, P, class_ratios=(0.5, 0.5), targets="binary", seed=1)
    else:
        task = nl.tasks.toy(P, P, class_ratios=(0.5, 0.5), y_minus=0.3, seed=1)
    posterior = nl.Posterior(nl.Network(50, activation="sigmoid"), task, T)
    prediction = solve_sigmoidal_classes(posterior)
    z = np.linspace(-10, 10, 401)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    phi = np.asarray(posterior.network.phi(z))
    axis = np.linspace(-5, 5, 1501 if m == 1 else 161)
    a = np.stack(np.meshgrid(*[axis] * m, indexing="ij"), axis=-1).reshape(-1, m)
    log_density = -0.5 * np.sum(a**2, axis=1) / posterior.sigma_a2
    slopes = []
    for c in range(2):
        input_ = int(np.argmax(task.labels == c))
        tilt = weight * np.exp(np.outer(a @ prediction.dual_field[input_], phi))
        log_density += np.sum(task.labels == c) * np.log(tilt.sum(axis=1))
        slopes.append(tilt @ phi / tilt.sum(axis=1))
    top = log_density.max()
    density = np.exp(log_density - top)
    cell = (axis[1] - axis[0]) ** m
    prior = (2 * math.pi * posterior.sigma_a2) ** (m / 2)
    log_Z = math.log(density.sum() * cell / prior) + top
    density /= density.sum()
    t, scale = prediction.dual_field, np.max(np.abs(task.Y))
    for c in range(2):
        input_ = int(np.argmax(task.labels == c))
        missed = task.Y[input_] - T * t[input_] - (density * slopes[c]) @ a
        assert np.max(np.abs(missed)) < 1e-9 * scale
    energy = (np.sum(t * task.Y) - 0.5 * T * np.sum(t**2) - log_Z) / P
    assert energy == pytest.approx(prediction.free_energy, abs=1e-10)


@pytest.mark.parametrize("T", [0.05, 0.3])
def test_free_energy_against_the_exact_evidence_of_few_neurons(T):
    """One input, one output: the evidence of N neurons is one Fourier integral, without any approximation.

    -log p(Y) / N = D + log(-2 pi D'' / N) / (2 N) + O(1/N^2), by the saddle point of the Fourier integral: the field t
    fluctuates, and what is left must fall as 1/N^2.
    """
    task = nl.tasks.from_arrays(np.ones((1, 1)), np.array([[0.3]]), np.array([0]))
    z = np.linspace(-10, 10, 801)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    phi = np.asarray(nl.Network(1, activation="sigmoid").phi(z))
    # p(Y) = int dk / 2 pi exp(-i k Y - T k^2 / 2N) <exp(i k a phi / N)>^N
    q = np.linspace(-12, 12, 48001) / math.sqrt(T)
    law = np.exp(-0.5 * 0.7 * np.outer(q**2, phi**2)) @ weight
    left = []
    for N in (20, 40, 80):
        posterior = nl.Posterior(nl.Network(N, activation="sigmoid"), task, T, 0.7)
        prediction = solve_sigmoidal_classes(posterior)
        exponent = -0.5 * N * T * q**2
        integrand = np.cos(N * q * 0.3) * np.exp(exponent) * law**N
        exact = -math.log(N * np.trapezoid(integrand, q) / (2 * math.pi)) / N
        t = float(prediction.dual_field[0, 0])

        def log_Z(t):
            return math.log(np.exp(0.5 * 0.7 * (t * phi) ** 2) @ weight)

        step = 1e-3
        curvature = T + (log_Z(t + step) - 2 * log_Z(t) + log_Z(t - step)) / step**2
        saddle = prediction.free_energy + 0.5 * math.log(2 * math.pi * curvature / N) / N
        left.append(abs(exact - saddle))
    assert left[0] < 1e-3
    assert left[0] / left[1] == pytest.approx(4, rel=0.1)
    assert left[1] / left[2] == pytest.approx(4, rel=0.1)


def test_density_has_the_moments_of_the_law_and_of_the_draws():
    prediction = solve_sigmoidal_classes(toy_posterior(P=100, T=0.01))
    direction = np.array([0.3, -0.8, 0.5])
    unit = direction / np.linalg.norm(direction)
    grid = np.linspace(-6, 6, 3001)
    density = prediction.readout_density(direction, grid)
    step = grid[1] - grid[0]
    assert density.min() > -1e-6 * density.max()
    assert density.sum() * step == pytest.approx(1, abs=1e-8)
    nodes, weight = prediction.law.readout @ unit, prediction.law.probability
    for power in (1, 2, 3, 4):
        assert (density * grid**power).sum() * step == pytest.approx(weight @ nodes**power, abs=1e-7)
    draws = prediction.sample_readouts(40_000, seed=3)
    shares = np.bincount(prediction.assign(draws), minlength=4) / 40_000
    spread = np.sqrt(prediction.codes.fraction * (1 - prediction.codes.fraction) / 40_000)
    # Four shares and eight bins, each within 4.5 standard errors: a false alarm in 12 * 7e-6 of such tests.
    assert np.all(np.abs(shares - prediction.codes.fraction) < 4.5 * spread)
    edges = np.quantile(draws @ unit, np.linspace(0, 1, 9)[1:-1])
    cumulative = np.interp(edges, grid, np.cumsum(density) * step - 0.5 * density * step)
    expected = np.arange(1, 8) / 8
    assert np.all(np.abs(cumulative - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 40_000) + 1e-3)


def test_readouts_outside_the_space_of_the_targets_keep_their_prior():
    prediction = solve_sigmoidal_classes(toy_posterior(P=60, y_minus=-0.5, T=0.01))
    grid = np.linspace(-1, 1, 401)
    variance = prediction.posterior.sigma_a2
    expected = np.exp(-(grid**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    np.testing.assert_allclose(prediction.readout_density(np.ones(3), grid), expected, atol=1e-9)
    slanted = prediction.readout_density(np.array([1.0, 0.2, 0.0]), np.linspace(-6, 6, 2001))
    assert slanted.sum() * 0.006 == pytest.approx(1, abs=1e-8)
    draws = prediction.sample_readouts(4000, seed=0) @ np.ones(3) / math.sqrt(3)
    assert np.var(draws) == pytest.approx(variance, rel=0.12)


def test_general_variances_only_rescale():
    """sigma_a^2 P = s2: readouts, targets and T scale with s2; sigma_1^2 and the norm of the inputs are one number."""
    reference = solve_sigmoidal_classes(toy_posterior(P=80, T=0.02, sigma2=1.5))
    task = reference.posterior.task
    doubled = nl.Task(task.X * 0.5, 2 * task.Y, task.labels)
    posterior = nl.Posterior(nl.Network(80), doubled, 0.08, 4 / 80, 6.0)
    other = solve_sigmoidal_classes(posterior)
    assert other.free_energy == pytest.approx(reference.free_energy, abs=1e-12)
    np.testing.assert_allclose(other.codes.readout, 2 * reference.codes.readout, atol=1e-8)
    np.testing.assert_allclose(other.dual_field, 0.5 * reference.dual_field, atol=1e-8)


def test_groups_are_the_different_targets_whatever_the_labels():
    posterior = toy_posterior(P=80, T=0.02)
    task = posterior.task
    split = nl.Task(task.X, task.Y, np.where(np.arange(80) % 2 == 0, task.labels, task.labels + 3))
    other = solve_sigmoidal_classes(nl.Posterior(nl.Network(80), split, 0.02))
    reference = solve_sigmoidal_classes(posterior)
    assert class_problem(other.posterior).C == 3
    assert other.free_energy == pytest.approx(reference.free_energy, abs=1e-13)
    assert other.codes.activation.shape == (len(reference.codes), 6)
    np.testing.assert_allclose(other.codes.activation[:, :3], other.codes.activation[:, 3:], atol=1e-14)


def test_codes_that_touch_share_the_nodes_at_their_border():
    """Two classes of one size are each other's mirror image: equal shares, and draws with equal means."""
    task = nl.tasks.toy(20, 20, (0.5, 0.5))
    prediction = nl.theory.solve(nl.Network(100), task, temperature=0.1)
    np.testing.assert_allclose(prediction.codes.fraction, 0.5, atol=1e-9)
    drawn = prediction.sample_readouts(40_000, seed=1)
    difference = drawn[:, 0] - drawn[:, 1]
    # One false alarm in a million.
    assert abs(difference.mean()) < 4.9 * difference.std() / np.sqrt(len(drawn))


def test_fractions_that_depend_on_the_nodes_are_not_certified():
    prediction = nl.theory.solve(nl.Network(100), nl.tasks.toy(4, 8, (0.5, 0.5)), temperature=0.1)
    assert prediction.law.share_error > 1e-3
    assert not prediction.certified and "codes touch" in prediction.certificate
