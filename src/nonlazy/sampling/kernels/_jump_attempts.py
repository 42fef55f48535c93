"""A sweep's attempts, whatever the inputs are: which neurons try to change code, and whether they may.

Steps 1 to 5 of `_jump`. What differs with the inputs is the reference that preactivations are proposed from, and with
it the wells: that is in a `Move`. Steps 1 to 3 are evaluated for a block of neurons at once and kept as long as no
neuron is replaced, which few are.
"""

import math
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nonlazy.sampling.kernels._collapsed import Cavity, Collapsed, Inverse, apply, cavity, replace
from nonlazy.sampling.kernels._jump_newton import Wells, solve_transposed


class Settings(NamedTuple):
    """What is compiled into a sweep.

    - `block`: neurons that are looked at together. `steps`: joint Newton steps of a well from the frozen starts; with
      three about as many changes are accepted, at up to twice the cost.
    - `freedom`, `inflation`: of the Student-t around a well. `floor`: share of labels drawn uniformly.
    - `fresh`: share of proposals with new preactivations from the reference instead of transported ones. `redraw`: also
      propose to redraw a neuron within its code. Both make a sweep ergodic alone; Hamiltonian Monte Carlo does their
      work far cheaper.
    """

    block: int = 8
    steps: int = 1
    freedom: int = 8
    inflation: float = 1.1
    floor: float = 1e-3
    fresh: float = 0.0
    redraw: bool = False


DEFAULT = Settings()


@runtime_checkable
class Starts(Protocol):
    """A table of wells as far as labels go: readouts, and how many rows are used."""

    @property
    def readout(self) -> Any: ...

    @property
    def count(self) -> Any: ...


@runtime_checkable
class Move(Protocol):
    """What differs with the inputs."""

    @property
    def collapsed(self) -> Collapsed: ...

    @property
    def table(self) -> Starts: ...

    def features(self, first: Float[Array, "... r"]) -> Float[Array, "... P"]:
        """U of whitened preactivations, in float64."""
        ...

    def fields(self, inverse: Inverse, u: Float[Array, "B P"]) -> tuple[Any, Array, Array]:
        """Fields of the cavities of neurons with features `u`, and u . Q u and u . Q Y, float64, `(B,)`, `(B, m)`."""
        ...

    def wells(self, fields: Any, steps: int) -> Wells:
        """The table's wells in those cavities."""
        ...

    def references(self, here: "Neuron", labels: Int[Array, " pair"], a: Float[Array, "pair m"]) -> Any:
        """r(z | a) of two readouts in one cavity, along the first axis of every array."""
        ...

    def log_density(self, reference: Any, z: Float[Array, " r"]) -> Float[Array, ""]:
        """log r(z | a)."""
        ...

    def standardise(self, reference: Any, z: Float[Array, " r"]) -> Float[Array, " r"]:
        """z as numbers whose law under the reference does not depend on a."""
        ...

    def place(self, reference: Any, rest: Float[Array, " r"]) -> Float[Array, " r"]:
        """z from those numbers."""
        ...

    def draw(self, key: Array, size: tuple[int, ...]) -> Float[Array, " r"]:
        """Numbers of that law."""
        ...


class Randoms(NamedTuple):
    """The order of the neurons and the random numbers of each attempt."""

    order: Int[Array, " N"]
    readout: Float[Array, "N m"]
    student: Float[Array, "N m"]
    label: Float[Array, " N"]
    fresh: Float[Array, " N"]
    accept: Float[Array, " N"]
    radius: Float[Array, "N half"]


class Neurons(NamedTuple):
    """Whitened preactivations, in the chain's precision, and features U, float64."""

    first: Float[Array, "N r"]
    features: Float[Array, "N P"]


class Screened(NamedTuple):
    """Steps 1 to 3 for a block: present and new label, readout, and the wells."""

    old: Int[Array, " B"]
    new: Int[Array, " B"]
    a: Float[Array, "m B"]
    log_share: Float[Array, "wells B"]
    wells: Wells


class Neuron(NamedTuple):
    """One neuron's cavity and wells."""

    cavity: Cavity
    fields: Any
    wells: Wells
    log_share: Float[Array, " wells"]


class Candidate(NamedTuple):
    """A readout and preactivations (whitened) with label, features u and Q_i u."""

    label: Int[Array, ""]
    a: Float[Array, " m"]
    z: Float[Array, " r"]
    u: Float[Array, " P"]
    applied: Float[Array, " P"]


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


def attempt_all(
    move: Move, settings: Settings, inverse: Inverse, neurons: Neurons, randoms: Randoms, key: Array
) -> tuple[Neurons, Inverse, Int[Array, ""], Int[Array, ""]]:
    """Every neuron's attempt, in the order of the rows: the new state, and changes proposed and accepted.

    `key` is for fresh preactivations.
    """
    N = neurons.first.shape[0]
    B = min(settings.block, N)

    def block(carry):
        at, neurons, inverse, proposed, accepted = carry
        # The last block starts where a whole one fits; neurons before `at` have had their attempt.
        start = jnp.minimum(at, N - B)
        screened = _screen(move, settings, inverse, neurons, randoms, start)
        wanted = jnp.ones(B, bool) if settings.redraw else screened.new != screened.old

        def waiting(neuron):
            return wanted & (jnp.arange(B) + start >= neuron)

        def more(inner):
            neuron, *_, moved = inner
            return jnp.any(waiting(neuron)) & ~moved

        def one(inner):
            neuron, neurons, inverse, proposed, accepted, _ = inner
            j = jnp.argmax(waiting(neuron)).astype(jnp.int32)
            neurons, inverse, moved = _attempt(move, settings, inverse, neurons, randoms, screened, start, j, key)
            count = moved.astype(jnp.int32)
            return start + j + 1, neurons, inverse, proposed + 1, accepted + count, moved

        inner = (at, neurons, inverse, proposed, accepted, jnp.zeros((), bool))
        neuron, neurons, inverse, proposed, accepted, moved = jax.lax.while_loop(more, one, inner)
        return jnp.where(moved, neuron, start + B), neurons, inverse, proposed, accepted

    zero = jnp.zeros((), jnp.int32)
    carry = (zero, neurons, inverse, zero, zero)
    _, neurons, inverse, proposed, accepted = jax.lax.while_loop(lambda carry: carry[0] < N, block, carry)
    return neurons, inverse, proposed, accepted


def _screen(
    move: Move, settings: Settings, inverse: Inverse, neurons: Neurons, randoms: Randoms, start: Int[Array, ""]
) -> Screened:
    """Steps 1 to 3 for the block of neurons from `start`."""
    N, P = neurons.features.shape
    B = min(settings.block, N)
    rows = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, start, B), randoms)
    fields, overlap, dual = move.fields(inverse, jax.lax.dynamic_slice_in_dim(neurons.features, start, B))
    whitened = dual + jnp.sqrt(1.0 - overlap)[:, None] * rows.readout
    a = (whitened / math.sqrt(P)).T.astype(jnp.float32)
    wells = move.wells(fields, settings.steps)
    log_share = log_shares(wells.log_weight, move.table.count, settings.floor)
    cumulative = jnp.cumsum(jnp.exp(log_share), axis=0)
    new = jnp.argmax(cumulative > rows.label * cumulative[-1], axis=0).astype(jnp.int32)
    return Screened(nearest(move.table, a), new, a, log_share, wells)


def log_shares(log_weight: Float[Array, "wells B"], used: Int[Array, ""], floor: float) -> Float[Array, "wells B"]:
    """log pi: the probabilities of the labels, float64."""
    real = (jnp.arange(log_weight.shape[0]) < used)[:, None]
    share = jax.nn.softmax(jnp.where(real, log_weight.astype(jnp.float64), -jnp.inf), axis=0)
    return jnp.log(jnp.where(real, (1.0 - floor) * share + floor / used, 0.0))


def nearest(table: Starts, a: Float[Array, "m B"]) -> Int[Array, " B"]:
    """The label of readouts: the nearest of the table's wells."""
    distance = jnp.sum((table.readout[:, :, None] - a[None]) ** 2, axis=1)
    real = (jnp.arange(table.readout.shape[0]) < table.count)[:, None]
    return jnp.argmin(jnp.where(real, distance, jnp.inf), axis=0).astype(jnp.int32)


def _attempt(
    move: Move,
    settings: Settings,
    inverse: Inverse,
    neurons: Neurons,
    randoms: Randoms,
    screened: Screened,
    start: Int[Array, ""],
    j: Int[Array, ""],
    key: Array,
) -> tuple[Neurons, Inverse, Bool[Array, ""]]:
    """Steps 4 and 5 for neuron `start + j`, whose place in the block is `j`."""
    index = start + j
    row = jax.tree.map(lambda x: x[index], randoms)
    first = neurons.first
    z, u = first[index].astype(jnp.float64), neurons.features[index]
    fields, _, _ = move.fields(inverse, u[None])
    here = Neuron(
        cavity(inverse, u),
        fields,
        jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, j, x.ndim - 1), screened.wells),
        screened.log_share[:, j],
    )
    a = screened.a[:, j].astype(jnp.float64)
    old = Candidate(screened.old[j], a, z, u, apply(inverse, here.cavity, u))
    new_a = student(settings, here.wells, screened.new[j], row.student, row.radius, u.size)
    references = move.references(here, jnp.stack([old.label, screened.new[j]]), jnp.stack([a, new_a]))
    old_reference, new_reference = (jax.tree.map(lambda x, k=k: x[k], references) for k in (0, 1))
    rest = move.standardise(old_reference, z)
    if settings.fresh > 0:
        fresh = move.draw(jax.random.fold_in(key, index), z.shape)
        rest = jnp.where(row.fresh < settings.fresh, fresh, rest)
    new_z = move.place(new_reference, rest).astype(first.dtype)
    new_u = move.features(new_z)
    new = Candidate(screened.new[j], new_a, new_z.astype(jnp.float64), new_u, apply(inverse, here.cavity, new_u))
    ratio = log_excess(move, settings, here, new, new_reference) - log_excess(move, settings, here, old, old_reference)
    stays = nearest(move.table, new_a.astype(jnp.float32)[:, None])[0] != new.label
    # Not a number where a reference could not be made, or a state lies outside of it: no move either way.
    moved = (jnp.log(row.accept) < ratio) & ~stays

    def change():
        changed = (
            jax.lax.dynamic_update_index_in_dim(whole, row, index, 0)
            for whole, row in zip(neurons, (new_z, new_u), strict=True)
        )
        return Neurons(*changed), replace(move.collapsed, inverse, here.cavity, new_u, new.applied)

    neurons, inverse = jax.lax.cond(moved, change, lambda: (neurons, inverse))
    return neurons, inverse, moved


def student(
    settings: Settings,
    wells: Wells,
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


def log_student(settings: Settings, wells: Wells, label: Int[Array, ""], a: Float[Array, " m"], P: int) -> Array:
    """log density of `student`, up to what all wells share."""
    centre, lower, pivots = (x[label, ..., 0].astype(jnp.float64) for x in (wells.readout, wells.lower, wells.pivots))
    scaled = lower.T @ (a - centre)
    distance = P * jnp.sum(pivots * scaled * scaled) / (settings.inflation**2 * settings.freedom)
    return 0.5 * jnp.sum(jnp.log(pivots)) - 0.5 * (settings.freedom + a.size) * jnp.log1p(distance)


def log_excess(move: Move, settings: Settings, here: Neuron, state: Candidate, reference: Any) -> Float[Array, ""]:
    """W: log of target over proposal density."""
    well = here.log_share[state.label] + log_student(settings, here.wells, state.label, state.a, state.u.size)
    return log_target(here.cavity, state) - well - move.log_density(reference, state.z)


def log_target(cavity: Cavity, state: Candidate) -> Float[Array, ""]:
    """log p(a, z | Y, the other neurons' z), up to a constant."""
    P = state.u.size
    coupling = math.sqrt(P) * (state.u @ cavity.dual) @ state.a
    square = P * jnp.sum(state.a * state.a)
    return coupling - 0.5 * square * (1.0 + state.u @ state.applied) - 0.5 * jnp.sum(state.z * state.z)
