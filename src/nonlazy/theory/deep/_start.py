"""Where the ascent begins, and how it gets to given fractions."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.theory.deep._ascent import NotConverged, climb, climb_nested
from nonlazy.theory.deep._class_kernel import ClassKernel, packed
from nonlazy.theory.deep._problem import ClassProblem
from nonlazy.theory.deep._readout_layer import Composition, MissingWell, ReadoutLayer, solve_readout
from nonlazy.theory.deep._saturated import saturated_codes
from nonlazy.theory.deep._site import gaussian_nodes, sigmoid
from nonlazy.theory.deep._state import Accuracy, State, state_at


_CLASS_PART = 0.045
_STRENGTHS = (0.5, 0.25)


def coded_kernel(problem: ClassProblem, strength: float = 1.0) -> ClassKernel:
    """The kernel of a first layer whose neurons lean towards every code but 0..0 and 1..1, equally often."""
    C = problem.C
    nodes, weights = gaussian_nodes(40)
    spread = float(weights @ sigmoid(np.sqrt(problem.first_variance) * nodes) ** 2) - 0.25
    same = -1.0 / (2 ** (C - 1) - 1) if C > 1 else 0.0
    leaning = np.full((C, C), same) + (1 - same) * np.eye(C)
    share = min(strength * _CLASS_PART * 12 * spread, 0.8 * spread)
    return ClassKernel(0.25 + share * leaning + 1e-4 * np.eye(C), np.full(C, spread - 0.3 * share))


def equilibrium(problem: ClassProblem, accuracy: Accuracy) -> State:
    """The equilibrium of two or three hidden layers.

    **Raises:** `NotConverged`.
    """
    if problem.depth == 2:
        return _two_layers(problem, accuracy)
    return _three_layers(problem, accuracy)


def _two_layers(problem: ClassProblem, accuracy: Accuracy) -> State:
    if not np.any(problem.targets < 0):
        return _cold(problem, accuracy)

    # Targets that are nowhere negative have few codes, and a wide basin.
    def at(reach: float) -> ClassProblem:
        return replace(problem, targets=np.where(problem.targets < 0, reach, 1.0) * problem.targets)

    return _followed(at, _cold(at(0.0), accuracy), accuracy, "the targets", 0.34)


def _three_layers(problem: ClassProblem, accuracy: Accuracy) -> State:
    """From two layers: their inputs' covariance is moved from the identity to what a first layer's kernel gives."""
    two = replace(problem, weight_variances=problem.weight_variances[1:])
    state = _two_layers(two, accuracy)
    below, first = state.hidden[0].kernel, state.tilts[0]
    sigma2, own = problem.weight_variances[0], problem.first_variance

    def at(reach: float) -> ClassProblem:
        block = reach * sigma2 * below.block + 1e-7 * np.eye(problem.C)
        excess = (1 - reach) * own + reach * sigma2 * below.excess
        return replace(two, input_covariance=ClassKernel(block, excess))

    state = _followed(at, state, accuracy, "the inputs' kernel", 0.1)
    tilts = np.stack([first, state.tilts[0]])
    return climb_nested(problem, state_at(problem, tilts, state.readout.t, accuracy), accuracy)


def _followed(at: Callable[[float], ClassProblem], state: State, accuracy: Accuracy, what: str, length: float) -> State:
    """Continuation from `at(0)`, which `state` solves, to `at(1)`."""
    done = 0.0
    while done < 1:
        reach = min(1.0, done + length)
        try:
            there = state_at(at(reach), state.tilts, state.readout.t, accuracy)
            state = climb(at(reach), there, accuracy, damping=1e-2, most_steps=8)
            done, length = reach, 1.5 * length
        except (NotConverged, np.linalg.LinAlgError) as error:
            length /= 2
            if length < 0.01:
                raise NotConverged(f"continuation in {what} stopped {done:.0%} of the way: {error}") from None
    return state


def _cold(problem: ClassProblem, accuracy: Accuracy) -> State:
    t = saturated_codes(problem, problem.temperature).t
    kernel = coded_kernel(problem)
    above = solve_readout(problem, kernel, t, accuracy.deeper, tolerance=accuracy.tolerance)
    asked = problem.weight_variances[-1] * packed(*above.backward())
    reasons = []
    for strength in _STRENGTHS:
        try:
            return climb(problem, state_at(problem, strength * asked[None], above.t, accuracy), accuracy)
        except (NotConverged, np.linalg.LinAlgError) as error:
            reasons.append(str(error))
    raise NotConverged("; ".join(reasons))


def composition_of(fractions: Mapping[tuple[int, ...], float], C: int) -> Composition:
    """Checked fractions.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    if not isinstance(fractions, Mapping) or not fractions:
        raise InvalidInput(
            f"fractions is {fractions!r}: give a mapping from codes to shares, such as "
            "{(1, 1, 0): 0.6, (0, 0, 1): 0.4}"
        )
    codes, shares = [], []
    for code, share in fractions.items():
        bits = tuple(int(bit) for bit in code)
        if len(bits) != C or not set(bits) <= {0, 1}:
            raise InvalidInput(f"fractions holds the code {code!r}: a code has one 0 or 1 for each of the {C} classes")
        if not 0 <= share <= 1:
            raise InvalidInput(f"fractions gives the code {code!r} a share of {share!r}: it must lie between 0 and 1")
        if share > 0:
            codes.append(bits)
            shares.append(float(share))
    if not abs(sum(shares) - 1) <= 1e-6:
        raise InvalidInput(f"fractions sum to {sum(shares):.6g}: they must sum to 1")
    return Composition(np.array(codes, dtype=float), np.array(shares) / sum(shares))


def towards(problem: ClassProblem, state: State, goal: Composition, accuracy: Accuracy) -> State:
    """From an equilibrium to the quenched solution at the fractions `goal`, moved there in steps.

    **Raises:** `NotConverged`.
    """
    codes, shares = _fractions_of(state.readout)
    names = np.unique(np.concatenate([codes, goal.codes]), axis=0)
    begin, end = _on(names, codes, shares), _on(names, goal.codes, goal.fractions)
    # A code that the equilibrium lacks enters with a share that moves nothing.
    begin = np.where((end > 0) & (begin < 1e-4), 1e-4, begin)
    begin = np.where(begin < 1e-4, 0.0, begin) / np.sum(np.where(begin < 1e-4, 0.0, begin))
    done, length = 0.0, 0.5
    while done < 1:
        reach = min(1.0, done + length)
        share = (1 - reach) * begin + reach * end
        composition = Composition(names[share > 0], share[share > 0])
        try:
            there = state_at(problem, state.tilts, state.readout.t, accuracy, None, composition)
            if there.readout.error > 1e-5:
                raise NotConverged(f"readout equations missed by {there.readout.error:.2g}")
            state = climb(problem, there, accuracy, composition)
            done, length = reach, 1.5 * length
        except (NotConverged, MissingWell, np.linalg.LinAlgError) as error:
            length /= 2
            if length < 0.02:
                what = f"code {error} has no well of its own" if isinstance(error, MissingWell) else str(error)
                raise NotConverged(f"stopped {done:.0%} of the way to these fractions: {what}") from None
    return state


def _fractions_of(readout: ReadoutLayer) -> tuple[Float[np.ndarray, "n C"], Float[np.ndarray, " n"]]:
    activation = np.exp(readout.well_weight).T @ readout.site.mean
    codes, inverse = np.unique((activation > 0.5).astype(float), axis=0, return_inverse=True)
    return codes, np.bincount(inverse.reshape(-1), weights=readout.share, minlength=len(codes))


def _on(names: np.ndarray, codes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return np.array([float(shares[np.all(codes == name, axis=1)].sum()) for name in names])
