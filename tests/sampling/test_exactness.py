"""Every Metropolis-corrected kernel leaves its posterior invariant; wrong ones are caught by the same test.

Twelve correct kernels are tested, each at the false-alarm rate `exact_rank.FALSE_ALARM`, and the seeds are fixed.
"""

import jax
import jax.numpy as jnp
import pytest

from nonlazy.sampling.kernels import _hamiltonian, _langevin, _rotations
from nonlazy.sampling.kernels._potential import Position
from tests.sampling.exact_rank import FALSE_ALARM, p_value, tiny


def hamiltonian(step_size, *, length=0.5, adjusted=1):
    trajectory = _hamiltonian.Trajectory(
        jnp.float32(length), jnp.float32(step_size), jnp.float32(0.4), jnp.int32(50), jnp.int32(adjusted)
    )
    return lambda *where: _hamiltonian.iterate(*where[:2], trajectory, *where[2:])[0]


def langevin(case, step_size, *, adjusted=1):
    mobility = Position(
        jnp.float32(1.0), tuple(jnp.float32(1.0) for _ in range(case.architecture.depth - 1)), jnp.float32(2.0)
    )
    diffusion = _langevin.Diffusion(jnp.float32(step_size), mobility, jnp.int32(5), jnp.int32(adjusted))
    return lambda *where: _langevin.iterate(*where[:2], diffusion, *where[2:])[0]


def rotations(rotate=_rotations.rotate_pairs, attempts=6):
    return lambda *where: rotate(*where[:2], jnp.int32(attempts), *where[2:])[0]


CASES = {
    "sigmoid": tiny("sigmoid"),
    "sigmoid, deep": tiny("sigmoid", depth=3),
    "sigmoid, lazy": tiny("sigmoid", readout="lazy"),
    "relu": tiny("relu"),
    "relu, correlated inputs": tiny("relu", orthogonal=False),
    "relu, deep": tiny("relu", depth=2),
    "linear, deep": tiny("linear", depth=3, orthogonal=False),
}


@pytest.mark.parametrize("name", ["sigmoid", "sigmoid, deep", "sigmoid, lazy", "relu, correlated inputs"])
def test_hamiltonian_is_exact(name):
    assert p_value(CASES[name], hamiltonian(0.25), seed=1) > FALSE_ALARM


@pytest.mark.parametrize("name", ["sigmoid", "relu, deep"])
def test_adjusted_langevin_is_exact(name):
    assert p_value(CASES[name], langevin(CASES[name], 0.02), seed=2) > FALSE_ALARM


@pytest.mark.parametrize("name", ["relu", "relu, correlated inputs", "relu, deep", "sigmoid"])
def test_pair_rotations_are_exact(name):
    assert p_value(CASES[name], rotations(), seed=3) > FALSE_ALARM


def test_rotations_of_linear_layers_are_exact():
    case = CASES["linear, deep"]
    assert p_value(case, rotations(_rotations.rotate_linear), seed=4) > FALSE_ALARM


def test_rotations_of_linear_layers_change_neither_density_nor_outputs():
    case = CASES["linear, deep"]
    keys = jax.random.split(jax.random.key(0), 5)
    position = Position(
        jax.random.normal(keys[0], (4, 3)),
        tuple(jax.random.normal(key, (4, 4)) for key in keys[1:3]),
        jax.random.normal(keys[3], (2, 4)),
    )
    problem = case.problem()
    new, _ = _rotations.rotate_linear(case.architecture, problem, jnp.int32(1), position, keys[4])
    from nonlazy.sampling.kernels._potential import outputs, preactivations, squares

    def f(where):
        return outputs(case.architecture, problem, where, preactivations(case.architecture, problem, where)[-1])

    assert jnp.abs(new.readout - position.readout).max() > 0.1
    assert jnp.allclose(f(new), f(position), rtol=1e-4, atol=1e-5)
    assert jnp.allclose(squares(new), squares(position), rtol=1e-5)


# The same test has to reject kernels that are wrong. Small p-values are the point here.
REJECTED = 1e-8


def test_accepting_everything_is_caught():
    assert p_value(CASES["sigmoid"], hamiltonian(0.5, adjusted=0), seed=5) < REJECTED


def test_unadjusted_langevin_with_a_large_step_is_caught():
    case = CASES["sigmoid"]
    assert p_value(case, langevin(case, 0.05, adjusted=0), seed=5) < REJECTED


@pytest.mark.parametrize("kind", ["hamiltonian", "langevin", "rotations"])
def test_a_temperature_off_by_a_factor_is_caught(kind):
    case = CASES["relu"]
    kernel = {
        "hamiltonian": hamiltonian(0.1, length=1.0),
        "langevin": langevin(case, 0.01),
        "rotations": rotations(attempts=20),
    }[kind]
    wrong = case.problem(temperature=1.2 * case.posterior.temperature)
    assert p_value(case, kernel, seed=6, problem=wrong) < REJECTED


def test_a_wrong_sign_of_the_momentum_term_is_caught(monkeypatch):
    right = _hamiltonian.energy_error

    def wrong(problem, old, new):
        kinetic = _hamiltonian.change_of_half_squares(new[1], old[1])
        return right(problem, old, new) - 2 * kinetic

    monkeypatch.setattr(_hamiltonian, "energy_error", wrong)
    assert p_value(CASES["sigmoid"], hamiltonian(0.25), seed=7) < REJECTED


@pytest.mark.parametrize("name", ["relu", "relu, correlated inputs"])
def test_a_rotation_without_its_selection_ratio_is_caught(monkeypatch, name):
    monkeypatch.setattr(_rotations, "log_selection_ratio", lambda *weights: 0.0 * weights[0])
    assert p_value(CASES[name], rotations(attempts=20), seed=8) < REJECTED
