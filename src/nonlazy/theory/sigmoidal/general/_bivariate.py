"""The distribution function of two correlated normal variables, vectorised."""

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr


NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(20)


def bivariate_normal(
    x: Float[np.ndarray, "n1 n2"], y: Float[np.ndarray, "n1 n2"], correlation: Float[np.ndarray, "n1 n2"]
) -> Float[np.ndarray, "n1 n2"]:
    """P(X < x, Y < y) for standard normal X, Y.

    Plackett's identity, dP/d(correlation) = density at (x, y), integrated over the correlation's arcsine by
    Gauss-Legendre quadrature (error below 1e-9 for correlations up to 0.95).
    """
    half_angle = 0.5 * np.arcsin(correlation)
    square, product = 0.5 * (x * x + y * y), x * y
    total = np.zeros_like(square)
    for node, weight in zip(NODES, NODE_WEIGHTS, strict=True):
        sine = np.sin(half_angle * (node + 1))
        total += weight * np.exp((product * sine - square) / (1 - sine * sine))
    return ndtr(x) * ndtr(y) + total * half_angle / (2 * np.pi)
