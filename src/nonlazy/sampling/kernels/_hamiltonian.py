"""Hamiltonian Monte Carlo: leapfrog trajectories of jittered length, full momentum refreshment, Metropolis test.

Target exp(-U(x)), unit mass. One iteration: v ~ N(0, 1); n = ceil(tau j / epsilon) leapfrog steps with j uniform on
[1 - jitter, 1 + jitter]; accept with probability min(1, exp(-dH)). The energy error is formed from differences
(`_potential.change_of_half_squares`). A trajectory that is not finite is rejected and counted as divergent.
Source: Neal (2011), "MCMC using Hamiltonian dynamics".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nonlazy.sampling.kernels._potential import (
    Architecture,
    Position,
    Problem,
    add,
    change_of_half_squares,
    choose,
    gradient,
    loss_of,
    normal_like,
)


# An energy error above this says that the integrator has left the trajectory, as in Stan and NumPyro.
_DIVERGENCE = 1000.0


class Trajectory(NamedTuple):
    """How a trajectory is simulated: dynamic numbers, so that a change compiles nothing anew.

    `adjusted` 0 accepts every finite trajectory: a warm-up device, never used for draws.
    """

    length: Float[Array, ""]
    step_size: Float[Array, ""]
    jitter: Float[Array, ""]
    max_steps: Int[Array, ""]
    adjusted: Int[Array, ""]


PhasePoint = tuple[Position, Position, Float[Array, ""]]


class Info(NamedTuple):
    """What one iteration did: acceptance probability, whether it moved, energy error, leapfrog steps, divergence."""

    acceptance: Float[Array, ""]
    accepted: Int[Array, ""]
    energy_error: Float[Array, ""]
    steps: Int[Array, ""]
    diverging: Int[Array, ""]


def leapfrog(
    architecture: Architecture,
    problem: Problem,
    position: Position,
    momentum: Position,
    step_size: Float[Array, ""],
    steps: Int[Array, ""],
) -> tuple[Position, Position, Float[Array, ""], Float[Array, ""]]:
    """`steps` leapfrog steps; returns position, momentum, and the loss at the start and at the end.

    One loop with one gradient in it (half kicks at both ends, no drift before the first), so that it compiles once.
    """
    start = loss_of(problem.targets * 0.0)

    def step(index, carry):
        position, momentum, first_loss, _ = carry
        position = add(position, jnp.where(index == 0, 0.0, step_size), momentum)
        force, residual = gradient(architecture, problem, position)
        kick = jnp.where((index == 0) | (index == steps), 0.5 * step_size, step_size)
        loss = loss_of(residual)
        return position, add(momentum, -kick, force), jnp.where(index == 0, loss, first_loss), loss

    return jax.lax.fori_loop(0, steps + 1, step, (position, momentum, start, start))


def iterate(
    architecture: Architecture, problem: Problem, trajectory: Trajectory, position: Position, key: Array
) -> tuple[Position, Info]:
    """One iteration of Hamiltonian Monte Carlo; leaves exp(-U) invariant where `trajectory.adjusted` is 1."""
    dtype = position.readout.dtype
    momentum_key, jitter_key, accept_key = jax.random.split(key, 3)
    momentum = normal_like(momentum_key, position)
    spread = 1.0 + trajectory.jitter * jax.random.uniform(jitter_key, (), dtype, -1.0, 1.0)
    wanted = jnp.ceil(trajectory.length * spread / trajectory.step_size)
    steps = jnp.clip(wanted, 1.0, trajectory.max_steps.astype(dtype)).astype(jnp.int32)
    new, new_momentum, old_loss, new_loss = leapfrog(
        architecture, problem, position, momentum, trajectory.step_size, steps
    )
    error = energy_error(problem, (position, momentum, old_loss), (new, new_momentum, new_loss))
    accepted, info = metropolis(error, trajectory.adjusted, accept_key)
    return choose(accepted, new, position), info._replace(steps=steps)


def energy_error(problem: Problem, old: PhasePoint, new: PhasePoint) -> Float[Array, ""]:
    """H(new) - H(old) of (position, momentum, loss), in difference form."""
    return (
        change_of_half_squares(new[0], old[0])
        + change_of_half_squares(new[1], old[1])
        + problem.inverse_noise * (new[2] - old[2])
    )


def metropolis(error: Float[Array, ""], adjusted: Int[Array, ""], key: Array) -> tuple[Array, Info]:
    """Whether a proposal with this energy error is accepted, and what to report of it."""
    finite = jnp.isfinite(error)
    acceptance = jnp.where(finite, jnp.exp(jnp.minimum(0.0, -error)), 0.0)
    uniform = jax.random.uniform(key, (), error.dtype)
    accepted = finite & ((uniform < acceptance) | (adjusted == 0))
    return accepted, Info(
        acceptance=acceptance,
        accepted=accepted.astype(jnp.int32),
        energy_error=error,
        steps=jnp.ones((), jnp.int32),
        diverging=(~finite | (error > _DIVERGENCE)).astype(jnp.int32),
    )
