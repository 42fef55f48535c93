"""Hamiltonian Monte Carlo: the integrator, the Metropolis test, and trajectories that leave the numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nonlazy.sampling.kernels import _hamiltonian
from nonlazy.sampling.kernels._hamiltonian import Trajectory, energy_error, integrate, iterate, metropolis
from nonlazy.sampling.kernels._potential import gradient, loss_of, squares
from tests.sampling.small_posteriors import compiled, pieces, random_position, small_posterior, weights_of


pytestmark = pytest.mark.usefixtures("float64")

POSTERIOR = small_posterior("sigmoid", depth=2, orthogonal=False)


@pytest.fixture
def run():
    """The integrator and an iteration."""
    architecture = pieces(POSTERIOR)[1]
    return compiled(integrate, architecture), compiled(iterate, architecture)


def start(seed=0):
    where, architecture, problem = pieces(POSTERIOR)
    return architecture, problem, random_position(POSTERIOR, where, seed), random_position(POSTERIOR, where, seed + 100)


def energy(problem, architecture, position, momentum):
    residual = gradient(architecture, problem, position)[1]
    return 0.5 * (squares(position) + squares(momentum)) + problem.inverse_noise * loss_of(residual)


def trajectory(step_size, *, length=1.0, jitter=0.0, max_steps=1000, adjusted=1):
    return Trajectory(
        jnp.asarray(length), jnp.asarray(step_size), jnp.asarray(jitter), jnp.int32(max_steps), jnp.int32(adjusted)
    )


def assert_close(one, other, tolerance):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def assert_equal(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def test_trajectories_are_reversible(run):
    _, problem, position, momentum = start()
    there, speed, first_loss, last_loss = run[0](problem, position, momentum, 0.05, jnp.int32(40))
    assert float(jnp.abs(there.first - position.first).max()) > 0.1
    backwards = jax.tree.map(jnp.negative, speed)
    back, speed_back, loss_there, loss_back = run[0](problem, there, backwards, 0.05, jnp.int32(40))
    assert_close(back, position, 1e-10)
    assert_close(jax.tree.map(jnp.negative, speed_back), momentum, 1e-10)
    assert float(loss_there) == pytest.approx(float(last_loss), rel=1e-10)
    assert float(loss_back) == pytest.approx(float(first_loss), rel=1e-10)


def shifted(x, factor, direction):
    return jax.tree.map(lambda a, b: a + factor * b, x, direction)


def by_hand(outer, steps, step_size):
    """Pairs of gradients written out: kicks of 2 b, 2 (1 - 2 b) and 2 b steps around two drifts of one."""
    architecture, problem, position, momentum = start()
    for _ in range(steps // 2):
        for kick, drift in ((2 * outer, 1.0), (2 * (1 - 2 * outer), 1.0), (2 * outer, 0.0)):
            momentum = shifted(momentum, -kick * step_size, gradient(architecture, problem, position)[0])
            position = shifted(position, drift * step_size, momentum)
    return position, momentum


def test_a_step_is_three_kicks_around_two_drifts(run):
    _, problem, position, momentum = start()
    new, new_momentum, _, _ = run[0](problem, position, momentum, 0.05, jnp.int32(6))
    expected, speed = by_hand(_hamiltonian.OUTER_KICK, 6, 0.05)
    assert_close(new, expected, 1e-12)
    assert_close(new_momentum, speed, 1e-12)


def test_the_energy_error_is_about_a_third_of_leapfrogs(run):
    # With outer kicks of half a step the same composition is leapfrog.
    architecture, problem, position, momentum = start()
    at_start = loss_of(gradient(architecture, problem, position)[1])
    errors = {}
    for outer in (0.25, _hamiltonian.OUTER_KICK):
        new, speed = by_hand(outer, 20, 0.05)
        at_end = loss_of(gradient(architecture, problem, new)[1])
        errors[outer] = abs(float(energy_error(problem, (position, momentum, at_start), (new, speed, at_end))))
    assert errors[_hamiltonian.OUTER_KICK] < 0.5 * errors[0.25]


def test_losses_at_the_ends_of_a_trajectory_are_those_of_the_network(run):
    where = pieces(POSTERIOR)[0]
    _, problem, position, momentum = start()
    new, _, first_loss, last_loss = run[0](problem, position, momentum, 0.05, jnp.int32(10))
    for at, loss in ((position, first_loss), (new, last_loss)):
        outputs = POSTERIOR.network.outputs(weights_of(POSTERIOR, where, at), POSTERIOR.task.X)
        assert float(loss) == pytest.approx(0.5 * np.sum((POSTERIOR.task.Y - outputs) ** 2), rel=1e-10)


def test_energy_error_is_of_second_order(run):
    # The slope of the logarithm of the error over the logarithm of the step, at a fixed length of 1.
    steps = np.array([40, 80, 160, 320])
    errors = []
    for count in steps:
        each = []
        for seed in range(8):
            _, problem, position, momentum = start(seed)
            end = run[0](problem, position, momentum, float(1.0 / count), jnp.int32(count))
            each.append(energy_error(problem, (position, momentum, end[2]), (end[0], end[1], end[3])))
        errors.append(np.sqrt(np.mean(np.square(each))))
    slopes = np.diff(np.log(errors)) / np.diff(np.log(1.0 / steps))
    assert errors[0] < 1.0
    np.testing.assert_allclose(slopes, 2.0, atol=0.1)


def test_energy_error_in_difference_form_is_the_difference_of_energies(run):
    architecture, problem, position, momentum = start()
    new, speed, first_loss, last_loss = run[0](problem, position, momentum, 0.1, jnp.int32(6))
    error = energy_error(problem, (position, momentum, first_loss), (new, speed, last_loss))
    change = energy(problem, architecture, new, speed) - energy(problem, architecture, position, momentum)
    assert float(error) == pytest.approx(float(change), rel=1e-9)


def test_metropolis_accepts_with_the_probability_of_the_energy_error():
    keys = jax.random.split(jax.random.key(1), 20000)
    for error in (-1.0, 0.0, 0.5, 2.0):
        accepted, info = jax.vmap(lambda key, error=error: metropolis(jnp.asarray(error), jnp.int32(1), key))(keys)
        probability = min(1.0, np.exp(-error))
        assert float(info.acceptance[0]) == pytest.approx(probability)
        # Five standard deviations: a false alarm in 10^6.
        spread = 5 * np.sqrt(probability * (1 - probability) / keys.shape[0])
        assert abs(float(accepted.mean()) - probability) <= spread
        np.testing.assert_array_equal(info.accepted, accepted)


def test_a_tolerated_energy_error_counts_for_nothing():
    key, one = jax.random.key(0), jnp.int32(1)
    for error, tolerated, left in ((2.0, 2.5, 0.0), (2.0, 0.5, 1.5), (-1.0, 0.5, -1.5)):
        _, info = metropolis(jnp.asarray(error), one, key, tolerated)
        assert float(info.acceptance) == pytest.approx(min(1.0, np.exp(-left)))
        assert float(info.energy_error) == error


@pytest.mark.parametrize("adjusted", [1, 0])
@pytest.mark.parametrize("error", [np.nan, np.inf, -np.inf])
def test_an_energy_error_that_is_not_finite_is_rejected_and_counted(error, adjusted):
    accepted, info = metropolis(jnp.asarray(error), jnp.int32(adjusted), jax.random.key(0))
    assert not bool(accepted)
    assert (float(info.acceptance), int(info.accepted), int(info.diverging)) == (0.0, 0, 1)


def test_a_huge_energy_error_counts_as_divergence_a_large_one_does_not():
    for error, diverging in ((1e6, 1), (999.0, 0), (-1e6, 0)):
        assert int(metropolis(jnp.asarray(error), jnp.int32(1), jax.random.key(0))[1].diverging) == diverging


@pytest.mark.parametrize("adjusted", [1, 0])
def test_a_trajectory_that_is_not_finite_leaves_the_state_as_it_was(run, adjusted):
    _, problem, position, _ = start()
    broken = problem._replace(targets=problem.targets.at[0, 0].set(jnp.nan))
    for bad, step_size in ((broken, 0.05), (problem, 1e200)):
        new, info = run[1](bad, trajectory(step_size, adjusted=adjusted), position, jax.random.key(0))
        assert_equal(new, position)
        assert (float(info.acceptance), int(info.accepted), int(info.diverging)) == (0.0, 0, 1)
        assert not np.isfinite(float(info.energy_error))


def test_a_rejected_proposal_leaves_the_state_as_it_was_and_an_accepted_one_moves_all_of_it(run):
    _, problem, position, _ = start()
    outcomes = set()
    for seed in range(20):
        new, info = run[1](problem, trajectory(0.25), position, jax.random.key(seed))
        outcomes.add(int(info.accepted))
        if info.accepted:
            moved = jax.tree.map(lambda x, y: bool((x != y).all()), new, position)
            assert all(jax.tree.leaves(moved))
        else:
            assert_equal(new, position)
    assert outcomes == {0, 1}


def test_accepting_everything_is_what_the_warm_up_device_does(run):
    _, problem, position, _ = start()
    for seed in range(20):
        _, info = run[1](problem, trajectory(0.25, adjusted=0), position, jax.random.key(seed))
        assert int(info.accepted) == 1
        assert float(info.acceptance) == pytest.approx(min(1.0, np.exp(-float(info.energy_error))))


def test_trajectories_have_jittered_lengths_up_to_the_longest_allowed(run):
    _, problem, position, _ = start()

    def counts(settings):
        return {int(run[1](problem, settings, position, jax.random.key(seed))[1].steps) for seed in range(60)}

    # tau (1 +- jitter) / epsilon = 20 (1 +- 0.4), rounded up to pairs.
    jittered = counts(trajectory(0.05, jitter=0.4))
    assert jittered <= set(range(12, 29, 2)) and min(jittered) <= 14 and max(jittered) >= 26
    assert counts(trajectory(0.0501)) == {20}
    assert max(counts(trajectory(0.05, jitter=0.4, max_steps=16))) == 16
    assert counts(trajectory(0.05, length=0.01)) == {2}


def test_the_same_key_gives_the_same_iteration(run):
    _, problem, position, _ = start()
    one = run[1](problem, trajectory(0.05, jitter=0.4), position, jax.random.key(3))
    two = run[1](problem, trajectory(0.05, jitter=0.4), position, jax.random.key(3))
    other = run[1](problem, trajectory(0.05, jitter=0.4), position, jax.random.key(4))
    assert_equal(one, two)
    assert float(jnp.abs(one[0].readout - other[0].readout).max()) > 0
