"""The bulk on any inputs: its mean activation, its kernel and its preactivations."""

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from nonlazy.theory.rectified._prior import gaussian_mean, prior_covariance, prior_mean
from nonlazy.theory.rectified._single_input import SingleInput


@runtime_checkable
class BulkModel(Protocol):
    """What a prediction asks of the bulk."""

    def mean(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, " inputs"]:
        """Mean of phi(z(x)) over the bulk, `(inputs,)`."""
        ...

    def covariance(
        self, X1: Float[np.ndarray, "inputs1 N0"], X2: Float[np.ndarray, "inputs2 N0"]
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """Covariance of phi(z(x1)) and phi(z(x2)) over the bulk."""
        ...

    def density(
        self, grid: Float[np.ndarray, " points"], members: Bool[np.ndarray, " P"]
    ) -> Float[np.ndarray, " points"]:
        """Density of the preactivations on some training inputs, averaged over them."""
        ...


@dataclass(frozen=True, eq=False)
class Prior:
    """phi under the prior of the preactivations: N(0, sigma_1^2 x.x' / N0)."""

    name: str
    weight_variance: float

    def overlap(
        self, X1: Float[np.ndarray, "inputs1 N0"], X2: Float[np.ndarray, "inputs2 N0"]
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """sigma_1^2 x1 . x2 / N0."""
        return self.weight_variance * (X1 @ X2.T) / X1.shape[1]

    def variance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, " inputs"]:
        """sigma_1^2 |x|^2 / N0."""
        return self.weight_variance * np.sum(X**2, axis=1) / X.shape[1]

    def mean(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, " inputs"]:
        """<phi(z(x))>."""
        return prior_mean(self.name, self.variance(X))

    def covariance(
        self, X1: Float[np.ndarray, "inputs1 N0"], X2: Float[np.ndarray, "inputs2 N0"]
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """Cov(phi(z(x1)), phi(z(x2)))."""
        return prior_covariance(self.name, self.variance(X1), self.variance(X2), self.overlap(X1, X2))


@dataclass(frozen=True, eq=False)
class CumulantBulk:
    """General inputs, second order in the bulk's field: <phi(z(x))> = <phi>_0 + Cov_0(phi(z(x)), phi(z)) . (t a0)."""

    prior: Prior
    X: Float[np.ndarray, "P N0"] = field(repr=False)
    drive: Float[np.ndarray, " P"] = field(repr=False)

    def mean(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, " inputs"]:
        """Mean of phi(z(x)) over the bulk."""
        return self.prior.mean(X) + self.prior.covariance(X, self.X) @ self.drive

    def covariance(
        self, X1: Float[np.ndarray, "inputs1 N0"], X2: Float[np.ndarray, "inputs2 N0"]
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """The prior's."""
        return self.prior.covariance(X1, X2)

    def density(
        self, grid: Float[np.ndarray, " points"], members: Bool[np.ndarray, " P"]
    ) -> Float[np.ndarray, " points"]:
        """Gaussians of the prior's variance, displaced to first order in the field: Cov(z, phi(z')) = K <phi'>."""
        inputs = self.X[members]
        variance = self.prior.variance(inputs)
        everywhere = self.prior.variance(self.X)
        step = 1e-4 * np.sqrt(everywhere)
        above, below = (gaussian_mean(self.prior.name, x, everywhere) for x in (step, -step))
        # An input of zeros has no preactivation that could be displaced.
        slope = np.divide(above - below, 2 * step, out=np.zeros_like(step), where=step > 0)
        mean = self.prior.overlap(inputs, self.X) @ (slope * self.drive)
        return gaussian(grid[:, None], mean, variance).mean(axis=1)


@dataclass(frozen=True, eq=False)
class OrthogonalBulk:
    """Mutually orthogonal training inputs of one length: their preactivations are independent, each in its field.

    z(x) = sum_mu c_mu z_mu + the part that the training inputs do not span. The one with the largest |c_mu| is
    averaged over exactly, the sum of the others as a Gaussian: exact on training inputs and on orthogonal ones. `drive`
    is the field t . a0 at the bulk's peak, `mean_drive` the one that has the mean over its fluctuations.
    """

    prior: Prior
    single: SingleInput
    scale: float
    X: Float[np.ndarray, "P N0"] = field(repr=False)
    drive: Float[np.ndarray, " P"] = field(repr=False)
    mean_drive: Float[np.ndarray, " P"] = field(repr=False)

    def mean(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, " inputs"]:
        """Mean of phi(z(x)) over the bulk."""
        c = self.prior.overlap(X, self.X) / self.scale**2
        z, laws, index = self._laws()
        mean, variance = (laws @ z)[index], (laws @ z**2)[index] - (laws @ z)[index] ** 2
        chief = np.argmax(np.abs(c), axis=1)
        rows = np.arange(len(X))
        own = c[rows, chief]
        others = c.copy()
        others[rows, chief] = 0.0
        left = np.maximum(self.prior.variance(X) / self.scale**2 - np.sum(c**2, axis=1), 0.0)
        left[left < 1e-12 * (1 + np.sum(c**2, axis=1))] = 0.0
        centre, spread = others @ mean, others**2 @ variance + left
        values = np.empty(len(X))
        for start in range(0, len(X), 500):
            part = slice(start, start + 500)
            points = self.scale * (own[part, None] * z + centre[part, None])
            spreads = np.broadcast_to(self.scale**2 * spread[part, None], points.shape)
            values[part] = np.sum(laws[index[chief[part]]] * gaussian_mean(self.prior.name, points, spreads), axis=1)
        return values

    def covariance(
        self, X1: Float[np.ndarray, "inputs1 N0"], X2: Float[np.ndarray, "inputs2 N0"]
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """The prior's, and exact where x1 and x2 are one training input."""
        covariance = self.prior.covariance(X1, X2)
        first, second = self._training_index(X1), self._training_index(X2)
        rows, columns = np.nonzero((first[:, None] == second[None, :]) & (first >= 0)[:, None])
        variance = self.single.cumulants(self.scale * self.drive)[2]
        covariance[rows, columns] = self.scale**2 * variance[first[rows]]
        return covariance

    def density(
        self, grid: Float[np.ndarray, " points"], members: Bool[np.ndarray, " P"]
    ) -> Float[np.ndarray, " points"]:
        """N(z; 0, kappa) e^(h phi(z)), normalised."""
        fields, count = np.unique(self.scale * self.drive[members], return_counts=True)
        densities = np.array([self.single.density(grid / self.scale, float(h)) for h in fields])
        return count @ densities / (count.sum() * self.scale)

    def _laws(self):
        """Nodes z, the weights of each distinct field's law on them, and which law each training input has."""
        fields, index = np.unique(np.round(self.scale * self.mean_drive, 13), return_inverse=True)
        x, w = np.polynomial.legendre.leggauss(60)
        top = 10.0 + max(0.0, float(fields.max()))
        z = np.concatenate([5.0 * (x - 1.0), 0.5 * top * (x + 1.0)])
        weights = np.concatenate([5.0 * w, 0.5 * top * w])
        laws = weights * np.array([self.single.density(z, float(h)) for h in fields])
        return z, laws / laws.sum(axis=1, keepdims=True), index

    def _training_index(self, X: Float[np.ndarray, "inputs N0"]) -> np.ndarray:
        c = self.prior.overlap(X, self.X) / self.scale**2
        chief = np.argmax(np.abs(c), axis=1)
        length = self.prior.variance(X) / self.scale**2
        exact = (np.abs(c[np.arange(len(X)), chief] - 1) < 1e-9) & (np.abs(length - 1) < 1e-9)
        return np.where(exact, chief, -1)


def gaussian(grid: np.ndarray, mean: np.ndarray | float, variance: np.ndarray | float) -> np.ndarray:
    """Density of N(mean, variance)."""
    return np.exp(-((grid - mean) ** 2) / (2 * variance)) / np.sqrt(2 * math.pi * variance)
