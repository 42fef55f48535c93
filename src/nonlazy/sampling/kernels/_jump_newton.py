"""Wells as both kinds of jumps keep them, and the small symmetric systems of their Newton steps."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


# The smallest pivot of the curvature that a step trusts.
SMALLEST_PIVOT = 0.2


class Wells(NamedTuple):
    """Wells of `B` cavities.

    - `log_weight`; `readout`: the peak of a. `place`: of the preactivations there, class means of phi or the centre of
      their Gaussian. `lower`, `pivots`: the curvature P L diag(pivots) L^T of the peak.
    """

    log_weight: Float[Array, "wells B"]
    readout: Float[Array, "wells m B"]
    place: Float[Array, "wells d B"]
    lower: Float[Array, "wells m m B"]
    pivots: Float[Array, "wells m B"]


def climb_each(
    count: Int[Array, ""], sizes: tuple[int, int, int, int], climb: Callable[[Int[Array, ""]], Sequence[Array]]
) -> Wells:
    """The wells that `climb` finds from each of `count` starts: parts of `Wells` without their first axis.

    `sizes`: starts that there is room for, outputs m, numbers d of a place, cavities B.
    """
    G, m, d, B = sizes
    f32 = jnp.float32
    blank = Wells(
        jnp.full((G, B), -jnp.inf, f32),
        jnp.zeros((G, m, B), f32),
        jnp.zeros((G, d, B), f32),
        jnp.zeros((G, m, m, B), f32),
        jnp.ones((G, m, B), f32),
    )

    def one(g, wells):
        return Wells(*(whole.at[g].set(part) for whole, part in zip(wells, climb(g), strict=True)))

    return jax.lax.fori_loop(0, count, one, blank)


def factorise(H: list[list[Array]]) -> tuple[Float[Array, "m m ..."], Float[Array, "m ..."], Float[Array, "..."]]:
    """L, pivots (kept above the smallest that is trusted) and the smallest pivot of H = L diag(pivots) L^T."""
    m = len(H)
    pivots, raw = [], []
    lower = [[jnp.ones_like(H[0][0]) if r == s else jnp.zeros_like(H[0][0]) for s in range(m)] for r in range(m)]
    for s in range(m):
        raw.append(H[s][s] - sum((lower[s][k] ** 2 * pivots[k] for k in range(s)), start=0.0 * H[0][0]))
        pivots.append(jnp.maximum(raw[s], SMALLEST_PIVOT))
        for r in range(s + 1, m):
            inner = sum((lower[r][k] * lower[s][k] * pivots[k] for k in range(s)), start=0.0 * H[0][0])
            lower[r][s] = (H[r][s] - inner) / pivots[s]
    return jnp.stack([jnp.stack(row) for row in lower]), jnp.stack(pivots), jnp.min(jnp.stack(raw), axis=0)


def solve(
    lower: Float[Array, "m m ..."], pivots: Float[Array, "m ..."], x: Float[Array, "m ..."]
) -> Float[Array, "m ..."]:
    """H^-1 x."""
    m = x.shape[0]
    y = [x[0]]
    for r in range(1, m):
        y.append(x[r] - sum(lower[r, k] * y[k] for k in range(r)))
    return solve_transposed(lower, jnp.stack(y) / pivots)


def solve_transposed(lower: Float[Array, "m m ..."], x: Float[Array, "m ..."]) -> Float[Array, "m ..."]:
    """L^-T x."""
    m = x.shape[0]
    y = list(x)
    for r in range(m - 2, -1, -1):
        y[r] = x[r] - sum(lower[k, r] * y[k] for k in range(r + 1, m))
    return jnp.stack(y)
