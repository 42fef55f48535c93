"""Hamiltonian Monte Carlo: trajectories of jittered length, full momentum refreshment, Metropolis test.

Target exp(-U(x)), unit mass. One iteration: v ~ N(0, 1); n = 2 ceil(tau j / 2 epsilon) gradients, each a time epsilon
apart, with j uniform on [1 - jitter, 1 + jitter]; accept with probability min(1, exp(-dH)). The energy error is formed
from differences (`_potential.change_of_half_squares`). A trajectory that is not finite is rejected and counted as
divergent. Source: Neal (2011), "MCMC using Hamiltonian dynamics".

The integrator is the minimum-norm one with two gradients a step, reversible and volume-preserving like leapfrog,

    kick 2 b epsilon, drift epsilon, kick 2 (1 - 2 b) epsilon, drift epsilon, kick 2 b epsilon.

With as many gradients its leading error is about a third of leapfrog's (b = 1/4), so that fewer reach the same
acceptance. Source: McLachlan, SIAM J. Sci. Comput. 16, 151 (1995); Takaishi & de Forcrand, hep-lat/0505020.
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
    momentum_like,
)


# b, where the norm of the two leading error terms is least.
OUTER_KICK = 0.1931833275037836
# An energy error above this says that the integrator has left the trajectory, as in Stan and NumPyro.
DIVERGENCE = 1000.0


class Trajectory(NamedTuple):
    """How a trajectory is simulated: dynamic numbers, so that a change compiles nothing anew.

    `step_size` is the time between two gradients, `max_steps` the most gradients of a trajectory.
    `adjusted` 0 accepts every finite trajectory, and `tolerance` is an energy error that counts for nothing, as a share
    of the likelihood's energy: warm-up devices, never used for draws.
    """

    length: Float[Array, ""]
    step_size: Float[Array, ""]
    jitter: Float[Array, ""]
    max_steps: Int[Array, ""]
    adjusted: Int[Array, ""]
    tolerance: Float[Array, ""] | float = 0.0


PhasePoint = tuple[Position, Position, Float[Array, ""]]


class Info(NamedTuple):
    """What one iteration did: acceptance probability, whether it moved, energy error, gradients but for the first,
    divergence, and the loss where it ended."""

    acceptance: Float[Array, ""]
    accepted: Int[Array, ""]
    energy_error: Float[Array, ""]
    steps: Int[Array, ""]
    diverging: Int[Array, ""]
    loss: Float[Array, ""]


def integrate(
    architecture: Architecture,
    problem: Problem,
    position: Position,
    momentum: Position,
    step_size: Float[Array, ""],
    steps: Int[Array, ""],
) -> tuple[Position, Position, Float[Array, ""], Float[Array, ""]]:
    """`steps` gradients (an even number) a time `step_size` apart, and one at the start; returns position, momentum,
    and the loss at the start and at the end.

    One loop with one gradient in it (outer kicks at both ends, no drift before the first), so that it compiles once.
    """
    start = loss_of(problem.targets * 0.0)

    def step(index, carry):
        position, momentum, first_loss, _ = carry
        position = add(position, jnp.where(index == 0, 0.0, step_size), momentum)
        force, residual = gradient(architecture, problem, position)
        # Where two steps meet, so do their outer kicks.
        outer = jnp.where((index == 0) | (index == steps), 2.0 * OUTER_KICK, 4.0 * OUTER_KICK)
        kick = step_size * jnp.where(index % 2 == 1, 2.0 * (1.0 - 2.0 * OUTER_KICK), outer)
        loss = loss_of(residual)
        return position, add(momentum, -kick, force), jnp.where(index == 0, loss, first_loss), loss

    return jax.lax.fori_loop(0, steps + 1, step, (position, momentum, start, start))


def iterate(
    architecture: Architecture, problem: Problem, trajectory: Trajectory, position: Position, key: Array
) -> tuple[Position, Info]:
    """One iteration of Hamiltonian Monte Carlo; leaves exp(-U) invariant where `trajectory.adjusted` is 1."""
    dtype = position.readout.dtype
    momentum_key, jitter_key, accept_key = jax.random.split(key, 3)
    momentum = momentum_like(architecture, momentum_key, position)
    spread = 1.0 + trajectory.jitter * jax.random.uniform(jitter_key, (), dtype, -1.0, 1.0)
    pairs = jnp.ceil(0.5 * trajectory.length * spread / trajectory.step_size)
    most = jnp.maximum(trajectory.max_steps // 2, 1).astype(dtype)
    steps = 2 * jnp.clip(pairs, 1.0, most).astype(jnp.int32)
    new, new_momentum, old_loss, new_loss = integrate(
        architecture, problem, position, momentum, trajectory.step_size, steps
    )
    error = energy_error(problem, (position, momentum, old_loss), (new, new_momentum, new_loss))
    tolerated = trajectory.tolerance * problem.inverse_noise * jnp.maximum(old_loss, new_loss)
    accepted, info = metropolis(error, trajectory.adjusted, accept_key, tolerated)
    loss = jnp.where(accepted, new_loss, old_loss)
    return choose(accepted, new, position), info._replace(steps=steps, loss=loss)


def energy_error(problem: Problem, old: PhasePoint, new: PhasePoint) -> Float[Array, ""]:
    """H(new) - H(old) of (position, momentum, loss), in difference form."""
    return (
        change_of_half_squares(new[0], old[0])
        + change_of_half_squares(new[1], old[1])
        + problem.inverse_noise * (new[2] - old[2])
    )


def metropolis(
    error: Float[Array, ""], adjusted: Int[Array, ""], key: Array, tolerated: Float[Array, ""] | float = 0.0
) -> tuple[Array, Info]:
    """Whether a proposal with this energy error is accepted, and what to report of it; the loss is for the caller."""
    finite = jnp.isfinite(error)
    acceptance = jnp.where(finite, jnp.exp(jnp.minimum(0.0, tolerated - error)), 0.0)
    uniform = jax.random.uniform(key, (), error.dtype)
    accepted = finite & ((uniform < acceptance) | (adjusted == 0))
    return accepted, Info(
        acceptance=acceptance,
        accepted=accepted.astype(jnp.int32),
        energy_error=error,
        steps=jnp.ones((), jnp.int32),
        diverging=(~finite | (error > DIVERGENCE)).astype(jnp.int32),
        loss=jnp.zeros((), error.dtype),
    )
