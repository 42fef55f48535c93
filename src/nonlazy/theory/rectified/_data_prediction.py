"""From the solution on general inputs to a prediction in the network's own units."""

import math

import numpy as np

from nonlazy.errors import InvalidInput, TheoryError
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
_SOLVED = 1e-6


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
    solved, width = _solved(problem, N if finite_size else None)
    solution, P, m = solved.solution, problem.P, posterior.task.m
    n = len(solution.outliers)
    if finite_size and n >= N:
        raise InvalidInput(
            f"width N = {N}: the solution has {n} outliers, which leaves no bulk; choose a larger N, "
            "or finite_size=False"
        )
    order = np.argsort(-np.sum(solution.outliers**2, axis=1), kind="stable")
    bulk = bulk_of_field(problem, solution.field)
    assert bulk is not None
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
        certificate=_words(solved, N if finite_size else None, width),
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


def _solved(problem: DataProblem, N: int | None) -> tuple[DataSolved, int | None]:
    """The solution, and the width at which its outliers had to pay: N, or larger ones where too few were left.

    Few outliers and a low temperature drive the field far out of the dual ball, to where the second-order bulk has no
    minimum or no active sets fit.
    """
    residual, bulk = np.inf, None
    for width in (None,) if N is None else (N, 4 * N, None):
        solved = solve_data(problem, width)
        residual, bulk = solved.solution.residual, bulk_of_field(problem, solved.solution.field)
        if residual < _SOLVED and bulk is not None:
            return solved, width
    if bulk is None:
        raise TheoryError(
            "the search on these inputs ended at a field in which the bulk's energy has no minimum to second order in "
            "the field, which is how far this theory goes on general inputs: choose a higher temperature"
        )
    raise TheoryError(
        f"on these inputs the active sets of the outliers did not settle: the equations are met to {residual:.1e} and "
        f"{_SOLVED:g} is promised; choose a higher temperature"
    )


def _words(solved: DataSolved, N: int | None, width: int | None) -> str:
    excess = math.sqrt(solved.norm) - 1
    text = f"not proved, the dual ball was searched and not enumerated: largest violation found {excess:.1e}"
    text += f"; if there is no larger one, the energy lies at most {max(0.0, solved.gap):.1e} above the limit's optimum"
    if width is not None and excess > 1e-4:
        text += f"; further outliers that were tried gain less than they cost at N = {width}"
    if N != width:
        kept = "infinite N" if width is None else f"N = {width}"
        text += f"; with only the outliers that pay at N = {N} there is no solution, so those that pay at {kept} stay"
    return text
