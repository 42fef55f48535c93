"""Langevin dynamics as the paper defines it, plain or Metropolis-adjusted, and its noiseless limit.

The paper's dynamics of the weights theta is d theta/dt = -grad Loss + T grad log p0 + sqrt(2 T) xi, with the noise
variance T/N in place of T after its rescaling (van Meegen & Sompolinsky 2025, Methods). In whitened coordinates
x = theta / sigma the same motion has a diffusion constant D = noise / sigma^2 for each group of weights:

    dx = -D grad U dt + sqrt(2 D) xi,    U = |x|^2 / 2 + loss / noise.

The Euler-Maruyama step is one leapfrog step of size sqrt(2 D dt) with a fresh momentum, so that the adjusted form
(MALA) shares its Metropolis test with Hamiltonian Monte Carlo. Gradient descent is the same without noise,
dx/dt = -(grad loss + weight_decay x) / sigma^2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nonlazy.sampling.kernels._hamiltonian import Info, energy_error, metropolis
from nonlazy.sampling.kernels._potential import (
    Architecture,
    Position,
    Problem,
    choose,
    gradient,
    loss_of,
    momentum_like,
    residual_of,
)


class Diffusion(NamedTuple):
    """A Langevin iteration: `steps` steps of size dt, with the diffusion constants of each group of coordinates.

    `mobility` holds D for (first layer, hidden layers, readouts); `adjusted` 0 makes plain Euler-Maruyama steps.
    """

    step_size: Float[Array, ""]
    mobility: Position
    steps: Int[Array, ""]
    adjusted: Int[Array, ""]


def iterate(
    architecture: Architecture, problem: Problem, diffusion: Diffusion, position: Position, key: Array
) -> tuple[Position, Info]:
    """`diffusion.steps` Langevin steps; the info holds their mean acceptance and the last energy error."""
    # A coordinate's own leapfrog step: sqrt(2 D dt).
    step = jax.tree.map(lambda d: jnp.sqrt(2.0 * d * diffusion.step_size), diffusion.mobility)
    force, residual = gradient(architecture, problem, position)
    zero = jnp.zeros((), position.readout.dtype)

    def body(index, carry):
        position, force, loss, acceptance, accepted, _, diverging = carry
        noise_key, accept_key = jax.random.split(jax.random.fold_in(key, index))
        momentum = momentum_like(architecture, noise_key, position)
        half = jax.tree.map(lambda v, e, g: v - 0.5 * e * g, momentum, step, force)
        new = jax.tree.map(lambda x, e, v: x + e * v, position, step, half)
        new_force, new_residual = gradient(architecture, problem, new)
        new_momentum = jax.tree.map(lambda v, e, g: v - 0.5 * e * g, half, step, new_force)
        new_loss = loss_of(new_residual)
        error = energy_error(problem, (position, momentum, loss), (new, new_momentum, new_loss))
        moved, info = metropolis(error, diffusion.adjusted, accept_key)
        return (
            choose(moved, new, position),
            choose(moved, new_force, force),
            jnp.where(moved, new_loss, loss),
            acceptance + info.acceptance,
            accepted + info.accepted,
            error,
            diverging + info.diverging,
        )

    start = (position, force, loss_of(residual), zero, jnp.zeros((), jnp.int32), zero, jnp.zeros((), jnp.int32))
    position, _, loss, acceptance, accepted, error, diverging = jax.lax.fori_loop(0, diffusion.steps, body, start)
    return position, Info(acceptance / diffusion.steps, accepted, error, diffusion.steps, diverging, loss)


def descend(
    architecture: Architecture, problem: Problem, diffusion: Diffusion, position: Position, key: Array
) -> tuple[Position, Info]:
    """`diffusion.steps` steps of gradient descent; `key` is not used, nothing is random.

    `problem` must have been made for descent (`pull` = gain, `prior` = weight decay), so that its gradient is that of
    loss + prior |x|^2 / 2; `mobility` is 1 / sigma^2.
    """

    def body(_, carry):
        position, worst = carry
        force, residual = gradient(architecture, problem, position)
        new = jax.tree.map(lambda x, d, g: x - diffusion.step_size * d * g, position, diffusion.mobility, force)
        return new, jnp.maximum(worst, loss_of(residual))

    new, worst = jax.lax.fori_loop(0, diffusion.steps, body, (position, jnp.zeros((), position.readout.dtype)))
    finite = jnp.isfinite(worst) & jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(new)]))
    end = choose(finite, new, position)
    one = jnp.ones((), position.readout.dtype)
    return end, Info(
        acceptance=jnp.where(finite, one, 0.0),
        accepted=finite.astype(jnp.int32),
        energy_error=0.0 * one,
        steps=diffusion.steps,
        diverging=(~finite).astype(jnp.int32),
        loss=loss_of(residual_of(architecture, problem, end)),
    )
