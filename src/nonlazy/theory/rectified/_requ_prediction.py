"""From the squared-ReLU solution to a prediction in the network's own units."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.rectified._bulk_models import Prior, gaussian
from nonlazy.theory.rectified._prediction import RectifiedPrediction
from nonlazy.theory.rectified._records import Bulk, Outliers
from nonlazy.theory.rectified._requ import STARTS, solve_squared
from nonlazy.theory.rectified._requ_data import (
    STARTS as DATA_STARTS,
    SquaredData,
    solve_squared_data,
)
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


@dataclass(frozen=True, eq=False)
class _Found:
    """A solution by training input, in the network's units but for the readouts' scale N^(1/3).

    **Fields:** `readout` `(n, m)`; `weight` `(n,)`; `preactivation` `(n, columns)`; `sources` `(n, P)`; `field` `(P,
    m)`; `variance`: of a preactivation on each training input, `(P,)`; `energy`, `residual`, `certificate`.
    """

    readout: Float[np.ndarray, "n m"]
    weight: Float[np.ndarray, " n"]
    preactivation: Float[np.ndarray, "n columns"]
    sources: Float[np.ndarray, "n P"]
    field: Float[np.ndarray, "P m"]
    variance: Float[np.ndarray, " P"]
    energy: float
    residual: float
    certificate: str


def predict_squared(posterior: Posterior, task: Reduced, finite_size: bool) -> RectifiedPrediction:
    """Squared ReLU, to leading order in N: its bulk is that of the prior."""
    found = (_by_class if task.class_level else _by_input)(posterior, task, finite_size)
    N, (n, m) = posterior.network.width, found.readout.shape
    if finite_size and n >= N:
        raise InvalidInput(f"width N = {N}: the solution has {n} outliers, which leaves no bulk; choose a larger N")
    share = np.eye(m) * posterior.sigma_a2 if finite_size else np.zeros((m, m))
    model = PriorBulk(Prior("requ", posterior.sigma2[0]), posterior.task.X)
    return RectifiedPrediction(
        posterior=posterior,
        finite_size=finite_size,
        outliers=Outliers(found.readout, found.preactivation, found.weight, 1 / 3),
        bulk=Bulk(np.zeros(m), by_class(posterior, model.mean(posterior.task.X)), share),
        free_energy=found.energy,
        residual=found.residual,
        gap=np.inf,
        certified=False,
        certificate=found.certificate,
        field=found.field,
        sources=found.sources,
        bulk_model=model,
        correlation=np.zeros((posterior.task.P, m)),
        peak_variance=np.tile(found.variance * float(finite_size), (n, 1)),
        peak_covariance=np.tile(share, (n, 1, 1)),
    )


def _temperature(posterior: Posterior, unit: float, finite_size: bool) -> float:
    # The remainder is T t with t of order N^(-1/3): at infinite N the targets are met at every temperature.
    return posterior.temperature / unit**2 * posterior.network.width ** (-1 / 3) if finite_size else 0.0


def _words(starts: int, reached: int) -> str:
    return (
        f"best of {starts} starts, {reached} of them reached it; squared ReLU has no convex dual, so a better "
        "solution is not excluded"
    )


def _by_class(posterior: Posterior, task: Reduced, finite_size: bool) -> _Found:
    z_unit, unit = task.preactivation_unit, task.readout_unit * task.preactivation_unit**2
    solution = solve_squared(task.ratios, task.rows @ task.basis.T / unit, _temperature(posterior, unit, finite_size))
    if solution is None:
        raise InvalidInput(
            f"none of {STARTS} starts led to a solution of the squared-ReLU equations for these targets: sample this "
            "network with nonlazy.sample, or choose activation='relu'"
        )
    z = solution.preactivations[:, task.groups]
    return _Found(
        task.readout_unit * solution.outliers @ task.basis,
        np.sum(solution.outliers**2, axis=1),
        by_class(posterior, z_unit * z),
        z / z_unit,
        solution.field[task.groups] @ task.basis / unit,
        np.full(posterior.task.P, z_unit**2),
        solution.energy,
        solution.residual,
        _words(STARTS, solution.reached),
    )


def _by_input(posterior: Posterior, task: Reduced, finite_size: bool) -> _Found:
    kernel, unit = Prior("requ", posterior.sigma2[0]).overlap(posterior.task.X, posterior.task.X), task.readout_unit
    values, vectors = np.linalg.eigh(kernel)
    keep = values > values[-1] * values.size * np.finfo(float).eps
    problem = SquaredData(
        vectors[:, keep] * np.sqrt(values[keep]),
        posterior.task.Y @ task.basis.T / unit,
        _temperature(posterior, unit, finite_size),
    )
    solution = solve_squared_data(problem)
    if solution is None:
        raise InvalidInput(
            f"none of {DATA_STARTS} starts led to a solution of the squared-ReLU equations on these inputs at T = "
            f"{problem.temperature:g} (T N^(-1/3), in units of P sigma_a^2): where targets ask for silent neurons the "
            "dual field grows without bound as T -> 0. Give a higher temperature with finite_size=True, sample this "
            "network with nonlazy.sample, or choose activation='relu'"
        )
    return _Found(
        unit * solution.outliers @ task.basis,
        np.sum(solution.outliers**2, axis=1),
        solution.preactivations,
        solution.sources,
        solution.field @ task.basis / unit,
        np.diag(kernel).copy(),
        solution.energy,
        solution.residual,
        _words(DATA_STARTS, solution.reached),
    )
