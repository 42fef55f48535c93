"""An odd task of every kind, and requests that the theory has to refuse; the sweep is in tests/statistical."""

import numpy as np
import pytest
from scipy.optimize import minimize

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal.general import solve_sigmoidal_general
from tests.theory.sigmoidal.general.problems import correlated_task
from tests.theory.sigmoidal.general.random_tasks import random_posterior


@pytest.mark.parametrize("seed", range(7, 14))
def test_small_odd_tasks_are_solved(seed):
    posterior = random_posterior(seed, largest=12, most_outputs=3)
    prediction = solve_sigmoidal_general(posterior)
    task = posterior.task
    assert prediction.residual < 1e-6
    assert not prediction.certified
    assert prediction.codes.fraction.sum() == pytest.approx(1, abs=1e-9)
    # The predictor is computed from the wells, the field from the equations.
    off = prediction.predict(task.X) - (task.Y - posterior.temperature * prediction.dual_field)
    assert np.abs(off).max() < 2e-6 * np.abs(task.Y).max()


def test_two_clusters_whose_codes_merge_are_solved():
    """Eight inputs each, targets 1 and 0.63, T = 0.004: near the end of the second code."""
    generator = np.random.default_rng(0)
    labels = np.arange(16) % 2
    X = 1.5 * generator.standard_normal((2, 20))[labels] + generator.standard_normal((16, 20))
    for y_minus in (0.477, 0.63):
        task = nl.tasks.from_arrays(X, np.where(np.arange(2) == labels[:, None], 1.0, y_minus), labels=labels)
        assert solve_sigmoidal_general(nl.Posterior(nl.Network(20), task, 0.004)).residual < 1e-6


@pytest.mark.parametrize("temperature", [0.05, 0.0])
def test_the_free_energy_of_overlapping_codes_bounds_the_exact_one(temperature):
    """The exact value by a grid over readouts and preactivations: two equal pairs of inputs leave three integrals."""
    X = np.sqrt(2) * np.repeat(np.eye(2), 2, axis=0)
    Y = np.repeat(np.array([1.0, 0.2]), 2)[:, None]
    task = nl.tasks.from_arrays(X, Y, labels=np.repeat([0, 1], 2))
    posterior = nl.Posterior(nl.Network(10), task, temperature)
    prediction = solve_sigmoidal_general(posterior)
    grid = np.linspace(-9, 9, 121)
    a, z = np.sqrt(posterior.sigma_a2) * grid, grid
    phi = posterior.network.phi(z)
    prior = np.exp(-0.5 * grid**2)
    prior /= prior.sum()

    def dual(t):
        factors = [np.exp(2 * t_c * a[:, None] * phi) @ prior for t_c in t]
        log_Z1 = np.log(prior @ (factors[0] * factors[1]))
        return 2 * (t @ Y[::2, 0]) - temperature * (t @ t) - log_Z1

    found = minimize(lambda t: -dual(t), np.ones(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    exact = -float(found.fun) / 4
    assert prediction.residual < 1e-6
    assert exact < prediction.free_energy < exact + 0.05


def test_tanh_is_refused_with_what_exists():
    with pytest.raises(InvalidInput, match=r"'tanh'.*'sigmoid' and 'erf'.*nonlazy\.sample"):
        solve_sigmoidal_general(nl.Posterior(nl.Network(30, activation="tanh"), correlated_task(), 0.01))
