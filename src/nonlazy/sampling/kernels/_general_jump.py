"""Neurons that change code where inputs are correlated: the move of `_jump` for any input kernel, and flips.

The steps are those of `_jump`; what differs is the reference that preactivations are proposed from. Inputs are no
longer independent given the readout, so that it is a Gaussian r(u | a) in whitened coordinates (`_general_wells`),
computed for the neuron's present readout a and for the proposed a':

4. with r(u | a) = N(c, (l l^T)^-1), l lower triangular, the neuron keeps its e = l^T (u - c): u' = c' + l'^-T e;
5. accepted with probability min(1, e^(W' - W)), W = log p(a, u) - log pi - log St(a) - log r(u | a); the volume change
   of the transport is r(u | a) / r(u' | a').

A sweep attempts this for every neuron, then turns few neurons at a time (`_flips`), which moves along the direction
that single neurons leave free, and ends with an exact draw of all readouts. It leaves the posterior invariant for every
fixed table. The transport keeps e, so that a sweep alone does not reach every u: combine it with trajectories.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nonlazy.activations import Activation
from nonlazy.sampling.kernels import _flips
from nonlazy.sampling.kernels._collapsed import Collapsed, Inverse, features, invert, readouts_from
from nonlazy.sampling.kernels._flips import FlipInfo
from nonlazy.sampling.kernels._general_table import General, make_problem as make_problem, make_table as make_table
from nonlazy.sampling.kernels._general_wells import (
    Fields,
    Gaussian,
    Table as Table,
    fields_of,
    find_wells,
    gaussian,
    well_shape,
)
from nonlazy.sampling.kernels._jump_attempts import DEFAULT, Neuron, Neurons, Settings, attempt_all, make_randoms
from nonlazy.sampling.kernels._jump_newton import Wells
from nonlazy.sampling.kernels._potential import Position


# Steps of the reference with the well's covariance, before one with its own.
_REFERENCE_STEPS = 5
# Attempts to flip, for every neuron.
_FLIPS = 10


class SweepInfo(NamedTuple):
    """Proposed and accepted changes of code in one sweep, the drift of the maintained inverse, and the flips."""

    proposed: Int[Array, ""]
    accepted: Int[Array, ""]
    drift: Float[Array, ""]
    flips: FlipInfo


def sweep(
    phi: Activation,
    problem: General,
    table: Table,
    position: Position,
    key: Array,
    settings: Settings = DEFAULT,
) -> tuple[Position, SweepInfo]:
    """One attempt a neuron in random order, flips, then all readouts anew; same precision out as in.

    It computes in float64 where that is needed, whatever JAX is configured to.
    """
    with jax.enable_x64(True):
        return _sweep(phi, settings, problem, table, position, key)


def sweep_traced(
    phi: Activation, settings: Settings, problem: General, table: Table, position: Position, key: Array
) -> tuple[Position, SweepInfo]:
    """`sweep` as a function to be compiled, with 64-bit numbers enabled."""
    problem = jax.tree.map(jnp.asarray, problem)
    collapsed = problem.collapsed
    random_key, normal_key = jax.random.split(key)
    N, m, P = position.first.shape[0], position.readout.shape[0], problem.factor.shape[0]
    randoms, normals, uniforms = make_randoms(random_key, N, m, settings, m * (N + P), _FLIPS * N * _flips.UNIFORMS)
    first = position.first[randoms.order]
    move = _Correlated(phi, problem, table)
    neurons = Neurons(first, move.features(first))
    inverse = invert(collapsed, neurons.features)
    neurons, inverse, proposed, accepted = attempt_all(move, settings, inverse, neurons, randoms, normal_key)
    fresh = invert(collapsed, neurons.features)
    drift = jnp.max(jnp.abs(inverse.matrix - fresh.matrix)) / jnp.max(jnp.abs(fresh.matrix))
    sign, flips = _flips.flip(collapsed, problem.mirror, fresh, neurons.features, uniforms.reshape(-1, _flips.UNIFORMS))
    first = neurons.first * sign[:, None].astype(first.dtype)
    U = jnp.where(sign[:, None] < 0, collapsed.gain * problem.mirror - neurons.features, neurons.features)
    readout = readouts_from(collapsed, invert(collapsed, U), U, normals.reshape(m, N + P))
    new = Position(
        jnp.zeros_like(first).at[randoms.order].set(first),
        (),
        jnp.zeros_like(position.readout).at[:, randoms.order].set(readout.astype(position.readout.dtype)),
    )
    return new, SweepInfo(proposed, accepted, drift, flips)


_sweep = jax.jit(sweep_traced, static_argnums=(0, 1))


def features_of(phi: Activation, problem: General, first: Float[Array, "... r"]) -> Float[Array, "... P"]:
    """U of whitened coordinates, in float64."""
    return features(phi, problem.collapsed, first.astype(jnp.float64) @ problem.factor.T)


class _Correlated(NamedTuple):
    """Inputs of any kernel: a Gaussian in whitened coordinates."""

    phi: Activation
    problem: General
    table: Table

    @property
    def collapsed(self) -> Collapsed:
        return self.problem.collapsed

    def features(self, first: Float[Array, "... r"]) -> Float[Array, "... P"]:
        return features_of(self.phi, self.problem, first)

    def fields(self, inverse: Inverse, u: Float[Array, "B P"]) -> tuple[Fields, Array, Array]:
        return fields_of(self.collapsed, inverse, u)

    def wells(self, fields: Fields, steps: int) -> Wells:
        return find_wells(self.phi, self.problem.factor.astype(jnp.float32), self.table, fields, steps)

    def references(self, here: Neuron, labels: Int[Array, " pair"], a: Float[Array, "pair m"]) -> Gaussian:
        factor, fields = self.problem.factor.astype(jnp.float32), here.fields
        fields = Fields(fields.t[0], fields.M, fields.v[0], fields.boost[0], fields.diagonal[0])

        def one(of):
            label, a = of
            centre = here.wells.place[label, :, 0]
            return gaussian(self.phi, factor, fields, well_shape(self.table, label), a, centre, _REFERENCE_STEPS)

        made = jax.lax.map(one, (labels, a.astype(jnp.float32)))
        return jax.tree.map(lambda part: part.astype(jnp.float64), made)

    def log_density(self, reference: Gaussian, z: Float[Array, " r"]) -> Float[Array, ""]:
        return log_density(reference, z)

    def standardise(self, reference: Gaussian, z: Float[Array, " r"]) -> Float[Array, " r"]:
        return standardise(reference, z)

    def place(self, reference: Gaussian, rest: Float[Array, " r"]) -> Float[Array, " r"]:
        return place(reference, rest)

    def draw(self, key: Array, size: tuple[int, ...]) -> Float[Array, " r"]:
        return jax.random.normal(key, size, jnp.float64)


def standardise(reference: Gaussian, z: Float[Array, " r"]) -> Float[Array, " r"]:
    """e = l^T (u - c)."""
    return reference.lower.T @ (z - reference.centre)


def place(reference: Gaussian, rest: Float[Array, " r"]) -> Float[Array, " r"]:
    """u = c + l^-T e."""
    return reference.centre + jax.scipy.linalg.solve_triangular(reference.lower.T, rest)


def log_density(reference: Gaussian, z: Float[Array, " r"]) -> Float[Array, ""]:
    """log r(u | a), up to a constant."""
    rest = standardise(reference, z)
    return jnp.sum(jnp.log(jnp.diagonal(reference.lower))) - 0.5 * rest @ rest
