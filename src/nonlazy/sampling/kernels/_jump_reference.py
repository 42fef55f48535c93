"""Densities of single preactivations that are linear between the points of a grid: exact draws, densities, transport.

The reference of the jump move is a product over inputs of r_mu(z), piecewise linear on [-6, 6] through the values of an
unnormalised density on 65 points. Normalisation, distribution function and its inverse are closed forms, so that the
grid costs the Metropolis test no error at all. A preactivation outside the grid has density 0: such a neuron stays.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


_EDGE = 6.0
_CELLS = 64
_WIDTH = 2 * _EDGE / _CELLS


class Reference(NamedTuple):
    """Normalised values on the grid's points, and the distribution function there, for each input; float64."""

    density: Float[Array, "... P points"]
    cumulative: Float[Array, "... P points"]


def grid() -> Float[Array, " points"]:
    """The points."""
    return jnp.linspace(-_EDGE, _EDGE, _CELLS + 1, dtype=jnp.float64)


def make_reference(log_values: Float[Array, "... P points"]) -> Reference:
    """The reference through exp(`log_values`)."""
    values = jnp.exp(log_values - jnp.max(log_values, axis=-1, keepdims=True))
    cells = 0.5 * _WIDTH * (values[..., 1:] + values[..., :-1])
    total = jnp.sum(cells, axis=-1, keepdims=True)
    cumulative = jnp.concatenate([jnp.zeros_like(total), jnp.cumsum(cells, axis=-1)], axis=-1) / total
    return Reference(values / total, cumulative)


def _at(values: Float[Array, "P points"], index: Array) -> Float[Array, " P"]:
    return jnp.take_along_axis(values, index[:, None], axis=1)[:, 0]


def _locate(z: Float[Array, " P"]) -> tuple[Array, Float[Array, " P"]]:
    position = (z + _EDGE) / _WIDTH
    index = jnp.clip(jnp.floor(position), 0, _CELLS - 1).astype(jnp.int32)
    return index, position - index


def log_density(reference: Reference, z: Float[Array, " P"]) -> Float[Array, ""]:
    """log r(z), the sum over inputs; minus infinity outside the grid."""
    index, fraction = _locate(z)
    left, right = _at(reference.density, index), _at(reference.density, index + 1)
    inside = jnp.all(jnp.abs(z) <= _EDGE)
    return jnp.where(inside, jnp.sum(jnp.log(left + fraction * (right - left))), -jnp.inf)


def distribution(reference: Reference, z: Float[Array, " P"]) -> Float[Array, " P"]:
    """F(z) of each input."""
    index, fraction = _locate(z)
    left, right = _at(reference.density, index), _at(reference.density, index + 1)
    return _at(reference.cumulative, index) + _WIDTH * fraction * (left + 0.5 * fraction * (right - left))


def quantile(reference: Reference, probability: Float[Array, " P"]) -> Float[Array, " P"]:
    """F^-1 of each input."""
    index = jnp.clip(jnp.sum(reference.cumulative <= probability[:, None], axis=1) - 1, 0, _CELLS - 1)
    left, right = _at(reference.density, index), _at(reference.density, index + 1)
    rest = jnp.maximum(probability - _at(reference.cumulative, index), 0.0) / _WIDTH
    # The root of left x + (right - left) x^2 / 2 = rest in the form that does not cancel where the slope is small.
    root = jnp.sqrt(jnp.maximum(left * left + 2.0 * (right - left) * rest, 0.0))
    fraction = jnp.clip(2.0 * rest / jnp.maximum(left + root, 1e-300), 0.0, 1.0)
    return (index + fraction) * _WIDTH - _EDGE
