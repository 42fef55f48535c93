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

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nonlazy.activations import Activation
from nonlazy.sampling.kernels import _flips, _jump
from nonlazy.sampling.kernels._collapsed import Cavity, Inverse, apply, cavity, features, invert, readouts_from, replace
from nonlazy.sampling.kernels._flips import FlipInfo
from nonlazy.sampling.kernels._general_table import General, make_problem as make_problem, make_table as make_table
from nonlazy.sampling.kernels._general_wells import (
    Fields,
    Gaussian,
    Table as Table,
    Wells,
    fields_of,
    find_wells,
    gaussian,
    well_shape,
)
from nonlazy.sampling.kernels._jump import Candidate, Randoms, Settings
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


class Neurons(NamedTuple):
    """Whitened preactivations, in the chain's precision, and features U, float64."""

    first: Float[Array, "N r"]
    features: Float[Array, "N P"]


class _Screened(NamedTuple):
    """A block of neurons: present and new label, readout, and the wells."""

    old: Int[Array, " B"]
    new: Int[Array, " B"]
    a: Float[Array, "m B"]
    log_share: Float[Array, "wells B"]
    wells: Wells


def sweep(
    phi: Activation,
    problem: General,
    table: Table,
    position: Position,
    key: Array,
    settings: Settings = _jump.DEFAULT,
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
    randoms, normals, uniforms = _jump.make_randoms(
        random_key, N, m, settings, m * (N + P), _FLIPS * N * _flips.UNIFORMS
    )
    first = position.first[randoms.order]
    neurons = Neurons(first, features_of(phi, problem, first))

    def screen(neurons, inverse, start):
        return _screen(phi, settings, problem, table, inverse, neurons, randoms, start)

    def attempt(neurons, inverse, screened, start, j):
        return _attempt(phi, settings, problem, table, inverse, neurons, randoms, screened, start, j, normal_key)

    inverse = invert(collapsed, neurons.features)
    neurons, inverse, proposed, accepted = _jump.attempt_all(settings, neurons, inverse, screen, attempt)
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


def nearest(table: Table, a: Float[Array, "m B"]) -> Int[Array, " B"]:
    """The label of readouts: the nearest of the table's wells."""
    distance = jnp.sum((table.readout[:, :, None] - a[None]) ** 2, axis=1)
    real = (jnp.arange(table.readout.shape[0]) < table.count)[:, None]
    return jnp.argmin(jnp.where(real, distance, jnp.inf), axis=0).astype(jnp.int32)


def _screen(
    phi: Activation,
    settings: Settings,
    problem: General,
    table: Table,
    inverse: Inverse,
    neurons: Neurons,
    randoms: Randoms,
    start: Int[Array, ""],
) -> _Screened:
    """Readouts, wells and labels for the block of neurons from `start`."""
    N, P = neurons.features.shape
    B = min(settings.block, N)
    rows = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, start, B), randoms)
    u = jax.lax.dynamic_slice_in_dim(neurons.features, start, B)
    fields, overlap, dual = fields_of(problem.collapsed, inverse, u)
    whitened = dual + jnp.sqrt(1.0 - overlap)[:, None] * rows.readout
    a = (whitened / math.sqrt(P)).T.astype(jnp.float32)
    wells = find_wells(phi, problem.factor.astype(jnp.float32), table, fields, settings.steps, B)
    log_share = _jump.log_shares(wells.log_weight, table.count, settings.floor)
    cumulative = jnp.cumsum(jnp.exp(log_share), axis=0)
    new = jnp.argmax(cumulative > rows.label * cumulative[-1], axis=0).astype(jnp.int32)
    return _Screened(nearest(table, a), new, a, log_share, wells)


class _Neuron(NamedTuple):
    """One neuron's cavity and wells."""

    cavity: Cavity
    fields: Fields
    wells: Wells
    log_share: Float[Array, " wells"]


def _attempt(
    phi: Activation,
    settings: Settings,
    problem: General,
    table: Table,
    inverse: Inverse,
    neurons: Neurons,
    randoms: Randoms,
    screened: _Screened,
    start: Int[Array, ""],
    j: Int[Array, ""],
    normal_key: Array,
) -> tuple[Neurons, Inverse, Bool[Array, ""]]:
    """Steps 4 and 5 for neuron `start + j`, whose place in the block is `j`."""
    index = start + j
    row = jax.tree.map(lambda x: x[index], randoms)
    first = neurons.first
    z, u = first[index].astype(jnp.float64), neurons.features[index]
    fields, _, _ = fields_of(problem.collapsed, inverse, u[None])
    here = _Neuron(
        cavity(inverse, u),
        Fields(fields.t[0], fields.M, fields.v[0], fields.boost[0], fields.diagonal[0]),
        jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, j, x.ndim - 1), screened.wells),
        screened.log_share[:, j],
    )
    a = screened.a[:, j].astype(jnp.float64)
    old = Candidate(screened.old[j], a, z, u, apply(inverse, here.cavity, u))
    new_a = _jump.student(settings, here.wells, screened.new[j], row.student, row.radius, u.size)
    references = references_of(
        phi, problem, table, here.fields, here.wells, jnp.stack([old.label, screened.new[j]]), jnp.stack([a, new_a])
    )
    old_reference, new_reference = (jax.tree.map(lambda x, k=k: x[k], references) for k in (0, 1))
    rest = standardise(old_reference, z)
    if settings.fresh > 0:
        normals = jax.random.normal(jax.random.fold_in(normal_key, index), z.shape, jnp.float64)
        rest = jnp.where(row.fresh < settings.fresh, normals, rest)
    new_z = place(new_reference, rest).astype(first.dtype)
    new_u = features_of(phi, problem, new_z)
    new = Candidate(screened.new[j], new_a, new_z.astype(jnp.float64), new_u, apply(inverse, here.cavity, new_u))
    ratio = log_excess(settings, here, new, new_reference) - log_excess(settings, here, old, old_reference)
    stays = nearest(table, new_a.astype(jnp.float32)[:, None])[0] != new.label
    # Not a number where a reference could not be made: no move either way.
    moved = (jnp.log(row.accept) < ratio) & ~stays

    def move():
        changed = (
            jax.lax.dynamic_update_index_in_dim(whole, row, index, 0)
            for whole, row in zip(neurons, (new_z, new_u), strict=True)
        )
        return Neurons(*changed), replace(problem.collapsed, inverse, here.cavity, new_u, new.applied)

    neurons, inverse = jax.lax.cond(moved, move, lambda: (neurons, inverse))
    return neurons, inverse, moved


def references_of(
    phi: Activation,
    problem: General,
    table: Table,
    fields: Fields,
    wells: Wells,
    labels: Int[Array, " pair"],
    a: Float[Array, "pair m"],
) -> Gaussian:
    """r(u | a) of several readouts in one cavity, float64."""
    factor = problem.factor.astype(jnp.float32)

    def one(of):
        label, a = of
        centre = wells.centre[label, :, 0]
        return gaussian(phi, factor, fields, well_shape(table, label), a, centre, _REFERENCE_STEPS)

    made = jax.lax.map(one, (labels, a.astype(jnp.float32)))
    return jax.tree.map(lambda part: part.astype(jnp.float64), made)


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


def log_excess(settings: Settings, here: _Neuron, state: Candidate, reference: Gaussian) -> Float[Array, ""]:
    """W: log of target over proposal density."""
    well = here.log_share[state.label] + _jump.log_student(settings, here.wells, state.label, state.a, state.u.size)
    return _jump.log_target(here.cavity, state) - well - log_density(reference, state.z)
