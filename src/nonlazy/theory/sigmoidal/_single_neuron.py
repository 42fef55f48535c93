"""One neuron in a field: the log average of exp(h phi(z)) over its Gaussian preactivation z, and its derivatives.

For any bounded activation. All of the class-level theory is made of

    g(h) = log <exp(h phi(z))>_{z ~ N(0, v)},    g'(h) = <phi>_h,    g''(h) = Var_h phi,

where <.>_h is the average over N(z; 0, v) exp(h phi(z) - g(h)). They depend on the law of the number phi(z) alone, so
that law is compressed to its Gauss quadrature: some 20 nodes then give g to rounding, and still are the cumulants of a
law (g is exactly convex, g' stays in the range of phi).
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from nonlazy.activations import Activation
from nonlazy.errors import InvalidInput


# Gauss rules kept, by number of nodes.
_RULES = (12, 16, 24, 32, 48, 64)
# The line is cut off at this many standard deviations, where a Gaussian is 1e-32.
_HALF_WIDTH = 12.0
_FARTHEST = 1e8
_PANEL_POINTS = 16
_MOST_HALVINGS = 60
_MOST_PANELS = 2000
# Fields evaluated at once.
_PIECE = 1024


@dataclass(frozen=True, eq=False)
class SingleNeuron:
    """The law of phi(z), z ~ N(0, variance), and its exponential tilts.

    Made by `single_neuron`.

    **Fields:**

    - `phi`, `variance`: the activation, and the prior variance v of the preactivation.
    - `low`, `high`: the range of phi. A class counts as active above `middle`.
    - `z`, `weight`, `value`: a dense quadrature of N(0, v), and phi on it, `(nodes,)`.
    """

    phi: Activation
    variance: float
    low: float
    high: float
    z: Float[np.ndarray, " nodes"] = field(repr=False)
    weight: Float[np.ndarray, " nodes"] = field(repr=False)
    value: Float[np.ndarray, " nodes"] = field(repr=False)
    _rules: tuple = field(repr=False)

    @property
    def middle(self) -> float:
        """Midpoint of the range of phi: 1/2 for the paper's sigmoid, 0 for tanh."""
        return 0.5 * (self.low + self.high)

    def cumulants(
        self, h: Float[np.ndarray, "*shape"]
    ) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
        """g, g' and g'' at the fields `h`, each of the shape of `h`."""
        h = np.asarray(h, dtype=np.float64)
        flat = h.reshape(-1)
        results = np.empty((3, flat.size))
        # In pieces that stay in the cache, each with the smallest rule that serves it.
        for start in range(0, flat.size, _PIECE):
            piece = flat[start : start + _PIECE]
            results[:, start : start + _PIECE] = self._cumulants(piece, *self._rule(float(np.max(np.abs(piece)))))
        return results[0].reshape(h.shape), results[1].reshape(h.shape), results[2].reshape(h.shape)

    def _cumulants(self, h: np.ndarray, x: np.ndarray, moments: np.ndarray) -> np.ndarray:
        half = 0.5 * (self.high - self.low)
        exponent = np.multiply.outer(h * half, x)
        # The largest exponent sits at one of the ends of the nodes.
        shift = np.maximum(exponent[:, 0], exponent[:, -1])
        exponent -= shift[:, None]
        total, first, second = (np.exp(exponent, out=exponent) @ moments).T
        mean = first / total
        g = h * self.middle + shift + np.log(total)
        return np.stack([g, self.middle + half * mean, half**2 * (second / total - mean**2)])

    def log_average(self, h: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """g(h) = log <exp(h phi)>."""
        return self.cumulants(h)[0]

    def mean(self, h: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """g'(h), the mean activation in the field `h`."""
        return self.cumulants(h)[1]

    def tilted_weights(self, h: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape nodes"]:
        """Probabilities of the dense nodes `z` in the fields `h`, `(*shape, nodes)`."""
        exponent = np.multiply.outer(np.asarray(h, dtype=np.float64), self.value)
        exponent -= exponent.max(axis=-1, keepdims=True)
        probability = self.weight * np.exp(exponent)
        return probability / probability.sum(axis=-1, keepdims=True)

    def density(
        self, grid: Float[np.ndarray, " points"], h: Float[np.ndarray, "*shape"]
    ) -> Float[np.ndarray, "*shape points"]:
        """Density of the preactivation, N(z; 0, v) exp(h phi(z) - g(h)) on `grid`, `(*shape, points)`."""
        grid, h = np.asarray(grid, dtype=np.float64), np.asarray(h, dtype=np.float64)
        phi = np.asarray(self.phi(grid), dtype=np.float64)
        exponent = np.multiply.outer(h, phi) - self.log_average(h)[..., None] - grid**2 / (2 * self.variance)
        return np.exp(exponent) / math.sqrt(2 * math.pi * self.variance)

    def _rule(self, largest: float) -> tuple[np.ndarray, np.ndarray]:
        # The last rule is the dense one and serves every field.
        return next((x, moments) for reach, x, moments in self._rules if largest <= reach)


@lru_cache(maxsize=32)
def single_neuron(phi: Activation, variance: float) -> SingleNeuron:
    """The single-neuron law of a bounded activation with preactivations of prior variance `variance`.

    **Raises:** `nonlazy.errors.InvalidInput` where phi is not bounded, is constant, or is so rough that its averages do
    not converge.
    """
    low, high = _range(phi, variance)
    z, weight, value = _dense(phi, variance)
    half = 0.5 * (high - low)
    x = (value - 0.5 * (low + high)) / half
    order = np.argsort(x, kind="stable")
    nodes, weights = x[order], weight[order]
    rules = []
    for size in _RULES:
        rule_x, rule_weight = gauss_rule(nodes, weights, size)
        moments = rule_weight[:, None] * rule_x[:, None] ** np.arange(3)
        rules.append((_reach(nodes, weights, rule_x, rule_weight) / half, rule_x, moments))
    everything = (math.inf, nodes, weights[:, None] * nodes[:, None] ** np.arange(3))
    return SingleNeuron(phi, variance, low, high, z, weight, value, (*rules, everything))


def _range(phi: Activation, variance: float) -> tuple[float, float]:
    """Smallest and largest value of phi."""
    near = np.asarray(phi(np.linspace(-_HALF_WIDTH, _HALF_WIDTH, 4801) * math.sqrt(variance)), dtype=np.float64)
    # Where phi itself varies, which may be far outside of what the preactivations reach.
    far = np.geomspace(1e-3, _FARTHEST, 400)
    tails = np.asarray(phi(np.concatenate([-far[::-1], far])), dtype=np.float64)
    if not (np.isfinite(near).all() and np.isfinite(tails).all()):
        raise InvalidInput(
            f"activation {phi.name!r} is not finite everywhere: the theory of bounded activations needs it"
        )
    if float(np.ptp(near)) == 0:
        raise InvalidInput(
            f"activation {phi.name!r} is constant, {near[0]:g}, within 12 standard deviations of the preactivations "
            f"({math.sqrt(variance):g} each): such a network cannot learn"
        )
    low, high = float(min(near.min(), tails.min())), float(max(near.max(), tails.max()))
    inner = tails[np.abs(np.concatenate([-far[::-1], far])) < 1e-2 * _FARTHEST]
    if high - low > 1.1 * max(float(np.ptp(inner)), float(np.ptp(near))):
        raise InvalidInput(
            f"activation {phi.name!r} is called sigmoidal but still grows at |z| = {_FARTHEST:g}, where it reaches "
            f"{low:g} .. {high:g}: the theory of sigmoidal networks needs a bounded phi; declare it as "
            "kind='rectified' or 'linear'"
        )
    return low, high


def _dense(phi: Activation, variance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A quadrature of N(0, v): Gauss-Legendre panels, halved until averages of exp(kappa phi) no longer change.

    Halving closes in on kinks and jumps of phi, wherever they are.
    """
    points, point_weights = np.polynomial.legendre.leggauss(_PANEL_POINTS)
    width = math.sqrt(variance)

    def panels(left, right):
        x = 0.5 * (right + left)[:, None] + 0.5 * (right - left)[:, None] * points
        weight = 0.5 * (right - left)[:, None] * point_weights * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        return x, weight, np.asarray(phi(x * width), dtype=np.float64)

    edges = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, 25)
    left, right = edges[:-1], edges[1:]
    x, weight, value = panels(left, right)
    middle, half = 0.5 * (value.max() + value.min()), 0.5 * float(np.ptp(value))
    kappa = np.array([-16.0, -6.0, -1.0, 1.0, 6.0, 16.0])

    def averages(weight, value):
        exponent = kappa[:, None, None] * ((value - middle) / half)
        return np.sum(weight * np.exp(exponent), axis=-1)

    total = averages(weight, value).sum(axis=1)
    done: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for _ in range(_MOST_HALVINGS):
        centre = 0.5 * (left + right)
        halves = panels(np.concatenate([left, centre]), np.concatenate([centre, right]))
        coarse = averages(weight, value)
        fine = averages(*halves[1:]).reshape(kappa.size, 2, -1).sum(axis=1)
        rough = np.max(np.abs(fine - coarse) / total[:, None], axis=0) > 1e-15
        done.append((x[~rough], weight[~rough], value[~rough]))
        if not rough.any():
            break
        twice = np.concatenate([rough, rough])
        x, weight, value = (part[twice] for part in halves)
        left, right = np.concatenate([left[rough], centre[rough]]), np.concatenate([centre[rough], right[rough]])
        if left.size > _MOST_PANELS:
            raise InvalidInput(
                f"activation {phi.name!r} is too rough: its Gaussian averages still change at {left.size} places of "
                "the line; give a piecewise smooth function"
            )
    x, weight, value = (np.concatenate([part[k].ravel() for part in done]) for k in range(3))
    order = np.argsort(x)
    return x[order] * width, weight[order] / weight.sum(), value[order]


def gauss_rule(x: np.ndarray, weight: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss quadrature of a discrete law, by the Lanczos process with full orthogonalisation."""
    basis = np.zeros((size, x.size))
    diagonal, off = np.zeros(size), np.zeros(size)
    vector = np.sqrt(weight)
    count = size
    for k in range(size):
        basis[k] = vector
        forward = x * vector
        diagonal[k] = vector @ forward
        for _ in range(2):
            forward -= basis[: k + 1].T @ (basis[: k + 1] @ forward)
        off[k] = np.linalg.norm(forward)
        if off[k] < 1e-13:
            count = k + 1
            break
        vector = forward / off[k]
    jacobi = np.diag(diagonal[:count]) + np.diag(off[: count - 1], 1) + np.diag(off[: count - 1], -1)
    nodes, vectors = np.linalg.eigh(jacobi)
    return nodes, vectors[0] ** 2


def _reach(x, weight, rule_x, rule_weight) -> float:
    """Up to which |h| (high - low) / 2 the rule gives g, g' and g'' to rounding."""

    def cumulants(points, probabilities, kappa):
        exponent = kappa * points
        tilt = probabilities * np.exp(exponent - exponent.max())
        mean = tilt @ points / tilt.sum()
        return np.array([math.log(tilt.sum()) + exponent.max(), mean, tilt @ (points - mean) ** 2 / tilt.sum()])

    reach = 0.0
    for kappa in (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 128.0, 256.0, 512.0, 1024.0):
        for sign in (-1.0, 1.0):
            exact = cumulants(x, weight, sign * kappa)
            if np.max(np.abs(cumulants(rule_x, rule_weight, sign * kappa) - exact)) > 3e-14 * max(1.0, kappa):
                return reach
        reach = kappa
    return reach
