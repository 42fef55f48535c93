"""Rotations in neuron space: Metropolis-Hastings moves of pairs, and the exact symmetry of linear layers.

**Pair rotations** (positively homogeneous activations). Neurons i, j are chosen independently with probability
proportional to w = |a|^2 (whitened readouts), an angle theta from a symmetric mixture, and (a_i, a_j) together with
(z_i, z_j) are rotated by theta. For K_0 = 1 (`subset`) only those inputs are rotated on which z_i^2 + z_j^2 > rho^2, a
set that the rotation leaves as it is; else whole rows of the layer's weights are. Prior and volume are unchanged and
sum w is conserved, so with d the change of the outputs, r = f - y and w' the weights after the rotation,

    log acceptance = -(|d|^2 / 2 + d . r) / noise + log w'_i w'_j - log w_i w_j .

It merges and splits the outlier neurons of rectified networks, which gradients alone do not in reasonable time.

**Linear layers**: (z, a) -> (O z, O a) leaves prior and likelihood unchanged for every orthogonal O; random pairings of
the neurons are rotated by uniform angles, always accepted.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nonlazy.sampling.kernels._potential import (
    Architecture,
    Position,
    Problem,
    of_inputs,
    outputs,
    preactivations,
)


# Angles: uniform on (-pi/2, pi/2) times one of these factors, with these probabilities; radii: log-uniform.
_ANGLE_FACTORS = (0.1, 0.3, 1.0)
_ANGLE_PROBABILITIES = (0.4, 0.3, 0.3)
_RADIUS_RANGE = (2.0, 10.0)
_LINEAR_ROUNDS = 4


class RotationInfo(NamedTuple):
    """Attempted and accepted rotations of one iteration."""

    attempts: Int[Array, ""]
    accepted: Int[Array, ""]


def rotate_pairs(
    architecture: Architecture, problem: Problem, attempts: Int[Array, ""], position: Position, key: Array
) -> tuple[Position, RotationInfo]:
    """`attempts` pair rotations of the feature layer, one after another."""
    phi = architecture.phi
    subset = architecture.depth == 1 and not architecture.factored
    rows = position.first if architecture.depth == 1 else position.hidden[-1]
    z = preactivations(architecture, problem, position)[-1]
    residual = of_inputs(architecture, outputs(architecture, problem, position, z) - problem.targets)

    def attempt(index, carry):
        readout, rows, z, residual, accepted = carry
        i_key, j_key, factor_key, angle_key, radius_key, accept_key = jax.random.split(
            jax.random.fold_in(key, index), 6
        )
        dtype = z.dtype
        weights = jnp.sum(readout * readout, axis=0)
        cumulative = jnp.cumsum(weights)
        i, j = (
            jnp.searchsorted(cumulative, jax.random.uniform(k, (), dtype) * cumulative[-1]).clip(0, weights.size - 1)
            for k in (i_key, j_key)
        )
        factor = jax.random.choice(
            factor_key, jnp.array(_ANGLE_FACTORS, dtype), p=jnp.array(_ANGLE_PROBABILITIES, dtype)
        )
        angle = factor * jax.random.uniform(angle_key, (), dtype, -math.pi / 2, math.pi / 2)
        low, high = (math.log(radius) for radius in _RADIUS_RANGE)
        radius = jnp.exp(jax.random.uniform(radius_key, (), dtype, low, high))
        cosine, sine = jnp.cos(angle), jnp.sin(angle)

        def turn(a, b):
            return cosine * a - sine * b, sine * a + cosine * b

        z_i, z_j, row_i, row_j = z[i], z[j], rows[i], rows[j]
        if subset:
            inside = row_i**2 + row_j**2 > radius**2
            row_i, row_j = (
                jnp.where(inside, new, old) for new, old in zip(turn(row_i, row_j), (row_i, row_j), strict=True)
            )
            new_i, new_j = problem.factor * row_i, problem.factor * row_j
        else:
            row_i, row_j = turn(row_i, row_j)
            new_i, new_j = turn(z_i, z_j)
        a_i, a_j = readout[:, i], readout[:, j]
        b_i, b_j = turn(a_i, a_j)
        change = problem.gain * (
            b_i[:, None] * phi(new_i) + b_j[:, None] * phi(new_j) - a_i[:, None] * phi(z_i) - a_j[:, None] * phi(z_j)
        )
        change = of_inputs(architecture, change)
        log_acceptance = -problem.inverse_noise * (
            0.5 * jnp.sum(change * change) + jnp.sum(change * residual)
        ) + log_selection_ratio(jnp.sum(b_i**2), jnp.sum(b_j**2), weights[i], weights[j])
        uniform = jax.random.uniform(accept_key, (), dtype)
        accept = (i != j) & (jnp.log(uniform) < log_acceptance)

        def store(array, index, new):
            return array.at[index].set(jnp.where(accept, new, array[index]))

        readout = readout.at[:, i].set(jnp.where(accept, b_i, a_i))
        # i == j never accepts; writing j's old column after i's is then harmless.
        readout = readout.at[:, j].set(jnp.where(accept, b_j, readout[:, j]))
        rows = store(store(rows, i, row_i), j, row_j)
        z = store(store(z, i, new_i), j, new_j)
        residual = jnp.where(accept, residual + change, residual)
        return readout, rows, z, residual, accepted + accept.astype(jnp.int32)

    start = (position.readout, rows, z, residual, jnp.zeros((), jnp.int32))
    readout, rows, _, _, accepted = jax.lax.fori_loop(0, attempts, attempt, start)
    if architecture.depth == 1:
        position = Position(rows, position.hidden, readout)
    else:
        position = Position(position.first, (*position.hidden[:-1], rows), readout)
    return position, RotationInfo(attempts, accepted)


def log_selection_ratio(new_i, new_j, old_i, old_j) -> Float[Array, ""]:
    """log of the probability of choosing the pair again after the rotation, over that of having chosen it."""
    return jnp.log(new_i) + jnp.log(new_j) - jnp.log(old_i) - jnp.log(old_j)


def rotate_linear(
    architecture: Architecture, problem: Problem, attempts: Int[Array, ""], position: Position, key: Array
) -> tuple[Position, RotationInfo]:
    """A random orthogonal mixing of the neurons of every layer of a linear network: an exact symmetry."""
    del architecture, problem
    incoming = [position.first, *position.hidden]
    outgoing = [*position.hidden, position.readout]

    def mix(index, carry):
        incoming, outgoing = list(carry[0]), list(carry[1])
        for layer in range(len(incoming)):
            order_key, angle_key = jax.random.split(jax.random.fold_in(jax.random.fold_in(key, index), layer))
            width = incoming[layer].shape[0]
            order = jax.random.permutation(order_key, width)
            one, other = order[: width // 2], order[width // 2 : 2 * (width // 2)]
            angle = jax.random.uniform(angle_key, (width // 2,), position.readout.dtype, 0.0, 2 * math.pi)
            cosine, sine = jnp.cos(angle), jnp.sin(angle)
            rows = incoming[layer]
            a, b = rows[one], rows[other]
            incoming[layer] = (
                rows.at[one].set(cosine[:, None] * a - sine[:, None] * b)
                .at[other].set(sine[:, None] * a + cosine[:, None] * b)
            )  # fmt: skip
            columns = outgoing[layer]
            a, b = columns[:, one], columns[:, other]
            columns = columns.at[:, one].set(cosine * a - sine * b).at[:, other].set(sine * a + cosine * b)
            outgoing[layer] = columns
            # A hidden matrix is one layer's incoming and the layer below's outgoing weights.
            if layer + 1 < len(incoming):
                incoming[layer + 1] = columns
            if layer > 0:
                outgoing[layer - 1] = incoming[layer]
        return tuple(incoming), tuple(outgoing)

    rounds = jnp.where(attempts > 0, _LINEAR_ROUNDS, 0)
    incoming, outgoing = jax.lax.fori_loop(0, rounds, mix, (tuple(incoming), tuple(outgoing)))
    return Position(incoming[0], tuple(incoming[1:]), outgoing[-1]), RotationInfo(rounds, rounds)
