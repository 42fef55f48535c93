"""Nodes and weights for integrals over a neuron's readout, int da (P/2 pi)^(r/2) exp(-P E(a)) f(a).

All weights are positive, so the discretised free energy stays concave in the field. In up to six dimensions a
body-centred lattice, grown from the wells over all points where P (E - min E) is below a cut: exact up to terms like
exp(-2 pi^2 / spacing^2), because exp(-P E) is nowhere narrower than the prior. Above, quasi-random points around each
well.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._wells import Wells


# By dimension: spacing of the lattice in prior standard deviations, and the cut in units of P (E - min E).
_LATTICE = {1: (0.7, 36.0), 2: (0.75, 36.0), 3: (0.8, 34.0), 4: (0.95, 24.0), 5: (1.1, 18.0), 6: (1.2, 15.0)}
_COARSE = (1.25, 14.0)
_WIDER_CUT = 3.0
# Above this many lattice nodes, and for first rounds in as many dimensions, quasi-random ones.
_MOST_LATTICE_NODES, _COARSE_DIMENSION = {1: 10**6, 2: 10**6, 3: 10**6, 4: 150_000, 5: 60_000, 6: 60_000}, 5
_MOST_NODES = 4_000_000
_RANDOM_NODES = 60_000
_RANDOM_DEPTH = 16.0
_MOST_STEPS = 60


Rule = Literal["lattice", "random"]


@dataclass(frozen=True, eq=False)
class Nodes:
    """`readout` `(K, r)` and the logarithm of the weight of exp(-P E), `(K,)`."""

    readout: Float[np.ndarray, "K r"]
    log_weight: Float[np.ndarray, " K"]

    def __len__(self) -> int:
        return len(self.log_weight)


def choose_rule(problem: ClassProblem, wells: Wells) -> Rule:
    """A lattice where it takes few enough nodes."""
    r = problem.rank
    return "lattice" if r in _LATTICE and lattice_size(problem, wells) < _MOST_LATTICE_NODES[r] else "random"


def lattice_spacing(r: int) -> float:
    """Spacing of the lattice in prior standard deviations."""
    return _LATTICE[r][0]


def lattice_size(problem: ClassProblem, wells: Wells) -> float:
    """How many nodes a lattice takes: those in ellipsoids around the deep wells."""
    r = problem.rank
    if r not in _LATTICE:
        return math.inf
    spacing, cut = _LATTICE[r]
    height = np.maximum(cut - problem.P * (wells.energy - wells.energy.min()), 0.0)
    root = np.sqrt(np.maximum(np.linalg.det(wells.curvature), 1e-6))
    ball = math.pi ** (r / 2) / math.gamma(r / 2 + 1)
    return float(ball * np.sum((2 * height) ** (r / 2) / root) * 2.0 / (math.sqrt(2.0) * spacing) ** r)


def quadrature(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    wells: Wells,
    rule: Rule,
    variant: Literal["usual", "coarse", "other"] = "usual",
    within: int | None = None,
) -> Nodes:
    """Nodes for the law of the readouts in the field `t`.

    The `"other"` rule, shifted and with a wider cut, tells the error of the usual one. `within`: the basin of this well
    alone.
    """
    if rule == "random" or (variant == "coarse" and problem.rank >= _COARSE_DIMENSION):
        return _random_nodes(problem, wells, variant, within)
    spacing, cut = _LATTICE[problem.rank]
    offset = np.zeros(problem.rank)
    if variant == "coarse":
        spacing, cut = _COARSE
    elif variant == "other":
        offset, cut = np.random.default_rng(1).random(problem.rank), cut + _WIDER_CUT
    step = np.full(problem.rank, math.sqrt(2.0) * spacing / math.sqrt(problem.P))
    parts = [grow(problem, t, wells, step, offset + coset, np.eye(problem.rank), cut, within) for coset in (0.0, 0.5)]
    readout = np.concatenate(parts)
    log_cell = problem.rank * (0.5 * math.log(problem.P / (2 * math.pi)) + math.log(step[0])) - math.log(2.0)
    return Nodes(readout, np.full(len(readout), log_cell))


def depth_of_quadrature(problem: ClassProblem, rule: Rule) -> float:
    """Up to which P (E - min E) the nodes cover the readouts' law; beyond is about exp(-depth) of it."""
    return _LATTICE[problem.rank][1] if rule == "lattice" else _RANDOM_DEPTH


def grow(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    wells: Wells,
    step: Float[np.ndarray, " r"],
    offset: Float[np.ndarray, " r"],
    axes: Float[np.ndarray, "r r"],
    cut: float,
    within: int | None = None,
) -> Float[np.ndarray, "K r"]:
    """The lattice points a = ((k + offset) step) @ axes with P (E(a) - min E) < cut, from the wells outwards.

    `within`: only the points in the basin of this well, and min E its energy.
    """
    r = problem.rank
    floor = float(wells.energy.min() if within is None else wells.energy[within])
    deep = problem.P * (wells.energy - floor) < cut
    seeds = wells.readout[deep] if within is None else wells.readout[[within]]
    directions = np.concatenate([np.eye(r, dtype=np.int64), -np.eye(r, dtype=np.int64)])
    multipliers = np.random.default_rng(7).integers(1, 2**62, size=r, dtype=np.int64) | 1
    # The corners of the cell of every well: at small P one of them may lie beyond the cut.
    corners = np.stack(np.meshgrid(*[[0, 1]] * r, indexing="ij"), axis=-1).reshape(-1, r)
    base = np.floor(seeds @ axes.T / step - offset).astype(np.int64)
    frontier = _unique((base[:, None, :] + corners).reshape(-1, r), multipliers)[0]
    earlier, current = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    kept, count = [], 0
    while len(frontier):
        a = ((frontier + offset) * step) @ axes
        g = problem.neuron.log_average(a @ t.T)
        inside = problem.P * (0.5 * np.sum(a**2, axis=1) - g @ problem.rho - floor) < cut
        if within is not None:
            inside[inside] = basins(problem, t, wells, a[inside]) == within
        frontier, a = frontier[inside], a[inside]
        kept.append(a)
        count += len(a)
        if count > _MOST_NODES:
            raise InvalidInput(
                f"the readouts' law at P = {problem.P} in {r} dimensions needs more than {_MOST_NODES} quadrature "
                "nodes: use finite_size=False"
            )
        # In a lattice the neighbours of one layer lie in it, in the one before, or in the next.
        earlier, current = current, _keys(frontier, multipliers)
        neighbours, keys = _unique((frontier[:, None, :] + directions).reshape(-1, r), multipliers)
        new = ~(np.isin(keys, current) | np.isin(keys, earlier))
        frontier = neighbours[new]
    return np.concatenate(kept)


def basins(
    problem: ClassProblem, t: Float[np.ndarray, "C r"], wells: Wells, a: Float[np.ndarray, "K r"]
) -> Int[np.ndarray, " K"]:
    """Into which of the wells each readout descends: convex-concave steps until one of the wells is close."""
    code = np.zeros(len(a), dtype=np.int64)
    apart = np.linalg.norm(wells.readout[:, None] - wells.readout[None], axis=2)
    close = 0.2 * np.min(apart + np.diag(np.full(len(wells), np.inf)), axis=1) if len(wells) > 1 else np.array([np.inf])
    moving = np.arange(len(a))
    for _ in range(_MOST_STEPS):
        code[moving] = nearest = wells.nearest(a)
        far = np.linalg.norm(a - wells.readout[nearest], axis=1) > close[nearest]
        moving, a = moving[far], a[far]
        if not len(moving):
            break
        a = (problem.rho * problem.neuron.mean(a @ t.T)) @ t
    return code


def _random_nodes(problem: ClassProblem, wells: Wells, variant: str, within: int | None) -> Nodes:
    """Quasi-random Gaussian points around each deep well, in pairs, each kept where its own well is the nearest."""
    r, P = problem.rank, problem.P
    log_mass = -P * (wells.energy - wells.energy.min()) - 0.5 * np.linalg.slogdet(wells.curvature)[1]
    deep = np.flatnonzero(log_mass > log_mass.max() - _RANDOM_DEPTH) if within is None else np.array([within])
    total = _RANDOM_NODES // 10 if variant == "coarse" else _RANDOM_NODES
    count = int(np.clip(total // len(deep), 100, 20_000)) // 2
    # Additive recurrence with the powers of the generalised golden ratio.
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (r + 1))
    shift = np.random.default_rng(1 if variant == "other" else 0).random(r)
    uniform = (shift + np.outer(np.arange(1, count + 1), ratio ** -np.arange(1.0, r + 1))) % 1.0
    normal = scipy.special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
    normal = np.concatenate([normal, -normal])
    readout, log_weight = [], []
    for k in deep:
        values, vectors = np.linalg.eigh(wells.curvature[k])
        width = 1.2 / np.sqrt(P * np.maximum(values, 0.02))
        a = wells.readout[k] + (normal * width) @ vectors.T
        own = wells.nearest(a) == k
        log_density = -0.5 * np.sum(normal**2, axis=1) - np.sum(np.log(width)) - 0.5 * r * math.log(2 * math.pi)
        readout.append(a[own])
        log_weight.append(0.5 * r * math.log(P / (2 * math.pi)) - log_density[own] - math.log(len(normal)))
    return Nodes(np.concatenate(readout), np.concatenate(log_weight))


def _keys(points: Int[np.ndarray, "K r"], multipliers: Int[np.ndarray, " r"]) -> Int[np.ndarray, " K"]:
    # A hash that wraps around: a collision among millions of points has probability below 1e-5.
    return points @ multipliers


def _unique(points, multipliers) -> tuple[np.ndarray, np.ndarray]:
    keys, first = np.unique(_keys(points, multipliers), return_index=True)
    return points[first], keys
