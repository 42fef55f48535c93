"""The posterior's potential and its gradient in whitened coordinates, in JAX.

With x the whitened position, U(x) = prior |x|^2 / 2 + loss / noise. Shapes inside the sampler: readouts and outputs are
stored with the output first, `(m, N)` and `(m, P)`, because thin matrix products are fastest that way.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from nonlazy.activations import Activation
from nonlazy.sampling.kernels._random import normal


class Position(NamedTuple):
    """Whitened weights: u `(N, r)`, W^2 .. W^L over sigma_l `(N, N)`, readouts over sigma_a `(m, N)`."""

    first: Float[Array, "N r"]
    hidden: tuple[Float[Array, "N N"], ...]
    readout: Float[Array, "m N"]


class Architecture(NamedTuple):
    """What decides the compiled code: activation, whether z^1 needs a matrix product, and how many of the inputs, the
    last ones, only fill the data up to the same number of inputs on each device: they count for nothing."""

    phi: Activation
    depth: int
    factored: bool
    padding: int = 0


class Problem(NamedTuple):
    """The numbers that define the potential; they may change from one iteration to the next without a new compilation.

    - `factor`: S `(P, r)`, or the scalar sigma_1 where z^1 = sigma_1 u.
    - `hidden_scale`: sigma_l / sqrt(N) of layers 2 .. L, `(L - 1,)`.
    - `gain`: readout scale times sigma_a, so that f = gain * readout @ phi.
    - `pull`: gain / noise, formed outside because noise alone may underflow a comparison in float32.
    - `inverse_noise`: 1 / noise variance.
    - `prior`: weight of the prior term: 1 for sampling, the noise variance or 0 for descent on the loss.
    - `targets`: Y^T.
    """

    factor: Float[Array, "..."]
    hidden_scale: Float[Array, " L-1"]
    gain: Float[Array, ""]
    pull: Float[Array, ""]
    inverse_noise: Float[Array, ""]
    prior: Float[Array, ""]
    targets: Float[Array, "m P"]


def preactivations(architecture: Architecture, problem: Problem, position: Position) -> list[Float[Array, "N P"]]:
    """z^1 .. z^L on the training inputs."""
    first = position.first @ problem.factor.T if architecture.factored else problem.factor * position.first
    return propagate(architecture, problem, position, first)


def propagate(
    architecture: Architecture, problem: Problem, position: Position, first: Float[Array, "N inputs"]
) -> list[Float[Array, "N inputs"]]:
    """z^1 .. z^L from z^1 on any inputs."""
    layers = [first]
    for matrix, scale in zip(position.hidden, problem.hidden_scale, strict=True):
        layers.append((scale * matrix) @ architecture.phi(layers[-1]))
    return layers


def outputs(
    architecture: Architecture, problem: Problem, position: Position, last: Float[Array, "N inputs"]
) -> Float[Array, "m inputs"]:
    """f from the feature layer's preactivations."""
    return problem.gain * (position.readout @ architecture.phi(last))


def residual_of(architecture: Architecture, problem: Problem, position: Position) -> Float[Array, "m P"]:
    """f - y on the training inputs."""
    last = preactivations(architecture, problem, position)[-1]
    return of_inputs(architecture, outputs(architecture, problem, position, last) - problem.targets)


def of_inputs(architecture: Architecture, values: Float[Array, "m P"]) -> Float[Array, "m P"]:
    """`values`, with zeros at the inputs that are only padding."""
    if not architecture.padding:
        return values
    return jnp.where(jnp.arange(values.shape[-1]) < values.shape[-1] - architecture.padding, values, 0.0)


def loss_of(residual: Float[Array, "m P"]) -> Float[Array, ""]:
    """1/2 sum (f - y)^2."""
    return 0.5 * jnp.sum(residual * residual)


def gradient(architecture: Architecture, problem: Problem, position: Position) -> tuple[Position, Float[Array, "m P"]]:
    """dU/dx and the residual f - y, by hand: one forward and one backward pass, nothing recomputed."""
    layers = preactivations(architecture, problem, position)
    phis = [architecture.phi(z) for z in layers]
    residual = of_inputs(architecture, problem.gain * (position.readout @ phis[-1]) - problem.targets)
    force = problem.pull * residual
    readout = problem.prior * position.readout + force @ phis[-1].T
    backward = position.readout.T @ force
    hidden = []
    for index in range(architecture.depth - 1, 0, -1):
        matrix, scale = position.hidden[index - 1], problem.hidden_scale[index - 1]
        backward = scale * backward * architecture.phi.slope(layers[index])
        hidden.append(problem.prior * matrix + backward @ phis[index - 1].T)
        backward = matrix.T @ backward
    backward = backward * architecture.phi.slope(layers[0])
    first = backward @ problem.factor if architecture.factored else problem.factor * backward
    return Position(problem.prior * position.first + first, tuple(reversed(hidden)), readout), residual


def add(position: Position, scale: Float[Array, ""], direction: Position) -> Position:
    """position + scale * direction."""
    return jax.tree.map(lambda x, d: x + scale * d, position, direction)


def squares(position: Position) -> Float[Array, ""]:
    """Sum of squares of all coordinates."""
    return sum((jnp.sum(x * x) for x in jax.tree.leaves(position)), start=jnp.zeros((), position.readout.dtype))


def change_of_half_squares(new: Position, old: Position) -> Float[Array, ""]:
    """(|new|^2 - |old|^2) / 2 in difference form, which float32 can resolve where the difference of sums cannot."""
    parts = (0.5 * jnp.sum((n - o) * (n + o)) for n, o in zip(jax.tree.leaves(new), jax.tree.leaves(old), strict=True))
    return sum(parts, start=jnp.zeros((), new.readout.dtype))


def normal_like(key: Array, position: Position) -> Position:
    """Independent N(0, 1) in the shape of a position."""
    leaves, structure = jax.tree.flatten(position)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(structure, [normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)])


def momentum_like(architecture: Architecture, key: Array, position: Position) -> Position:
    """Independent N(0, 1) in the shape of a position: the same numbers whatever the padding, which gets zeros."""
    padding = 0 if architecture.factored else architecture.padding
    if not padding:
        return normal_like(key, position)
    N, inputs = position.first.shape
    first = jax.ShapeDtypeStruct((N, inputs - padding), position.first.dtype)
    drawn = normal_like(key, position._replace(first=first))
    return drawn._replace(first=jnp.pad(drawn.first, ((0, 0), (0, padding))))


def choose(condition: Bool[Array, ""], new: Position, old: Position) -> Position:
    """`new` where `condition` holds, else `old`, without letting a NaN of either reach the other."""
    return jax.tree.map(lambda n, o: jnp.where(condition, n, o), new, old)
