"""Solves a sigmoidal network at class level: from a posterior to its prediction."""

import math
from collections.abc import Mapping

import numpy as np

from nonlazy.posterior import Posterior
from nonlazy.theory._codes import Codes
from nonlazy.theory.sigmoidal._finite import ReadoutLaw, first_field, solve_finite, solve_finite_quenched
from nonlazy.theory.sigmoidal._limit import Limit, duality_gap, solve_limit
from nonlazy.theory.sigmoidal._prediction import SigmoidalPrediction
from nonlazy.theory.sigmoidal._problem import ClassProblem, class_problem, display_order
from nonlazy.theory.sigmoidal._quenched import checked_fractions, solve_quenched


_SOLVED = 1e-8
_SURE_SHARE = 1e-3


def solve_sigmoidal_classes(
    posterior: Posterior,
    finite_size: bool = True,
    fractions: Mapping[tuple[int, ...], float] | None = None,
) -> SigmoidalPrediction:
    """Codes, fractions and all that follows, for one hidden layer, bounded activation and orthogonal training inputs.

    **Arguments:**

    - `posterior`: one for which `is_classwise` holds. N does not enter: the theory is that of large N.
    - `finite_size`: the network's own P. False: the limit of large P at the task's shares of the classes.
    - `fractions`: None for equilibrium, or the codes' shares to hold fixed, `{(1, 1, 0): 0.6, (1, 0, 1): 0.4}`.

    **Raises:** `nonlazy.errors.InvalidInput` for another kind of network or task, for fractions that are no shares, and
    where a code of `fractions` is unstable.

    Source: van Meegen & Sompolinsky (2025), "Results"; docs/theory/sigmoidal.md.
    """
    problem = class_problem(posterior)
    shares = None if fractions is None else checked_fractions(fractions, posterior.task.classes)
    limit = solve_limit(problem)
    law = solve_finite(problem, first_field(problem, limit)) if finite_size else None
    if shares is None:
        return _equilibrium(posterior, problem, limit, law)
    frozen = solve_quenched(problem, shares, limit)
    if law is None:
        return _quenched(posterior, problem, frozen, None, frozen.value - limit.value)
    frozen_law = solve_finite_quenched(problem, frozen.t, frozen.wells, frozen.weight)
    return _quenched(posterior, problem, frozen, frozen_law, frozen_law.value - law.value)


def _equilibrium(
    posterior: Posterior, problem: ClassProblem, limit: Limit, law: ReadoutLaw | None
) -> SigmoidalPrediction:
    bound = limit.bound if law is None else law.bound
    residual = limit.residual if law is None else law.residual
    certified = bound.complete and residual < _SOLVED and (law is None or bound.above > 0)
    # Where codes touch, their fractions depend on where the nodes lie.
    certified = certified and (law is None or law.share_error < _SURE_SHARE)
    search = f"branch and bound over the readouts, {bound.boxes} boxes"
    if law is None:
        gap = problem.P * (bound.gap + duality_gap(problem, limit) + 10 * np.finfo(float).eps)
        words = f"optimal to {gap:.0e}: no other readout lowers the energy ({search})"
        if not bound.complete:
            words = f"best of {2 ** min(problem.C, 10)} starts, gap {gap:.1e} ({search}, then stopped)"
        if not limit.unique:
            words += "; the equations leave the fractions open, these are the limit of finite P"
    else:
        depth = problem.P * bound.above
        gap = problem.P * (law.value_error + 10 * np.finfo(float).eps) + math.exp(-depth)
        words = (
            f"optimal to {gap:.0e}: the free energy is concave, and no well is missed within "
            f"{depth:.0f}/P of the lowest ({search}); quadrature measured by a second rule"
        )
        if not bound.complete:
            words = f"best of {2 ** min(problem.C, 10)} starts: wells may be missed ({search}, then stopped)"
            gap = max(gap, problem.P * bound.gap)
        elif depth == 0:
            words = f"no readout is below the wells found, but higher wells may be missed ({search})"
    if law is not None and law.share_error >= _SURE_SHARE:
        words = f"codes touch: their fractions are known to {law.share_error:.0e} only; {words}"
    if residual >= _SOLVED:
        words = f"the equations are solved to {residual:.0e} only; {words}"
    return _prediction(posterior, problem, limit, law, "equilibrium", float(gap), certified, words)


def _quenched(
    posterior: Posterior, problem: ClassProblem, limit: Limit, law: ReadoutLaw | None, excess: float
) -> SigmoidalPrediction:
    words = (
        f"a solution at the fractions given, every code stable; {excess:.3g} above equilibrium, "
        "per neuron and training input"
    )
    return _prediction(posterior, problem, limit, law, "quenched", problem.P * excess, False, words)


def _prediction(posterior, problem, limit, law, ensemble, gap, certified, words) -> SigmoidalPrediction:
    if law is None:
        t, wells, weight = limit.t, limit.wells, limit.weight
        readout, activation = wells.readout, wells.activation
    else:
        t, wells, weight = law.t, law.wells, law.weight
        mean = problem.neuron.mean(law.readout @ t.T)
        members = law.membership()
        readout = members.T @ law.readout / weight[:, None]
        activation = members.T @ mean / weight[:, None]
    active = problem.active(wells.activation)
    order = display_order(weight, active)
    if law is not None:
        law = law.reordered(order)
    to_user = problem.scale * problem.basis
    return SigmoidalPrediction(
        posterior=posterior,
        finite_size=law is not None,
        ensemble=ensemble,
        codes=Codes(
            readout=readout[order] @ to_user,
            fraction=weight[order] / weight.sum(),
            activation=problem.by_label(activation[order], problem.neuron.mean(np.zeros(1))[0]),
            active=active[order],
            class_names=posterior.task.class_names,
        ),
        centres=wells.readout[order] @ to_user,
        dual_field=(t @ problem.basis / problem.scale)[problem.groups],
        free_energy=limit.value if law is None else law.value,
        residual=limit.residual if law is None else law.residual,
        quadrature_error=0.0 if law is None else law.quadrature_error,
        gap=gap,
        certified=certified,
        certificate=words,
        problem=problem,
        t=t,
        law=law,
    )
