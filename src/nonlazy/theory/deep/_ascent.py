"""Solves for the tilts: Newton steps on the defect, regularised towards the natural gradient of F.

The defect is the natural gradient of F in the tilts (docs/theory/deep.md, section 4): small steps along it climb. Plain
iteration has slopes of -10 to -60 and diverges.
"""

import numpy as np
from jaxtyping import Float

from nonlazy.theory.deep._problem import ClassProblem
from nonlazy.theory.deep._readout_layer import Composition, MissingWell
from nonlazy.theory.deep._state import Accuracy, State, state_at


_STEP = 1e-5


class NotConverged(Exception):
    """The ascent got stuck; the text says where."""


def climb(
    problem: ClassProblem,
    state: State,
    accuracy: Accuracy,
    composition: Composition | None = None,
    tolerance: float = 0.02,
    damping: float = 1.0,
    most_steps: int = 15,
    held: int = 0,
) -> State:
    """Newton ascent to a relative defect below `tolerance`, nodes fitted anew at every step.

    The tilts of the lowest `held` layers stay.

    **Raises:** `NotConverged`.
    """
    for _ in range(most_steps):
        if state.miss_above(held) < tolerance:
            return state
        jacobian = defect_jacobian(problem, state, accuracy, composition, held)
        moved = None
        while moved is None and damping < 1e7:
            # With several free layers the eigenvalues of the whole Jacobian do not tell a maximum: no shift.
            one = held == len(state.tilts) - 1
            step = damped_step(jacobian, state.defect[held:].reshape(-1), damping, one)
            tilts = state.tilts.copy()
            tilts[held:] += step.reshape(tilts[held:].shape)
            moved = _accepted(problem, state, tilts, accuracy, composition, held)
            damping = damping / 10 if moved is not None else 5 * max(damping, 1e-2)
        if moved is None:
            break
        state = moved
    if state.miss_above(held) < tolerance:
        return state
    raise NotConverged(f"relative defect {state.miss_above(held):.2g} at F = {state.value:.6g}")


def climb_nested(
    problem: ClassProblem, state: State, accuracy: Accuracy, tolerance: float = 0.02, most_steps: int = 20
) -> State:
    """As `climb` for three layers and more: the tilt of the first layer moves, and those above are solved each time.

    F is then a function of the first layer's kernel alone, and must rise.

    **Raises:** `NotConverged`.
    """
    damping, k = 0.1, state.tilts.shape[1]
    state = climb(problem, state, accuracy, tolerance=tolerance / 2, held=1)
    for _ in range(most_steps):
        if state.miss < tolerance:
            return state
        jacobian = defect_jacobian(problem, state, accuracy, None)
        own, rest = state.defect[0], state.defect[1:].reshape(-1)
        above = np.linalg.inv(jacobian[k:, k:])
        reduced = jacobian[:k, :k] - jacobian[:k, k:] @ above @ jacobian[k:, :k]
        moved = None
        while moved is None and damping < 1e5:
            first = damped_step(reduced, own - jacobian[:k, k:] @ above @ rest, damping)
            upper = -above @ (rest + jacobian[k:, :k] @ first)
            tilts = state.tilts + np.concatenate([first, upper]).reshape(state.tilts.shape)
            try:
                there = state_at(problem, tilts, state.readout.t, accuracy)
                there = climb(problem, there, accuracy, tolerance=tolerance / 2, held=1)
                closer = np.abs(there.defect[0]).max() < 0.9 * np.abs(own).max()
                moved = there if closer or there.value > state.value + 0.05 else None
            except (NotConverged, np.linalg.LinAlgError):
                moved = None
            damping = damping / 10 if moved is not None else 5 * max(damping, 1e-2)
        if moved is None:
            break
        state = moved
    raise NotConverged(f"relative defect {state.miss:.2g} at F = {state.value:.6g}")


def damped_step(jacobian: np.ndarray, defect: np.ndarray, damping: float, shifted: bool = True) -> np.ndarray:
    """A Newton step for small `damping`, one along the defect for large."""
    # Where F is not concave, the shift makes the step an ascent.
    shift = max(0.0, 1.2 * float(np.linalg.eigvals(jacobian).real.max())) if shifted else 0.0
    return np.linalg.solve((damping + shift) * np.eye(len(jacobian)) - jacobian, defect)


def polish(
    problem: ClassProblem,
    state: State,
    accuracy: Accuracy,
    composition: Composition | None = None,
    tolerance: float = 1e-8,
) -> tuple[State, Float[np.ndarray, "k k"]]:
    """Solves the equations of one quadrature rule to rounding, and fits its nodes to the solution.

    **Returns:** the state, and the Jacobian of the defect close to it.

    **Raises:** `NotConverged`.
    """
    fine = Accuracy(accuracy.first, accuracy.deeper, 1e-11)
    jacobian = np.zeros((0, 0))
    # Nodes that stay while a middle layer's law moves come to lie badly: they are fitted anew and the rest repeated.
    for _ in range(1 if len(state.tilts) == 1 else 3):
        fitted = state_at(problem, state.tilts, state.readout.t, fine, None, composition)
        state = state_at(problem, fitted.tilts, fitted.readout.t, fine, fitted.nodes, composition)
        jacobian = defect_jacobian(problem, state, fine, composition)
        state = _solved_on_nodes(problem, state, fine, composition, np.linalg.inv(jacobian), tolerance)
    return state, jacobian


def _solved_on_nodes(
    problem: ClassProblem,
    state: State,
    fine: Accuracy,
    composition: Composition | None,
    inverse: np.ndarray,
    tolerance: float,
) -> State:
    for _ in range(25):
        if state.miss < tolerance:
            return state
        step = -inverse @ state.defect.reshape(-1)
        tilts = state.tilts + step.reshape(state.tilts.shape)
        moved = state_at(problem, tilts, state.readout.t, fine, state.nodes, composition)
        change = inverse @ (moved.defect - state.defect).reshape(-1)
        # Broyden's update keeps the secant equation of this step.
        inverse = inverse + np.outer(step - change, step @ inverse) / float(step @ change)
        state = moved
    raise NotConverged(f"relative defect {state.miss:.2g} at F = {state.value:.6g}")


def is_maximum(jacobian: Float[np.ndarray, "k k"], layers: int) -> bool:
    """Whether F is a local maximum over the kernels of all lower layers: over each with those above it at theirs."""
    size = len(jacobian) // layers
    while len(jacobian) > size:
        top = jacobian[-size:, -size:]
        if np.linalg.eigvals(top).real.max() >= 0:
            return False
        jacobian = jacobian[:-size, :-size] - jacobian[:-size, -size:] @ np.linalg.solve(top, jacobian[-size:, :-size])
    return bool(np.linalg.eigvals(jacobian).real.max() < 0)


def defect_jacobian(
    problem: ClassProblem, state: State, accuracy: Accuracy, composition: Composition | None, held: int = 0
) -> Float[np.ndarray, "k k"]:
    """d defect / d tilts by differences, on the nodes of `state`, t following; without the lowest `held` layers."""
    tight = Accuracy(accuracy.first, accuracy.deeper, 1e-10)
    base = state_at(problem, state.tilts, state.readout.t, tight, state.nodes, composition)
    columns = []
    for l in range(held, len(state.tilts)):
        for k, entry in enumerate(state.tilts[l]):
            size = _STEP * max(0.1, abs(float(entry)))
            tilts = state.tilts.copy()
            tilts[l, k] += size
            moved = state_at(problem, tilts, base.readout.t, tight, state.nodes, composition)
            columns.append((moved.defect - base.defect)[held:].reshape(-1) / size)
    return np.array(columns).T


def _accepted(
    problem: ClassProblem,
    state: State,
    tilts: np.ndarray,
    accuracy: Accuracy,
    composition: Composition | None,
    held: int,
) -> State | None:
    try:
        moved = state_at(problem, tilts, state.readout.t, accuracy, None, composition)
    except (np.linalg.LinAlgError, MissingWell):
        return None
    if not (np.isfinite(moved.value) and moved.readout.error < 1e-5):
        return None
    smaller = moved.miss_above(held) < state.miss_above(held)
    # With one free layer F is a function of its kernel alone and must rise.
    climbs = len(tilts) == held + 1 and moved.value > state.value + 0.05
    return moved if smaller or climbs else None
