"""From the class-level solution to a prediction in the network's own units."""

import math

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.rectified._ball import dual_ball
from nonlazy.theory.rectified._bulk_bound import MOST_CELLS, bulk_is_global
from nonlazy.theory.rectified._bulk_models import OrthogonalBulk, Prior
from nonlazy.theory.rectified._class_solver import Solved, lowest_bulk, solve_classes, without_vanished
from nonlazy.theory.rectified._classes import ClassProblem, ClassSolution, dual_value, primal_value
from nonlazy.theory.rectified._finite_size import BulkLaw, at_finite_size, bulk_law
from nonlazy.theory.rectified._fluctuations import outlier_widths
from nonlazy.theory.rectified._prediction import RectifiedPrediction
from nonlazy.theory.rectified._records import Bulk, Outliers
from nonlazy.theory.rectified._single_input import SingleInput
from nonlazy.theory.rectified._tasks import Reduced, by_class


_SLACK = 1e-10
# How far other directions may lie outside of the dual ball at finite size before an outlier counts as missing.
_BALL_SLACK = 1e-6


def predict_classes(posterior: Posterior, task: Reduced, finite_size: bool) -> RectifiedPrediction:
    """ReLU and softplus on mutually orthogonal inputs."""
    N, P = posterior.network.width, posterior.task.P
    unit = task.readout_unit * task.preactivation_unit
    sharpness = math.inf if posterior.network.phi.name == "relu" else task.preactivation_unit
    problem = ClassProblem(
        task.ratios, task.rows @ task.basis.T / unit, posterior.temperature / unit**2, SingleInput(sharpness)
    )
    solved = solve_classes(problem)
    certified, gap, words = certificate(problem, solved)
    solution = solved.solution
    if finite_size:
        solution = _finite(problem, solution, N, P)
        certified, words = _continued(solved.solution, solution, N, P, certified, words)
    weight = np.round(np.sum(solution.outliers**2, axis=1), 9)
    order = np.lexsort((np.argmax(solution.preactivations, axis=1), -weight))
    solution = ClassSolution(solution.field, solution.bulk, solution.outliers[order], solution.residual)
    law = bulk_law(problem, solution.field, solution.bulk, P if finite_size else None)
    energy = primal_value(problem, solution)
    if finite_size:
        energy = _finite_energy(problem, solution, law, N)
    return _in_own_units(posterior, task, problem, solution, law, finite_size, (energy, gap, certified, words))


def certificate(problem: ClassProblem, solved: Solved) -> tuple[bool, float, str]:
    """Whether the solution is proved to be the optimum, the duality gap, and the proof in words."""
    scale = max(1.0, float(np.max(np.abs(problem.targets))))
    if solved.solution.residual > 1e-9:
        return False, np.inf, f"the equations were not solved (residual {solved.solution.residual:.1e})"
    field = solved.solution.field / max(1.0, math.sqrt(solved.ball.norm))
    bulk, energy = lowest_bulk(problem, field, solved.solution.bulk, solved.ball)
    gap = max(0.0, primal_value(problem, solved.solution) - dual_value(problem, field, energy)) + _SLACK
    atoms = _sharing(solved.solution)
    ambiguous = ""
    if atoms:
        ambiguous = (
            f"; {atoms} outliers share their active classes, so that only the sum of abar abar^T over them is fixed: "
            "this split into outliers is one of many"
        )
    if not bulk_is_global(problem, field, bulk, energy, _SLACK):
        words = (
            "not proved: the dual ball holds on all sets of classes, but the bulk's branch and bound in "
            f"{field.shape[1]} dimensions found no proof within {MOST_CELLS} cells"
        )
        return False, gap, words + ambiguous
    sets = 2 ** len(problem.ratios)
    if gap > 1e-8 * scale:
        return False, gap, f"duality gap {gap:.1e}: a proved bound, but not that of an optimum" + ambiguous
    words = f"optimal to {gap:.0e}: dual ball enumerated over {sets} sets of classes, bulk by branch and bound"
    return True, gap, words + ambiguous


def _sharing(solution: ClassSolution) -> int:
    """How many outliers have the same active classes as another one."""
    active = [tuple(row) for row in solution.preactivations > 1e-9]
    return sum(active.count(pattern) > 1 for pattern in active)


def _continued(
    limit: ClassSolution, finite: ClassSolution, N: int, P: int, certified: bool, words: str
) -> tuple[bool, str]:
    """Whether the limit's proof carries over to finite size, and what to say."""
    n, left = len(limit.outliers), len(finite.outliers)
    if n != left:
        return False, (
            f"not proved at this size: outliers are {n} in the limit of large N and P ({words}), and {left} with the "
            f"corrections of first order for N = {N}, P = {P}, which are not small here"
        )
    if certified:
        words += f"; proved in the limit of large N and P, which this solution continues to N = {N}, P = {P}"
    return certified, words


def _finite(problem: ClassProblem, solution: ClassSolution, N: int, P: int) -> ClassSolution:
    """The solution at finite size, in the dual ball and without outliers whose weight vanished on the way."""
    finite = solution
    for _ in range(len(solution.outliers) + 1):
        n = len(finite.outliers)
        if n >= N:
            raise InvalidInput(
                f"width N = {N}: the solution has {n} outliers, which leaves no bulk; choose a larger N, "
                "or finite_size=False"
            )
        found = at_finite_size(problem, finite, N, P)
        if found is None or not np.all(np.isfinite(found.outliers)):
            break
        finite = without_vanished(problem, found)
        if len(finite.outliers) == n:
            if dual_ball(finite.field, problem.ratios).norm > 1 + _BALL_SLACK:
                break
            return finite
    raise InvalidInput(
        f"N = {N}, P = {P} is too small for corrections of first order in 1/N and 1/P: near the limit's solution "
        "their equations have none; choose larger sizes, or finite_size=False"
    )


def _finite_energy(problem: ClassProblem, solution: ClassSolution, law: BulkLaw, N: int) -> float:
    share = 1.0 - len(solution.outliers) / N
    silent = (solution.preactivations <= 1e-9) @ problem.ratios
    return dual_value(problem, solution.field, share * law.energy) + math.log(2.0) * float(np.sum(silent)) / N


def _in_own_units(
    posterior: Posterior,
    task: Reduced,
    problem: ClassProblem,
    solution: ClassSolution,
    law: BulkLaw,
    finite_size: bool,
    verdict: tuple[float, float, bool, str],
) -> RectifiedPrediction:
    P, groups = posterior.task.P, task.groups
    readout_unit, z_unit = task.readout_unit, task.preactivation_unit
    z = z_unit * solution.preactivations[:, groups]
    outliers = readout_unit * solution.outliers @ task.basis
    n, m = outliers.shape
    outside = np.eye(m) - task.basis.T @ task.basis
    covariance = np.zeros((m, m))
    if finite_size:
        covariance = readout_unit**2 * (task.basis.T @ law.covariance @ task.basis + outside / P)
    variances, covariances = np.zeros((n, P)), np.zeros((n, m, m))
    if finite_size:
        noise = _noise(problem, solution, law)[groups]
        for i in range(n):
            width, peak = outlier_widths(
                solution.field[groups],
                solution.outliers[i],
                solution.preactivations[i, groups],
                solution.preactivations[i, groups] > 1e-9,
                np.ones(P),
                noise,
            )
            variances[i] = z_unit**2 * width
            covariances[i] = readout_unit**2 * (task.basis.T @ peak @ task.basis + outside / P)
    energy, gap, certified, words = verdict
    field = solution.field / (readout_unit * z_unit)
    drive = (solution.field @ solution.bulk / z_unit)[groups]
    prior = Prior(posterior.network.phi.name, posterior.sigma2[0])
    return RectifiedPrediction(
        posterior=posterior,
        finite_size=finite_size,
        outliers=Outliers(outliers, by_class(posterior, z), np.sum(solution.outliers**2, axis=1)),
        bulk=Bulk(
            readout_unit * law.mean @ task.basis, by_class(posterior, z_unit * law.activation[groups]), covariance
        ),
        free_energy=energy,
        residual=solution.residual,
        gap=gap,
        certified=certified,
        certificate=words,
        field=field[groups] @ task.basis,
        sources=z / z_unit**2,
        bulk_model=OrthogonalBulk(
            prior, problem.single, z_unit, posterior.task.X, drive, _mean_drive(problem, solution, law)[groups] / z_unit
        ),
        correlation=(readout_unit / z_unit * solution.field[groups] @ law.covariance @ task.basis),
        peak_variance=variances,
        peak_covariance=covariances,
    )


def _mean_drive(problem: ClassProblem, solution: ClassSolution, law: BulkLaw) -> Float[np.ndarray, " C"]:
    """The field in which <phi> is the bulk's mean activation: Newton's method from the field at the peak."""
    h = solution.field @ solution.bulk
    for _ in range(30):
        _, s, variance, _ = problem.single.cumulants(h)
        h = h + np.clip((law.activation - s) / variance, -1.0, 1.0)
    return h


def _noise(problem: ClassProblem, solution: ClassSolution, law: BulkLaw) -> Float[np.ndarray, "C m m"]:
    """T + Var(phi) a0 a0^T + <phi^2> H^-1/P by class: how far the bulk lets a training output stray, times N."""
    _, s, variance, _ = problem.single.cumulants(solution.field @ solution.bulk)
    own = np.outer(solution.bulk, solution.bulk)
    second = variance + s**2
    floor = (problem.temperature + 1e-12) * np.eye(own.shape[0])
    return floor + variance[:, None, None] * own + second[:, None, None] * law.covariance
