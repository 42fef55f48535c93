"""Given fractions of the codes, in the limit of large P: the field in which the network still learns its task.

    F(w) = max over t of sum_c rho_c (t_c . y_c - T |t_c|^2/2) + sum_g w_g E_g(t),

E_g(t) being the energy of the well of code g, which follows t. The energies are not equal then; their differences are
what equilibration would gain.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal._bound import Bound
from nonlazy.theory.sigmoidal._dual import dual_curvature
from nonlazy.theory.sigmoidal._limit import Limit
from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._wells import Wells, find_wells, follow, join


def checked_fractions(fractions: Mapping[tuple[int, ...], float], classes: int) -> dict[tuple[int, ...], float]:
    """The fractions above 0, which sum to 1 exactly.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    if not isinstance(fractions, Mapping) or not fractions:
        raise InvalidInput(
            f"fractions is {fractions!r}: give a mapping from codes to shares, such as "
            "{(1, 1, 0): 0.6, (1, 0, 1): 0.4}"
        )
    checked: dict[tuple[int, ...], float] = {}
    for code, share in fractions.items():
        if not isinstance(code, tuple) or len(code) != classes or any(on not in (0, 1) for on in code):
            raise InvalidInput(
                f"code {code!r}: a code is a tuple of {classes} numbers, 1 for each class that it activates"
            )
        try:
            number = float(share)
        except (TypeError, ValueError):
            raise InvalidInput(f"the fraction of code {_name(code)} is {share!r}: it must be a number") from None
        if not np.isfinite(number) or number < 0:
            raise InvalidInput(f"the fraction of code {_name(code)} is {share}: it must be 0 or more")
        if number > 0:
            checked[tuple(int(on) for on in code)] = number
    total = sum(checked.values())
    if abs(total - 1) > 1e-6:
        raise InvalidInput(f"the fractions sum to {total:.6g}: they must sum to 1")
    return {code: share / total for code, share in checked.items()}


def solve_quenched(problem: ClassProblem, fractions: Mapping[tuple[int, ...], float], equilibrium: Limit) -> Limit:
    """The limit of large P with these fractions; one code is one well, the lowest where several have the same classes.

    **Raises:** `nonlazy.errors.InvalidInput` where a code is no well: neurons in it would leave it.
    """
    codes, weight = list(fractions), np.array(list(fractions.values()))
    starts = [equilibrium.t, *(saturated_field(problem, codes, weight, share) for share in (0.08, 0.15, 0.03, 0.25))]
    best, missing = None, codes
    for t in starts:
        wells = wells_of(problem, t, codes)
        if not isinstance(wells, Wells):
            if len(wells) < len(missing):
                missing = wells
            continue
        solved = _newton(problem, t, wells, weight, codes)
        if isinstance(solved, list):
            missing = [codes[k] for k in solved]
            continue
        best = solved
        break
    if best is None:
        present = {_name(tuple(int(on) for on in row)) for row in problem.active(equilibrium.wells.activation)}
        raise InvalidInput(
            f"no solution was found with the fractions given at T = {problem.temperature * problem.scale**2:g}: code "
            f"{' and '.join(_name(code) for code in missing)} is unstable there, its neurons would turn to another "
            f"one. At this T equilibrium has {', '.join(sorted(present))}. Give the fractions of a chain at this "
            "temperature, or lower it"
        )
    t, wells = best
    missed = problem.y - problem.temperature * t - np.einsum("n,ncr->cr", weight, wells.moments())
    scale = max(float(np.max(np.abs(problem.y))), 1e-300)
    others = find_wells(problem, t, wells.readout)
    apart = np.max(np.abs(others.readout[:, None] - wells.readout[None]), axis=2).min(axis=1) > 1e-5
    value = problem.linear_part(t) + float(weight @ wells.energy)
    residual = float(np.max(np.abs(missed))) / scale
    return Limit(t, wells, weight, others[apart], value, residual, Bound(np.inf, 0, False), True)


def _newton(problem, t, wells, weight, codes) -> tuple[np.ndarray, Wells] | list[int]:
    """Newton's method in the field; the positions of the codes that got lost where it fails."""

    def missed_at(t, wells):
        moments = (problem.rho[:, None] * wells.moments()).reshape(len(wells), -1)
        return problem.pull(t).reshape(-1) - weight @ moments

    missed = missed_at(t, wells)
    value = problem.linear_part(t) + float(weight @ wells.energy)
    lost: list[int] = []
    for _ in range(200):
        error = float(np.max(np.abs(missed)))
        step = np.linalg.lstsq(dual_curvature(problem, t, wells, weight), missed, rcond=1e-13)[0].reshape(t.shape)
        reach = min(1.0, 2.0 / max(float(np.max(np.abs(step))), 1e-300))
        while reach > 1e-7:
            trial = t + reach * step
            there = follow(problem, trial, wells.readout)
            lost = _lost(problem, wells, there, codes)
            reached = problem.linear_part(trial) + float(weight @ there.energy)
            if not lost and reached >= value - 1e-13 * (1 + abs(value)):
                break
            reach *= 0.5
        else:
            return lost if lost else list(range(len(codes)))
        t, wells, value, missed = trial, there, reached, missed_at(trial, there)
        after = float(np.max(np.abs(missed)))
        if after < 1e-15 or (after < 1e-11 and after > 0.5 * error):
            return t, wells
    return list(range(len(codes)))


def _lost(problem, before: Wells, after: Wells, codes) -> list[int]:
    """Which codes are no minima any more, or activate other classes."""
    minimum = np.linalg.eigvalsh(after.curvature)[:, 0] > 0
    same = np.all(problem.active(after.activation) == np.array(codes, dtype=bool), axis=1)
    return [int(k) for k in np.flatnonzero(~(minimum & same))]


def wells_of(
    problem: ClassProblem, t: Float[np.ndarray, "C r"], codes: Sequence[tuple[int, ...]]
) -> Wells | list[tuple[int, ...]]:
    """The well of each code in the field t, or the codes without one."""
    wells = find_wells(problem, t)
    active = problem.active(wells.activation)
    found, missing = [], []
    for code in codes:
        members = np.flatnonzero(np.all(active == np.array(code, dtype=bool), axis=1))
        if members.size:
            found.append(wells[members[:1]])
        else:
            missing.append(code)
    if missing:
        return missing
    chosen = found[0]
    for part in found[1:]:
        chosen = join(chosen, part)
    return chosen


def saturated_field(
    problem: ClassProblem, codes: Sequence[tuple[int, ...]], weight: Float[np.ndarray, " n"], share: float
) -> Float[np.ndarray, "C r"]:
    """The field if the codes' activations missed the ends of their range by `share` of it."""
    neuron = problem.neuron
    present = problem.label_share
    on = np.array(codes, dtype=float) @ present / np.maximum(present.sum(axis=0), 1e-300)
    activation = neuron.low + (neuron.high - neuron.low) * (share + (1 - 2 * share) * on)
    overlap = np.einsum("n,nc,nd->cd", weight, activation, activation)
    system = overlap * problem.rho + (problem.temperature + 1e-6) * np.eye(problem.C)
    return np.linalg.lstsq(system, problem.y, rcond=1e-8)[0]


def _name(code: tuple[int, ...]) -> str:
    return "-".join(str(on) for on in code)
