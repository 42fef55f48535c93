"""From the solution on general inputs to a prediction in the network's own units."""

import math

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.rectified._active_sets import ABOVE, DataSolution
from nonlazy.theory.rectified._bulk_models import CumulantBulk, Prior
from nonlazy.theory.rectified._data_problem import DataProblem, bulk_of_field, data_problem
from nonlazy.theory.rectified._data_solver import DataSolved, solve_data
from nonlazy.theory.rectified._fluctuations import outlier_widths
from nonlazy.theory.rectified._prediction import RectifiedPrediction
from nonlazy.theory.rectified._records import Bulk, Outliers
from nonlazy.theory.rectified._tasks import Reduced


# Newton's method holds a dense matrix of this size: 290 MB.
MOST_UNKNOWNS = 6000


def predict_data(posterior: Posterior, task: Reduced, finite_size: bool) -> RectifiedPrediction:
    """ReLU and softplus on general inputs."""
    X, N, unit = posterior.task.X, posterior.network.width, task.readout_unit
    prior = Prior(posterior.network.phi.name, posterior.sigma2[0])
    problem = data_problem(
        prior.overlap(X, X),
        posterior.task.Y @ task.basis.T / unit,
        posterior.temperature / unit**2,
        prior.mean(X),
        prior.covariance(X, X),
    )
    solved = solve_data(problem, N if finite_size else None)
    solution, P, m = solved.solution, problem.P, posterior.task.m
    n = len(solution.outliers)
    if finite_size and n >= N:
        raise InvalidInput(
            f"width N = {N}: the solution has {n} outliers, which leaves no bulk; choose a larger N, "
            "or finite_size=False"
        )
    order = np.argsort(-np.sum(solution.outliers**2, axis=1), kind="stable")
    bulk = bulk_of_field(problem, solution.field)
    if bulk is None:
        raise InvalidInput(
            "the search on these inputs ended at a field in which the bulk's energy has no minimum in its second-order "
            "approximation: choose a higher temperature"
        )
    energy, inside = solved.energy, task.basis.T @ task.basis
    covariance, outside = np.zeros((m, m)), (np.eye(m) - inside) / P
    if finite_size:
        covariance = unit**2 * (task.basis.T @ np.linalg.inv(bulk[1]) @ task.basis / P + outside)
        energy += float(np.linalg.slogdet(bulk[1])[1]) / (2 * P) - n / N * bulk[2]
        energy += math.log(2.0) * float(np.mean(solution.sets != ABOVE, axis=1).sum()) / N
    variances, covariances = np.zeros((n, P)), np.zeros((n, m, m))
    if finite_size:
        variances, peaks = _widths(problem, solution, np.linalg.inv(bulk[1]) / P)
        covariances = unit**2 * (task.basis.T @ peaks @ task.basis + outside)
    return RectifiedPrediction(
        posterior=posterior,
        finite_size=finite_size,
        outliers=Outliers(
            unit * solution.outliers[order] @ task.basis,
            solution.preactivations[order],
            np.sum(solution.outliers[order] ** 2, axis=1),
        ),
        bulk=Bulk(unit * solution.bulk @ task.basis, solution.activation, covariance),
        free_energy=energy,
        residual=solution.residual,
        gap=max(0.0, solved.gap),
        certified=False,
        certificate=_words(solved, N if finite_size else None),
        field=solution.field @ task.basis / unit,
        sources=solution.sources[order],
        bulk_model=CumulantBulk(prior, X, solution.field @ solution.bulk),
        correlation=np.zeros((P, m)),
        peak_variance=variances[order],
        peak_covariance=covariances[order],
    )


def _widths(problem: DataProblem, solution: DataSolution, readout_covariance: np.ndarray):
    variance = np.diag(problem.covariance)
    own = np.outer(solution.bulk, solution.bulk)
    second = variance + solution.activation**2
    noise = problem.temperature * np.eye(problem.m) + variance[:, None, None] * own
    noise = noise + second[:, None, None] * readout_covariance
    prior = np.diag(problem.kernel)
    parts = [
        outlier_widths(solution.field, a, z, sets == ABOVE, prior, noise)
        for a, z, sets in zip(solution.outliers, solution.preactivations, solution.sets, strict=True)
    ]
    P, m = problem.P, problem.m
    variances = np.array([part[0] for part in parts]).reshape(len(parts), P)
    return variances, np.array([part[1] for part in parts]).reshape(len(parts), m, m)


def _words(solved: DataSolved, N: int | None) -> str:
    if solved.solution.residual > 1e-6:
        return (
            f"not solved: the active sets of the outliers did not settle (residual {solved.solution.residual:.1e}); "
            "a higher temperature is easier"
        )
    excess = math.sqrt(solved.norm) - 1
    text = f"not proved, the dual ball was searched and not enumerated: largest violation found {excess:.1e}"
    text += f"; if there is no larger one, the energy lies at most {max(0.0, solved.gap):.1e} above the limit's optimum"
    if N is not None and excess > 1e-4:
        text += f"; further outliers that were tried gain less than they cost at N = {N}"
    return text
