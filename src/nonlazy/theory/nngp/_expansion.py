"""Hermite coefficients of phi(s u) at many scales s, by integration that is split at the kinks of phi."""

import functools
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from nonlazy.activations import Activation
from nonlazy.errors import InvalidInput
from nonlazy.theory.nngp._evaluate import values


# The integrals over u end here; the weight exp(-u^2/2) is 1e-56 of its largest value.
WINDOW = 16.0
# Values of phi that are held at a time.
BLOCK = 1 << 22


def expand(
    activation: Activation,
    deviations: Float[np.ndarray, " S"],
    breaks: Float[np.ndarray, " kinks"],
    terms: int,
    level: int,
) -> tuple[Float[np.ndarray, "n S"], Float[np.ndarray, " S"]]:
    """c_n(s) = <phi(s u) h_n(u)> for n = 0 .. `terms`, `(terms + 1, S)`, and <phi(s u)^2>, `(S,)`.

    **Arguments:** `deviations`: the scales s; `breaks`: kinks of phi; `level`: how often the intervals are halved.

    **Raises:** `nonlazy.errors.InvalidInput` where <phi^2> is infinite or phi not finite.
    """
    edges = _edges(level)
    u, weight = (part.ravel() for part in _nodes(edges[:-1], edges[1:]))
    root = np.sqrt(weight)
    coefficients, square = np.empty((terms + 1, deviations.size)), np.empty(deviations.size)
    step = max(1, BLOCK // u.size)
    for start in range(0, deviations.size, step):
        part = slice(start, start + step)
        phi = values(activation, np.multiply.outer(deviations[part], u)) * root
        square[part] = np.sum(phi**2, axis=1)
        # What lies beyond the window is of the order of what its last nodes hold.
        if not np.all(np.sum(phi[:, [0, -1]] ** 2, axis=1) <= 1e-20 * square[part]):
            raise InvalidInput(
                f"activation {activation.name!r} has no finite Gaussian average of its square at preactivations of "
                f"standard deviation up to {deviations[part].max():.3g}: it grows too fast, or is not finite everywhere"
            )
        for lowest, polynomials in _weighted_polynomials(u, root, terms):
            coefficients[lowest : lowest + len(polynomials), part] = polynomials @ phi.T
        if breaks.size:
            _split_at_kinks(activation, deviations[part], breaks, edges, coefficients[:, part], square[part])
    return coefficients, square


@functools.lru_cache(maxsize=8)
def _edges(level: int) -> Float[np.ndarray, " edges"]:
    """Ends of the intervals of integration over u, which narrow towards 0 and are halved `level` times.

    0 is one of them: activations have their kinks and steepest slopes there, whatever the scale s.
    """
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-12, -1), np.arange(0.5, WINDOW + 0.1, 0.5)])
    for _ in range(level):
        edges = np.sort(np.concatenate([edges, 0.5 * (edges[1:] + edges[:-1])]))
    return np.concatenate([-edges[:0:-1], edges])


def _nodes(
    left: Float[np.ndarray, "*shape"], right: Float[np.ndarray, "*shape"]
) -> tuple[Float[np.ndarray, "*shape nodes"], Float[np.ndarray, "*shape nodes"]]:
    """Gauss-Legendre nodes of intervals, and their weights times the Gaussian density."""
    x, w = np.polynomial.legendre.leggauss(16)
    half, middle = 0.5 * (right - left)[..., None], 0.5 * (right + left)[..., None]
    u = middle + half * x
    return u, half * w * np.exp(-0.5 * u**2) / math.sqrt(2 * math.pi)


def _weighted_polynomials(
    u: Float[np.ndarray, " nodes"], root: Float[np.ndarray, " nodes"], terms: int
) -> Iterator[tuple[int, Float[np.ndarray, "n nodes"]]]:
    """sqrt(weight) h_n(u) for n = 0 .. `terms`, some n at a time: (the first n, values)."""
    before, current = np.zeros(u.size), root
    for lowest in range(0, terms + 1, 64):
        h = np.empty((min(64, terms + 1 - lowest), u.size))
        for n in range(lowest, lowest + len(h)):
            h[n - lowest] = current
            before, current = current, (u * current - math.sqrt(n) * before) / math.sqrt(n + 1)
        yield lowest, h


def _split_at_kinks(
    activation: Activation,
    deviations: Float[np.ndarray, " S"],
    breaks: Float[np.ndarray, " kinks"],
    edges: Float[np.ndarray, " edges"],
    coefficients: Float[np.ndarray, "n S"],
    square: Float[np.ndarray, " S"],
) -> None:
    """Corrects integrals, in place, by splitting the intervals that hold a kink of phi(s u)."""
    with np.errstate(divide="ignore"):
        kink = breaks / deviations[:, None]
    interval = np.searchsorted(edges, kink) - 1
    inside = (interval >= 0) & (interval < edges.size - 1)
    interval = np.where(inside, interval, 0)
    low, high = edges[interval], edges[interval + 1]
    kink = np.where(inside, kink, low)
    shared = inside[:, 1:] & inside[:, :-1] & (interval[:, 1:] == interval[:, :-1])
    # From the kink before, or the interval's beginning, to the kink; from the last kink to the interval's end.
    start, end = low.copy(), high.copy()
    start[:, 1:][shared] = kink[:, :-1][shared]
    end[:, :-1][shared] = kink[:, :-1][shared]
    whole = inside.copy()
    whole[:, 1:] &= ~shared
    pieces = [(start, kink, inside), (kink, end, inside), (low, high, -1.0 * whole)]
    u, weight = [], []
    for left, right, sign in pieces:
        nodes, weights = _nodes(left, right)
        u.append(nodes.reshape(len(kink), -1))
        weight.append((weights * np.asarray(sign, dtype=np.float64)[..., None]).reshape(len(kink), -1))
    u, weight = np.concatenate(u, axis=1), np.concatenate(weight, axis=1)
    phi = values(activation, deviations[:, None] * u)
    square += np.sum(weight * phi**2, axis=1)
    before, current = np.zeros(u.shape), weight * phi
    for n in range(len(coefficients)):
        coefficients[n] += np.sum(current, axis=1)
        before, current = current, (u * current - math.sqrt(n) * before) / math.sqrt(n + 1)
