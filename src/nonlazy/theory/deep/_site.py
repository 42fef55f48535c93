"""One preactivation of a class: z = u + sqrt(d) xi, tilted by exp(v phi(z) - delta phi(z)^2 / 2)."""

import functools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import erf


_HALF_SQRT_PI = math.sqrt(math.pi) / 2


class Site(NamedTuple):
    """g = log of the tilted integral, and averages under the tilted law of z, each `(n, C)`.

    **Fields:** `g`; `mean` = <phi> = dg/dv; `square` = <phi^2> = -2 dg/d delta; `force` = <z - u>/d = dg/du;
    `stiffness` = (1 - var(z)/d)/d = -d^2g/du^2; `mixed` = cov(phi, z)/d = d^2g/du dv.
    """

    g: Float[np.ndarray, "n C"]
    mean: Float[np.ndarray, "n C"]
    square: Float[np.ndarray, "n C"]
    force: Float[np.ndarray, "n C"]
    stiffness: Float[np.ndarray, "n C"]
    mixed: Float[np.ndarray, "n C"]


def sigmoid(z: np.ndarray) -> np.ndarray:
    """phi(z) = 1/2 [1 + erf(sqrt(pi) z / 2)]."""
    return 0.5 + 0.5 * erf(_HALF_SQRT_PI * z)


@functools.cache
def gaussian_nodes(order: int) -> tuple[Float[np.ndarray, " order"], Float[np.ndarray, " order"]]:
    """Gauss-Hermite nodes and weights of the standard Gaussian."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    return nodes, weights / weights.sum()


def site_averages(
    u: Float[np.ndarray, "n C"],
    v: Float[np.ndarray, "n C"],
    d: Float[np.ndarray, " C"],
    delta: Float[np.ndarray, " C"],
    order: int,
) -> Site:
    """The tilted averages by Gauss-Hermite quadrature with `order` nodes."""
    nodes, weights = gaussian_nodes(order)
    width = np.sqrt(d)
    phi = sigmoid(u[..., None] + width[:, None] * nodes)
    tilt = (v[..., None] - 0.5 * delta[:, None] * phi) * phi
    peak = tilt.max(axis=-1, keepdims=True)
    tilted = np.exp(tilt - peak) * weights
    total = tilted.sum(axis=-1)
    tilted /= total[..., None]
    first, second = tilted @ nodes, tilted @ nodes**2
    tilted *= phi
    mean = tilted.sum(axis=-1)
    return Site(
        g=np.log(total) + peak[..., 0],
        mean=mean,
        square=np.einsum("nck,nck->nc", tilted, phi),
        force=first / width,
        stiffness=(1 - second + first**2) / d,
        mixed=(tilted @ nodes - mean * first) / width,
    )
