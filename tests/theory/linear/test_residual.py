import dataclasses
import functools

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.linear._energy import LinearEnergy
from nonlazy.theory.linear._input_modes import input_modes
from nonlazy.theory.linear._saddle import noisy_saddle
from nonlazy.theory.linear._solve import _residual


# Made once: four tasks for 144 solutions.
TASKS = {
    "toy": functools.cache(lambda: nl.tasks.toy(60, 80, y_minus=0.0)),
    "targets that sum to 0": functools.cache(lambda: nl.tasks.toy(60, 80, y_minus=-0.5)),
    "digits": functools.cache(lambda: nl.tasks.mnist(100, P_test=0)),
    "more inputs than dimensions": functools.cache(
        lambda: nl.tasks.random_projection(nl.tasks.mnist(100, P_test=0), 40)
    ),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("readout", ["non-lazy", "lazy"])
def test_neurons_reproduce_the_targets(task, depth, readout):
    for temperature in (0.0, 1e-5, 1e-3, 0.1, 10.0):
        prediction = nl.theory.solve(nl.Network(80, depth, "linear", readout), TASKS[task](), temperature)
        assert prediction.residual < 1e-9 and prediction.stationarity < 1e-9
    assert nl.theory.solve(nl.Network(80, depth, "linear", readout), TASKS[task](), finite_size=False).residual < 1e-9


@pytest.mark.parametrize("depth", [1, 3])
def test_a_wrong_covariance_does_not(depth):
    """R off by a share e in every direction: the renewed R misses by about e, the outputs by a like share."""
    posterior = nl.Posterior(nl.Network(80, depth, "linear"), TASKS["toy"](), 0.01)
    modes = input_modes(posterior.task.X, posterior.task.Y)
    energy = LinearEnergy(modes.kappa, modes.targets, depth, 80, posterior.sigma_a2, 0.01)
    saddle = noisy_saddle(energy)
    for share in (1e-2, 1e-4, 1e-6):
        ratios = (1 + share) * saddle.ratios
        gradient = energy.in_eigenbasis(saddle.basis, ratios)[1]
        wrong = dataclasses.replace(saddle, ratios=ratios, renewed=np.diag(ratios) - 2 / depth * gradient)
        assert 0.1 * share < _residual(posterior, modes, wrong) < 100 * share


def test_one_wide_layer_is_the_law_of_one_neuron():
    """P(a, z) ~ N(a; 0, sigma_a^2) N(z; 0, K_0) exp(a^T t^T z) is Gaussian: with the solution's t, the covariance of
    its readouts is U and <z a^T> are the targets, up to P/N = 1e-8."""
    task = TASKS["digits"]()
    prediction = nl.theory.solve(nl.Network(10**10, 1, "linear"), task, readout_variance=0.03)
    U = prediction.readout_covariance
    field = np.linalg.solve(task.input_kernel, task.Y) @ np.linalg.inv(U)
    renewed = np.linalg.inv(np.eye(3) / 0.03 - field.T @ task.input_kernel @ field)
    np.testing.assert_allclose(renewed, U, atol=1e-6 * np.max(U))
    np.testing.assert_allclose(task.input_kernel @ field @ renewed, task.Y, atol=1e-6)
