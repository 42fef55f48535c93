"""The potential and its hand-written gradient, against automatic differentiation and the posterior's own density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nonlazy.activations import BUILTIN, Activation
from nonlazy.sampling.kernels import _potential
from tests.sampling.small_posteriors import pieces, random_position, small_posterior, weights_of


# Without a slope of its own: JAX differentiates it.
OWN = Activation("own", "sigmoidal", lambda z, xp: xp.tanh(z) + 0.1 * z * z)
ACTIVATIONS = {**BUILTIN, "own": OWN}

pytestmark = pytest.mark.usefixtures("float64")


def potential(posterior, where, position):
    """U, written down from the definition of the posterior without the sampler's own forward pass."""
    S = where.scale * jnp.eye(where.rank) if where.factor is None else jnp.asarray(where.factor)
    z = position.first @ S.T
    for matrix, variance in zip(position.hidden, posterior.sigma2[1:], strict=True):
        z = np.sqrt(variance / posterior.network.width) * matrix @ posterior.network.phi(z)
    f = posterior.network.readout_scale * np.sqrt(posterior.sigma_a2) * posterior.network.phi(z).T @ position.readout.T
    loss = 0.5 * jnp.sum((posterior.task.Y - f) ** 2)
    return sum(0.5 * jnp.sum(x**2) for x in jax.tree.leaves(position)) + loss / posterior.noise_variance


every_posterior = [
    pytest.mark.parametrize("activation", ACTIVATIONS),
    pytest.mark.parametrize("depth", [1, 2, 3]),
    pytest.mark.parametrize("orthogonal", [True, False], ids=["orthogonal", "general"]),
    pytest.mark.parametrize("readout", ["non-lazy", "lazy"]),
]


def over_every_posterior(test):
    for mark in every_posterior:
        test = mark(test)
    return test


@over_every_posterior
def test_gradient_is_the_derivative_of_the_potential(activation, depth, orthogonal, readout):
    posterior = small_posterior(ACTIVATIONS[activation], depth=depth, orthogonal=orthogonal, readout=readout)
    where, architecture, problem = pieces(posterior)
    position = random_position(posterior, where, seed=depth)
    expected = jax.grad(lambda x: potential(posterior, where, x))(position)
    gradient, residual = _potential.gradient(architecture, problem, position)
    for mine, theirs in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True):
        assert mine.dtype == jnp.float64
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())
    outputs = posterior.network.outputs(weights_of(posterior, where, position), posterior.task.X)
    np.testing.assert_allclose(residual.T, outputs - posterior.task.Y, rtol=1e-9, atol=1e-12)


@over_every_posterior
def test_density_differences_are_those_of_the_posterior(activation, depth, orthogonal, readout):
    posterior = small_posterior(ACTIVATIONS[activation], depth=depth, orthogonal=orthogonal, readout=readout)
    where, architecture, problem = pieces(posterior)
    # What the training inputs do not see adds the same to both densities.
    outside = np.random.default_rng(5).standard_normal((posterior.network.width, posterior.task.N0))

    def densities(seed):
        position = random_position(posterior, where, seed)
        residual = _potential.gradient(architecture, problem, position)[1]
        loss = _potential.loss_of(residual)
        mine = -0.5 * _potential.squares(position) - problem.inverse_noise * loss
        return float(mine), posterior.log_density(weights_of(posterior, where, position, outside))

    (mine, theirs), (mine_too, theirs_too) = densities(1), densities(2)
    assert abs(theirs_too - theirs) > 1e-3
    assert mine_too - mine == pytest.approx(theirs_too - theirs, rel=1e-9, abs=1e-9 * abs(theirs))


def test_at_temperature_zero_the_gradient_is_that_of_the_loss():
    from nonlazy.sampling import GradientDescent

    posterior = small_posterior(T=0.0, orthogonal=False, depth=2)
    where, architecture, problem = pieces(posterior, sampler=GradientDescent(0.1, weight_decay=False))
    position = random_position(posterior, where)

    def loss(position):
        last = _potential.preactivations(architecture, problem, position)[-1]
        return _potential.loss_of(_potential.outputs(architecture, problem, position, last) - problem.targets)

    expected = jax.grad(loss)(position)
    gradient, _ = _potential.gradient(architecture, problem, position)
    for mine, theirs in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())


def test_half_squares_are_compared_in_difference_form():
    # In float32 the sums of 5 x 10^5 numbers are of order 10^5 with a rounding error of order 0.01 at best, the change
    # is below a thousandth: only the form in differences keeps its digits.
    rng = np.random.default_rng(0)
    old = rng.standard_normal((500, 1000)).astype(np.float32)
    new = (old + np.float32(1e-6) * rng.standard_normal(old.shape)).astype(np.float32)
    exact = 0.5 * np.sum(new.astype(np.float64) ** 2 - old.astype(np.float64) ** 2)
    empty = jnp.zeros((1, 1), jnp.float32)

    def position(x):
        return _potential.Position(jnp.asarray(x), (), empty)

    change = _potential.change_of_half_squares(position(new), position(old))
    assert change.dtype == jnp.float32
    assert float(change) == pytest.approx(exact, rel=1e-3)


def test_choosing_keeps_the_other_out():
    good = _potential.Position(jnp.ones((2, 2)), (), jnp.ones((1, 2)))
    bad = _potential.Position(jnp.full((2, 2), jnp.nan), (), jnp.full((1, 2), jnp.inf))
    kept = _potential.choose(jnp.asarray(False), bad, good)
    assert all(bool((x == 1).all()) for x in jax.tree.leaves(kept))
    taken = _potential.choose(jnp.asarray(True), bad, good)
    assert all(not bool(jnp.isfinite(x).any()) for x in jax.tree.leaves(taken))
