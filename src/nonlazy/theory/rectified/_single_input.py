"""Averages over one bulk preactivation z ~ N(0, 1) in a field h: the cumulants of phi(z)."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, log_ndtr


_SQRT_2PI = math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class SingleInput:
    """phi(z) = max(0, z), or log(1 + e^(k z)) / k with `sharpness` k, which is ReLU for k to infinity.

    A softplus network with preactivation variance kappa has k = sqrt(kappa) once z is measured in units of sqrt(kappa).
    """

    sharpness: float = math.inf

    @property
    def is_relu(self) -> bool:
        """Whether phi is ReLU itself."""
        return math.isinf(self.sharpness)

    def phi(self, z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """The activation function."""
        if self.is_relu:
            return np.maximum(z, 0.0)
        return np.logaddexp(self.sharpness * z, 0.0) / self.sharpness

    def slope(self, z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Its derivative."""
        return (z > 0).astype(np.float64) if self.is_relu else expit(self.sharpness * z)

    def cumulants(
        self, h: Float[np.ndarray, " fields"]
    ) -> tuple[
        Float[np.ndarray, " fields"],
        Float[np.ndarray, " fields"],
        Float[np.ndarray, " fields"],
        Float[np.ndarray, " fields"],
    ]:
        """g(h) = log <e^(h phi(z))> and its first three derivatives: cumulants of phi(z) in the field."""
        if self.is_relu:
            return _relu_cumulants(h)
        parts = [self._quadrature(chunk) for chunk in np.array_split(h, max(1, h.size // 2000))]
        first, second, third, fourth = (np.concatenate(part) for part in zip(*parts, strict=True))
        return first, second, third, fourth

    def density(self, z: Float[np.ndarray, " points"], h: float) -> Float[np.ndarray, " points"]:
        """Density of z in the field, N(z; 0, 1) e^(h phi(z) - g(h))."""
        g = self.cumulants(np.array([h]))[0][0]
        return np.exp(h * self.phi(z) - 0.5 * z**2 - g) / _SQRT_2PI

    def _quadrature(self, h: Float[np.ndarray, " fields"]):
        # The trapezoid rule converges exponentially; the spacing resolves the nearest pole of phi, pi/k off the axis.
        step = min(0.05, 0.5 / self.sharpness)
        z = np.arange(-12.0, 12.0 + max(0.0, float(h.max(initial=0.0))) + step, step)
        phi = self.phi(z)
        exponent = h[:, None] * phi - 0.5 * z**2
        top = exponent.max(axis=1, keepdims=True)
        weight = np.exp(exponent - top)
        norm = weight.sum(axis=1)
        g = np.log(norm * (step / _SQRT_2PI)) + top[:, 0]
        mean = weight @ phi / norm
        second = np.einsum("hz,z->h", weight, phi**2) / norm
        third = np.einsum("hz,z->h", weight, phi**3) / norm
        variance = second - mean**2
        return g, mean, variance, third - 3 * mean * second + 2 * mean**3


def _relu_cumulants(h: Float[np.ndarray, " fields"]):
    """From G = 1/2 + e^(h^2/2) Phi(h), whose derivatives are polynomials times its two pieces."""
    gaussian = 0.5 * h**2 + log_ndtr(h)
    g = np.logaddexp(math.log(0.5), gaussian)
    active = np.exp(gaussian - g)
    edge = np.exp(-g) / _SQRT_2PI
    first = h * active + edge
    second = (1 + h**2) * active + h * edge
    third = (3 * h + h**3) * active + (2 + h**2) * edge
    return g, first, second - first**2, third - 3 * first * second + 2 * first**3
