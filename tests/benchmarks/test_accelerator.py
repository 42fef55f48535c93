"""Products of lower precision are what they are called, and change nothing where nothing is rounded."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _accelerator import gradients, precision, rounding
from _accelerator.gradients import operations
from _sampling.cases import Case
from _scaling.sizes import Size

from nonlazy.activations import get
from nonlazy.sampling.kernels import _hamiltonian
from nonlazy.sampling.kernels._potential import Architecture, Position, Problem, gradient, loss_of, residual_of


@pytest.mark.parametrize("value, bits, expected", [
    (1.0, 7, 1.0),
    (-1.5, 7, -1.5),
    (1.0 + 2.0**-8 + 2.0**-20, 7, 1.0 + 2.0**-7),
    # Halves go to the even neighbour.
    (1.0 + 2.0**-8, 7, 1.0),
    (1.0 + 3 * 2.0**-8, 7, 1.0 + 2.0**-6),
    (1.0 + 2.0**-11, 10, 1.0),
    (1.0 + 2.0**-10, 10, 1.0 + 2.0**-10),
    (0.1, 23, np.float32(0.1)),
])  # fmt: skip
def test_numbers_are_rounded_to_the_nearest(value, bits, expected):
    assert float(precision.rounded(jnp.float32(value), bits)) == expected


def test_rounding_to_seven_bits_is_that_of_bfloat16():
    values = jax.random.normal(jax.random.key(0), (1000,), jnp.float32)
    np.testing.assert_array_equal(precision.rounded(values, 7), values.astype(jnp.bfloat16).astype(jnp.float32))


def _problem(factored, depth):
    keys = iter(jax.random.split(jax.random.key(1), 8))
    N, P, r, m = 6, 5, 4, 2

    def normal(*shape):
        return jax.random.normal(next(keys), shape, jnp.float32)

    factor = normal(P, r) if factored else jnp.float32(0.9)
    numbers = map(jnp.float32, (0.4, 40.0, 100.0, 1.0))
    problem = Problem(factor, jnp.full(depth - 1, 0.4, jnp.float32), *numbers, normal(m, P))
    position = Position(normal(N, r if factored else P), tuple(normal(N, N) for _ in range(depth - 1)), normal(m, N))
    return Architecture(get("sigmoid"), depth, factored), problem, position


@pytest.mark.parametrize("factored, depth", [(False, 1), (True, 1), (False, 3), (True, 2)])
def test_the_rounded_gradient_is_the_samplers_where_nothing_is_rounded(factored, depth):
    arguments = _problem(factored, depth)
    exact = jax.tree.leaves(gradient(*arguments))
    for one, other in zip(exact, jax.tree.leaves(precision.rounded_gradient(23, *arguments)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    coarse = jax.tree.leaves(precision.rounded_gradient(7, *arguments))
    assert all(np.any(np.asarray(one) != np.asarray(other)) for one, other in zip(exact, coarse, strict=True))


def test_trajectories_take_the_rounded_gradient_within_the_context_alone():
    if jax.default_backend() != "cpu":
        pytest.skip("an accelerator rounds by itself")
    arguments = _problem(True, 2)

    def end():
        run = jax.jit(partial(_hamiltonian.integrate, arguments[0]))
        return run(arguments[1], arguments[2], arguments[2], jnp.float32(0.01), jnp.int32(4))[0].readout

    before = end()
    with precision.products("bfloat16"):
        within = end()
    np.testing.assert_array_equal(before, end())
    assert np.any(np.asarray(before) != np.asarray(within))


def test_energies_are_exact_where_they_are_asked_to_be():
    if jax.default_backend() != "cpu":
        pytest.skip("an accelerator rounds by itself")
    architecture, problem, position = _problem(True, 2)
    with precision.products("bfloat16"):
        coarse = _hamiltonian.integrate(architecture, problem, position, position, jnp.float32(0.01), jnp.int32(4))
        with precision._exact_energies(architecture, problem, position):
            exact = _hamiltonian.integrate(architecture, problem, position, position, jnp.float32(0.01), jnp.int32(4))
    for end, loss in ((position, exact[2]), (exact[0], exact[3])):
        assert float(loss) == pytest.approx(float(loss_of(residual_of(architecture, problem, end))), rel=1e-6)
    assert float(coarse[2]) != float(exact[2]) and float(coarse[3]) != float(exact[3])
    np.testing.assert_array_equal(coarse[0].readout, exact[0].readout)


@pytest.mark.parametrize("factored, depth", [(False, 1), (True, 1), (False, 3), (True, 2)])
def test_the_products_are_those_of_the_gradient(factored, depth):
    _, problem, position = _problem(factored, depth)
    # Of a linear network without targets and prior, all of whose constants are 1.
    one = jnp.float32(1.0)
    factor = problem.factor if factored else one
    bare = Problem(factor, jnp.ones(depth - 1, jnp.float32), one, one, one, 0 * one, 0 * problem.targets)
    expected = gradient(Architecture(get("linear"), depth, factored), bare, position)[0]
    found = gradients.products(problem.factor if factored else None, position)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_a_gradient_has_to_move_its_layers_weights_and_inputs():
    size = Size(100, 50, 20, 2, 3)
    layers, hidden, first, inputs = 6 * 2 * 20 * 100, 3 * 20 * 20, 2 * 20 * 50, 2 * 100 * 50
    assert gradients.least_bytes(size, False) == 4 * (layers + hidden)
    assert gradients.least_bytes(size, True) == 4 * (layers + hidden + first + inputs)


def test_means_have_errors_and_a_chain_that_does_not_move_has_none():
    values = np.random.default_rng(0).standard_normal(4000) + 3.0
    mean, error = precision.mean_and_error(values)
    assert mean == pytest.approx(3.0, abs=0.1) and error == pytest.approx(4000**-0.5, rel=0.2)
    assert precision.mean_and_error(np.ones(10)) == (1.0, float("inf"))


def test_orthogonal_inputs_need_no_product_in_the_first_layer():
    size = Size(100, 50, 20, 2, 3)
    assert size.operations - operations(size, False) == 4 * 100 * 20 * 50
    assert operations(size, True) == size.operations


@pytest.mark.parametrize("depth", [1, 2])
def test_rounding_is_small_beside_the_energy_error_of_the_same_trajectory(depth):
    # By fused trajectories and by XLA's. Of another momentum or temperature the errors would differ by their size.
    (row,) = rounding.measure(Case(2, "sigmoid", 20, 24, 0.5, 0.1, depth), (0.1,), 20, seed=0)
    assert 0 < row["rounding"] <= row["largest"] < 0.05 * row["energy_error"]
    assert row["changed"] <= row["largest"] and 0.2 < row["acceptance"] <= 1
