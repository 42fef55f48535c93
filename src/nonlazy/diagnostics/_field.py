"""Free energies of the codes in the dual field of a chain."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from nonlazy.diagnostics._mcse import standard_error
from nonlazy.sampling import Run
from nonlazy.theory.sigmoidal import is_classwise
from nonlazy.theory.sigmoidal._problem import ClassProblem, class_problem
from nonlazy.theory.sigmoidal._wells import find_wells


class Weights(NamedTuple):
    """log Z_g of each code up to a constant, `(n,)`, and its derivative by the field, `(n, C, r)`; NaN where the code
    has no well."""

    log: Float[np.ndarray, " n"]
    slope: Float[np.ndarray, "n C r"]


def weights_in_field(
    problem: ClassProblem, t: Float[np.ndarray, "C r"], codes: Bool[np.ndarray, "n labels"]
) -> Weights:
    """What a field t gives each code.

        log Z_g = -P E(a_g; t) - 1/2 log det H_g,    E(a; t) = |a|^2/2 - sum_c rho_c g(a . t_c),

    at the well a_g of code g, summed over wells with the same code; H is the curvature of E. Neurons that can change
    their code in this field would share it in proportion to Z_g. The derivative is that of -P E at the lowest well,
    P rho_c g'(a . t_c) a.
    """
    wells = find_wells(problem, t)
    active = problem.active(wells.activation)
    each = -problem.P * wells.energy - 0.5 * np.linalg.slogdet(wells.curvature)[1]
    slopes = problem.P * np.einsum("c,nc,nr->ncr", problem.rho, wells.activation, wells.readout)
    log, slope = np.full(len(codes), np.nan), np.full((len(codes), *t.shape), np.nan)
    for k, code in enumerate(codes):
        mine = np.flatnonzero((active == code).all(axis=1))
        if mine.size:
            log[k] = np.logaddexp.reduce(each[mine])
            slope[k] = slopes[mine[np.argmax(each[mine])]]
    return Weights(log, slope)


def log_weights(
    run: Run, chain: int, codes: Bool[np.ndarray, "n labels"], discard: int = 0
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]] | None:
    """log Z_g of each code in the mean dual field t = <Y - f>/T of one chain, and its Monte Carlo error.

    t is averaged over draws and over the inputs of a group. None where the theory of classes does not hold, or T = 0.
    """
    posterior = run.posterior
    if posterior.temperature == 0 or not is_classwise(posterior):
        return None
    problem = class_problem(posterior)
    stored = run.tree["posterior_predictive"].to_dataset()["f"]
    outputs = stored.isel(chain=chain).values[discard:].astype(np.float64)
    member = (problem.groups[:, None] == np.arange(problem.C)) / np.bincount(problem.groups)
    errors_by_group = member.T @ (posterior.task.Y - outputs)
    t_draws = errors_by_group / posterior.temperature @ problem.basis.T * problem.scale
    t = t_draws.mean(axis=0)
    found = weights_in_field(problem, t, codes)
    moved = np.einsum("ncr,dcr->nd", found.slope, t_draws - t)
    errors = [standard_error(series[None]) if np.isfinite(series).all() else np.nan for series in moved]
    return found.log, np.array(errors)
