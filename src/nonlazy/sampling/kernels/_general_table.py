"""What jumps on correlated inputs (`_general_jump`) need before they start: their numbers, and the table of wells."""

import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nonlazy.activations import Activation
from nonlazy.posterior import Posterior
from nonlazy.sampling._coordinates import Coordinates
from nonlazy.sampling.kernels._collapsed import Collapsed, features, invert
from nonlazy.sampling.kernels._flips import mirror
from nonlazy.sampling.kernels._general_wells import Fields, Shape, Table, newton, own_fields, precision, shape_of
from nonlazy.sampling.kernels._jump_table import HOPELESS, SAME_WELL, WELLS, best_of, distinct, make_problem as collapse
from nonlazy.sampling.kernels._potential import Position


_SEARCH_STEPS = 60
# Of preactivations in one step of the search.
_STEP_CAP = 2.0
_CONVERGED = 1e-3
# A code's inputs begin where the ridge regression of +-1 on the inputs leads: K_0 may be singular.
_RIDGE = 0.3
_JUDGED = ("readout", "log_weight", "good")


class General(NamedTuple):
    """A collapsed posterior for preactivations z, S `(P, r)` with z = S u, and phi(z) + phi(-z) (`_flips`); float64."""

    collapsed: Collapsed
    factor: Float[Array, "P r"]
    mirror: Float[Array, ""]


class Found(NamedTuple):
    """The end of a search: a, c, the Gaussian's shape, log weight, and whether it is a well."""

    readout: Any
    centre: Any
    shape: Shape
    log_weight: Any
    good: Any


def make_problem(posterior: Posterior, coordinates: Coordinates) -> General:
    """The numbers of the collapsed posterior, NumPy float64."""
    collapsed = collapse(posterior)
    factor: Any = coordinates.factor
    if factor is None:
        factor = coordinates.scale * np.eye(coordinates.rank)
    one: Any = np.ones(())
    both: Any = np.asarray(mirror(posterior.network.phi))
    return General(collapsed._replace(scale=one), factor, both)


def preactivations(problem: General, first: Float[Array, "... r"]) -> Float[Array, "... P"]:
    """z = S u, in float64."""
    return first.astype(jnp.float64) @ problem.factor.T


def make_table(phi: Activation, problem: General, position: Position, wells: int = WELLS) -> Table:
    """The wells of a state of the chain, NumPy float32: by population, empty ones by weight."""
    kept, _ = find_rows(phi, problem, position, wells)
    return Table(
        stacked([row.readout for row in kept], wells),
        stacked([row.centre for row in kept], wells),
        stacked([row.shape.covariance for row in kept], wells),
        stacked([row.shape.spread for row in kept], wells),
        stacked([row.shape.divergence for row in kept], wells),
        np.asarray(len(kept), np.int32),  # pyright: ignore[reportArgumentType]
    )


def stacked(parts: list[Any], wells: int) -> Any:
    """Rows of a table of `wells`, those that are not used zero; float32."""
    array = np.stack(parts).astype(np.float32)
    return np.pad(array, [(0, wells - len(parts))] + [(0, 0)] * (array.ndim - 1))


def find_rows(phi: Activation, problem: General, position: Position, wells: int = WELLS) -> tuple[list[Found], Fields]:
    """The wells of `make_table`, and the fields that they were found in."""
    collapsed = problem.collapsed
    C = collapsed.members.shape[1]
    with jax.enable_x64(True):
        fields, own_readout, own_first, own_mean = _state(phi, problem, position)
        own_readout, own_first, own_mean = jax.device_get((own_readout, own_first, own_mean))
        middle = 0.5 * float(collapsed.nodes[0] + collapsed.nodes[-1])
        kernel = problem.factor @ problem.factor.T + _RIDGE * np.eye(problem.factor.shape[0])
        by_class = problem.factor.T @ np.linalg.solve(kernel, np.asarray(collapsed.members))

        def search(readout, centre, free: float):
            found = _search(
                phi, problem.factor, fields, *(jnp.asarray(x, jnp.float32) for x in (readout, centre, free))
            )
            return jax.device_get(found)

        found: list[tuple[tuple[Any, Any], bool, Found]] = []
        for code in itertools.product((-1.0, 1.0), repeat=C):
            members = np.all((own_mean > middle) == (np.array(code) > 0), axis=1)
            if members.any():
                start = own_readout[members].mean(axis=0), own_first[members].mean(axis=0)
            else:
                centre = by_class @ np.array(code)
                drive = np.asarray(phi(problem.factor @ centre)) / problem.factor.shape[0]
                start = np.asarray(fields.t) @ drive, centre
            found.append((start, bool(members.any()), search(*start, 1.0)))

        ends = [one for _, _, one in found]
        rows = [ends[k] for k in distinct(*([getattr(one, name) for one in ends] for name in _JUDGED))]
        best = float(rows[0].log_weight)
        # A code that the present fields do not hold may still hold its neurons in their cavities: keep their means.
        for start, populated, one in found:
            near = min(float(np.linalg.norm(start[0] - row.readout)) for row in rows)
            if populated and not one.good and near > SAME_WELL:
                rows.append(search(*start, 0.0)._replace(log_weight=best - HOPELESS))
    order = best_of([row.readout for row in rows], [float(row.log_weight) for row in rows], np.asarray(own_readout))
    return [rows[k] for k in order[:wells]], fields


@functools.partial(jax.jit, static_argnums=0)
def _state(phi: Activation, problem: General, position: Position):
    """Fields of the present state; readouts, whitened preactivations and class means of phi of its neurons."""
    collapsed = jax.tree.map(jnp.asarray, problem.collapsed)
    U = features(phi, collapsed, preactivations(problem, position.first))
    fields = own_fields(collapsed, invert(collapsed, U))
    own_mean = (U / collapsed.gain) @ collapsed.members / jnp.sum(collapsed.members, axis=0)
    return fields, position.readout.T / math.sqrt(U.shape[1]), position.first, own_mean


@functools.partial(jax.jit, static_argnums=0)
def _search(
    phi: Activation,
    factor: Float[Array, "P r"],
    fields: Fields,
    readout: Float[Array, " m"],
    centre: Float[Array, " r"],
    free: Float[Array, ""],
) -> Found:
    """Newton steps in (a, c), or in c alone with `free` = 0, each with the covariance of its own place."""
    factor = factor.astype(jnp.float32)
    prior = shape_of(factor, jnp.eye(factor.shape[1], dtype=jnp.float32))

    def advance(carry):
        index, a, c, shape, _ = carry
        lower, _ = precision(phi, factor, fields, shape, a, c)
        shape = shape_of(factor, lower)
        step = newton(phi, factor, fields, shape, a, c, free)
        size = jnp.max(jnp.abs(factor @ (step.centre - c)))
        c = c + jnp.minimum(1.0, _STEP_CAP / jnp.maximum(size, 1e-12)) * (step.centre - c)
        return index + 1, step.readout, c, shape, jnp.maximum(free * step.change, size)

    def more(carry):
        index, *_, change = carry
        return (index < _SEARCH_STEPS) & (change > _CONVERGED)

    start = (jnp.zeros((), jnp.int32), readout, centre, prior, jnp.full((), jnp.inf, jnp.float32))
    _, a, c, shape, change = jax.lax.while_loop(more, advance, start)
    last = newton(phi, factor, fields, shape, a, c, free)
    good = (last.smallest > 0) & (change < 10 * _CONVERGED) & (last.log_weight > -1e29)
    return Found(a, c, shape, last.log_weight, good)
