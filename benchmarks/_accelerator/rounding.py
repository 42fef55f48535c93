"""What single precision does to the energies that the Metropolis test compares, by temperature.

Trajectories in float32, as a chain makes them, beside the same ones in float64: from the same positions and momenta,
with the same steps. The difference of their energy errors is what rounding adds to a decision; where it is small
against 1, a chain in single precision samples the posterior.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from _sampling.cases import Case

from _accelerator.precision import architecture_of, settled


def measure(case: Case, temperatures: tuple[float, ...], trajectories: int, seed: int) -> list[dict[str, float]]:
    """A chain's trajectories from its first draw on, at each temperature.

    **Returns:** for each temperature: step size, acceptance, median |energy error|, and of the difference to float64
    the median and the largest |.|, and the mean |.| of what it changes in the acceptance of a trajectory.
    """
    return [_measured(replace(case, temperature=T), trajectories, seed) for T in temperatures]


def _measured(case: Case, trajectories: int, seed: int) -> dict[str, float]:
    loop = settled(case, seed)
    step_size = float(np.exp(np.asarray(loop.state.log_step)))
    length = float(loop.job.sampler.trajectory_length)
    steps = 2 * max(round(0.5 * length / step_size), 1)
    single, double = _single(loop), _double(loop)
    position = loop.state.position
    generator = np.random.default_rng(seed)
    found = np.empty((trajectories, 2))
    for index in range(trajectories):
        momentum, new, found[index, 0] = single(position, index, step_size, steps)
        found[index, 1] = double(position, momentum, step_size, steps)
        if np.log(generator.random()) < -found[index, 0]:
            position = new
    acceptances = np.exp(np.minimum(0.0, -found))
    rounding = np.abs(found[:, 0] - found[:, 1])
    return {
        "temperature": case.temperature,
        "step_size": step_size,
        "acceptance": float(acceptances[:, 0].mean()),
        "energy_error": float(np.median(np.abs(found[:, 0]))),
        "rounding": float(np.median(rounding)),
        "largest": float(rounding.max()),
        "changed": float(np.abs(acceptances[:, 0] - acceptances[:, 1]).mean()),
    }


def _single(loop: Any) -> Any:
    """A function of position, index, step size and steps: momentum, the end, and the energy error, by the code that
    the chain runs."""
    import jax
    import jax.numpy as jnp

    from nonlazy.sampling._compiled import fusible
    from nonlazy.sampling._engine import make_kernel
    from nonlazy.sampling.kernels import _hamiltonian
    from nonlazy.sampling.kernels._fused import FusedTrajectory
    from nonlazy.sampling.kernels._potential import Position, momentum_like

    problem, architecture = loop.problem, architecture_of(loop)
    kernel = make_kernel(loop.job.posterior, loop.coordinates, loop.job.sampler, None)
    if not fusible(kernel, False, np.dtype(np.float32)):

        @jax.jit
        def compiled(position: Any, key: Any, step_size: Any, steps: Any) -> Any:
            momentum = momentum_like(architecture, key, position)
            new, speed, *losses = _hamiltonian.integrate(architecture, problem, position, momentum, step_size, steps)
            ends = (position, momentum, losses[0]), (new, speed, losses[1])
            return momentum, new, _hamiltonian.energy_error(problem, *ends)

        def by_xla(position: Any, index: int, step_size: float, steps: int) -> Any:
            key = jax.random.key(index)
            return compiled(jax.tree.map(jnp.asarray, position), key, jnp.float32(step_size), jnp.int32(steps))

        return by_xla
    (N, P), m = loop.state.position.first.shape, loop.job.posterior.task.m
    trajectory = FusedTrajectory(architecture.phi, N, P, m)
    numbers = [float(x) for x in (problem.factor, problem.gain, problem.pull, problem.prior)]

    def fused(position: Any, index: int, step_size: float, steps: int) -> Any:
        first, readout, key = np.asarray(position.first), np.asarray(position.readout), (index, 1)
        end = trajectory(first, readout, key, np.asarray(problem.targets), *numbers, step_size, steps)
        error = end.half_squares + float(problem.inverse_noise) * (end.last_loss - end.first_loss)
        momentum, speed = trajectory.momentum(key)
        return Position(momentum, (), speed), Position(end.first, (), end.readout), error  # type: ignore[arg-type]

    return fused


def _double(loop: Any) -> Any:
    """A function of position, momentum, step size and steps: the energy error in float64."""
    import jax
    import jax.numpy as jnp

    from nonlazy.sampling.kernels import _hamiltonian

    architecture = architecture_of(loop)

    def error_of(problem: Any, position: Any, momentum: Any, step_size: Any, steps: Any) -> Any:
        new, speed, *losses = _hamiltonian.integrate(architecture, problem, position, momentum, step_size, steps)
        return _hamiltonian.energy_error(problem, (position, momentum, losses[0]), (new, speed, losses[1]))

    with jax.enable_x64(True):
        wide = partial(jax.tree.map, lambda x: jnp.asarray(np.asarray(x), jnp.float64))
        problem, compiled = wide(loop.problem), jax.jit(error_of)

    def double(position: Any, momentum: Any, step_size: float, steps: int) -> float:
        with jax.enable_x64(True):
            # The step that single precision made.
            step = jnp.float64(np.float32(step_size))
            return float(compiled(problem, wide(position), wide(momentum), step, jnp.int32(steps)))

    return double
