"""Neurons that change code: an exact Metropolis-Hastings move with the readouts integrated out.

One hidden layer, bounded activation, mutually orthogonal inputs (K_0 = 1). Gradients alone never carry a neuron of a
sigmoidal network from one code to another at low temperature; chains then freeze with the numbers of neurons per code
that their start left them. For neuron i in its cavity (`_collapsed`):

1. its readout a is drawn from the exact conditional given z_i;
2. the wells of a in the cavity are found from a frozen table of starts (`_jump_wells`), with weights pi;
3. a is labelled by the nearest start; a new label is drawn from pi. Where it is the present one, nothing happens;
4. else a' is drawn from a Student-t around the new well (rejected if its label differs), and, input by input,
   z' = F'^-1(F(z | a) | a') with F the distribution function of the reference r(z | a) (`_jump_reference`);
5. (a', z') is accepted with probability min(1, e^(W' - W)), W = log p(a, z) - log pi - log St(a) - log r(z | a) with
   pi and St of a's own label: the volume change of the transport is r(z | a) / r(z' | a').

A sweep attempts this for every neuron in random order (`_jump_attempts`) and ends with an exact draw of all readouts.
Where the table holds codes together with their complements, few neurons at a time are turned in between (`_flips`):
single changes cannot follow that direction. It leaves the posterior invariant for every fixed table; rebuilding the
table from the state of the chain is for warm-up only. The transport keeps the ranks F(z | a), so that a sweep alone
does not reach every z: combine it with trajectories.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nonlazy.activations import Activation
from nonlazy.sampling.kernels import _flips
from nonlazy.sampling.kernels._collapsed import Collapsed, Inverse, draw_readouts, features, invert
from nonlazy.sampling.kernels._flips import FlipInfo, mirror
from nonlazy.sampling.kernels._jump_attempts import DEFAULT, Neuron, Neurons, Settings, attempt_all, make_randoms
from nonlazy.sampling.kernels._jump_newton import Wells
from nonlazy.sampling.kernels._jump_reference import (
    Reference,
    distribution,
    grid,
    log_density,
    make_reference,
    quantile,
)
from nonlazy.sampling.kernels._jump_table import make_problem as make_problem, make_table as make_table
from nonlazy.sampling.kernels._jump_wells import Fields, Table as Table, class_means, fields_of, find_wells, tilt
from nonlazy.sampling.kernels._potential import Position


_REFERENCE_STEPS = 5
# Attempts to flip, for every neuron.
_FLIPS = 10
_FLIP_KEY = 3


class SweepInfo(NamedTuple):
    """Proposed and accepted changes of code in one sweep, the drift of the maintained inverse, and the flips."""

    proposed: Int[Array, ""]
    accepted: Int[Array, ""]
    drift: Float[Array, ""]
    flips: FlipInfo


def sweep(
    phi: Activation,
    problem: Collapsed,
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
    phi: Activation, settings: Settings, problem: Collapsed, table: Table, position: Position, key: Array
) -> tuple[Position, SweepInfo]:
    """`sweep` as a function to be compiled, with 64-bit numbers enabled."""
    problem = jax.tree.map(jnp.asarray, problem)
    random_key, rank_key, readout_key = jax.random.split(key, 3)
    N = position.first.shape[0]
    m = position.readout.shape[0]
    randoms, _, _ = make_randoms(random_key, N, m, settings)
    first = position.first[randoms.order]
    move = _Independent(phi, problem, table)
    neurons = Neurons(first, move.features(first))
    inverse = invert(problem, neurons.features)
    neurons, inverse, proposed, accepted = attempt_all(move, settings, inverse, neurons, randoms, rank_key)
    drift = jnp.max(jnp.abs(inverse.dual - inverse.matrix @ problem.targets)) / jnp.max(jnp.abs(inverse.dual))
    neurons, inverse, flips = _turned(phi, problem, table, neurons, inverse, jax.random.fold_in(key, _FLIP_KEY))
    readout = draw_readouts(problem, inverse, neurons.features, readout_key).astype(position.readout.dtype)
    back = jnp.argsort(randoms.order)
    return Position(neurons.first[back], (), readout[:, back]), SweepInfo(proposed, accepted, drift, flips)


_sweep = jax.jit(sweep_traced, static_argnums=(0, 1))


def _turned(
    phi: Activation, problem: Collapsed, table: Table, neurons: Neurons, inverse: Inverse, key: Array
) -> tuple[Neurons, Inverse, FlipInfo]:
    """The neurons after flips, where the table has codes and their complements; elsewhere as they are."""
    none = FlipInfo(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))
    with jax.ensure_compile_time_eval():
        k = mirror(phi)
    if not math.isfinite(k):
        return neurons, inverse, none
    first, U = neurons

    def turn():
        fresh = invert(problem, U)
        draws = jax.random.uniform(key, (_FLIPS * len(first), _flips.UNIFORMS), jnp.float64)
        sign, info = _flips.flip(problem, jnp.asarray(k), fresh, U, draws)
        turned = jnp.where(sign[:, None] < 0, problem.gain * k - U, U)
        return Neurons(first * sign[:, None].astype(first.dtype), turned), invert(problem, turned), info

    return jax.lax.cond(_has_complements(table, k), turn, lambda: (neurons, inverse, none))


def _has_complements(table: Table, k: float) -> Bool[Array, ""]:
    """Whether the table's wells hold a code and its complement; the table is frozen, so that flips may depend on it."""
    active = table.class_mean > 0.5 * k
    used = jnp.arange(active.shape[0]) < table.count
    pairs = jnp.all(active[:, None] != active[None, :], axis=2)
    return jnp.any(pairs & used[:, None] & used[None, :])


class _Independent(NamedTuple):
    """Inputs that are independent given the readout: every one in the field of the cavity and of its class's mean."""

    phi: Activation
    collapsed: Collapsed
    table: Table

    def features(self, first: Float[Array, "... P"]) -> Float[Array, "... P"]:
        return features(self.phi, self.collapsed, first)

    def fields(self, inverse: Inverse, u: Float[Array, "B P"]) -> tuple[Fields, Array, Array]:
        return fields_of(self.collapsed, inverse, u)

    def wells(self, fields: Fields, steps: int) -> Wells:
        return find_wells(self.collapsed, self.table, fields, steps)

    def references(self, here: Neuron, labels: Int[Array, " pair"], a: Float[Array, "pair m"]) -> Reference:
        problem, a32 = self.collapsed, a.T.astype(jnp.float32)
        fields = jax.tree.map(lambda x: jnp.broadcast_to(x, (*x.shape[:-2], labels.size, x.shape[-1])), here.fields)
        b = class_means(problem, fields, a32, here.wells.place[labels, :, 0].T, _REFERENCE_STEPS)
        h, beta, average, _ = tilt(fields, problem.members.astype(jnp.float32), a32, b)
        h, beta, average = (x.astype(jnp.float64)[:, :, None] for x in (h, beta, average))
        z = grid()
        value = self.phi(problem.scale * z)
        return make_reference(-0.5 * z * z + h * value - 0.5 * beta * (value - average) ** 2)

    def log_density(self, reference: Reference, z: Float[Array, " P"]) -> Float[Array, ""]:
        return log_density(reference, z)

    def standardise(self, reference: Reference, z: Float[Array, " P"]) -> Float[Array, " P"]:
        return distribution(reference, z)

    def place(self, reference: Reference, rest: Float[Array, " P"]) -> Float[Array, " P"]:
        return quantile(reference, rest)

    def draw(self, key: Array, size: tuple[int, ...]) -> Float[Array, " P"]:
        return jax.random.uniform(key, size, jnp.float64)
