"""Other coding schemes that solve the equations, ranked by their free energy."""

import heapq
import itertools
from dataclasses import dataclass

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory._codes import Codes
from nonlazy.theory.sigmoidal._bound import Bound
from nonlazy.theory.sigmoidal._limit import Limit, equalise, residual, solve_limit
from nonlazy.theory.sigmoidal._problem import ClassProblem, class_problem, display_order
from nonlazy.theory.sigmoidal._quenched import saturated_field, wells_of
from nonlazy.theory.sigmoidal._wells import Wells


Code = tuple[int, ...]
_GOOD_RESIDUAL, _VANISHING = 1e-9, 1e-9
# The search gives up after so many sets of codes, and only drops codes where there are more classes than this.
_MOST_TRIALS, _MOST_LABELS = 400, 5


@dataclass(frozen=True, eq=False, repr=False)
class Scheme:
    """A coding scheme: codes with fractions that solve the task, for P to infinity.

    **Fields:**

    - `codes`: its codes.
    - `free_energy`: per neuron and training input. `excess`: how far it lies above the best scheme; its probability is
      exp(-N P excess) relative to that.
    """

    codes: Codes
    free_energy: float
    excess: float

    def __repr__(self) -> str:
        return f"Scheme({self})"

    def __str__(self) -> str:
        return f"{', '.join(self.codes.names)}: {self.excess:.4g} above the best, per neuron and training input"


def alternative_schemes(posterior: Posterior, count: int = 8) -> tuple[Scheme, ...]:
    """The `count` best coding schemes for P to infinity, the equilibrium one first.

    A scheme is a set of codes with fractions that solve the task, every code a local minimum of the energy in the field
    that they make, and all equally deep. In the best scheme no other readout is deeper. The others are metastable:
    leaving one takes a time that grows exponentially with P. Fractions that are frozen at other values cost more than
    the ones given here (`fractions=` of `nonlazy.theory.solve`).

    The search tries the sets of few codes, where there are up to three classes, and drops, exchanges and adds codes of
    the best schemes found. It is not a proof that there are no others.

    **Arguments:**

    - `posterior`: one for which `is_classwise` holds.
    - `count`: how many schemes, 1 or more; fewer where the search finds not as many.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise InvalidInput(f"count is {count!r}: it must be a whole number, 1 or more")
    problem = class_problem(posterior)
    best = solve_limit(problem)
    first = _patterns(problem, best.wells)
    queue: list[tuple[float, int, Limit]] = [(best.value, 0, best)]
    asked = {first}
    found: list[Limit] = []

    def ask(codes: frozenset[Code], near: Limit) -> None:
        if codes in asked or len(asked) > _MOST_TRIALS:
            return
        asked.add(codes)
        solved = _with_codes(problem, near, codes)
        if solved is not None:
            heapq.heappush(queue, (solved.value, len(asked), solved))

    for codes in _small_sets(problem):
        ask(codes, best)
    while queue and len(found) < count:
        _, _, limit = heapq.heappop(queue)
        found.append(limit)
        for codes in _neighbours(_patterns(problem, limit.wells), problem):
            ask(codes, limit)
    return tuple(_scheme(posterior, problem, limit, limit.value - best.value) for limit in found)


def _small_sets(problem: ClassProblem) -> list[frozenset[Code]]:
    """For up to three classes, all sets of as many codes as the targets have dimensions, or one or two more."""
    codes = _likely_codes(problem)
    if not codes or len(codes) > 8:
        return []
    sizes = range(problem.rank, min(problem.rank + 2, len(codes)) + 1)
    return [frozenset(chosen) for size in sizes for chosen in itertools.combinations(codes, size)]


def _neighbours(codes: frozenset[Code], problem: ClassProblem) -> list[frozenset[Code]]:
    """Sets of codes that differ by one code dropped, exchanged or added."""
    others = [code for code in _likely_codes(problem) if code not in codes]
    ordered = sorted(codes)
    dropped = [codes - {code} for code in ordered] if len(codes) > problem.rank else []
    exchanged = [(codes - {out}) | {into} for out in ordered for into in others]
    added = [codes | {code} for code in others]
    return dropped + exchanged + added


def _likely_codes(problem: ClassProblem) -> list[Code]:
    labels = np.flatnonzero(problem.label_share.sum(axis=1) > 0)
    if labels.size > _MOST_LABELS:
        return []
    codes = []
    for subset in itertools.product((0, 1), repeat=labels.size):
        code = np.zeros(len(problem.label_share), dtype=int)
        code[labels] = subset
        codes.append(tuple(int(on) for on in code))
    return codes


def _with_codes(problem: ClassProblem, near: Limit, codes: frozenset[Code]) -> Limit | None:
    """The scheme with exactly these codes, or None where it is not found."""
    ordered = sorted(codes)
    even = np.full(len(ordered), 1.0 / len(ordered))
    for t in (near.t, *(saturated_field(problem, ordered, even, share) for share in (0.03, 0.1, 0.2))):
        wells = wells_of(problem, t, ordered)
        solved = equalise(problem, t, wells.readout, even) if isinstance(wells, Wells) else None
        if solved is None:
            continue
        t, wells, weight = solved
        missed = residual(problem, t, wells, weight)
        if weight.min() > _VANISHING and missed < _GOOD_RESIDUAL and _patterns(problem, wells) == codes:
            value = problem.linear_part(t) + float(wells.energy.min())
            return Limit(t, wells, weight, wells[:0], value, missed, Bound(np.inf, 0, False), True)
    return None


def _ordered_patterns(problem: ClassProblem, wells: Wells) -> list[Code]:
    return [tuple(int(on) for on in row) for row in problem.active(wells.activation)]


def _patterns(problem: ClassProblem, wells: Wells) -> frozenset[Code]:
    return frozenset(_ordered_patterns(problem, wells))


def _scheme(posterior: Posterior, problem: ClassProblem, limit: Limit, excess: float) -> Scheme:
    return Scheme(
        codes=_codes(posterior, problem, limit.wells, limit.weight),
        free_energy=limit.value,
        excess=excess,
    )


def _codes(posterior: Posterior, problem: ClassProblem, wells: Wells, weight: np.ndarray) -> Codes:
    """The wells as a record of codes, the largest fraction first."""
    active = problem.active(wells.activation)
    order = display_order(weight, active)
    return Codes(
        readout=problem.scale * wells.readout[order] @ problem.basis,
        fraction=weight[order] / weight.sum(),
        activation=problem.by_label(wells.activation[order], float(problem.neuron.mean(np.zeros(1))[0])),
        active=active[order],
        class_names=posterior.task.class_names,
    )
