"""Fused trajectories: the same numbers as XLA's to rounding, their random numbers, and iterations made of them."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from nonlazy import Network, Posterior, activations, tasks
from nonlazy.sampling import HMC, Rotations, _engine
from nonlazy.sampling._compiled import compile_kernel, fusible
from nonlazy.sampling._engine import make_control, make_kernel
from nonlazy.sampling._fused_iteration import FusedIteration, FusedObserver, adapted, decide, trajectory_steps
from nonlazy.sampling._record import kernel_pairs
from nonlazy.sampling._schedule import Phase
from nonlazy.sampling.kernels import _hamiltonian
from nonlazy.sampling.kernels._fused import FusedTrajectory
from nonlazy.sampling.kernels._fused_activations import KINDS, supports
from nonlazy.sampling.kernels._fused_random import words
from nonlazy.sampling.kernels._potential import Architecture, Position, Problem
from tests.sampling.exact_rank import FALSE_ALARM
from tests.sampling.small_posteriors import pieces, random_position, small_posterior


KEY = (123456789, 987654321)
# N, P, m: blocks of inputs that are short, whole, and several; outputs below, at and above a group of three.
SHAPES = [(30, 20, 1), (40, 128, 3), (33, 300, 4), (7, 129, 7)]
# Whole numbers of steps of size 0.02 move a coordinate by about one: rounding is 1e-7 of that, a few times over.
ROUNDING = 3e-6


def problem_of(N, P, m, seed=0):
    generator = np.random.default_rng(seed)
    first, readout, targets = (generator.standard_normal(s).astype(np.float32) for s in ((N, P), (m, N), (m, P)))
    noise = 1e-2
    numbers = dict(factor=1.1, gain=1 / N, pull=1 / N / noise, inverse_noise=1 / noise, prior=0.9)
    problem = Problem(
        hidden_scale=jnp.zeros((0,), jnp.float32),
        targets=jnp.asarray(targets),
        **{name: jnp.float32(value) for name, value in numbers.items()},
    )
    return first, readout, problem


def run_fused(name, first, readout, problem, step_size, steps):
    trajectory = FusedTrajectory(activations.get(name), *first.shape, readout.shape[0])
    numbers = [float(x) for x in (problem.factor, problem.gain, problem.pull, problem.prior)]
    result = trajectory(first, readout, KEY, np.asarray(problem.targets), *numbers, step_size, steps)
    return result, trajectory.momentum(KEY)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", KINDS)
def test_a_trajectory_is_that_of_the_integrator(name, shape):
    first, readout, problem = problem_of(*shape)
    result, (momentum, readout_momentum) = run_fused(name, first, readout, problem, 0.02, 8)
    architecture = Architecture(activations.get(name), 1, False)
    old, speed = Position(jnp.asarray(first), (), jnp.asarray(readout)), Position(momentum, (), readout_momentum)
    new, new_speed, first_loss, last_loss = jax.jit(partial(_hamiltonian.integrate, architecture))(
        problem, old, speed, jnp.float32(0.02), jnp.int32(8)
    )
    assert np.abs(result.first - first).max() > 0.1
    np.testing.assert_allclose(result.first, new.first, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(result.readout, new.readout, rtol=0, atol=ROUNDING)
    assert result.first_loss == pytest.approx(float(first_loss), rel=3e-6)
    assert result.last_loss == pytest.approx(float(last_loss), rel=3e-6)
    ends = [
        sum(np.sum(np.asarray(x, np.float64) ** 2) for x in jax.tree.leaves(end))
        for end in ((old, speed), (new, new_speed))
    ]
    # Single precision adds a few squares at a time: 1e-7 of what is added, a few times over.
    assert result.half_squares == pytest.approx(0.5 * (ends[1] - ends[0]), abs=5e-7 * sum(ends))


@pytest.mark.parametrize("name", KINDS)
def test_a_draw_is_observed_as_compiled_code_observes_it(name):
    task = tasks.toy(P=150, N0=151, seed=0)
    posterior = Posterior(Network(30, activation=name), task, 0.1, 0.7, 1.3)
    where, _, problem = pieces(posterior, dtype=np.float32)
    kernel = kernel_of(posterior)
    observer = _engine.make_observer(posterior, where, kernel_pairs(posterior), False, np.float32)
    position = random_position(posterior, where, 3, np.float32)
    zero = jnp.int32(0)
    expected = _engine.observe(kernel, problem, observer, position, zero, zero, zero)
    observe = compile_kernel(kernel, False, np.dtype(np.float32)).observe
    assert isinstance(observe, FusedObserver)
    _, observed = observe(problem, observer, position)
    assert set(observed) == set(expected)
    for quantity, value in observed.items():
        assert value.shape == expected[quantity].shape and value.dtype == np.float32, quantity
        np.testing.assert_allclose(value, expected[quantity], rtol=3e-6, atol=3e-6, err_msg=quantity)


def test_another_phase_is_observed_with_its_own_targets():
    posterior = small_posterior("relu")
    where, _, problem = pieces(posterior, dtype=np.float32)
    observer = _engine.make_observer(posterior, where, kernel_pairs(posterior), False, np.float32)
    position = random_position(posterior, where, 3, np.float32)
    observe = compile_kernel(kernel_of(posterior), False, np.dtype(np.float32)).observe
    losses = [
        observe(p, observer, position)[1]["loss"] for p in (problem, problem._replace(targets=problem.targets + 9))
    ]
    assert losses[1] > 10 * losses[0]


def test_trajectories_of_sigmoidal_networks_stay_on_the_energy_surface():
    first, readout, problem = problem_of(40, 200, 3)
    # The energy has |x|^2 / 2 in it.
    problem = problem._replace(prior=jnp.float32(1.0))
    errors = []
    for step_size in (0.02, 0.01):
        result, _ = run_fused("sigmoid", first, readout, problem, step_size, round(0.8 / step_size))
        errors.append(abs(result.half_squares + 100 * (result.last_loss - result.first_loss)))
    # Of second order: a quarter is what to expect.
    assert errors[1] < 0.5 * errors[0]


def test_the_same_key_makes_the_same_trajectory_whatever_lies_in_memory():
    first, readout, problem = problem_of(33, 300, 4)
    results = []
    for size in (10, 100_003, 5_000_001):
        np.full(size, np.nan, np.float32)
        result, _ = run_fused("sigmoid", first.copy(), readout.copy(), problem, 0.02, 6)
        results.append((result.first.tobytes(), result.readout.tobytes(), *result[2:]))
    assert len(set(results)) == 1


@pytest.mark.parametrize("name", KINDS)
def test_a_divergence_leaves_nothing_behind(name):
    first, readout, problem = problem_of(33, 300, 4)
    numbers = [float(x) for x in (problem.factor, problem.gain, problem.pull, problem.prior)]
    targets = np.asarray(problem.targets)
    trajectory = FusedTrajectory(activations.get(name), 33, 300, 4)
    fresh = trajectory(first, readout, KEY, targets, *numbers, 0.02, 6)
    for step_size in (1e4, 1e20, np.nan):
        trajectory(first, readout, KEY, targets, *numbers, step_size, 20)
        again = trajectory(first, readout, KEY, targets, *numbers, 0.02, 6)
        np.testing.assert_array_equal(again.first, fresh.first)
        np.testing.assert_array_equal(again.readout, fresh.readout)
        assert again[2:] == fresh[2:]


def test_momenta_are_independent_and_normal():
    trajectory = FusedTrajectory(activations.get("sigmoid"), 100, 500, 3)
    drawn = [trajectory.momentum((7, k)) for k in range(8)]
    numbers = np.concatenate([np.concatenate([first.ravel(), readout.ravel()]) for first, readout in drawn])
    numbers = numbers.astype(np.float64)
    n = numbers.size
    # Each at 1e-5: an error once in twelve thousand changes of the seeds.
    limit = 4.42
    assert scipy.stats.kstest(numbers, "norm").pvalue > 1e-5
    assert abs(numbers.mean()) * math.sqrt(n) < limit
    assert abs(np.mean(numbers**2) - 1) * math.sqrt(n / 2) < limit
    assert abs(np.mean(numbers**4) - 3) * math.sqrt(n / 96) < limit
    for lag in (1, 64, 128, 500):
        assert abs(np.mean(numbers[lag:] * numbers[:-lag])) * math.sqrt(n) < limit
    assert np.unique(numbers).size > 0.97 * n


def test_threefry_gives_the_published_words():
    # Known answers of Salmon et al.'s Random123, threefry2x32 with 20 rounds.
    assert words(*map(np.uint32, (0, 0, 0, 0))) == (0x6B200159, 0x99BA4EFE)
    assert words(*[np.uint32(0xFFFFFFFF)] * 4) == (0x1CB996FC, 0xBB002BE7)
    pi = (0x13198A2E, 0x03707344, 0x243F6A88, 0x85A308D3)
    assert words(*map(np.uint32, pi)) == (0xC4923A9C, 0x483DF7A0)


@pytest.mark.parametrize("name", KINDS)
def test_activations_are_right_to_single_precision(name):
    # One neuron, one readout of 1, targets 0: the loss after no step is phi^2 / 2.
    phi = activations.get(name)
    for z in (-9.0, -3.0, -0.7, -1e-3, 0.0, 1e-4, 0.3, 1.0, 2.5, 6.0, 11.0):
        trajectory = FusedTrajectory(phi, 1, 1, 1)
        arrays = (np.full((1, 1), z, np.float32), np.ones((1, 1), np.float32))
        found = trajectory(*arrays, KEY, np.zeros((1, 1), np.float32), 1.0, 1.0, 0.0, 0.0, 0.1, 0).first_loss
        assert math.sqrt(2 * found) == pytest.approx(abs(float(phi(np.float64(np.float32(z))))), abs=2e-7, rel=3e-7)


@pytest.mark.parametrize("broken", ["targets", "position", "step size"])
def test_a_trajectory_that_is_not_finite_is_rejected_and_counted(broken):
    posterior = small_posterior("sigmoid")
    where, _, problem = pieces(posterior, dtype=np.float32)
    position = random_position(posterior, where, dtype=np.float32)
    log_step = np.log(0.05)
    if broken == "targets":
        problem = problem._replace(targets=problem.targets.at[0, 0].set(jnp.nan))
    elif broken == "position":
        position = position._replace(first=position.first.at[0, 0].set(jnp.inf))
    else:
        log_step = 80.0
    new, info = iteration(posterior)(problem, control_of(posterior), state_at(position, log_step), 0, 0, 0)
    np.testing.assert_array_equal(new.position.first, position.first)
    assert (float(info.trajectory.acceptance), int(info.trajectory.accepted)) == (0.0, 0)
    assert int(info.trajectory.diverging) == 1


def kernel_of(posterior, moves=None):
    return make_kernel(posterior, pieces(posterior)[0], HMC(), moves)


def iteration(posterior, moves=None):
    return FusedIteration(kernel_of(posterior, moves))


def control_of(posterior, *, length=1.0, target=0.8, adapt=0.1, rotations=0):
    T = posterior.temperature
    phase = Phase(
        "test", 10, (T, T), trajectory_length=length, target_acceptance=target, adapt=adapt, rotations=rotations
    )
    return make_control(posterior, HMC(max_steps=40), phase, T, np.float32)


def state_at(position, log_step=-2.3):
    return _engine.State(position, *(jnp.float32(x) for x in (log_step, 0.0, 0.0)))


def test_energy_errors_are_tolerated_while_the_step_size_adapts_and_never_in_draws():
    posterior = small_posterior("sigmoid")
    assert 0 < float(control_of(posterior).tolerance) < 1e-6
    assert float(control_of(posterior, adapt=0.0).tolerance) == 0.0


@pytest.mark.parametrize("error", [-3.0, 0.0, 0.4, 2.0, 999.0, 1001.0, np.inf, np.nan])
@pytest.mark.parametrize("adjusted", [0, 1])
@pytest.mark.parametrize("tolerated", [0.0, 1.5])
def test_the_host_decides_and_adapts_as_compiled_code_does(error, adjusted, tolerated):
    posterior = small_posterior("sigmoid")
    control = control_of(posterior)._replace(adjusted=jnp.int32(adjusted), average=jnp.float32(1.0))
    key = jax.random.key(3)
    _, expected = _hamiltonian.metropolis(jnp.float32(error), control.adjusted, key, tolerated)
    info = decide(control, error, float(jax.random.uniform(key, (), jnp.float32)), tolerated)
    for name in ("acceptance", "accepted", "energy_error", "diverging"):
        np.testing.assert_allclose(getattr(info, name), getattr(expected, name), rtol=1e-6, err_msg=name)
    state = state_at(random_position(posterior, pieces(posterior)[0], dtype=np.float32))
    old, new = (
        _engine.adapt(control, state, expected.acceptance),
        adapted(control, state, float(expected.acceptance)),
    )
    np.testing.assert_allclose(new[1:], old[1:], rtol=1e-6)


def test_steps_are_even_and_within_the_most():
    posterior = small_posterior("sigmoid")
    control = control_of(posterior)
    for step_size in (1e-30, 1e-3, 0.031, 0.26, 50.0):
        for uniform in (0.0, 0.37, 0.999):
            steps = trajectory_steps(control, step_size, uniform)
            pairs = math.ceil(0.5 * (1 + 0.4 * (2 * uniform - 1)) / step_size)
            assert steps == 2 * min(max(pairs, 1), 20)


def test_what_is_fused_and_what_is_not():
    sigmoid = small_posterior("sigmoid")
    assert fusible(kernel_of(sigmoid), False, np.dtype("float32"))
    assert not fusible(kernel_of(sigmoid), True, np.dtype("float32"))
    assert not fusible(kernel_of(sigmoid), False, np.dtype("float64"))
    for other in (
        small_posterior("sigmoid", orthogonal=False),
        small_posterior("sigmoid", depth=2),
        small_posterior("softplus"),
    ):
        assert not fusible(kernel_of(other), False, np.dtype("float32"))
    mine = activations.Activation("sigmoid", "sigmoidal", lambda z, xp: xp.tanh(z))
    assert supports(activations.get("sigmoid")) and not supports(mine)
    compiled = compile_kernel(kernel_of(sigmoid), False, np.dtype("float32"))
    assert isinstance(compiled.iterate, FusedIteration)


STATES = 8
REPETITIONS = 1024


def ranks(name, *, moves=None, rotations=0, length=0.5, step_size=0.25, temperature=None, adjusted=1, seed=1, T=0.1):
    """p-value of `exact_rank` for fused iterations, one network after the other: the loss and |a|^2.

    `temperature` is what the iterations believe, where it is not the posterior's `T`.
    """
    posterior = small_posterior(name, width=3, T=T, readout_variance=1.0, weight_variance=(1.0,))
    problem = pieces(posterior, dtype=np.float32)[2]
    kernel = kernel_of(posterior, moves)
    iterate = FusedIteration(kernel)
    control = control_of(posterior, length=length, adapt=0.0, rotations=rotations)
    control = control._replace(adjusted=jnp.int32(adjusted))
    noise = math.sqrt(1 / float(problem.inverse_noise))
    believed = problem
    if temperature is not None:
        ratio = posterior.temperature / temperature
        believed = problem._replace(pull=problem.pull * ratio, inverse_noise=problem.inverse_noise * ratio)
    generator = np.random.default_rng(seed)
    phi = posterior.network.phi
    N, m, P = 3, posterior.task.m, posterior.task.P

    def outputs(position):
        z = float(problem.factor) * np.asarray(position.first, np.float64)
        return float(problem.gain) * np.asarray(position.readout, np.float64) @ phi(z)

    def statistics(position, targets):
        # In double precision from the state itself: equal states tie exactly.
        return np.array(
            [np.sum((outputs(position) - targets) ** 2), np.sum(np.asarray(position.readout, np.float64) ** 2)]
        )

    counts = np.zeros((2, STATES))
    for repetition in range(REPETITIONS):
        first = generator.standard_normal((N, P)).astype(np.float32)
        readout = generator.standard_normal((m, N)).astype(np.float32)
        start = Position(jnp.asarray(first), (), jnp.asarray(readout))
        targets = (outputs(start) + noise * generator.standard_normal((m, P))).astype(np.float32)
        mine = believed._replace(targets=jnp.asarray(targets))
        place = int(generator.integers(STATES))
        own = statistics(start, targets)
        others = []
        for direction, count in enumerate((place, STATES - 1 - place)):
            state = state_at(start, np.log(step_size))
            for i in range(count):
                state, _ = iterate(mine, control, state, 2 * repetition + direction, 0, i)
                others.append(statistics(state.position, targets))
        below, ties = np.sum(np.array(others) < own, axis=0), np.sum(np.array(others) == own, axis=0)
        rank = below + np.floor(generator.random(2) * (ties + 1)).astype(int)
        counts[np.arange(2), rank] += 1
    return float(min(1.0, 2 * min(scipy.stats.chisquare(row).pvalue for row in counts)))


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_fused_iterations_are_exact(name):
    assert ranks(name) > FALSE_ALARM


def test_fused_iterations_with_rotations_are_exact():
    assert ranks("relu", moves=Rotations(), rotations=3) > FALSE_ALARM


@pytest.mark.parametrize("wrong", [{"adjusted": 0, "step_size": 0.5}, {"temperature": 0.12}])
def test_wrong_fused_iterations_are_caught(wrong):
    assert ranks("sigmoid", **wrong) < FALSE_ALARM
