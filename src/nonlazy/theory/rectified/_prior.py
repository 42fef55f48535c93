"""Means and covariances of phi(z) under the Gaussian prior: ReLU in closed form, softplus in a Hermite series."""

import math

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr


_ORDERS = 120
_NODES = 240


def prior_mean(name: str, variance: Float[np.ndarray, " inputs"]) -> Float[np.ndarray, " inputs"]:
    """<phi(z)> for z ~ N(0, variance)."""
    if name == "relu":
        return np.sqrt(variance / (2 * math.pi))
    return _hermite(np.sqrt(variance))[:, 0]


def prior_covariance(
    name: str,
    variance1: Float[np.ndarray, " inputs1"],
    variance2: Float[np.ndarray, " inputs2"],
    kernel: Float[np.ndarray, "inputs1 inputs2"],
) -> Float[np.ndarray, "inputs1 inputs2"]:
    """Cov(phi(z1), phi(z2)) for jointly Gaussian preactivations with these variances and covariances.

    ReLU: the arccosine kernel (Cho & Saul 2009) minus the product of the means. Softplus: its Hermite expansion.
    """
    size = np.sqrt(np.outer(variance1, variance2))
    correlation = np.clip(np.divide(kernel, size, out=np.zeros_like(kernel), where=size > 0), -1.0, 1.0)
    if name == "relu":
        angle = np.arccos(correlation)
        return size / (2 * math.pi) * (np.sin(angle) + (math.pi - angle) * correlation - 1.0)
    first, second = _hermite(np.sqrt(variance1)), _hermite(np.sqrt(variance2))
    total, power = np.zeros_like(correlation), np.ones_like(correlation)
    for k in range(1, _ORDERS):
        power = power * correlation
        total += power * np.outer(first[:, k], second[:, k])
    return total


def gaussian_mean(
    name: str, mean: Float[np.ndarray, "*shape"], variance: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """<phi(z)> for z ~ N(mean, variance)."""
    deviation = np.sqrt(np.maximum(variance, 0.0))
    if name == "relu":
        ratio = np.divide(mean, deviation, out=np.where(mean > 0, 40.0, -40.0), where=deviation > 0)
        return mean * ndtr(ratio) + deviation * np.exp(-0.5 * ratio**2) / math.sqrt(2 * math.pi)
    x, w = np.polynomial.hermite_e.hermegauss(40)
    values = np.logaddexp(mean[..., None] + deviation[..., None] * x, 0.0)
    return values @ w / math.sqrt(2 * math.pi)


def _hermite(deviation: Float[np.ndarray, " inputs"]) -> Float[np.ndarray, "inputs orders"]:
    """Coefficients of softplus(deviation x) in the orthonormal Hermite polynomials."""
    unique, index = np.unique(np.round(deviation, 12), return_inverse=True)
    # The trapezoid rule is exponentially accurate here, where Gauss nodes would crowd the weights into underflow.
    x = np.linspace(-24.0, 24.0, 1 + 8 * _NODES)
    weight = np.exp(-0.5 * x**2) * (x[1] - x[0]) / math.sqrt(2 * math.pi)
    values = np.logaddexp(unique[:, None] * x, 0.0) * weight
    previous, current = np.zeros_like(x), np.ones_like(x)
    coefficients = np.empty((unique.size, _ORDERS))
    for k in range(_ORDERS):
        coefficients[:, k] = values @ current
        previous, current = current, (x * current - math.sqrt(k) * previous) / math.sqrt(k + 1)
    return coefficients[index]
