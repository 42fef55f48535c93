"""Langevin dynamics in the paper's units, its known bias, its exact form, and its noiseless limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from nonlazy import Network, Posterior
from nonlazy.network import Weights
from nonlazy.sampling import GradientDescent, Langevin, _engine
from nonlazy.sampling._schedule import Phase
from nonlazy.sampling.kernels import _langevin
from nonlazy.sampling.kernels._langevin import Diffusion
from nonlazy.sampling.kernels._potential import Position, normal_like
from tests.sampling import runs
from tests.sampling.small_posteriors import (
    CONSTANT,
    compiled,
    general_task,
    orthogonal_task,
    pieces,
    random_position,
    small_posterior,
    weights_of,
)


pytestmark = pytest.mark.usefixtures("float64")

# Of one exact test of a variance, whose seed is fixed.
FALSE_ALARM = 1e-6


def p_value(samples, variance):
    """Of independent N(0, variance), two-sided, by the sum of their squares."""
    value, degrees = np.sum(np.square(samples)) / variance, np.size(samples)
    return 2 * min(scipy.stats.chi2.cdf(value, degrees), scipy.stats.chi2.sf(value, degrees))


# The prior alone.

CHAINS, STEPS = 2000, 60
# 2 D dt of the first layer and of the readouts.
SQUARED_STEPS = (0.9, 0.3)


@pytest.fixture(scope="module")
def on_the_prior():
    """Chains of a tiny network, started in the prior and moved without data: start, end and acceptance, by adjusted."""
    with runs.float64():
        posterior = small_posterior(width=2)
        _, architecture, problem = pieces(posterior)
        zero = jnp.zeros(())
        problem = problem._replace(pull=zero, inverse_noise=zero)
        mobility = Position(jnp.asarray(SQUARED_STEPS[0] / 2), (), jnp.asarray(SQUARED_STEPS[1] / 2))

        def chain(adjusted, key):
            start_key, key = jax.random.split(key)
            start = normal_like(start_key, Position(jnp.zeros((2, 4)), (), jnp.zeros((2, 2))))
            # The known variance of the plain dynamics, from its first step on.
            scale = jnp.where(adjusted == 1, 0.0, 1.0)
            spread = [jnp.sqrt(1 / (1 - scale * h / 4)) for h in SQUARED_STEPS]
            start = Position(spread[0] * start.first, (), spread[1] * start.readout)
            diffusion = Diffusion(jnp.asarray(1.0), mobility, jnp.int32(STEPS), adjusted)
            end, info = _langevin.iterate(architecture, problem, diffusion, start, key)
            return start, end, info.acceptance

        keys = jax.random.split(jax.random.key(11), CHAINS)
        run = jax.jit(jax.vmap(chain, in_axes=(None, 0)))
        return {adjusted: jax.device_get(run(jnp.int32(adjusted), keys)) for adjusted in (0, 1)}


def groups(position):
    return position.first, position.readout


def test_the_plain_dynamics_has_the_known_variance_of_its_step(on_the_prior):
    # x' = (1 - h^2/2) x + h v has the stationary variance 1 / (1 - h^2/4), h^2 = 2 D dt.
    start, end, _ = on_the_prior[0]
    for before, after, h2 in zip(groups(start), groups(end), SQUARED_STEPS, strict=True):
        assert p_value(after, 1 / (1 - h2 / 4)) > FALSE_ALARM
        assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1] - (1 - h2 / 2) ** STEPS) < 5 / np.sqrt(after.size)
    assert p_value(end.first, 1.0) < FALSE_ALARM


def test_the_adjusted_dynamics_has_the_variance_of_the_prior(on_the_prior):
    start, end, acceptance = on_the_prior[1]
    assert 0.5 < acceptance.mean() < 0.95
    for before, after in zip(groups(start), groups(end), strict=True):
        assert p_value(after, 1.0) > FALSE_ALARM
        # It has forgotten where it began, to a tenth.
        assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1]) < 0.1
    assert p_value(end.first, 1.1) < FALSE_ALARM


# The paper's units.


def square_posterior(inputs, readout):
    """P = N0, so that the coordinates are the weights over sigma_1, for orthogonal inputs rotated."""
    task = general_task(5, 5) if inputs == "general" else orthogonal_task(5, 5)
    return Posterior(Network(5, 2, "sigmoid", readout), task, 0.3, 0.6, (1.4, 0.7))


def diffusion(posterior, sampler, adjusted=0):
    """The step that the engine makes of a sampler's settings."""
    phase, T = Phase("test", 1, (posterior.temperature,) * 2), posterior.temperature
    control = _engine.make_control(posterior, sampler, phase, T, np.float64)
    return Diffusion(jnp.float64(sampler.step_size), control.mobility, control.steps, jnp.int32(adjusted))


@pytest.mark.parametrize(("inputs", "readout"), [("general", "non-lazy"), ("orthogonal", "lazy")])
def test_a_step_is_an_euler_step_of_the_raw_weights(inputs, readout):
    # theta + dt [-grad Loss - noise theta / sigma^2] + sqrt(2 noise dt) xi, noise = T/N or, for the lazy readout, T.
    N, dt, posterior = 5, 0.01, square_posterior(inputs, readout)
    task = posterior.task
    noise = 0.3 / N if readout == "non-lazy" else 0.3
    sampler = Langevin(step_size=dt, steps=1)
    where, architecture, problem = pieces(posterior, sampler=sampler)
    position, key = random_position(posterior, where), jax.random.key(5)

    def loss(theta):
        z = theta[0] @ task.X.T / np.sqrt(task.N0)
        z = theta[1] @ posterior.network.phi(z) / np.sqrt(N)
        f = posterior.network.phi(z).T @ theta[2] * (1 / N if readout == "non-lazy" else 1 / np.sqrt(N))
        return 0.5 * jnp.sum((task.Y - f) ** 2)

    def raw(weights: Weights):
        return [np.asarray(x) for x in (*weights.hidden, weights.readout)]

    theta = raw(weights_of(posterior, where, position))
    # The step's own noise, as noise of the raw weights.
    v = normal_like(jax.random.split(jax.random.fold_in(key, 0))[0], position)
    xi = [x / s for x, s in zip(raw(weights_of(posterior, where, v)), np.sqrt([1.4, 0.7, 0.6]), strict=True)]
    expected = [
        x - dt * (gradient + noise * x / variance) + np.sqrt(2 * noise * dt) * normal
        for x, gradient, variance, normal in zip(theta, jax.grad(loss)(theta), (1.4, 0.7, 0.6), xi, strict=True)
    ]
    new, info = compiled(_langevin.iterate, architecture)(problem, diffusion(posterior, sampler), position, key)
    assert int(info.steps) == 1
    for mine, theirs, before in zip(raw(weights_of(posterior, where, new)), expected, theta, strict=True):
        assert np.abs(mine - before).max() > 1e-3
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


def test_a_step_that_is_not_finite_is_rejected_and_counted():
    posterior = square_posterior("general", "non-lazy")
    where, architecture, problem = pieces(posterior)
    position = random_position(posterior, where)
    problem = problem._replace(targets=problem.targets.at[0, 0].set(jnp.nan))
    sampler = Langevin(step_size=0.1, steps=3)
    for adjusted in (0, 1):
        settings = diffusion(posterior, sampler, adjusted)
        new, info = compiled(_langevin.iterate, architecture)(problem, settings, position, jax.random.key(0))
        for mine, before in zip(jax.tree.leaves(new), jax.tree.leaves(position), strict=True):
            np.testing.assert_array_equal(mine, before)
        assert (int(info.diverging), int(info.accepted), float(info.acceptance)) == (3, 0, 0.0)


# Without noise.


def descent(posterior, sampler):
    """One compiled iteration of gradient descent, as the engine makes it, and the loss at a position."""
    where, architecture, problem = pieces(posterior, sampler=sampler)
    settings = diffusion(posterior, sampler)
    step = compiled(_langevin.descend, architecture)

    def loss(position):
        weights = weights_of(posterior, where, position)
        return 0.5 * np.sum((posterior.task.Y - posterior.network.outputs(weights, posterior.task.X)) ** 2)

    return lambda x: step(problem, settings, x, jax.random.key(0)), loss, random_position(posterior, where)


def test_descent_lowers_the_loss_at_every_step_where_steps_are_small():
    posterior = small_posterior("sigmoid", depth=2, orthogonal=False, T=0.0)
    step, loss, position = descent(posterior, GradientDescent(0.2, steps=1, weight_decay=False))
    losses = [loss(position)]
    for _ in range(200):
        position, info = step(position)
        losses.append(loss(position))
        assert int(info.accepted) == 1
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < 0.9 * losses[0]


def test_a_step_of_descent_is_the_raw_gradient_step():
    posterior = small_posterior("sigmoid", depth=2, orthogonal=False)
    where = pieces(posterior)[0]
    for decay in (True, False):
        step, _, position = descent(posterior, GradientDescent(0.05, steps=1, weight_decay=decay))
        before, after = (weights_of(posterior, where, x) for x in (position, step(position)[0]))
        network, task = posterior.network, posterior.task

        def loss(theta, network=network, task=task):
            z = theta[0] @ task.X.T / np.sqrt(task.N0)
            z = theta[1] @ network.phi(z) / np.sqrt(network.width)
            return 0.5 * jnp.sum((task.Y - network.phi(z).T @ theta[2] / network.width) ** 2)

        theta = [*before.hidden, before.readout]
        variances = (*posterior.sigma2, posterior.sigma_a2)
        gradients = jax.grad(loss)([jnp.asarray(x) for x in theta])
        for x, new, gradient, variance in zip(theta, [*after.hidden, after.readout], gradients, variances, strict=True):
            pull = posterior.noise_variance * x / variance if decay else 0.0
            np.testing.assert_allclose(new - x, -0.05 * (gradient + pull), rtol=1e-9, atol=1e-14)


def constant_posterior(T):
    return Posterior(Network(5, 1, CONSTANT), orthogonal_task(6, 8), T, 0.8, 1.5)


def test_descent_with_weight_decay_ends_at_the_mode_of_the_posterior():
    # With phi = 1 that is ridge regression on the readouts, and a first layer of zero.
    posterior = constant_posterior(1.0)
    step, _, position = descent(posterior, GradientDescent(1.0, steps=1000))
    position, _ = step(position)
    mean, _ = posterior.readout_conditional(np.ones((5, 6)))
    np.testing.assert_allclose(np.sqrt(0.8) * position.readout.T, mean, atol=1e-10)
    np.testing.assert_allclose(position.first, 0.0, atol=1e-10)


@pytest.mark.parametrize("T", [0.0, 1.0])
def test_descent_without_weight_decay_ends_at_the_least_loss_and_leaves_the_rest(T):
    posterior = constant_posterior(T)
    step, loss, start = descent(posterior, GradientDescent(1.0, steps=1000, weight_decay=False))
    position, _ = step(start)
    mean = posterior.task.Y.mean(axis=0)
    assert loss(position) == pytest.approx(0.5 * np.sum((posterior.task.Y - mean) ** 2), rel=1e-12)
    np.testing.assert_array_equal(position.first, start.first)
    # Only the sum of the readouts has a gradient.
    moved = np.asarray(position.readout - start.readout)
    np.testing.assert_allclose(moved, np.broadcast_to(moved[:, :1], moved.shape), atol=1e-10)
    assert np.abs(moved).max() > 0.01


def test_descent_that_leaves_the_numbers_keeps_the_state_and_says_so():
    posterior = small_posterior("sigmoid", depth=2, orthogonal=False, T=0.0)
    step, _, position = descent(posterior, GradientDescent(1e200, steps=3, weight_decay=False))
    new, info = step(position)
    for mine, before in zip(jax.tree.leaves(new), jax.tree.leaves(position), strict=True):
        np.testing.assert_array_equal(mine, before)
    assert (float(info.acceptance), int(info.accepted), int(info.diverging)) == (0.0, 0, 1)
