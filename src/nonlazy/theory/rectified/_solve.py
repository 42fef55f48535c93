"""Solves a rectified network with one hidden layer."""

import math

import numpy as np

from nonlazy.activations import BUILTIN
from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.rectified._class_prediction import predict_classes
from nonlazy.theory.rectified._data_prediction import MOST_UNKNOWNS, predict_data
from nonlazy.theory.rectified._prediction import RectifiedPrediction
from nonlazy.theory.rectified._requ_data import MOST_UNKNOWNS as MOST_SQUARED_UNKNOWNS
from nonlazy.theory.rectified._requ_prediction import predict_squared
from nonlazy.theory.rectified._tasks import Reduced, reduced


SOLVED = ("relu", "softplus", "requ")


def solve_rectified(posterior: Posterior, finite_size: bool = True, fractions=None) -> RectifiedPrediction:
    """One hidden layer of rectified neurons: how many outliers there are, what they code, and the bulk.

    **Arguments:**

    - `posterior`: of a non-lazy network with one hidden layer and activation "relu", "softplus" or "requ".
    - `finite_size`: at the network's own N and P: the bulk's fluctuations, N - n neurons in the bulk, and on general
      inputs only the outliers that pay for themselves at this N. False: the limit of large N and P.
    - `fractions`: must be None.

    Mutually orthogonal inputs of one length with few different targets (the toy task) are solved at class level, to
    rounding, with a proof of global optimality. On general inputs the bulk is taken to second order in its field, and
    optimality is searched for, not proved. Squared ReLU: the best of many starts.

    **Raises:** `nonlazy.errors.InvalidInput` where there is no theory, naming what there is;
    `nonlazy.errors.TheoryError` where general inputs are not solved to 1e-6.

    Source: van Meegen & Sompolinsky (2025), "Results"; docs/theory/rectified.md.
    """
    _check(posterior, finite_size, fractions)
    task = reduced(posterior)
    if posterior.network.phi.name == "requ":
        _check_squared(posterior, task)
        return predict_squared(posterior, task, finite_size)
    if task.class_level:
        return predict_classes(posterior, task, finite_size)
    _check_general(posterior, task)
    return predict_data(posterior, task, finite_size)


def _check(posterior: Posterior, finite_size: bool, fractions) -> None:
    network, name = posterior.network, posterior.network.phi.name
    baseline = "what exists for it is the Gaussian process baseline, nonlazy.theory.gaussian_process"
    if name not in SOLVED or network.phi is not BUILTIN[name]:
        raise InvalidInput(
            f"activation {name!r}: the theory of rectified networks covers {', '.join(SOLVED)}; "
            "sample this network with nonlazy.sample"
        )
    if network.readout != "non-lazy":
        raise InvalidInput(
            f"readout is {network.readout!r}: the theory of rectified networks is that of the non-lazy "
            f"readout; {baseline}"
        )
    if network.depth != 1:
        raise InvalidInput(
            f"depth is {network.depth}: the theory of rectified networks covers one hidden layer (depth=1); "
            f"{baseline}; or sample it with nonlazy.sample"
        )
    if fractions is not None:
        raise InvalidInput(
            "fractions were given, but a rectified network has no codes shared by many neurons: its outliers are "
            "decided by the solution; leave fractions=None"
        )
    if not isinstance(finite_size, bool | np.bool_):
        raise InvalidInput(f"finite_size is {finite_size!r}: choose True or False")
    if not np.any(posterior.task.Y):
        raise InvalidInput("all targets are 0: the network learns nothing, and there is nothing to solve")
    if not np.any(posterior.task.X):
        raise InvalidInput(
            "the numbers of all training inputs are 0: every preactivation is 0, whatever the weights, and there is "
            "nothing to solve; check how the inputs were preprocessed"
        )


def _check_squared(posterior: Posterior, task: Reduced) -> None:
    unknowns = posterior.task.P * (2 * len(task.basis) + 1)
    if not task.class_level and unknowns > MOST_SQUARED_UNKNOWNS:
        raise InvalidInput(
            f"P = {posterior.task.P} inputs with {len(task.basis)} independent outputs make {unknowns} unknowns or "
            f"more: on general inputs squared ReLU is solved up to {MOST_SQUARED_UNKNOWNS}; choose a smaller P, or "
            "activation='relu'"
        )


def _check_general(posterior: Posterior, task: Reduced) -> None:
    unknowns = posterior.task.P * len(task.basis)
    if unknowns > MOST_UNKNOWNS:
        raise InvalidInput(
            f"P = {posterior.task.P} inputs with {len(task.basis)} independent outputs make {unknowns} unknowns in the "
            f"dual field: general inputs are solved up to {MOST_UNKNOWNS}; choose a smaller P"
        )
    if not math.isfinite(posterior.temperature):
        raise InvalidInput(f"temperature is {posterior.temperature}: it must be finite")
