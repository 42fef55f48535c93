import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal import solve_sigmoidal_classes
from tests.theory.sigmoidal.problems import toy_posterior


FROZEN = {(1, 1, 0): 0.275, (1, 0, 1): 0.275, (1, 1, 1): 0.15, (0, 1, 1): 0.3}


@pytest.mark.parametrize(("finite_size", "tolerance"), [(False, 0.002), (True, 20 / 200)])
def test_frozen_shares_cost_what_they_should(finite_size, tolerance):
    """Reference, from another program: 471 nats above equilibrium at N = P = 200, T = 1e-3, up to terms in 1/P."""
    posterior = toy_posterior(P=200, T=1e-3)
    frozen = solve_sigmoidal_classes(posterior, finite_size, FROZEN)
    free = solve_sigmoidal_classes(posterior, finite_size)
    excess = frozen.free_energy - free.free_energy
    assert 200 * 200 * excess == pytest.approx(471, rel=tolerance)
    assert frozen.ensemble == "quenched" and not frozen.certified
    assert frozen.gap == pytest.approx(200 * excess, abs=1e-9)
    assert frozen.residual < 1e-9
    named = {
        tuple(int(on) for on in row): share
        for row, share in zip(frozen.codes.active, frozen.codes.fraction, strict=True)
    }
    assert named == pytest.approx(FROZEN, abs=1e-9)


@pytest.mark.parametrize("finite_size", [False, True])
def test_equilibrium_shares_give_equilibrium(finite_size):
    posterior = toy_posterior(P=300, T=2e-3)
    free = solve_sigmoidal_classes(posterior, finite_size)
    shares = {
        tuple(int(on) for on in row): float(share)
        for row, share in zip(free.codes.active, free.codes.fraction, strict=True)
    }
    frozen = solve_sigmoidal_classes(posterior, finite_size, shares)
    # Where basins end is drawn differently at finite P; the shares of the touching tails are of order 1e-5.
    assert frozen.free_energy == pytest.approx(free.free_energy, abs=1e-10 if not finite_size else 1e-5)
    np.testing.assert_allclose(frozen.codes.readout, free.codes.readout, atol=1e-8 if not finite_size else 2e-3)


def test_free_energy_is_convex_in_the_shares_with_slope_e():
    """dF/dw_g = E_g, by differences along an exchange of two codes."""
    posterior = toy_posterior(T=1e-3)

    def free_energy(shift):
        shares = {**FROZEN, (1, 1, 1): 0.15 + shift, (0, 1, 1): 0.3 - shift}
        return solve_sigmoidal_classes(posterior, False, shares)

    low, middle, high = (free_energy(shift) for shift in (-0.002, 0.0, 0.002))
    names = middle.codes.names
    energies = dict(zip(names, middle_energies(middle), strict=True))
    slope = (high.free_energy - low.free_energy) / 0.004
    assert slope == pytest.approx(energies["1-1-1"] - energies["0-1-1"], rel=2e-3)
    assert low.free_energy + high.free_energy > 2 * middle.free_energy


def middle_energies(prediction):
    """E(a) = |a|^2/2 - sum_c rho_c g(a . t_c) at the codes' readouts."""
    problem = prediction.problem
    a = prediction.centres @ problem.basis.T / problem.scale
    return 0.5 * np.sum(a**2, axis=1) - problem.neuron.log_average(a @ prediction.t.T) @ problem.rho


@pytest.mark.parametrize(
    ("fractions", "words"),
    [
        ({}, "mapping"),
        ({(1, 1, 0): 0.5, (1, 0, 1): 0.4}, "sum to 0.9"),
        ({(1, 1): 0.5, (1, 0): 0.5}, "tuple of 3 numbers"),
        ({(1, 2, 0): 1.0}, "tuple of 3 numbers"),
        ({(1, 1, 0): 1.5, (1, 0, 1): -0.5}, "1-0-1 is -0.5"),
        ({(1, 0, 0): 0.4, (0, 1, 0): 0.3, (0, 0, 1): 0.3}, "unstable"),
    ],
)
def test_what_is_wrong_with_fractions_is_named(fractions, words):
    with pytest.raises(InvalidInput, match=words):
        solve_sigmoidal_classes(toy_posterior(P=100), False, fractions)
