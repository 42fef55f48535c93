"""Neurons of a deep network's feature layer that change code: the move of `_general_jump` given the layers below.

Given the activations phi of layer L - 1 the last layer is a network with one hidden layer: its preactivations are
z^L = S w, S = sigma_L / sqrt(N) phi^T `(P, N)` and w a row of W^L over sigma_L, N(0, 1) a priori. The whole row is
proposed; outside the span of the layer below its reference is the prior.

The layer below changes from sweep to sweep, and S with it. The table of wells must not depend on the neurons that are
about to move, but may on what they are conditioned on. What is frozen is the readout of each well and the quadratic
expansion of its bound in z, with gradient g and curvature -W at z_0; every sweep makes its own Gaussian from it,

    B = 1 + S^T W S ,  c = B^-1 S^T (g + W z_0) .
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nonlazy.activations import Activation
from nonlazy.posterior import Posterior
from nonlazy.sampling._coordinates import Coordinates
from nonlazy.sampling.kernels import _general_jump, _general_table, _general_wells as wells
from nonlazy.sampling.kernels._general_table import General
from nonlazy.sampling.kernels._jump_attempts import DEFAULT, Settings
from nonlazy.sampling.kernels._jump_table import WELLS
from nonlazy.sampling.kernels._potential import Position


class Feature(NamedTuple):
    """A deep network's posterior, float64.

    - `feature`: that of the feature layer, with the first layer's factor. `below`: sigma_l / sqrt(N) of layers 2 .. L.
    """

    feature: General
    below: Float[Array, " L-1"]


class Table(NamedTuple):
    """Wells by the expansion of their bound in z. Frozen while draws are made; float32.

    - `readout`: a of each well. `pull`: g + W z_0. `curvature`: W, its negative part left out. `count`: rows that are
      used.
    """

    readout: Float[Array, "wells m"]
    pull: Float[Array, "wells P"]
    curvature: Float[Array, "wells P P"]
    count: Int[Array, ""]  # pyright: ignore[reportIncompatibleMethodOverride]


def make_problem(posterior: Posterior, coordinates: Coordinates) -> Feature:
    """The numbers of the posterior, NumPy float64."""
    below: Any = np.sqrt(np.array(posterior.sigma2[1:]) / posterior.network.width)
    return Feature(_general_table.make_problem(posterior, coordinates), below)


def make_table(phi: Activation, problem: Feature, position: Position) -> Table:
    """The wells of a state of the chain, NumPy float32."""
    with jax.enable_x64(True):
        below: Any = np.asarray(given_below(phi, problem, position).factor)
        rows, fields = _general_table.find_rows(phi, problem.feature._replace(factor=below), _last(position))
        factor = jnp.asarray(below, jnp.float32)
        expanded = [_expand(phi, factor, fields, row) for row in rows]
    size = WELLS
    count: Any = np.asarray(len(rows), np.int32)
    return Table(
        _general_table.stacked([row.readout for row in rows], size),
        _general_table.stacked([pull for pull, _ in expanded], size),
        _general_table.stacked([W for _, W in expanded], size),
        count,
    )


def _expand(phi: Activation, factor: Float[Array, "P r"], fields: wells.Fields, row: _general_table.Found):
    at = jax.device_get(_curvature(phi, factor, fields, row.shape, row.readout, row.centre))
    size, vectors = np.linalg.eigh(at.coupled.astype(np.float64) + np.diag(at.diagonal))
    W = (vectors * np.maximum(size, 0.0)) @ vectors.T
    return at.by_input + W @ (np.asarray(factor, np.float64) @ row.centre), W


_curvature = jax.jit(wells.curvature, static_argnums=0)


def sweep(
    phi: Activation, problem: Feature, table: Table, position: Position, key: Array, settings: Settings = DEFAULT
) -> tuple[Position, _general_jump.SweepInfo]:
    """One attempt for every feature neuron in random order, flips, then all readouts anew; same precision out as in."""
    with jax.enable_x64(True):
        return _sweep(phi, settings, problem, table, position, key)


def sweep_traced(
    phi: Activation, settings: Settings, problem: Feature, table: Table, position: Position, key: Array
) -> tuple[Position, _general_jump.SweepInfo]:
    """`sweep` as a function to be compiled, with 64-bit numbers enabled."""
    given = given_below(phi, problem, position)
    here = realise(table, given.factor.astype(jnp.float32))
    new, info = _general_jump.sweep_traced(phi, settings, given, here, _last(position), key)
    return Position(position.first, (*position.hidden[:-1], new.first), new.readout), info


_sweep = jax.jit(sweep_traced, static_argnums=(0, 1))


def _last(position: Position) -> Position:
    """The last layer as a network of its own."""
    return Position(position.hidden[-1], (), position.readout)


def given_below(phi: Activation, problem: Feature, position: Position) -> General:
    """The last layer's posterior given the layers below."""
    z = _general_table.preactivations(problem.feature, position.first)
    for matrix, scale in zip(position.hidden[:-1], problem.below[:-1], strict=True):
        z = (scale * matrix.astype(jnp.float64)) @ phi(z)
    return problem.feature._replace(factor=problem.below[-1] * phi(z).T)


def realise(table: Table, factor: Float[Array, "P r"]) -> wells.Table:
    """The frozen wells, given the layer below."""
    P, r = factor.shape
    size, f32 = table.readout.shape[0], jnp.float32

    def one(g, made):
        lower = jnp.linalg.cholesky(jnp.eye(r, dtype=f32) + factor.T @ (table.curvature[g] @ factor))
        shape = wells.shape_of(factor, lower)
        parts = (shape.covariance @ (table.pull[g] @ factor), *shape)
        return tuple(whole.at[g].set(part) for whole, part in zip(made, parts, strict=True))

    blank = tuple(jnp.zeros((size, *rest), f32) for rest in ((r,), (r, r), (P, P), ()))
    centre, covariance, spread, divergence = jax.lax.fori_loop(0, table.count, one, blank)
    return wells.Table(table.readout, centre, covariance, spread, divergence, table.count)
