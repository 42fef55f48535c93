"""Wells of a single neuron's readout in the cavity that the other neurons leave, and the frozen table of their starts.

Units: a is the readout in prior standard deviations over sqrt(P), so that wells lie at |a| = O(1). In the cavity

    log p(a, z) = -P |a|^2 / 2 - |u|^2 / 2 + sum_mu (t_mu . a) phi_mu - |a|^2 / 2 phi^T M phi ,

with t = gain sqrt(P) Q Y and M = gain^2 P Q of the cavity. Expanding phi about the class means b of its own average
keeps the class part of M exactly and of the rest the diagonal D, and the inputs decouple: with K = M times the class
indicators,

    log p(a; b) = -P |a|^2 / 2 + |a|^2 / 2 b^T K b + sum_mu log Z_mu ,
    Z_mu = int Du exp(h_mu phi - |a|^2 D_mu (phi - b_mu)^2 / 2) ,  h_mu = t_mu . a - |a|^2 (K b)_mu ,

and <phi> is the mean under that density. Wells are found by joint Newton steps in (a, b). This decides only what is
*proposed*; single precision and few steps cost acceptance, never exactness, as long as they are the same function of
the cavity whichever way a neuron jumps. Arrays carry several cavities at once (`B`), inputs last.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from nonlazy.activations import Activation
from nonlazy.sampling.kernels._collapsed import Collapsed, Inverse
from nonlazy.sampling.kernels._jump_newton import SMALLEST_PIVOT, Wells, climb_each, factorise, solve


# Largest change of a readout in one Newton step.
_STEP_CAP = 0.25
# Errors of log Z below 1e-6 for |h| <= 20, also where |a|^2 D = 30.
_NODES = 10


class Table(NamedTuple):
    """Where the search for wells starts: readouts and class means of phi. Frozen while draws are made.

    - `readout`: a of each well, `(wells, m)`, float32; `class_mean`: b, `(wells, C)`; `count`: how many rows are used.
    """

    readout: Float[Array, "wells m"]
    class_mean: Float[Array, "wells C"]
    count: Int[Array, ""]  # pyright: ignore[reportIncompatibleMethodOverride]


class Fields(NamedTuple):
    """t, K and D of `B` cavities, float32."""

    t: Float[Array, "m B P"]
    K: Float[Array, "C B P"]
    D: Float[Array, "B P"]


def quadrature(phi: Activation, scale: float) -> tuple[Float[np.ndarray, " nodes"], Float[np.ndarray, " nodes"]]:
    """Gauss nodes and log weights for functions of phi(scale z) with z ~ N(0, 1): exact for polynomials in phi."""
    z = np.linspace(-9.0, 9.0, 8001)
    values, weights = np.asarray(phi(scale * z)), np.exp(-0.5 * z * z)
    weights /= weights.sum()
    # Lanczos with full orthogonalisation gives the Jacobi matrix of the discrete measure (Golub & Welsch 1969).
    basis = [np.sqrt(weights)]
    diagonal, off_diagonal = [], []
    for _ in range(_NODES):
        vector = values * basis[-1]
        diagonal.append(vector @ basis[-1])
        for _ in range(2):
            for one in basis:
                vector = vector - (vector @ one) * one
        off_diagonal.append(np.linalg.norm(vector))
        basis.append(vector / off_diagonal[-1])
    jacobi = np.diag(diagonal) + np.diag(off_diagonal[:-1], 1) + np.diag(off_diagonal[:-1], -1)
    nodes, vectors = np.linalg.eigh(jacobi)
    return nodes, 2.0 * np.log(np.abs(vectors[0]))


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

    v32 = single(v)
    t = single(scale * inverse.dual.T)[:, None] + single(scale * boost * dual.T)[:, :, None] * v32
    square = scale * scale
    classes = single(square * boost * (v @ problem.members).T)
    K = single(square * inverse.classes.T)[:, None] + classes[:, :, None] * v32
    D = single(square * inverse.diagonal) + single(square * boost)[:, None] * v32 * v32
    return Fields(t, K, D), overlap, dual


def own_fields(problem: Collapsed, inverse: Inverse) -> Fields:
    """Fields with no neuron taken out, the start of a table."""
    P = problem.targets.shape[0]
    scale = problem.gain * jnp.sqrt(jnp.asarray(P, jnp.float64))
    t, K, D = scale * inverse.dual.T, scale**2 * inverse.classes.T, scale**2 * inverse.diagonal
    return Fields(*(x.astype(jnp.float32) for x in (t[:, None], K[:, None], D[None])))


def moments(
    problem: Collapsed, eta: Float[Array, "B P"], beta: Float[Array, "B P"]
) -> tuple[Float[Array, "B P"], Float[Array, "B P"], Float[Array, "B P"]]:
    """log int Dz exp(eta phi - beta phi^2 / 2), and mean and second moment of phi under that density."""
    nodes, log_weights = problem.nodes.astype(jnp.float32), problem.log_weights.astype(jnp.float32)
    best = jnp.clip(eta / jnp.maximum(beta, 1e-6), nodes[0], nodes[-1])
    shift = (eta - 0.5 * beta * best) * best
    zeroth = first = second = jnp.zeros_like(eta)
    # Unrolled: the compiler then keeps the terms in registers.
    for k in range(nodes.shape[0]):
        term = jnp.exp((eta - 0.5 * nodes[k] * beta) * nodes[k] + (log_weights[k] - shift))
        zeroth = zeroth + term
        first = first + nodes[k] * term
        second = second + nodes[k] * nodes[k] * term
    return shift + jnp.log(zeroth), first / zeroth, second / zeroth


class _Inputs(NamedTuple):
    """What the inputs contribute to a well at (a, b)."""

    log_density: Float[Array, " B"]
    mean: Float[Array, "B P"]
    variance: Float[Array, "B P"]
    step_class_mean: Float[Array, "C B"]
    damping: Float[Array, "C B"]
    average: Float[Array, "B P"]
    field_of_average: Float[Array, "B P"]
    spread: Float[Array, "B P"]
    self_coupling: Float[Array, " B"]


def tilt(
    fields: Fields, members: Float[Array, "P C"], a: Float[Array, "m B"], b: Float[Array, "C B"]
) -> tuple[Float[Array, "B P"], Float[Array, "B P"], Float[Array, "B P"], Float[Array, "B P"]]:
    """h, |a|^2 D, b of each input and K b: the parameters of the decoupled density of phi."""
    square = jnp.sum(a * a, axis=0)[:, None]
    average = b.T @ members.T
    field_of_average = sum((fields.K[c] * b[c][:, None] for c in range(b.shape[0])), start=jnp.zeros_like(average))
    drive = sum((fields.t[r] * a[r][:, None] for r in range(a.shape[0])), start=jnp.zeros_like(average))
    h = drive - square * field_of_average
    return h, square * fields.D, average, field_of_average


def _inputs(problem: Collapsed, fields: Fields, a: Float[Array, "m B"], b: Float[Array, "C B"]) -> _Inputs:
    members = problem.members.astype(jnp.float32)
    counts = jnp.sum(members, axis=0)[:, None]
    P = members.shape[0]
    h, beta, average, field_of_average = tilt(fields, members, a, b)
    log_norm, mean, second = moments(problem, h + beta * average, beta)
    variance = second - mean * mean
    spread = variance + (mean - average) ** 2
    square = jnp.sum(a * a, axis=0)
    self_coupling = jnp.sum(average * field_of_average, axis=1)
    log_density = 0.5 * square * (self_coupling - P) + jnp.sum(log_norm - 0.5 * beta * average * average, axis=1)
    damping = jnp.maximum(1.0 - (beta * variance @ members).T / counts, SMALLEST_PIVOT)
    step = ((mean @ members).T / counts - b) / damping
    return _Inputs(log_density, mean, variance, step, damping, average, field_of_average, spread, self_coupling)


def class_means(
    problem: Collapsed, fields: Fields, a: Float[Array, "m B"], b: Float[Array, "C B"], steps: int
) -> Float[Array, "C B"]:
    """b(a) after `steps` Newton steps from `b` at fixed a."""
    return jax.lax.fori_loop(0, steps, lambda _, b: b + _inputs(problem, fields, a, b).step_class_mean, b)


class _Newton(NamedTuple):
    log_weight: Float[Array, " B"]
    readout: Float[Array, "m B"]
    class_mean: Float[Array, "C B"]
    lower: Float[Array, "m m B"]
    pivots: Float[Array, "m B"]
    smallest: Float[Array, " B"]
    change: Float[Array, " B"]


def _newton(problem: Collapsed, fields: Fields, a: Float[Array, "m B"], b: Float[Array, "C B"]) -> _Newton:
    """One joint step; the log weight is that of the Gaussian well which the step's expansion describes."""
    m, C = a.shape[0], b.shape[0]
    members = problem.members.astype(jnp.float32)
    P = members.shape[0]
    at = _inputs(problem, fields, a, b)
    square = jnp.sum(a * a, axis=0)[:, None]
    local = jnp.sum(2.0 * at.field_of_average * at.mean + fields.D * at.spread, axis=1)
    gradient = jnp.stack(
        [a[r] * (at.self_coupling - P - local) + jnp.sum(fields.t[r] * at.mean, axis=1) for r in range(m)]
    )
    gradient = gradient / P
    # The class means follow a: their response adds to the curvature.
    beta_mean = ((square * fields.D) @ members).T / jnp.sum(members, axis=0)[:, None]
    response = beta_mean / (at.damping * jnp.sum(members, axis=0)[:, None] * P)
    weighted = [at.variance * fields.t[r] for r in range(m)]
    by_class = [(x @ members).T for x in weighted]
    ridge = 1.0 + (at.self_coupling + jnp.sum(fields.D * at.spread, axis=1)) / P
    H = [
        [
            (ridge if r == s else 0.0)
            - jnp.sum(weighted[r] * fields.t[s], axis=1) / P
            - sum(response[c] * by_class[r][c] * by_class[s][c] for c in range(C))
            for s in range(r + 1)
        ]
        for r in range(m)
    ]
    lower, pivots, smallest = factorise(H)
    step = solve(lower, pivots, gradient)
    change = jnp.sqrt(jnp.sum(step * step, axis=0))
    step = step * jnp.minimum(1.0, _STEP_CAP / jnp.maximum(change, 1e-12))
    gain = 0.5 * P * jnp.sum(step * gradient, axis=0)
    log_weight = at.log_density + gain - 0.5 * jnp.sum(jnp.log(pivots), axis=0)
    return _Newton(
        jnp.where(jnp.isfinite(log_weight), log_weight, -1e30),
        a + step,
        b + at.step_class_mean,
        lower,
        pivots,
        smallest,
        change,
    )


def _steps(problem: Collapsed, fields: Fields, a: Float[Array, "m B"], b: Float[Array, "C B"], steps: int) -> _Newton:
    """Where `steps` joint steps from (a, b) lead."""
    m, B = a.shape
    nothing = jnp.zeros(B, jnp.float32)
    begin = _Newton(nothing, a, b, jnp.zeros((m, m, B), jnp.float32), jnp.ones((m, B), jnp.float32), nothing, nothing)
    return jax.lax.fori_loop(0, steps, lambda _, at: _newton(problem, fields, at.readout, at.class_mean), begin)


def find_wells(problem: Collapsed, table: Table, fields: Fields, steps: int) -> Wells:
    """The table's wells in `B` cavities, `steps` joint steps from the table's starts."""
    G, m = table.readout.shape
    C = table.class_mean.shape[1]
    B = fields.D.shape[0]

    def climb(g):
        a = jnp.broadcast_to(table.readout[g][:, None], (m, B))
        b = jnp.broadcast_to(table.class_mean[g][:, None], (C, B))
        return _steps(problem, fields, a, b, steps)[:5]

    return climb_each(table.count, (G, m, C, B), climb)


def search_wells(
    problem: Collapsed, inverse: Inverse, codes: Float[Array, "starts C"], steps: int
) -> tuple[Float[Array, "starts m"], Float[Array, "starts C"], Float[Array, " starts"], Bool[Array, " starts"]]:
    """Wells from every code in the present state's fields: readouts, class means, log weights, and which are wells.

    Every stationary point has a = (1/P) sum_mu t_mu phi_mu up to the terms in M, so that codes give good starts.
    """
    shared = own_fields(problem, inverse)
    B = codes.shape[0]
    fields = Fields(*(jnp.broadcast_to(x, (*x.shape[:-2], B, x.shape[-1])) for x in shared))
    members = problem.members.astype(jnp.float32)
    b = codes.astype(jnp.float32).T
    a = jnp.sum(shared.t * (b.T @ members.T)[None], axis=2) / members.shape[0]
    found = _steps(problem, fields, a, b, steps)
    good = (found.smallest > 0) & (found.change < 0.01) & (found.log_weight > -1e29)
    return found.readout.T, found.class_mean.T, found.log_weight, good
