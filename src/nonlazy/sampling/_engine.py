"""Compiled pieces of a chain: one iteration (trajectory, moves, adaptation) and one observation."""

import math
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nonlazy.posterior import Posterior
from nonlazy.sampling._coordinates import Coordinates
from nonlazy.sampling._record import SORTED_NORMS
from nonlazy.sampling._samplers import HMC, GradientDescent, Langevin, Moves, Rotations, Sampler
from nonlazy.sampling._schedule import Phase
from nonlazy.sampling._shards import Shards
from nonlazy.sampling.kernels import _hamiltonian, _langevin, _rotations
from nonlazy.sampling.kernels._potential import (
    Architecture,
    Position,
    Problem,
    loss_of,
    of_inputs,
    outputs,
    preactivations,
    propagate,
    residual_of,
    squares,
)


Algorithm = Literal["hmc", "langevin", "gradient-descent"]
CompiledMoves = Literal["none", "pairs", "linear"]
# The smallest weights of a Langevin warm-up: the readouts' first step, in whitened units.
_FIRST_LANGEVIN_STEP = 0.01
# Rounding leaves an energy uncertain by some units in its last place. Far from the targets that is more than the 1 that
# the Metropolis test compares with: it would turn good trajectories down, and the step size adapt to nothing.
_ROUNDING = 8.0


class Kernel(NamedTuple):
    """What is compiled: everything else may change without a new compilation."""

    architecture: Architecture
    algorithm: Algorithm
    moves: CompiledMoves


class State(NamedTuple):
    """A chain between two iterations: whitened position and step-size adaptation."""

    position: Position
    log_step: Float[Array, ""]
    log_step_sum: Float[Array, ""]
    log_step_count: Float[Array, ""]


class Control(NamedTuple):
    """The settings of one iteration, all dynamic."""

    length: Float[Array, ""]
    jitter: Float[Array, ""]
    max_steps: Int[Array, ""]
    adjusted: Int[Array, ""]
    mobility: Position
    steps: Int[Array, ""]
    target_acceptance: Float[Array, ""]
    tolerance: Float[Array, ""]
    adapt: Float[Array, ""]
    recovery: Float[Array, ""]
    average: Float[Array, ""]
    rotations: Int[Array, ""]


class IterationInfo(NamedTuple):
    """What one iteration reports."""

    trajectory: _hamiltonian.Info
    step_size: Float[Array, ""]
    move_attempts: Int[Array, ""]
    move_accepted: Int[Array, ""]
    loss: Float[Array, ""]


def make_kernel(
    posterior: Posterior, coordinates: Coordinates, sampler: Sampler, moves: Moves | None, padding: int = 0
) -> Kernel:
    """The compiled algorithm that settings ask for."""
    phi = posterior.network.phi
    architecture = Architecture(phi, posterior.network.depth, coordinates.factor is not None, padding)
    algorithm: Algorithm = (
        "hmc" if isinstance(sampler, HMC) else "langevin" if isinstance(sampler, Langevin) else "gradient-descent"
    )
    kind: CompiledMoves = "none"
    if isinstance(moves, Rotations):
        kind = "linear" if phi.kind == "linear" else "pairs"
    return Kernel(architecture, algorithm, kind)


def make_problem(
    posterior: Posterior,
    coordinates: Coordinates,
    sampler: Sampler,
    phase: Phase,
    temperature: float,
    dtype,
    shards: Shards | None = None,
) -> Problem:
    """The potential at a phase's temperature and targets, as arrays of `dtype`, shared out over `shards`."""
    network = posterior.network
    noise = temperature / network.width if network.readout == "non-lazy" else temperature
    gain = network.readout_scale * math.sqrt(posterior.sigma_a2)
    pull, inverse_noise, prior = (gain / noise, 1.0 / noise, 1.0) if noise > 0 else (gain, 1.0, 0.0)
    if isinstance(sampler, GradientDescent):
        pull, prior = gain, noise if sampler.weight_decay else 0.0
    targets = posterior.task.Y if phase.targets is None else phase.targets
    factor = coordinates.scale if coordinates.factor is None else coordinates.factor
    hidden_scale = np.sqrt(np.array(posterior.sigma2[1:]) / network.width)
    values = Problem(factor, hidden_scale, gain, pull, inverse_noise, prior, targets.T)  # type: ignore[arg-type]
    if shards is not None:
        return shards.problem(values, dtype)
    return Problem(*(jnp.asarray(np.asarray(value, dtype)) for value in values))


def make_control(posterior: Posterior, sampler: Sampler, phase: Phase, temperature: float, dtype) -> Control:
    """A phase's settings as arrays of `dtype`."""

    def real(value: float) -> Array:
        return jnp.asarray(np.asarray(value, dtype))

    def whole(value: int) -> Array:
        return jnp.asarray(np.asarray(value, np.int32))

    network = posterior.network
    noise = temperature / network.width if network.readout == "non-lazy" else temperature
    if isinstance(sampler, GradientDescent):
        noise = 1.0
    mobility = Position(
        real(noise / posterior.sigma2[0]),
        tuple(real(noise / variance) for variance in posterior.sigma2[1:]),
        real(noise / posterior.sigma_a2),
    )
    hmc = sampler if isinstance(sampler, HMC) else HMC()
    return Control(
        length=real(phase.trajectory_length),
        jitter=real(hmc.jitter),
        max_steps=whole(hmc.max_steps or 1),
        adjusted=whole(int(phase.adjusted)),
        mobility=mobility,
        steps=whole(1 if isinstance(sampler, HMC) else sampler.steps),
        target_acceptance=real(phase.target_acceptance),
        tolerance=real(_ROUNDING * float(np.finfo(dtype).eps) if phase.adapt > 0 else 0.0),
        adapt=real(phase.adapt),
        recovery=real(phase.recovery),
        average=real(float(phase.average)),
        rotations=whole(phase.rotations),
    )


def first_step_size(posterior: Posterior, sampler: Sampler) -> float:
    """Where the step size begins."""
    if sampler.step_size is not None:
        return sampler.step_size
    return _FIRST_LANGEVIN_STEP**2 * posterior.sigma_a2 / (2 * posterior.noise_variance)


def iterate(
    kernel: Kernel,
    problem: Problem,
    control: Control,
    state: State,
    seed: Int[Array, ""],
    chain: Int[Array, ""],
    iteration: Int[Array, ""],
) -> tuple[State, IterationInfo]:
    """One iteration of a chain; its random numbers depend on seed, chain and iteration alone."""
    trajectory_key, move_key = iteration_keys(seed, chain, iteration)
    step_size = jnp.exp(state.log_step)
    if kernel.algorithm == "hmc":
        trajectory = trajectory_of(control, state)
        position, info = _hamiltonian.iterate(kernel.architecture, problem, trajectory, state.position, trajectory_key)
    else:
        diffusion = _langevin.Diffusion(step_size, control.mobility, control.steps, control.adjusted)
        step = _langevin.iterate if kernel.algorithm == "langevin" else _langevin.descend
        position, info = step(kernel.architecture, problem, diffusion, state.position, trajectory_key)

    rotated = _rotations.RotationInfo(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))
    loss = info.loss
    if kernel.moves != "none":
        position, rotated, loss = rotate(kernel, problem, control, position, move_key)
    state = adapt(control, state, info.acceptance)._replace(position=position)
    return state, IterationInfo(info, step_size, rotated.attempts, rotated.accepted, loss)


def iteration_keys(seed: Int[Array, ""], chain: Int[Array, ""], iteration: Int[Array, ""]) -> Array:
    """The keys of the trajectory and of the moves of one iteration."""
    return jax.random.split(jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), chain), iteration))


def trajectory_of(control: Control, state: State) -> _hamiltonian.Trajectory:
    """How the next trajectory is simulated."""
    return _hamiltonian.Trajectory(
        control.length,
        jnp.exp(state.log_step),
        control.jitter,
        control.max_steps,
        control.adjusted,
        control.tolerance,
    )


def rotate(
    kernel: Kernel, problem: Problem, control: Control, position: Position, key: Array
) -> tuple[Position, _rotations.RotationInfo, Float[Array, ""]]:
    """The rotations of an iteration, and the loss after them."""
    move = _rotations.rotate_pairs if kernel.moves == "pairs" else _rotations.rotate_linear
    position, info = move(kernel.architecture, problem, control.rotations, position, key)
    return position, info, loss_of(residual_of(kernel.architecture, problem, position))


def adapt(control: Control, state: State, acceptance: Float[Array, ""]) -> State:
    """The state with its step size adapted to the acceptance probability of a trajectory."""
    error = acceptance - control.target_acceptance
    log_step = state.log_step + control.adapt * jnp.where(error > 0, control.recovery, 1.0) * error
    return State(
        state.position,
        log_step,
        state.log_step_sum + control.average * log_step,
        state.log_step_count + control.average,
    )


class Observer(NamedTuple):
    """The arrays that an observation needs besides the problem.

    - `sigma_a`: prior standard deviation of the readouts.
    - `pairs`: two training inputs for each kernel entry that is followed.
    - `class_weights`: `(P, C)`, 1 / (inputs of the class) for the inputs of each class, else 0.
    - `test_inside`, `test_outside`: B and R of `Coordinates.test_factors`, or None.
    """

    sigma_a: Float[Array, ""]
    pairs: Int[Array, "pairs 2"]
    class_weights: Float[Array, "P C"]
    test_inside: Float[Array, "P_test r"] | None
    test_outside: Float[Array, "P_test N0"] | None


def make_observer(
    posterior: Posterior, coordinates: Coordinates, pairs: np.ndarray, test: bool, dtype, shards: Shards | None = None
) -> Observer:
    """The observer of a posterior's draws; `test` asks for outputs on the task's test inputs."""
    task = posterior.task
    weights = np.zeros((task.P, task.classes))
    counts = np.bincount(task.labels, minlength=task.classes)
    weights[np.arange(task.P), task.labels] = 1.0 / counts[task.labels]
    inside = outside = None
    if test and task.X_test is not None:
        inside, outside = coordinates.test_factors(task.X_test)
        if shards is not None and coordinates.factor is None:
            inside = np.pad(inside, ((0, 0), (0, shards.padding)))

    def real(value, axis: int | None = 0) -> Array:
        return jnp.asarray(np.asarray(value, dtype)) if shards is None else shards.put(value, dtype, axis)

    return Observer(
        real(math.sqrt(posterior.sigma_a2), None),
        jnp.asarray(pairs, jnp.int32),
        real(weights),
        None if inside is None else real(inside),
        None if outside is None else real(outside),
    )


def observe(
    kernel: Kernel,
    problem: Problem,
    observer: Observer,
    position: Position,
    seed: Int[Array, ""],
    chain: Int[Array, ""],
    draw: Int[Array, ""],
) -> dict[str, Any]:
    """What is kept of every draw."""
    architecture = kernel.architecture
    layers = preactivations(architecture, problem, position)
    phis = [architecture.phi(z) for z in layers]
    output = problem.gain * (position.readout @ phis[-1])
    loss = loss_of(of_inputs(architecture, output - problem.targets))
    readout = observer.sigma_a * position.readout
    N = readout.shape[1]
    norms = jnp.sum(readout * readout, axis=0)
    largest = jax.lax.top_k(norms, min(SORTED_NORMS, N))[0]
    entries = jnp.stack(
        [jnp.sum(phi[:, observer.pairs[:, 0]] * phi[:, observer.pairs[:, 1]], axis=0) / N for phi in phis]
    )
    observed = {
        "readout": readout.T,
        "log_density": -0.5 * squares(position) - problem.inverse_noise * loss,
        "loss": loss,
        "sum_a2": jnp.sum(norms),
        "readout_norm": largest,
        "kernel_entry": entries,
        "f": output.T,
        "class_activation": phis[-1] @ observer.class_weights,
    }
    if observer.test_inside is not None:
        last = _on_test_inputs(architecture, problem, observer, position, seed, chain, draw)[-1]
        observed["f_test"] = outputs(architecture, problem, position, last).T
    return observed


def _on_test_inputs(architecture, problem, observer, position, seed, chain, draw) -> list[Float[Array, "N P_test"]]:
    first = position.first @ observer.test_inside.T
    if observer.test_outside is not None:
        first = first + outside_draw(position, observer.test_outside, seed, chain, draw) @ observer.test_outside.T
    return propagate(architecture, problem, position, first)


def outside_draw(position: Position, like: Float[Array, "inputs N0"], seed, chain, draw) -> Float[Array, "N N0"]:
    """G: the first layer's weights outside the training inputs' span, N(0, 1), a function of seed, chain and draw."""
    # 2**31 - 1 is no chain number: these streams never meet those of the iterations.
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 2**31 - 1), chain)
    shape = (position.first.shape[0], like.shape[1])
    return jax.random.normal(jax.random.fold_in(key, draw), shape, position.first.dtype)


def snapshot(
    kernel: Kernel,
    problem: Problem,
    observer: Observer,
    position: Position,
    seed: Int[Array, ""],
    chain: Int[Array, ""],
    draw: Int[Array, ""],
) -> dict[str, Float[Array, "L N inputs"]]:
    """Preactivations of all layers on the training inputs, and on the test inputs where the observer has them."""
    kept = {"preactivation": jnp.stack(preactivations(kernel.architecture, problem, position))}
    if observer.test_inside is not None:
        test = _on_test_inputs(kernel.architecture, problem, observer, position, seed, chain, draw)
        kept["preactivation_test"] = jnp.stack(test)
    return kept


def add_kernels(
    kernel: Kernel, problem: Problem, position: Position, total: Float[Array, "L P P"]
) -> Float[Array, "L P P"]:
    """`total` plus K_l of every layer on the training inputs."""
    layers = preactivations(kernel.architecture, problem, position)
    phis = [kernel.architecture.phi(z)[:, : total.shape[-1]] for z in layers]
    return total + jnp.stack([phi.T @ phi / phi.shape[0] for phi in phis])
