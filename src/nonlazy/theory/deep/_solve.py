"""Solves a deep sigmoidal network on orthogonal inputs."""

from collections.abc import Mapping

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.deep._ascent import NotConverged, is_maximum, polish
from nonlazy.theory.deep._prediction import DeepSigmoidalPrediction
from nonlazy.theory.deep._problem import ClassProblem, class_problem
from nonlazy.theory.deep._quadrature import Rule, refined
from nonlazy.theory.deep._readout_layer import MissingWell
from nonlazy.theory.deep._start import composition_of, equilibrium, towards
from nonlazy.theory.deep._state import Accuracy, State, state_at


_COARSE = Accuracy()
# A middle layer's modes overlap: its integrals need more nodes.
_FINE = {depth: Accuracy(Rule(12, product=True), Rule(size), tolerance=1e-11) for depth, size in ((2, 11), (3, 12))}


def solve_deep(
    posterior: Posterior, finite_size: bool = True, fractions: Mapping[tuple[int, ...], float] | None = None
) -> DeepSigmoidalPrediction:
    """A sigmoidal network with two or three hidden layers on the toy task, at its own P and T.

    **Arguments:**

    - `posterior`: non-lazy readout, activation "sigmoid", orthogonal inputs of one length, one target vector a class,
      at most four classes and outputs, T > 0.
    - `finite_size`: must be True; `deep_limit` has the codes for large P.
    - `fractions`: shares of the feature layer's neurons to hold fixed by code, as `{(1, 1, 0): 0.6, ...}`: the quenched
      theory, the one to compare with a chain, whose feature neurons keep their codes. None: equilibrium.

    **Raises:** `nonlazy.errors.InvalidInput` for anything else, with the reason.
    """
    if not finite_size:
        raise InvalidInput(
            "finite_size=False: the lower layers of a deep sigmoidal network have no simple limit (their class means "
            "shrink with P, logarithmically slowly); nonlazy.theory.deep.deep_limit has the feature layer's codes, or "
            "keep finite_size=True"
        )
    problem = class_problem(posterior)
    if problem.depth > 3 or problem.depth < 2:
        raise InvalidInput(_DEPTH.format(depth=problem.depth))
    goal = None if fractions is None else composition_of(fractions, problem.C)
    try:
        state = equilibrium(problem, _COARSE)
        if goal is not None:
            state = towards(problem, state, goal, _COARSE)
        state, jacobian = polish(problem, state, _FINE[problem.depth], goal)
    except (NotConverged, MissingWell, np.linalg.LinAlgError) as error:
        hint = (
            "Often T is above the temperature at which the codes vanish, or P is small: lower T"
            if goal is None
            else "These fractions may be none that neurons can be frozen in: take a chain's own"
        )
        raise InvalidInput(
            f"no solution of the deep theory was found for {posterior} ({error}). {hint}, or sample this network with "
            "nonlazy.sample"
        ) from None
    return _prediction(posterior, problem, state, jacobian, goal)


_MOST_ERROR = 0.05
_DEPTH = (
    "depth is {depth}: the theory of deep sigmoidal networks is solved for two and three hidden layers (one: the "
    "redundant-coding theory of depth=1). Sample this network instead, with nonlazy.sample"
)


def _prediction(posterior: Posterior, problem: ClassProblem, state: State, jacobian, goal) -> DeepSigmoidalPrediction:
    rules = _FINE[problem.depth].doubled.rules(problem.depth)
    finer = tuple(refined(nodes, rule) for nodes, rule in zip(state.nodes, rules, strict=True))
    held = Accuracy(tolerance=np.inf)
    doubled = state_at(problem, state.tilts, state.readout.t, held, finer, goal)
    if doubled.miss > _MOST_ERROR:
        raise InvalidInput(
            f"the integrals of the deep theory are not accurate for {posterior}: twice the nodes move its equations by "
            f"{doubled.miss:.2g}, and {_MOST_ERROR:g} is allowed; sample this network with nonlazy.sample"
        )
    stable = is_maximum(jacobian, len(state.tilts))
    kind = "a local maximum of the evidence" if stable else "a saddle point of the evidence"
    scale = max(float(np.abs(problem.targets).max()), 1e-300)
    return DeepSigmoidalPrediction(
        posterior=posterior,
        ensemble="equilibrium" if goal is None else "quenched",
        free_energy=-state.value / problem.P,
        residual=max(state.readout.error / scale, state.miss),
        quadrature_error=max(doubled.readout.error / scale, doubled.miss),
        stable=stable,
        certificate=(
            f"{kind} over the lower layers' kernels, and the global optimum of the feature layer given them; "
            "better kernels elsewhere are not excluded"
        ),
        t=state.readout.t,
        problem=problem,
        state=state,
    )
