"""Wells of a single neuron for any input kernel: Gaussian approximations of (a, u) in the neuron's cavity.

Units: a is the readout in prior standard deviations over sqrt(P), u the whitened preactivations, z = S u with
S S^T = sigma_1^2 K_0. In the cavity that the other neurons leave

    log p(a, u) = -P |a|^2 / 2 - |u|^2 / 2 + (t a) . phi(z) - |a|^2 / 2 phi(z)^T M phi(z) ,

with t = gain sqrt(P) Q Y and M = gain^2 P Q of the cavity (`_collapsed`). Inputs are correlated, and no product over
inputs will do. Instead u ~ N(c, B^-1) is the best Gaussian at given a (Opper & Archambeau 2009): z has mean S c and
covariance V = S B^-1 S^T, moments of phi of single inputs come from quadrature, and pairs of inputs enter by

    h = <phi^T M phi> = <phi>^T M <phi> + sum_mu M_mumu var phi_mu + <phi'>^T [M o V] <phi'> ,

the elementwise product M o V without its diagonal. The bound on log p(a),

    F = -P |a|^2 / 2 + (t a) . <phi> - |a|^2 h / 2 - KL ,

is maximised by joint Newton steps in (a, c). With g the gradient of its first three terms in z, W = -dg/dz and

    B = 1 + S^T W S ,  W = |a|^2 D M D + diag(tau) ,  D = diag <phi'> ,

tau from <phi''> and <phi'^2 + phi phi''>. The curvature in a is (P + h) - J^T V J, J = dg/da, at the c that follows a.
Covariances come from a frozen table in every cavity, because they hardly change; only the reference that moves are
proposed from computes its own (`gaussian`). All this decides only what is *proposed*, and is in single precision: it
costs acceptance, never exactness, as long as it is the same function of the cavity whichever way a neuron jumps.

Functions are for one neuron; `jax.vmap` makes matrix products of many.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nonlazy.activations import Activation
from nonlazy.sampling.kernels._collapsed import Collapsed, Inverse
from nonlazy.sampling.kernels._jump_newton import Wells, climb_each, factorise, solve


# Largest change of a readout in one Newton step.
_STEP_CAP = 0.25
_MOST_GAIN = 10.0
_NODES = 11
_ROOTS, _WEIGHTS = np.polynomial.hermite_e.hermegauss(_NODES)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


class Table(NamedTuple):
    """Where the search for wells starts, and the covariances there. Frozen while draws are made; float32.

    - `readout`: a of each well. `centre`: c. `covariance`: B^-1 of u. `spread`: V = S B^-1 S^T of z.
    - `divergence`: the part of the Kullback-Leibler divergence that does not depend on c. `count`: rows that are used.
    """

    readout: Float[Array, "wells m"]
    centre: Float[Array, "wells r"]
    covariance: Float[Array, "wells r r"]
    spread: Float[Array, "wells P P"]
    divergence: Float[Array, " wells"]
    count: Int[Array, ""]  # pyright: ignore[reportIncompatibleMethodOverride]


class Fields(NamedTuple):
    """t and M of one cavity, float32: M + boost v v^T is not formed where many neurons share M.

    - `diagonal`: of M + boost v v^T.
    """

    t: Float[Array, "m P"]
    M: Float[Array, "P P"]
    v: Float[Array, " P"]
    boost: Float[Array, ""]
    diagonal: Float[Array, " P"]


# Which axes of `Fields` belong to the neurons of a block.
BY_NEURON = Fields(0, None, 0, 0, 0)  # pyright: ignore[reportArgumentType]


class Shape(NamedTuple):
    """The covariance of a Gaussian: of u, of z, and the constant part of the divergence from the prior."""

    covariance: Float[Array, "r r"]
    spread: Float[Array, "P P"]
    divergence: Float[Array, ""]


def fields_of(problem: Collapsed, inverse: Inverse, u: Float[Array, "B P"]) -> tuple[Fields, Array, Array]:
    """Fields of the cavities of neurons with features `u`, and u . Q u and u . Q Y, float64, `(B,)` and `(B, m)`."""
    v = u @ inverse.matrix
    overlap = jnp.sum(u * v, axis=1)
    dual = u @ inverse.dual
    P = u.shape[1]
    boost = 1.0 / (1.0 - overlap)
    scale = problem.gain * jnp.sqrt(jnp.asarray(P, jnp.float64))

    def single(x):
        return x.astype(jnp.float32)

    square = scale * scale
    t = single(scale * (inverse.dual.T + (boost[:, None] * dual)[:, :, None] * v[:, None, :]))
    diagonal = single(square * (inverse.diagonal + boost[:, None] * v * v))
    return Fields(t, single(square * inverse.matrix), single(v), single(square * boost), diagonal), overlap, dual


def own_fields(problem: Collapsed, inverse: Inverse) -> Fields:
    """Fields with no neuron taken out, the start of a table."""
    P = problem.targets.shape[0]
    scale = problem.gain * jnp.sqrt(jnp.asarray(P, jnp.float64))
    t, M = scale * inverse.dual.T, scale**2 * inverse.matrix
    zero = jnp.zeros(P, jnp.float32)
    return Fields(*(x.astype(jnp.float32) for x in (t, M, zero, zero[0], jnp.diagonal(M))))


class _Moments(NamedTuple):
    """Of phi of single inputs: <phi>, var phi, <phi'>, <phi''>, <phi phi'>, <phi'^2 + phi phi''>."""

    mean: Float[Array, " P"]
    variance: Float[Array, " P"]
    slope: Float[Array, " P"]
    bend: Float[Array, " P"]
    product: Float[Array, " P"]
    product_slope: Float[Array, " P"]


def moments(phi: Activation, z: Float[Array, " P"], variance: Float[Array, " P"]) -> _Moments:
    """Averages over N(z, variance); derivatives of averages by Stein's lemma, which needs no phi''."""
    nodes, weights = (jnp.asarray(x, z.dtype) for x in (_ROOTS, _WEIGHTS))
    size = jnp.sqrt(jnp.maximum(variance, 1e-8))
    x = z + size * nodes[:, None]
    # Kept in memory: every average would compute them anew otherwise.
    value, slope = jax.lax.optimization_barrier((phi(x), phi.slope(x)))
    tilted = weights * nodes
    product = value * slope
    mean = weights @ value
    return _Moments(
        mean,
        weights @ (value - mean) ** 2,
        weights @ slope,
        (tilted @ slope) / size,
        weights @ product,
        (tilted @ product) / size,
    )


class _Local(NamedTuple):
    """F at (a, c), its gradient (`by_input`: of F without the divergence, in z), and what curvatures are made of."""

    bound: Float[Array, ""]
    readout: Float[Array, " m"]
    by_input: Float[Array, " P"]
    centre: Float[Array, " r"]
    mixed: Float[Array, "P m"]
    ridge: Float[Array, ""]
    diagonal: Float[Array, " P"]
    slope: Float[Array, " P"]


def _expand(
    phi: Activation,
    factor: Float[Array, "P r"],
    fields: Fields,
    shape: Shape,
    a: Float[Array, " m"],
    c: Float[Array, " r"],
) -> _Local:
    P = factor.shape[0]
    variance = jnp.diagonal(shape.spread)
    at = moments(phi, factor @ c, variance)
    square = a @ a

    pulled = fields.M @ at.mean + fields.boost * (fields.v @ at.mean) * fields.v
    # [M o V] <phi'>, first with the diagonal.
    coupled = (fields.M * shape.spread) @ at.slope
    coupled = coupled + fields.boost * fields.v * (shape.spread @ (fields.v * at.slope))
    coupled = coupled - fields.diagonal * variance * at.slope
    h = at.mean @ pulled + fields.diagonal @ at.variance + at.slope @ coupled

    drive = a @ fields.t
    others = pulled - fields.diagonal * at.mean
    local = at.slope * others + fields.diagonal * at.product + at.bend * coupled
    by_input = at.slope * drive - square * local
    diagonal = square * fields.diagonal * (at.product_slope - at.slope**2) - at.bend * (drive - square * others)
    return _Local(
        -0.5 * P * square + drive @ at.mean - 0.5 * square * h - 0.5 * c @ c - shape.divergence,
        -(P + h) * a + fields.t @ at.mean,
        by_input,
        by_input @ factor - c,
        at.slope[:, None] * fields.t.T - 2.0 * local[:, None] * a,
        P + h,
        diagonal,
        at.slope,
    )


class Newton(NamedTuple):
    """A joint step: the well it came from, where it leads, and its size."""

    log_weight: Float[Array, ""]
    readout: Float[Array, " m"]
    centre: Float[Array, " r"]
    lower: Float[Array, "m m"]
    pivots: Float[Array, " m"]
    smallest: Float[Array, ""]
    change: Float[Array, ""]


def newton(
    phi: Activation,
    factor: Float[Array, "P r"],
    fields: Fields,
    shape: Shape,
    a: Float[Array, " m"],
    c: Float[Array, " r"],
    free: float | Float[Array, ""] = 1.0,
) -> Newton:
    """One joint step in (a, c), in c alone with `free` = 0; the log weight is that of the step's expansion."""
    P, m = fields.t.shape[1], fields.t.shape[0]
    at = _expand(phi, factor, fields, shape, a, c)
    towards = shape.covariance @ at.centre
    spread_mixed = shape.spread @ at.mixed
    H = (at.ridge * jnp.eye(m, dtype=a.dtype) - at.mixed.T @ spread_mixed) / P
    gradient = (at.readout + at.mixed.T @ (factor @ towards)) / P
    lower, pivots, smallest = factorise([[H[r, s] for s in range(r + 1)] for r in range(m)])
    step = solve(lower, pivots, gradient)
    # What is left to climb, as far as a quadratic can know it: a start that leads to no well predicts thousands.
    gain = jnp.minimum(0.5 * P * step @ gradient + 0.5 * at.centre @ towards, _MOST_GAIN)
    change = jnp.sqrt(step @ step)
    shrink = jnp.minimum(1.0, _STEP_CAP / jnp.maximum(change, 1e-12))
    move = towards + free * (shape.covariance @ ((at.mixed @ step) @ factor))
    log_weight = at.bound + gain - 0.5 * jnp.sum(jnp.log(pivots))
    return Newton(
        jnp.where(jnp.isfinite(log_weight), log_weight, -1e30),
        a + free * shrink * step,
        c + shrink * move,
        lower,
        pivots,
        smallest,
        change,
    )


class Curvature(NamedTuple):
    """The bound near (a, c): W = `coupled` + diag(`diagonal`), and the gradients in z and in c."""

    coupled: Float[Array, "P P"]
    diagonal: Float[Array, " P"]
    by_input: Float[Array, " P"]
    centre: Float[Array, " r"]


def curvature(
    phi: Activation,
    factor: Float[Array, "P r"],
    fields: Fields,
    shape: Shape,
    a: Float[Array, " m"],
    c: Float[Array, " r"],
) -> Curvature:
    """-W is the second derivative of the bound, without the divergence, in z."""
    at = _expand(phi, factor, fields, shape, a, c)
    matrix = fields.M + fields.boost * fields.v[:, None] * fields.v
    return Curvature((a @ a) * at.slope[:, None] * matrix * at.slope, at.diagonal, at.by_input, at.centre)


def precision(
    phi: Activation,
    factor: Float[Array, "P r"],
    fields: Fields,
    shape: Shape,
    a: Float[Array, " m"],
    c: Float[Array, " r"],
) -> tuple[Float[Array, "r r"], Float[Array, " r"]]:
    """The Cholesky factor of B = 1 + S^T W S, and the gradient in c."""
    at = curvature(phi, factor, fields, shape, a, c)

    def root(carry):
        attempt, _ = carry
        # Far from a well the bound may curve upwards; without those inputs' share B is positive definite.
        diagonal = jnp.where(attempt == 0, at.diagonal, jnp.maximum(at.diagonal, 0.0))
        inner = factor.T @ ((at.coupled + jnp.diag(diagonal)) @ factor)
        lower = jnp.linalg.cholesky(jnp.eye(inner.shape[0], dtype=a.dtype) + inner)
        return attempt + 1, lower

    def again(carry):
        attempt, lower = carry
        return (attempt == 0) | ((attempt == 1) & ~jnp.all(jnp.isfinite(jnp.diagonal(lower))))

    # A loop, not a condition: the compiler sees the products once.
    _, lower = jax.lax.while_loop(again, root, (jnp.zeros((), jnp.int32), jnp.zeros_like(shape.covariance)))
    return lower, at.centre


def shape_of(factor: Float[Array, "P r"], lower: Float[Array, "r r"]) -> Shape:
    """The covariances that belong to the Cholesky factor of B."""
    identity = jnp.eye(lower.shape[0], dtype=lower.dtype)
    half = jax.scipy.linalg.solve_triangular(lower, identity, lower=True)
    outer = half @ factor.T
    trace = jnp.sum(half * half)
    divergence = 0.5 * (trace - lower.shape[0]) + jnp.sum(jnp.log(jnp.diagonal(lower)))
    return Shape(half.T @ half, outer.T @ outer, divergence)


def well_shape(table: Table, g: Int[Array, ""]) -> Shape:
    """The frozen shape of a well."""
    return Shape(table.covariance[g], table.spread[g], table.divergence[g])


def find_wells(phi: Activation, factor: Float[Array, "P r"], table: Table, fields: Fields, steps: int) -> Wells:
    """The table's wells in the `B` cavities of `fields`, `steps` joint steps from the table's starts."""
    G, m = table.readout.shape
    B, r = fields.v.shape[0], factor.shape[1]
    f32 = jnp.float32

    def climb(g):
        shape = well_shape(table, g)

        def step(a, c, own):
            return newton(phi, factor, own, shape, a, c)

        def advance(_, at):
            return jax.vmap(step, in_axes=(0, 0, BY_NEURON))(at.readout, at.centre, fields)

        blank = Newton(
            jnp.zeros(B, f32),
            jnp.broadcast_to(table.readout[g], (B, m)),
            jnp.broadcast_to(table.centre[g], (B, r)),
            jnp.broadcast_to(jnp.eye(m, dtype=f32), (B, m, m)),
            jnp.ones((B, m), f32),
            *(jnp.zeros((2, B), f32)),
        )
        found = jax.lax.fori_loop(0, steps, advance, blank)
        return tuple(jnp.moveaxis(part, 0, -1) for part in found[:5])

    return climb_each(table.count, (G, m, r, B), climb)


class Gaussian(NamedTuple):
    """The reference r(u | a) = N(centre, (c c^T)^-1), c = `lower`."""

    centre: Float[Array, " r"]
    lower: Float[Array, "r r"]


def gaussian(
    phi: Activation,
    factor: Float[Array, "P r"],
    fields: Fields,
    shape: Shape,
    a: Float[Array, " m"],
    c: Float[Array, " r"],
    steps: int,
) -> Gaussian:
    """r(u | a): `steps` of c with the well's frozen `shape`, then two with the covariance of their own place."""

    def frozen(_, c):
        return c + shape.covariance @ _expand(phi, factor, fields, shape, a, c).centre

    c = jax.lax.fori_loop(0, steps, frozen, c)

    def own(_, carry):
        c, shape, _ = carry
        lower, gradient = precision(phi, factor, fields, shape, a, c)
        shape = shape_of(factor, lower)
        return c + shape.covariance @ gradient, shape, lower

    c, _, lower = jax.lax.fori_loop(0, 2, own, (c, shape, shape.covariance))
    return Gaussian(c, lower)
