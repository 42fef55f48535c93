"""Wells against brute force, finite differences and the single-neuron integral."""

import itertools

import numpy as np
import pytest

from nonlazy.theory.sigmoidal.general._relax import descend, relax
from nonlazy.theory.sigmoidal.general._response import response
from nonlazy.theory.sigmoidal.general._setting import Fluctuations
from nonlazy.theory.sigmoidal.general._starts import Starts
from nonlazy.theory.sigmoidal.general._well import energy_of, local
from tests.theory.sigmoidal.general.problems import correlated_task, setting_of


def some_well(fluctuations: Fluctuations = "variational", finite_size=True, P=12):
    task = correlated_task(P=P)
    setting = setting_of(task, fluctuations=fluctuations, finite_size=finite_size)
    active = (task.labels == 0).astype(float)
    t = 3.0 * (2 * task.Y - 1) + 0.3 * np.random.default_rng(1).standard_normal(task.Y.shape)
    found = relax(setting, t, Starts(setting).well(active, t))
    assert found is not None
    return setting, t, *found


KINDS = [("variational", True), ("variational", False), ("neglected", True)]


@pytest.mark.parametrize(("fluctuations", "finite_size"), KINDS)
def test_the_gradient_is_that_of_the_energy(fluctuations, finite_size):
    setting, t, well, _ = some_well(fluctuations, finite_size)
    generator = np.random.default_rng(0)
    u, b = (
        well.u + 0.3 * generator.standard_normal(well.u.shape),
        well.b + 0.3 * generator.standard_normal(well.b.shape),
    )

    def energy(u, b):
        return energy_of(local(setting, t, u, b, well.v, well.c), u, b, well.shape.cost)

    here, step = local(setting, t, u, b, well.v, well.c), 1e-5
    for direction in np.eye(setting.rank)[:4]:
        slope = (energy(u + step * direction, b) - energy(u - step * direction, b)) / (2 * step)
        assert slope == pytest.approx(here.gradient_u @ direction, abs=1e-7)
    for direction in np.eye(setting.k):
        slope = (energy(u, b + step * direction) - energy(u, b - step * direction)) / (2 * step)
        assert slope == pytest.approx(here.gradient_b @ direction, abs=1e-7)


@pytest.mark.parametrize(("fluctuations", "finite_size"), KINDS)
def test_a_relaxed_well_is_a_minimum(fluctuations, finite_size):
    setting, t, well, _ = some_well(fluctuations, finite_size)
    here = local(setting, t, well.u, well.b, well.v, well.c)
    assert np.abs(np.concatenate([here.gradient_u, here.gradient_b])).max() < 1e-8
    generator = np.random.default_rng(0)
    for _ in range(20):
        u = well.u + 0.1 * generator.standard_normal(well.u.shape)
        b = well.b + 0.1 * generator.standard_normal(well.b.shape)
        assert energy_of(local(setting, t, u, b, well.v, well.c), u, b, well.shape.cost) > well.energy


def test_descent_lowers_the_energy_to_the_same_minimum():
    setting, t, well, _ = some_well()
    start = Starts(setting).well((np.arange(setting.P) % 2 == 0).astype(float), t)
    energies = [descend(setting, t, start, tolerance=0.0, steps=steps).energy for steps in (1, 3, 10, 300)]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(energies))
    assert energies[-1] == pytest.approx(well.energy, abs=1e-8)


@pytest.mark.parametrize(("fluctuations", "tolerance"), [("neglected", 1e-6), ("variational", 1e-6)])
def test_the_response_is_the_derivative_of_the_activations_at_a_fixed_readout(fluctuations, tolerance):
    """At leading order in P the response is exact; the readout is held by a field that makes up for its change."""
    setting, t, well, _ = some_well(fluctuations, finite_size=False)
    here = local(setting, t, well.u, well.b, well.v, well.c)
    exact = response(setting, t, here, well.shape)
    direction = np.random.default_rng(3).standard_normal(t.shape)
    step = 1e-4
    moved = [relax(setting, t + sign * step * direction, well) for sign in (1, -1)]
    wells = [pair[0] for pair in moved if pair is not None]
    phi = [setting.averages.mean(setting.roots @ well.u, well.v) for well in wells]
    b = [well.b for well in wells]
    a = setting.sigma_a * well.b
    jacobian = exact.field_jacobian(a)
    db = np.linalg.solve(exact.curvature, np.einsum("prs,pr->s", jacobian, direction))
    dphi = exact.matrix @ (direction @ a + setting.sigma_a * t @ db)
    np.testing.assert_allclose((b[0] - b[1]) / (2 * step), db, atol=tolerance)
    np.testing.assert_allclose((phi[0] - phi[1]) / (2 * step), dphi, atol=tolerance)


def test_wells_bound_the_single_neuron_integral():
    """-log sum_g exp(-E_g) >= -log Z1, by importance sampling from the wells themselves.

    400,000 draws; the weights' spread makes the Monte Carlo error of log Z1 below 0.01, and five of them are allowed.
    The Gaussian misses by 0.3 nats at most: its known errors are of this order for each of 12 inputs at |h| of about 3.
    """
    setting, t, well, _ = some_well(P=12)
    generator, d, r = np.random.default_rng(0), setting.rank + setting.k, setting.rank
    noise = generator.standard_normal((400_000, d))
    x = np.concatenate([well.u, well.b]) + 1.1 * np.linalg.solve(well.shape.factor.T, noise.T).T
    log_q = -0.5 * np.sum(noise**2, axis=1) + np.sum(np.log(np.diag(well.shape.factor))) - d * np.log(1.1)
    phi = setting.averages.mean(x[:, :r] @ setting.roots.T, np.zeros(setting.P))
    h = setting.sigma_a * x[:, r:] @ t.T
    log_p = -0.5 * np.sum(x**2, axis=1) + np.sum(h * phi, axis=1)
    ratio = np.exp(log_p - log_q + well.energy)
    integral, error = ratio.mean(), ratio.std() / np.sqrt(len(ratio))
    assert error < 0.01 * integral
    assert np.log(integral) > -5 * error / integral
    assert np.log(integral) < 0.3
