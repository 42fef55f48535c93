"""The coding scheme along a path of tasks: targets y-, or temperature; where it changes, and where coding ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.sigmoidal._limit import Limit, solve_limit
from nonlazy.theory.sigmoidal._problem import ClassProblem, class_problem


if TYPE_CHECKING:
    import xarray

_BISECTION = 1e-7
_MOST_TEMPERATURE_STEPS = 60


@dataclass(frozen=True, eq=False)
class SchemeCurve:
    """The equilibrium scheme for P to infinity along a path.

    **Fields:**

    - `parameter`: what is varied, and `values` `(points,)`.
    - `codes`: names of all codes that occur. `fraction` `(points, codes)`: their shares, 0 where absent.
    - `free_energy`, `residual` `(points,)`; `certified` `(points,)`: proved by branch and bound.
    - `transitions`: values at which the set of codes changes, to 1e-7, between neighbouring points with different sets;
      `schemes`: the sets, one more than the transitions.
    """

    parameter: str
    values: Float[np.ndarray, " points"]
    codes: tuple[str, ...]
    fraction: Float[np.ndarray, "points codes"]
    free_energy: Float[np.ndarray, " points"]
    residual: Float[np.ndarray, " points"]
    certified: Bool[np.ndarray, " points"]
    transitions: tuple[float, ...]
    schemes: tuple[tuple[str, ...], ...]

    def to_xarray(self) -> "xarray.Dataset":
        """Fractions, free energy, residual and proof along the path, as an `xarray.Dataset`."""
        import xarray

        dim = {"y-": "y_minus", "T": "temperature"}.get(self.parameter, self.parameter)
        return xarray.Dataset(
            {
                "fraction": ((dim, "code"), self.fraction),
                "free_energy": (dim, self.free_energy),
                "residual": (dim, self.residual),
                "certified": (dim, self.certified),
            },
            coords={dim: self.values, "code": list(self.codes)},
            attrs={"transitions": list(self.transitions)},
        )

    def __str__(self) -> str:
        name = self.parameter
        lines = [f"{len(self.values)} points, {name} = {self.values[0]:g} .. {self.values[-1]:g}; P to infinity"]
        edges = ["", *(f"{value:.5f}" for value in self.transitions), ""]
        for k, scheme in enumerate(self.schemes):
            span = " < ".join(part for part in (edges[k], name, edges[k + 1]) if part)
            lines.append(f"  {span:<32} {', '.join(scheme)}")
        return "\n".join(lines)


def transitions(posterior: Posterior, y_minus: Sequence[float] | Float[np.ndarray, " points"]) -> SchemeCurve:
    """The coding scheme as the target y- of the other classes varies, the own class's target y+ kept.

    **Arguments:**

    - `posterior`: one for which `is_classwise` holds, with one-hot targets: y+ for the output of an input's class, y-
      for the others. Its own y- is not used.
    - `y_minus`: the values, in rising order, at least two.

    **Returns:** a `SchemeCurve`, with the transitions located between the points by bisection. Two changes between
    neighbouring points that undo each other go unnoticed.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    task = posterior.task
    own = np.zeros((task.P, task.m), dtype=bool)
    if task.labels.max() >= task.m:
        raise InvalidInput(
            f"labels go up to {task.labels.max()}, but there are m = {task.m} outputs: targets not one-hot"
        )
    own[np.arange(task.P), task.labels] = True
    if task.m < 2 or np.ptp(task.Y[own]) > 1e-12 or np.ptp(task.Y[~own]) > 1e-12:
        raise InvalidInput(
            "the targets are not one-hot (y+ for the own class, y- for the others): there is no y- to vary"
        )
    y_plus = float(task.Y[own][0])

    def problem_at(value: float) -> ClassProblem:
        return class_problem(replace(posterior, task=replace(task, Y=np.where(own, y_plus, value))))

    return _curve("y-", _rising("y_minus", y_minus), problem_at, posterior)


def fractions_by_temperature(
    posterior: Posterior, temperatures: Sequence[float] | Float[np.ndarray, " points"]
) -> SchemeCurve:
    """The coding scheme as the temperature varies, for P to infinity.

    **Arguments:** `posterior`: one for which `is_classwise` holds; `temperatures`: T >= 0 in rising order, at least
    two.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    values = _rising("temperatures", temperatures)
    if values[0] < 0:
        raise InvalidInput(f"temperatures start at {values[0]}: they must be 0 or more")
    return _curve("T", values, _at_temperature(posterior), posterior)


def critical_temperature(posterior: Posterior, tolerance: float = 1e-6) -> float:
    """T_c: the temperature above which all neurons have one and the same code, for P to infinity.

    Found from above, so that it is the highest temperature with more than one code, if coding does not come back within
    a factor 1.5 of temperature.

    **Arguments:** `posterior`: one for which `is_classwise` holds; its temperature is not used. `tolerance`: relative.

    **Raises:** `nonlazy.errors.InvalidInput` where one code is enough at every temperature (all targets parallel to one
    vector and of one sign, for example).
    """
    at = _at_temperature(posterior)
    base = at(0.0)
    high = float(np.max(np.sum(base.y**2, axis=1))) * base.scale**2
    limit = solve_limit(at(high), certify=False)
    while len(limit.wells) > 1:
        high *= 2.0
        limit = solve_limit(at(high), certify=False)
    low = high
    for _ in range(_MOST_TEMPERATURE_STEPS):
        low = low / 1.5
        limit = solve_limit(at(low), certify=False)
        if len(limit.wells) > 1:
            break
        high = low
    else:
        raise InvalidInput("one code is enough at every temperature: this task has no critical temperature")
    while high - low > tolerance * high:
        middle = 0.5 * (low + high)
        trial = solve_limit(at(middle), certify=False)
        low, high = (middle, high) if len(trial.wells) > 1 else (low, middle)
    return 0.5 * (low + high)


def _at_temperature(posterior: Posterior) -> Callable[[float], ClassProblem]:
    base = class_problem(posterior)
    s2 = base.scale**2
    return lambda temperature: replace(base, temperature=temperature / s2)


def _curve(parameter: str, values: np.ndarray, problem_at: Callable, posterior: Posterior) -> SchemeCurve:
    limits: list[Limit] = []
    problems = [problem_at(float(value)) for value in values]
    for problem in problems:
        limits.append(_next(problem, limits[-1] if limits else None))
    names = [_names(problem, limit) for problem, limit in zip(problems, limits, strict=True)]
    edges, schemes = [], [names[0]]
    for k in range(1, len(values)):
        if set(names[k]) != set(names[k - 1]):
            found = _located(problem_at, limits[k - 1], names[k - 1], names[k], values[k - 1], values[k])
            for edge, scheme in found:
                edges.append(edge)
                schemes.append(scheme)
    codes = tuple(sorted({name for row in names for name in row}, reverse=True))
    fraction = np.zeros((len(values), len(codes)))
    for k, limit in enumerate(limits):
        for name, share in zip(names[k], limit.weight / limit.weight.sum(), strict=True):
            fraction[k, codes.index(name)] += share
    return SchemeCurve(
        parameter=parameter,
        values=values,
        codes=codes,
        fraction=fraction,
        free_energy=np.array([limit.value for limit in limits]),
        residual=np.array([limit.residual for limit in limits]),
        certified=np.array([limit.bound.complete for limit in limits]),
        transitions=tuple(edges),
        schemes=tuple(tuple(sorted(set(scheme), reverse=True)) for scheme in schemes),
    )


def _located(problem_at, near: Limit, first, last, low, high, depth: int = 0) -> list[tuple[float, tuple[str, ...]]]:
    """The transitions between two points with different schemes, with the scheme that each leads to."""
    if high - low < _BISECTION or depth > 60:
        return [(0.5 * (low + high), last)]
    middle = 0.5 * (low + high)
    problem = problem_at(middle)
    limit = _next(problem, near, certify=False)
    between = _names(problem, limit)
    if set(between) == set(first):
        return _located(problem_at, limit, first, last, middle, high, depth + 1)
    if set(between) == set(last):
        return _located(problem_at, near, first, last, low, middle, depth + 1)
    return _located(problem_at, near, first, between, low, middle, depth + 1) + _located(
        problem_at, limit, between, last, middle, high, depth + 1
    )


def _next(problem: ClassProblem, near: Limit | None, certify: bool = True) -> Limit:
    """The optimum of a problem from that of its neighbour: Newton's method first, the ascent where that fails."""
    if near is None or near.t.shape != problem.y.shape:
        return solve_limit(problem, certify=certify)
    return solve_limit(problem, near.t, near.wells.readout, certify=certify, warm=near)


def _names(problem: ClassProblem, limit: Limit) -> tuple[str, ...]:
    return tuple("-".join("1" if on else "0" for on in row) for row in problem.active(limit.wells.activation))


def _rising(name: str, values) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all() or np.any(np.diff(values) <= 0):
        raise InvalidInput(f"{name} must be at least two finite numbers in rising order; got {values.tolist()}")
    return values
