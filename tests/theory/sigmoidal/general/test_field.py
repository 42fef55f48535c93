"""The field and the weights: derivatives, stationarity and duality."""

import functools

import numpy as np
import pytest

from nonlazy.theory.sigmoidal.general._field import Population, balance, curvature, energies, equilibrate, settle
from nonlazy.theory.sigmoidal.general._relax import relax
from nonlazy.theory.sigmoidal.general._setting import Fluctuations
from nonlazy.theory.sigmoidal.general._starts import Starts, first_field
from tests.theory.sigmoidal.general.problems import correlated_task, setting_of


@functools.cache
def population(fluctuations: Fluctuations = "variational", finite_size=True, solved=True):
    task = correlated_task(P=24)
    setting = setting_of(task, fluctuations=fluctuations, finite_size=finite_size)
    members = np.stack([task.labels == c for c in range(2)]).astype(float)
    codes, weights = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.5, 0.5])
    t = first_field(setting, members, codes, weights)
    starts = Starts(setting)
    first = settle(setting, t, [starts.well(code @ members, t) for code in codes], weights, np.zeros(2, dtype=int))
    return setting, equilibrate(setting, first) if solved else first


def moved_to(setting, start, t):
    found = [relax(setting, t, well) for well in start.wells]
    pairs = [pair for pair in found if pair is not None]
    assert len(pairs) == len(found)
    wells, responses = zip(*pairs, strict=True)
    return Population(t, wells, start.weights, responses, start.group)


@pytest.mark.parametrize(
    ("fluctuations", "finite_size", "tolerance"),
    [("neglected", False, 1e-6), ("variational", False, 1e-6), ("variational", True, 0.05)],
)
def test_the_hessian_is_the_derivative_of_the_force(fluctuations, finite_size, tolerance):
    """Exact where the readout is a point; otherwise up to O(1/P), which the response leaves out."""
    setting, here = population(fluctuations, finite_size)
    direction, step = np.random.default_rng(0).standard_normal(here.t.shape), 1e-4
    forces = [balance(setting, moved_to(setting, here, here.t + sign * step * direction)).force for sign in (1, -1)]
    difference = -(forces[0] - forces[1]) / (2 * step)
    found = (curvature(setting, here) @ direction.ravel()).reshape(direction.shape)
    assert np.abs(found - difference).max() < tolerance * np.abs(difference).max()


@pytest.mark.parametrize("fluctuations", ["variational", "neglected"])
def test_the_equations_are_solved(fluctuations):
    setting, solved = population(fluctuations)
    now = balance(setting, solved)
    assert now.residual < 1e-9
    assert now.spread < 1e-6
    assert solved.weights.sum() == pytest.approx(1)


def test_the_dual_is_concave_and_largest_at_the_solution():
    """D(t) = tr t^T Y - T|t|^2/2 - log sum_g exp(-E_g(t)) along random directions through the solution."""
    setting, solved = population()

    def dual(t):
        E = energies(setting, moved_to(setting, solved, t))
        return np.sum(t * setting.targets) - 0.5 * setting.temperature * np.sum(t * t) - np.logaddexp.reduce(-E)

    best, generator = dual(solved.t), np.random.default_rng(1)
    for _ in range(5):
        direction = 0.3 * generator.standard_normal(solved.t.shape)
        values = [dual(solved.t + share * direction) for share in (-1, -0.5, 0.5, 1)]
        assert max(values) < best
        assert values[1] + values[2] > values[0] + values[3]


def test_the_field_of_fixed_weights_stays_where_it_is_at_equilibrium():
    setting, solved = population()
    frozen = Population(solved.t, solved.wells, solved.weights, solved.responses, np.arange(len(solved.wells)))
    np.testing.assert_allclose(equilibrate(setting, frozen).t, solved.t, atol=1e-6)
