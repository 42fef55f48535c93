"""Preactivations layer by layer against draws of whole networks from the exact posterior.

The matrix sampler draws G_1, G_2; given them everything else is Gaussian or a random rotation, and is drawn here.
Averages are over neurons and draws. Tolerance: 4.5 errors, from the spread of independent chains, plus 4/N of the
largest entry for the saddle point and the m/N of the fields' own directions; false alarms below 1% over all.
"""

import math

import numpy as np
import pytest

import nonlazy as nl
from tests.oracles.linear_matrix_sampler import Problem, estimate, sample


N, P, M, T, SIGMA_A2, SIGMA2 = 150, 12, 2, 0.02, 0.3, (0.8, 1.3)


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def draw_network(task, G1, G2, generator):
    """z^1 (N, P), z^2 (N, P) and the readouts (N, m) of a two-layer network, given G_1 and G_2."""
    kappa, u = np.linalg.eigh(task.input_kernel)
    w, V = np.linalg.eigh(SIGMA2[0] * G1)
    # The outputs: prior variance w kappa / N, noise T/N.
    noisy = np.maximum(kappa, 0)[:, None] * w + T
    share = kappa[:, None] * w / noisy
    deviation = np.sqrt(np.maximum(kappa, 0)[:, None] * w * T / noisy / N)
    f = u @ (share * (u.T @ task.Y @ V) + deviation * generator.standard_normal((P, M))) @ V.T

    def direction():
        return np.linalg.qr(generator.standard_normal((N, M)))[0]

    def layer(G, prior):
        """Q carries the outputs; what is orthogonal to it keeps its prior."""
        Q = direction()
        free = generator.standard_normal((N, P)) @ root(prior)
        return Q, math.sqrt(N) * Q @ root(np.linalg.inv(G)) @ f.T + free - Q @ (Q.T @ free)

    _, z1 = layer(G1, SIGMA2[0] * task.input_kernel)
    Q, z2 = layer(G2, SIGMA2[1] * z1.T @ z1 / N)
    return z1, z2, math.sqrt(N) * Q @ root(G2)


@pytest.fixture(scope="module")
def drawn():
    generator = np.random.default_rng(0)
    X = generator.standard_normal((P, 20)) + np.repeat(generator.standard_normal((2, 20)), P // 2, axis=0)
    labels = np.repeat([0, 1], P // 2)
    task = nl.tasks.from_arrays(X, np.eye(2)[labels] - 0.2, labels)
    prediction = nl.theory.solve(nl.Posterior(nl.Network(N, 2, "linear"), task, T, SIGMA_A2, SIGMA2))
    problem = Problem(task.X, task.Y, N, 2, T, SIGMA_A2, SIGMA2)
    G = sample(problem, chains=80, draws=120, seed=1).G[:, ::6]
    networks = [[draw_network(task, *G[c, d], generator) for d in range(G.shape[1])] for c in range(G.shape[0])]
    return task, prediction, networks


def averages(networks, what):
    return estimate(np.array([[what(*network) for network in chain] for chain in networks]))


def assert_close(found, predicted, relative=4 / N):
    allowed = 4.5 * found.error + relative * np.max(np.abs(predicted))
    deviation = np.abs(found.mean - predicted)
    assert np.all(deviation < allowed), f"off by {np.max(deviation / allowed):.2f} of what is allowed"


def test_the_construction_reproduces_its_readouts_and_outputs(drawn):
    task, prediction, networks = drawn
    assert_close(averages(networks, lambda z1, z2, a: a.T @ a / N), prediction.readout_covariance)
    assert_close(averages(networks, lambda z1, z2, a: z2.T @ a / N), prediction.predict(task.X))


def test_covariances_of_the_preactivations_are_the_kernels(drawn):
    task, prediction, networks = drawn
    for layer in (1, 2):
        found = averages(networks, lambda z1, z2, a: (z1, z2)[layer - 1].T @ (z1, z2)[layer - 1] / N)  # noqa: B023
        assert_close(found, prediction.kernel(task.X, layer=layer))


def test_densities_of_the_preactivations_have_the_sampled_characteristic_function(drawn):
    task, prediction, networks = drawn
    grid = np.linspace(-25, 25, 5001)
    for layer in (1, 2):
        for label in (0, 1):
            density = prediction.preactivation_density(grid, None, label, layer)
            assert np.trapezoid(density, grid) == pytest.approx(1)
            for k in (0.5, 1.0, 2.0):
                expected = np.trapezoid(density * np.cos(k * grid), grid)
                members = task.labels == label
                found = averages(
                    networks,
                    lambda z1, z2, a: np.mean(np.cos(k * (z1, z2)[layer - 1][:, members])),  # noqa: B023
                )
                assert abs(found.mean - expected) < 4.5 * found.error + 4 / N


def test_the_law_given_a_readout(drawn):
    """Regression of z^2 on a: its slope is the mean per unit of a, its rest has the stated covariance."""
    task, prediction, networks = drawn
    slope = np.stack([prediction.preactivations_given_readout(e)[0] for e in np.eye(2)], axis=1)
    covariance = prediction.preactivations_given_readout(np.array([0.3, -0.2]))[1]
    mixed = averages(networks, lambda z1, z2, a: z2.T @ a / N)
    assert_close(mixed, slope @ prediction.readout_covariance)
    rest = averages(networks, lambda z1, z2, a: (z2.T - slope @ a.T) @ (z2 - a @ slope.T) / N)
    assert_close(rest, covariance)
    # Layer 1 learned: its prior's kernel in place of K_1 is noticed.
    with pytest.raises(AssertionError):
        assert_close(rest, SIGMA2[0] * SIGMA2[1] * task.input_kernel)
