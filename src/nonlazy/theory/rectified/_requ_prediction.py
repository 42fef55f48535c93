"""From the squared-ReLU solution to a prediction in the network's own units."""

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.rectified._bulk_models import Prior, gaussian
from nonlazy.theory.rectified._prediction import RectifiedPrediction
from nonlazy.theory.rectified._records import Bulk, Outliers
from nonlazy.theory.rectified._requ import STARTS, solve_squared
from nonlazy.theory.rectified._tasks import Reduced, by_class


class PriorBulk:
    """The bulk at leading order: neurons of the prior, phi(z) = max(0, z)^2."""

    def __init__(self, prior: Prior, X: np.ndarray):
        self.prior, self.X = prior, X

    def mean(self, X: np.ndarray) -> np.ndarray:
        """<phi> = variance / 2."""
        return 0.5 * self.prior.variance(X)

    def covariance(self, X1: np.ndarray, X2: np.ndarray) -> np.ndarray:
        """The arccosine kernel of degree 2 (Cho & Saul 2009) minus the product of the means."""
        size = np.outer(self.prior.variance(X1), self.prior.variance(X2))
        overlap = self.prior.overlap(X1, X2)
        cosine = np.clip(np.divide(overlap, np.sqrt(size), out=np.zeros_like(size), where=size > 0), -1.0, 1.0)
        angle = np.arccos(cosine)
        shape = 3 * np.sin(angle) * cosine + (np.pi - angle) * (1 + 2 * cosine**2)
        return size * shape / (2 * np.pi) - np.outer(self.mean(X1), self.mean(X2))

    def density(self, grid: np.ndarray, members: np.ndarray) -> np.ndarray:
        """N(z; 0, sigma_1^2 |x|^2 / N0)."""
        return gaussian(grid[:, None], 0.0, self.prior.variance(self.X[members])).mean(axis=1)


def predict_squared(posterior: Posterior, task: Reduced, finite_size: bool) -> RectifiedPrediction:
    """Squared ReLU on mutually orthogonal inputs, to leading order in N: its bulk is that of the prior."""
    N, P = posterior.network.width, posterior.task.P
    readout_unit, z_unit = task.readout_unit, task.preactivation_unit
    unit = readout_unit * z_unit**2
    # The remainder is T t with t of order N^(-1/3): at infinite N the targets are met at every temperature.
    temperature = posterior.temperature / unit**2 * N ** (-1 / 3) if finite_size else 0.0
    solution = solve_squared(task.ratios, task.rows @ task.basis.T / unit, temperature)
    if solution is None:
        raise InvalidInput(
            f"none of {STARTS} starts led to a solution of the squared-ReLU equations for these targets: sample this "
            "network with nonlazy.sample, or choose activation='relu'"
        )
    n, m = len(solution.outliers), posterior.task.m
    if finite_size and n >= N:
        raise InvalidInput(f"width N = {N}: the solution has {n} outliers, which leaves no bulk; choose a larger N")
    z = solution.preactivations[:, task.groups]
    share = np.eye(m) * posterior.sigma_a2 if finite_size else np.zeros((m, m))
    covariances, variances = np.tile(share, (n, 1, 1)), np.full((n, P), z_unit**2 * float(finite_size))
    outliers = readout_unit * solution.outliers @ task.basis
    words = (
        f"best of {STARTS} starts, {solution.reached} of them reached it; squared ReLU has no convex dual, so a better "
        "solution is not excluded"
    )
    prior = Prior("requ", posterior.sigma2[0])
    model = PriorBulk(prior, posterior.task.X)
    return RectifiedPrediction(
        posterior=posterior,
        finite_size=finite_size,
        outliers=Outliers(outliers, by_class(posterior, z_unit * z), np.sum(solution.outliers**2, axis=1), 1 / 3),
        bulk=Bulk(np.zeros(m), by_class(posterior, model.mean(posterior.task.X)), share),
        free_energy=solution.energy,
        residual=solution.residual,
        gap=np.inf,
        certified=False,
        certificate=words,
        field=solution.field[task.groups] @ task.basis / unit,
        sources=z / z_unit,
        bulk_model=model,
        correlation=np.zeros((P, m)),
        peak_variance=variances,
        peak_covariance=covariances,
    )
