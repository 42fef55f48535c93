"""Iterations and observations of a chain that run on the host, in fused passes over its state.

The position stays in NumPy from one iteration to the next: to hand it to JAX and back costs as much as a gradient.
"""

import math
from functools import partial
from typing import Any, SupportsInt

import jax
import numpy as np

from nonlazy.sampling._engine import Control, IterationInfo, Kernel, Observer, State, iteration_keys, rotate
from nonlazy.sampling._fetching import Fetched
from nonlazy.sampling._record import SORTED_NORMS
from nonlazy.sampling.kernels import _hamiltonian
from nonlazy.sampling.kernels._fused import FusedTrajectory
from nonlazy.sampling.kernels._fused_observation import FusedObservation
from nonlazy.sampling.kernels._fused_random import words
from nonlazy.sampling.kernels._potential import Position, Problem


# Second words of counters: what the numbers are for.
_TRAJECTORY, _JITTER, _ACCEPTANCE = 0, 1, 2
_LEAST_STEP = np.finfo(np.float32).tiny


class FusedIteration:
    """A callable like `_engine.iterate` without its kernel, with the host's own random numbers; position and info come
    as NumPy arrays.

    Random numbers depend on seed, chain and iteration alone. What is decided by single numbers is decided on the host,
    since each call of a compiled function costs as much as a gradient of a small network.

    **Arguments:** `kernel`, one that `_engine.fusible` says yes to.
    """

    def __init__(self, kernel: Kernel):
        self._kernel = kernel
        self._rotate = jax.jit(partial(_rotate, kernel))
        self._trajectory: FusedTrajectory | None = None
        self._told: tuple[Problem, Control] | None = None

    def __call__(
        self,
        problem: Problem,
        control: Control,
        state: State,
        seed: SupportsInt,
        chain: SupportsInt,
        iteration: SupportsInt,
    ) -> tuple[State, IterationInfo]:
        """The new state, and what the iteration reports."""
        self._listen(problem, control, state)
        assert self._trajectory is not None
        key = (int(seed), int(chain), int(iteration))
        step_size: Any = np.maximum(np.exp(np.asarray(state.log_step)), _LEAST_STEP)
        steps = trajectory_steps(self._control, float(step_size), _uniform(key, _JITTER))
        targets, scale, gain, pull, prior = self._problem
        result = self._trajectory(
            np.asarray(state.position.first), np.asarray(state.position.readout), _words(key, _TRAJECTORY),
            targets, scale, gain, pull, prior, float(step_size), steps,
        )  # fmt: skip
        error = result.half_squares + self._inverse_noise * (result.last_loss - result.first_loss)
        energy = self._inverse_noise * max(result.first_loss, result.last_loss)
        info = decide(self._control, error, _uniform(key, _ACCEPTANCE), float(self._control.tolerance) * energy)
        info = info._replace(
            steps=_count(steps), loss=_number(result.last_loss if info.accepted else result.first_loss)
        )
        state = adapted(self._control, state, float(info.acceptance))
        if info.accepted:
            state = state._replace(position=Position(result.first, (), result.readout))  # type: ignore[arg-type]
        attempts = accepted = _count(0)
        loss = info.loss
        if self._kernel.moves != "none":
            position, *rotated = self._rotate(problem, control, state.position, seed, chain, iteration)
            state = state._replace(position=position)
            attempts, accepted, loss = jax.device_get(rotated)
        return state, IterationInfo(info, step_size, attempts, accepted, loss)

    def _listen(self, problem: Problem, control: Control, state: State) -> None:
        """Brings a phase's settings to the host, once."""
        if self._told is not None and self._told[0] is problem and self._told[1] is control:
            return
        if self._trajectory is None:
            (N, P), m = state.position.first.shape, state.position.readout.shape[0]
            self._trajectory = FusedTrajectory(self._kernel.architecture.phi, N, P, m)
        self._problem = (
            np.asarray(problem.targets), float(problem.factor), float(problem.gain), float(problem.pull),
            float(problem.prior),
        )  # fmt: skip
        self._inverse_noise = float(problem.inverse_noise)
        self._control = jax.device_get(control)
        self._told = (problem, control)


class FusedObserver:
    """A callable like `_compiled.Compiled.observe` for a kernel that `_compiled.fusible` says yes to.

    **Arguments:** the kernel, and `general`: who observes where there are test inputs.
    """

    def __init__(self, kernel: Kernel, general: Fetched):
        self._phi, self._general = kernel.architecture.phi, general
        self._told: tuple[Problem, Observer] | None = None

    def __call__(
        self, problem: Problem, observer: Observer, position: Position, *counters: SupportsInt
    ) -> tuple[None, dict[str, Any]]:
        """None, and what is kept of the draw in NumPy."""
        if observer.test_inside is not None:
            return self._general(problem, observer, position, *counters)
        if self._told is None or self._told[0] is not problem or self._told[1] is not observer:
            pairs, weights = np.asarray(observer.pairs), np.asarray(observer.class_weights)
            self._observe = FusedObservation(
                self._phi, np.asarray(problem.targets), pairs, weights, float(observer.sigma_a), SORTED_NORMS
            )
            self._numbers = (float(problem.factor), float(problem.gain), float(problem.inverse_noise))
            self._told = (problem, observer)
        return None, self._observe(np.asarray(position.first), np.asarray(position.readout), *self._numbers)


def trajectory_steps(control: Control, step_size: float, uniform: float) -> int:
    """The number of gradients after the first, as `_hamiltonian.iterate` chooses it."""
    length = float(control.length) * (1.0 + float(control.jitter) * (2.0 * uniform - 1.0))
    most = max(int(control.max_steps) // 2, 1)
    return 2 * int(min(max(math.ceil(min(0.5 * length / step_size, most)), 1), most))


def decide(control: Control, error: float, uniform: float, tolerated: float = 0.0) -> _hamiltonian.Info:
    """The Metropolis test, as `_hamiltonian.metropolis` makes it."""
    finite = math.isfinite(error)
    acceptance = math.exp(min(0.0, tolerated - error)) if finite else 0.0
    accepted = finite and (uniform < acceptance or int(control.adjusted) == 0)
    return _hamiltonian.Info(
        acceptance=_number(acceptance),
        accepted=_count(accepted),
        energy_error=_number(error),
        steps=_count(1),
        diverging=_count(not finite or error > _hamiltonian.DIVERGENCE),
        loss=_number(0.0),
    )


def adapted(control: Control, state: State, acceptance: float) -> State:
    """The state with its step size adapted, as `_engine.adapt` does it."""
    error = acceptance - float(control.target_acceptance)
    recovery = float(control.recovery) if error > 0 else 1.0
    average = float(control.average)
    log_step = float(state.log_step) + float(control.adapt) * recovery * error
    sums = (float(state.log_step_sum) + average * log_step, float(state.log_step_count) + average)
    return State(state.position, _number(log_step), _number(sums[0]), _number(sums[1]))


def _number(value: float) -> Any:
    """As the chain's arrays are: what the host computes takes the place of what a device does."""
    return np.asarray(value, np.float32)


def _count(value: int) -> Any:
    return np.asarray(value, np.int32)


def _words(key: tuple[int, int, int], use: int) -> tuple[int, int]:
    seed, chain, iteration = key
    return words(*(np.uint32(x) for x in (seed, chain, iteration, use)))


def _uniform(key: tuple[int, int, int], use: int) -> float:
    """Uniform on [0, 1), with 53 bits."""
    first, second = _words(key, use)
    return ((int(first) << 32 | int(second)) >> 11) * 2.0**-53


def _rotate(kernel: Kernel, problem: Problem, control: Control, position: Position, seed, chain, iteration) -> Any:
    position, info, loss = rotate(kernel, problem, control, position, iteration_keys(seed, chain, iteration)[1])
    return position, info.attempts, info.accepted, loss
