"""The posterior with the readouts integrated out, one hidden layer: exact Gaussian algebra in float64.

Given the preactivations the outputs are Gaussian: with U = gain phi(z) `(N, P)` every column of the targets has
Y ~ N(0, C), C = U^T U + noise. Q = C^-1 is kept up to date by rank-one terms while neurons change one by one: with
v = Q u and s = u . v, the cavity of neuron i (the same posterior without that neuron) has Q_i = Q + v v^T / (1 - s).
Readouts given the activations follow exactly from Q (Matheron's rule).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nonlazy.activations import Activation


# Triangular matrices are taken in blocks no smaller than half of this.
_BLOCK = 128


class Collapsed(NamedTuple):
    """The numbers of a collapsed posterior, float64.

    - `targets`: Y. `members`: 1 where an input belongs to a class, else 0.
    - `gain`: f = gain * readout^T phi for whitened readouts. `noise`: noise variance of an output.
    - `scale`: z = scale * u for the whitened first layer u.
    - `nodes`, `log_weights`: Gauss quadrature for functions of phi(z) under the prior of z.
    """

    targets: Float[Array, "P m"]
    members: Float[Array, "P C"]
    gain: Float[Array, ""]
    noise: Float[Array, ""]
    scale: Float[Array, ""]
    nodes: Float[Array, " nodes"]
    log_weights: Float[Array, " nodes"]


class Inverse(NamedTuple):
    """Q = C^-1 and what is read off it: Q Y, Q times the class indicators, and the diagonal of Q."""

    matrix: Float[Array, "P P"]
    dual: Float[Array, "P m"]
    classes: Float[Array, "P C"]
    diagonal: Float[Array, " P"]


class Cavity(NamedTuple):
    """The posterior without one neuron: Q_i = Q + boost v v^T is never formed."""

    v: Float[Array, " P"]
    boost: Float[Array, ""]
    dual: Float[Array, "P m"]


def features(phi: Activation, problem: Collapsed, first: Float[Array, "... P"]) -> Float[Array, "... P"]:
    """U = gain phi(scale u), in float64."""
    return problem.gain * phi(problem.scale * first.astype(jnp.float64))


def invert(problem: Collapsed, U: Float[Array, "N P"]) -> Inverse:
    """Q from the features of all neurons, by Cholesky."""
    P = U.shape[1]
    matrix = _gram(_inverse(jnp.linalg.cholesky(U.T @ U + problem.noise * jnp.eye(P))))
    return Inverse(matrix, matrix @ problem.targets, matrix @ problem.members, jnp.diagonal(matrix))


def _inverse(lower: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The inverse of a lower triangular matrix: by blocks a third of the work of solving for the identity."""
    n = lower.shape[0]
    if n <= _BLOCK:
        return jax.scipy.linalg.solve_triangular(lower, jnp.eye(n), lower=True)
    h = n // 2
    first, last = _inverse(lower[:h, :h]), _inverse(lower[h:, h:])
    return jnp.block([[first, jnp.zeros((h, n - h))], [-last @ (lower[h:, :h] @ first), last]])


def _gram(lower: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """T^T T of a lower triangular T, without its zeros."""
    n = lower.shape[0]
    if n <= _BLOCK:
        return lower.T @ lower
    h = n // 2
    below, last = lower[h:, :h], lower[h:, h:]
    corner = last.T @ below
    return jnp.block([[_gram(lower[:h, :h]) + below.T @ below, corner.T], [corner, _gram(last)]])


def cavity(inverse: Inverse, u: Float[Array, " P"]) -> Cavity:
    """The cavity of a neuron with features `u`."""
    v = inverse.matrix @ u
    boost = 1.0 / (1.0 - u @ v)
    return Cavity(v, boost, inverse.dual + boost * jnp.outer(v, u @ inverse.dual))


def apply(inverse: Inverse, cavity: Cavity, u: Float[Array, " P"]) -> Float[Array, " P"]:
    """Q_i u."""
    return inverse.matrix @ u + cavity.boost * (cavity.v @ u) * cavity.v


def replace(
    problem: Collapsed, inverse: Inverse, cavity: Cavity, u: Float[Array, " P"], applied: Float[Array, " P"]
) -> Inverse:
    """Q after the cavity is filled with a neuron of features `u`; `applied` is Q_i u."""
    v, boost = cavity.v, cavity.boost
    loss = 1.0 / (1.0 + u @ applied)
    members = problem.members
    return Inverse(
        inverse.matrix + (boost * v)[:, None] * v - (loss * applied)[:, None] * applied,
        cavity.dual - loss * jnp.outer(applied, u @ cavity.dual),
        inverse.classes + boost * jnp.outer(v, v @ members) - loss * jnp.outer(applied, applied @ members),
        inverse.diagonal + boost * v * v - loss * applied * applied,
    )


def log_likelihood(problem: Collapsed, U: Float[Array, "N P"]) -> Float[Array, ""]:
    """log p(Y | z) = log N(Y; 0, C), up to a constant."""
    P, m = problem.targets.shape
    factor = jnp.linalg.cholesky(U.T @ U + problem.noise * jnp.eye(P))
    half = jax.scipy.linalg.solve_triangular(factor, problem.targets, lower=True)
    return -m * jnp.sum(jnp.log(jnp.diagonal(factor))) - 0.5 * jnp.sum(half * half)


def draw_readouts(problem: Collapsed, inverse: Inverse, U: Float[Array, "N P"], key: Array) -> Float[Array, "m N"]:
    """Whitened readouts given the activations, drawn from their exact law."""
    N, P = U.shape
    normals = jax.random.normal(key, (problem.targets.shape[1], N + P), jnp.float64)
    return readouts_from(problem, inverse, U, normals)


def readouts_from(
    problem: Collapsed, inverse: Inverse, U: Float[Array, "N P"], normals: Float[Array, "m N+P"]
) -> Float[Array, "m N"]:
    """`draw_readouts` of given normals: a prior draw corrected by its misfit, exactly."""
    N = U.shape[0]
    prior, noise = normals[:, :N], jnp.sqrt(problem.noise) * normals[:, N:]
    return prior + (problem.targets.T - prior @ U - noise) @ inverse.matrix @ U.T
