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

A sweep attempts this for every neuron in random order and ends with an exact draw of all readouts. It leaves the
posterior invariant for every fixed table; rebuilding the table from the state of the chain is for warm-up only. The
transport keeps the ranks F(z | a), so that a sweep alone does not reach every z: combine it with trajectories.

Steps 1 to 3 are evaluated for a block of neurons at once and kept as long as no neuron is replaced, which few are.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nonlazy.activations import Activation
from nonlazy.sampling.kernels import _jump_reference as reference
from nonlazy.sampling.kernels._collapsed import (
    Cavity,
    Collapsed,
    Inverse,
    apply,
    cavity,
    draw_readouts,
    features,
    invert,
    replace,
)
from nonlazy.sampling.kernels._jump_table import check as check, make_problem as make_problem, make_table as make_table
from nonlazy.sampling.kernels._jump_wells import (
    Fields,
    Table,
    Wells,
    class_means,
    fields_of,
    find_wells,
    nearest,
    solve_transposed,
    tilt,
)
from nonlazy.sampling.kernels._potential import Position


_REFERENCE_STEPS = 5
_Rows = TypeVar("_Rows")


class Settings(NamedTuple):
    """What is compiled into a sweep.

    - `block`: neurons that are looked at together. `steps`: joint Newton steps of a well.
    - `freedom`, `inflation`: of the Student-t around a well. `floor`: share of labels drawn uniformly.
    - `fresh`: share of proposals with new ranks instead of transported ones. `redraw`: also propose to redraw a neuron
      within its code. Both make a sweep ergodic alone; Hamiltonian Monte Carlo does their work far cheaper.
    """

    block: int = 16
    steps: int = 3
    freedom: int = 8
    inflation: float = 1.1
    floor: float = 1e-3
    fresh: float = 0.0
    redraw: bool = False


DEFAULT = Settings()


class SweepInfo(NamedTuple):
    """Proposed and accepted changes of code in one sweep, and the drift of the maintained inverse."""

    proposed: Int[Array, ""]
    accepted: Int[Array, ""]
    drift: Float[Array, ""]


class Randoms(NamedTuple):
    """The order of the neurons and the random numbers of each attempt."""

    order: Int[Array, " N"]
    readout: Float[Array, "N m"]
    student: Float[Array, "N m"]
    label: Float[Array, " N"]
    fresh: Float[Array, " N"]
    accept: Float[Array, " N"]
    radius: Float[Array, "N half"]


class _Screened(NamedTuple):
    """Steps 1 to 3 for a block: present and new label, readout, and the wells."""

    old: Int[Array, " B"]
    new: Int[Array, " B"]
    a: Float[Array, "m B"]
    log_share: Float[Array, "wells B"]
    wells: Wells


def sweep(
    phi: Activation,
    problem: Collapsed,
    table: Table,
    position: Position,
    key: Array,
    settings: Settings = DEFAULT,
) -> tuple[Position, SweepInfo]:
    """One attempt a neuron in random order, then all readouts anew; same precision out as in.

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
    inverse = invert(problem, features(phi, problem, first))

    def screen(first, inverse, start):
        return _screen(phi, settings, problem, table, inverse, first, randoms, start)

    def attempt(first, inverse, screened, start, j):
        return _attempt(phi, settings, problem, table, inverse, first, randoms, screened, start, j, rank_key)

    first, inverse, proposed, accepted = attempt_all(settings, first, inverse, screen, attempt)
    U = features(phi, problem, first)
    drift = jnp.max(jnp.abs(inverse.dual - inverse.matrix @ problem.targets)) / jnp.max(jnp.abs(inverse.dual))
    readout = draw_readouts(problem, inverse, U, readout_key).astype(position.readout.dtype)
    back = jnp.argsort(randoms.order)
    return Position(first[back], (), readout[:, back]), SweepInfo(proposed, accepted, drift)


_sweep = jax.jit(sweep_traced, static_argnums=(0, 1))


def attempt_all(
    settings: Settings, first: _Rows, inverse: Inverse, screen: Callable, attempt: Callable
) -> tuple[_Rows, Inverse, Int[Array, ""], Int[Array, ""]]:
    """Every neuron's attempt, in the order of the rows: the new state, and changes proposed and accepted.

    `first` is an array with a row a neuron, or several. `screen(first, inverse, start)` gives `old` and `new` labels of
    a block of neurons and whatever else `attempt(first, inverse, screened, start, j)` needs to try a change of the
    block's neuron `j`: the new rows and inverse, and whether it was accepted.
    """
    N = jax.tree.leaves(first)[0].shape[0]
    B = min(settings.block, N)

    def block(carry):
        at, first, inverse, proposed, accepted = carry
        # The last block starts where a whole one fits; neurons before `at` have had their attempt.
        start = jnp.minimum(at, N - B)
        screened = screen(first, inverse, start)
        wanted = jnp.ones(B, bool) if settings.redraw else screened.new != screened.old

        def waiting(neuron):
            return wanted & (jnp.arange(B) + start >= neuron)

        def more(inner):
            neuron, *_, moved = inner
            return jnp.any(waiting(neuron)) & ~moved

        def one(inner):
            neuron, first, inverse, proposed, accepted, _ = inner
            j = jnp.argmax(waiting(neuron)).astype(jnp.int32)
            first, inverse, moved = attempt(first, inverse, screened, start, j)
            count = moved.astype(jnp.int32)
            return start + j + 1, first, inverse, proposed + 1, accepted + count, moved

        inner = (at, first, inverse, proposed, accepted, jnp.zeros((), bool))
        neuron, first, inverse, proposed, accepted, moved = jax.lax.while_loop(more, one, inner)
        return jnp.where(moved, neuron, start + B), first, inverse, proposed, accepted

    zero = jnp.zeros((), jnp.int32)
    carry = (zero, first, inverse, zero, zero)
    _, first, inverse, proposed, accepted = jax.lax.while_loop(lambda carry: carry[0] < N, block, carry)
    return first, inverse, proposed, accepted


def make_randoms(
    key: Array, N: int, m: int, settings: Settings, normals: int = 0, uniforms: int = 0
) -> tuple[Randoms, Float[Array, " normals"], Float[Array, " uniforms"]]:
    """The random numbers of a sweep's attempts, and as many others as are asked for."""
    # Few calls of the generator: each costs a third of a second to compile.
    normal_key, uniform_key = jax.random.split(key)
    columns = 4 + settings.freedom // 2
    normal = jax.random.normal(normal_key, (N * 2 * m + normals,), jnp.float64)
    uniform = jax.random.uniform(uniform_key, (N * columns + uniforms,), jnp.float64)
    # The barrier keeps the compiler from repeating the generator in every consumer.
    normal, uniform = jax.lax.optimization_barrier((normal, uniform))
    own, mine = normal[: N * 2 * m].reshape(N, 2 * m), uniform[: N * columns].reshape(N, columns)
    label, fresh, accept = mine[:, 1:4].T
    randoms = Randoms(jnp.argsort(mine[:, 0]), own[:, :m], own[:, m:], label, fresh, accept, mine[:, 4:])
    return randoms, normal[N * 2 * m :], uniform[N * columns :]


def _screen(
    phi: Activation,
    settings: Settings,
    problem: Collapsed,
    table: Table,
    inverse: Inverse,
    first: Float[Array, "N P"],
    randoms: Randoms,
    start: Int[Array, ""],
) -> _Screened:
    """Steps 1 to 3 for the block of neurons from `start`."""
    B, P = min(settings.block, first.shape[0]), first.shape[1]
    rows = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, start, B), randoms)
    u = features(phi, problem, jax.lax.dynamic_slice_in_dim(first, start, B))
    fields, overlap, dual = fields_of(problem, inverse, u)
    whitened = dual + jnp.sqrt(1.0 - overlap)[:, None] * rows.readout
    a = (whitened / math.sqrt(P)).T.astype(jnp.float32)
    wells = find_wells(problem, table, fields, settings.steps)
    log_share = log_shares(wells.log_weight, table.count, settings.floor)
    cumulative = jnp.cumsum(jnp.exp(log_share), axis=0)
    new = jnp.argmax(cumulative > rows.label * cumulative[-1], axis=0).astype(jnp.int32)
    return _Screened(nearest(table, a), new, a, log_share, wells)


def log_shares(log_weight: Float[Array, "wells B"], used: Int[Array, ""], floor: float) -> Float[Array, "wells B"]:
    """log pi: the probabilities of the labels, float64."""
    real = (jnp.arange(log_weight.shape[0]) < used)[:, None]
    share = jax.nn.softmax(jnp.where(real, log_weight.astype(jnp.float64), -jnp.inf), axis=0)
    return jnp.log(jnp.where(real, (1.0 - floor) * share + floor / used, 0.0))


class _Neuron(NamedTuple):
    """One neuron's cavity and wells."""

    cavity: Cavity
    fields: Fields
    wells: Wells
    log_share: Float[Array, " wells"]


class Candidate(NamedTuple):
    """A readout and preactivations (whitened) with label, features u and Q_i u."""

    label: Int[Array, ""]
    a: Float[Array, " m"]
    z: Float[Array, " r"]
    u: Float[Array, " P"]
    applied: Float[Array, " P"]


def _attempt(
    phi: Activation,
    settings: Settings,
    problem: Collapsed,
    table: Table,
    inverse: Inverse,
    first: Float[Array, "N P"],
    randoms: Randoms,
    screened: _Screened,
    start: Int[Array, ""],
    j: Int[Array, ""],
    rank_key: Array,
) -> tuple[Float[Array, "N P"], Inverse, Bool[Array, ""]]:
    """Steps 4 and 5 for neuron `start + j`, whose place in the block is `j`."""
    index = start + j
    row = jax.tree.map(lambda x: x[index], randoms)
    z = first[index].astype(jnp.float64)
    u = features(phi, problem, z)
    fields, _, _ = fields_of(problem, inverse, u[None])
    here = _Neuron(
        cavity(inverse, u),
        fields,
        jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, j, x.ndim - 1), screened.wells),
        screened.log_share[:, j],
    )
    a = screened.a[:, j].astype(jnp.float64)
    old = Candidate(screened.old[j], a, z, u, apply(inverse, here.cavity, u))
    new_a = student(settings, here.wells, screened.new[j], row.student, row.radius, z.size)
    both = reference_of(
        phi, problem, here.fields, here.wells, jnp.stack([old.label, screened.new[j]]), jnp.stack([a, new_a], axis=1)
    )
    old_grid, new_grid = (jax.tree.map(lambda x, k=k: x[k], both) for k in (0, 1))
    rank = reference.distribution(old_grid, z)
    if settings.fresh > 0:
        ranks = jax.random.uniform(jax.random.fold_in(rank_key, index), z.shape, jnp.float64)
        rank = jnp.where(row.fresh < settings.fresh, ranks, rank)
    new_z = reference.quantile(new_grid, rank).astype(first.dtype)
    new_u = features(phi, problem, new_z)
    new = Candidate(screened.new[j], new_a, new_z.astype(jnp.float64), new_u, apply(inverse, here.cavity, new_u))
    ratio = log_excess(settings, problem, here, new, new_grid) - log_excess(settings, problem, here, old, old_grid)
    stays = nearest(table, new_a.astype(jnp.float32)[:, None])[0] != new.label
    # Not a number where either state lies outside the grid: no move either way.
    moved = (jnp.log(row.accept) < ratio) & ~stays

    def move():
        changed = jax.lax.dynamic_update_index_in_dim(first, new_z, index, 0)
        return changed, replace(problem, inverse, here.cavity, new_u, new.applied)

    first, inverse = jax.lax.cond(moved, move, lambda: (first, inverse))
    return first, inverse, moved


@runtime_checkable
class Peaks(Protocol):
    """Wells as far as their readouts go: centre and curvature P L diag(pivots) L^T, cavities last."""

    @property
    def readout(self) -> Float[Array, "wells m B"]: ...

    @property
    def lower(self) -> Float[Array, "wells m m B"]: ...

    @property
    def pivots(self) -> Float[Array, "wells m B"]: ...


def student(
    settings: Settings,
    wells: Peaks,
    label: Int[Array, ""],
    normal: Float[Array, " m"],
    uniforms: Float[Array, " half"],
    P: int,
) -> Float[Array, " m"]:
    """A readout from the multivariate Student-t around a well."""
    centre, lower, pivots = (x[label, ..., 0].astype(jnp.float64) for x in (wells.readout, wells.lower, wells.pivots))
    square = -2.0 * jnp.sum(jnp.log1p(-uniforms))
    radius = settings.inflation * jnp.sqrt(settings.freedom / (P * square))
    return centre + radius * solve_transposed(lower, normal / jnp.sqrt(pivots))


def log_student(settings: Settings, wells: Peaks, label: Int[Array, ""], a: Float[Array, " m"], P: int) -> Array:
    """log density of `student`, up to what all wells share."""
    centre, lower, pivots = (x[label, ..., 0].astype(jnp.float64) for x in (wells.readout, wells.lower, wells.pivots))
    scaled = lower.T @ (a - centre)
    distance = P * jnp.sum(pivots * scaled * scaled) / (settings.inflation**2 * settings.freedom)
    return 0.5 * jnp.sum(jnp.log(pivots)) - 0.5 * (settings.freedom + a.size) * jnp.log1p(distance)


def reference_of(
    phi: Activation, problem: Collapsed, fields: Fields, wells: Wells, labels: Int[Array, " B"], a: Float[Array, "m B"]
) -> reference.Reference:
    """r(z | a) of several readouts in one cavity: every input in the field of the cavity and of its own class means."""
    a32 = a.astype(jnp.float32)
    B = labels.size
    fields = jax.tree.map(lambda x: jnp.broadcast_to(x, (*x.shape[:-2], B, x.shape[-1])), fields)
    b = class_means(problem, fields, a32, wells.class_mean[labels, :, 0].T, _REFERENCE_STEPS)
    h, beta, average, _ = tilt(fields, problem.members.astype(jnp.float32), a32, b)
    h, beta, average = (x.astype(jnp.float64)[:, :, None] for x in (h, beta, average))
    z = reference.grid()
    value = phi(problem.scale * z)
    return reference.make_reference(-0.5 * z * z + h * value - 0.5 * beta * (value - average) ** 2)


def log_excess(
    settings: Settings, problem: Collapsed, here: _Neuron, state: Candidate, grid: reference.Reference
) -> Float[Array, ""]:
    """W: log of target over proposal density."""
    well = here.log_share[state.label] + log_student(settings, here.wells, state.label, state.a, state.z.size)
    return log_target(here.cavity, state) - well - reference.log_density(grid, state.z)


def log_target(cavity: Cavity, state: Candidate) -> Float[Array, ""]:
    """log p(a, z | Y, the other neurons' z), up to a constant."""
    P = state.u.size
    coupling = math.sqrt(P) * (state.u @ cavity.dual) @ state.a
    square = P * jnp.sum(state.a * state.a)
    return coupling - 0.5 * square * (1.0 + state.u @ state.applied) - 0.5 * jnp.sum(state.z * state.z)
