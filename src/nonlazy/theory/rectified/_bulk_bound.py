"""A proof that a minimum of the bulk's energy E(a; t) is the global one: branch and bound over all readout vectors."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from nonlazy.theory.rectified._classes import ClassProblem
from nonlazy.theory.rectified._single_input import SingleInput


# Cells that are looked at before the proof is given up: some seconds.
MOST_CELLS = 400_000
_SPACING, _LOWEST = 0.01, -60.0


class RangeMaximum:
    """The maximum of a tabulated function over any interval: a sparse table of maxima over 2^k nodes."""

    def __init__(self, values: Float[np.ndarray, " nodes"]):
        self.levels = [values]
        while 2 ** len(self.levels) <= values.size:
            last, half = self.levels[-1], 2 ** (len(self.levels) - 1)
            self.levels.append(np.maximum(last[:-half], last[half:]))
        self.padded = np.stack([np.pad(level, (0, values.size - level.size)) for level in self.levels])

    def __call__(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """max(values[first : last + 1]), elementwise."""
        level = np.floor(np.log2(last - first + 1)).astype(np.int64)
        return np.maximum(self.padded[level, first], self.padded[level, last + 1 - 2**level])


@dataclass(frozen=True, eq=False)
class BoundTables:
    """Upper bounds over intervals of h, for psi(h) = g(h) - [h]_+^2 / 2 and for g''(h).

    Between nodes psi lies below the larger of its two values plus spacing^2 / 8, because g is convex. g'' lies within
    spacing / 2 times the largest |g'''|, taken as twice the largest in the table.
    """

    h: Float[np.ndarray, " nodes"]
    g: Float[np.ndarray, " nodes"]
    psi: RangeMaximum
    curvature: RangeMaximum
    highest: float
    beyond: float

    def nodes(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last node of intervals [low, high]."""
        last = round((self.highest - _LOWEST) / _SPACING)
        first = np.clip(np.floor((low - _LOWEST) / _SPACING), 0, last).astype(np.int64)
        final = np.clip(np.ceil((np.minimum(high, self.highest) - _LOWEST) / _SPACING), 0, last).astype(np.int64)
        return first, np.maximum(first, final)

    def largest_psi(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Upper bound of psi on [low, high]; psi increases below 0, and `beyond` bounds it above the table."""
        bound = self.psi(*self.nodes(low, high)) + _SPACING**2 / 8
        return np.where(high > self.highest, np.maximum(bound, self.beyond), bound)

    def growth(self, single: SingleInput, h0: float) -> RangeMaximum:
        """Upper bounds of 2 B(h) / (h - h0)^2 around the nodes, where B = g(h) - g(h0) - g'(h0) (h - h0).

        Closer than 0.1 to h0 it is the largest g''. Farther, the chord of the convex B exceeds the nodes' largest value
        by a factor of at most 1 + spacing^2 / (4 (h - h0)^2), which is taken at the node with 3 in place of 4.
        """
        g, s, _, _ = (float(part[0]) for part in single.cumulants(np.array([h0])))
        distance = self.h - h0
        close = np.abs(distance) < 0.1 + _SPACING
        square = np.where(close, 1.0, distance**2)
        ratio = 2 * (self.g - g - s * distance) / square * (1 + _SPACING**2 / (3 * square))
        nearest = self.curvature(*self.nodes(np.array([h0 - 0.12]), np.array([h0 + 0.12])))
        return RangeMaximum(np.where(close, nearest, ratio))


@lru_cache(maxsize=4)
def bound_tables(single: SingleInput) -> BoundTables:
    """The tables of one activation function."""
    highest = 40.0
    if not single.is_relu:
        highest = 20.0
        while _tail(single.sharpness, highest) > 1e-7:
            highest *= 1.5
    h = np.arange(_LOWEST, highest + _SPACING, _SPACING)
    g, _, variance, third = single.cumulants(h)
    psi = g - 0.5 * np.maximum(h, 0.0) ** 2
    curvature = variance + _SPACING * float(np.max(np.abs(third)))
    beyond = float(psi[-1]) if single.is_relu else _tail(single.sharpness, highest)
    return BoundTables(h, g, RangeMaximum(psi), RangeMaximum(curvature), float(h[-1]), beyond)


def _tail(sharpness: float, h: float) -> float:
    """Upper bound of psi above h for softplus, decreasing in h: split at z = -h/2 and -h, with softplus(0) = log 2."""
    from scipy.special import log_ndtr

    excess = h * np.exp(-0.5 * sharpness * h) / sharpness
    jump = h * np.log(2.0) / sharpness
    return float(np.logaddexp(excess, np.logaddexp(jump + log_ndtr(-h / 2), jump - 0.5 * h**2)))


@dataclass(frozen=True, eq=False)
class _Cells:
    """Readout vectors r w with w in a box on the surface of the cube |w|_max = 1 and r in [near, far]."""

    centre: Float[np.ndarray, "cells m"]
    half: Float[np.ndarray, "cells m"]
    near: Float[np.ndarray, " cells"]
    far: Float[np.ndarray, " cells"]

    def take(self, keep: Bool[np.ndarray, " cells"]) -> "_Cells":
        return _Cells(self.centre[keep], self.half[keep], self.near[keep], self.far[keep])


def bulk_is_global(
    problem: ClassProblem, t: Float[np.ndarray, "C m"], a0: Float[np.ndarray, " m"], energy: float, slack: float = 1e-10
) -> bool:
    """Whether E(a; t) >= `energy` - `slack` is proved for all a, where a0 is a stationary point of that energy.

    Needs q(t) <= 1. A cell is settled by one of two bounds (docs/theory/rectified.md):

    - E(a) - E(a0) >= d^T (1 - sum_c rho_c beta_c t_c t_c^T) d / 2 with d = a - a0, where beta_c bounds how fast g grows
      above its tangent at a0 (`BoundTables.growth`): settled where the matrix has no negative eigenvalue;
    - E >= (|a|^2 - sum_c rho_c [a . t_c]_+^2) / 2 - sum_c rho_c psi(a . t_c), where the bracket is at least 0 on the
      ball.

    False says that the search was given up after MOST_CELLS cells, or found a lower point.
    """
    # The principal axes of the field: outliers differ most along the first ones.
    axes = np.linalg.svd(np.sqrt(problem.ratios)[:, None] * t, full_matrices=False)[2]
    t, a0 = t @ axes.T, axes @ a0
    bound = _Bound(problem, t, a0, energy - slack)
    cells, seen = _first_cells(t.shape[1]), 0
    while cells.near.size:
        # Depth first, so that memory stays small: the last cells are refined, the others wait.
        now, cells = (
            cells.take(np.arange(cells.near.size) >= cells.near.size - 20_000),
            cells.take(np.arange(cells.near.size) < cells.near.size - 20_000),
        )
        seen += now.near.size
        if seen > MOST_CELLS:
            return False
        open_cells = now.take(~bound.settles(now))
        if open_cells.near.size:
            if bound.lower_point(open_cells):
                return False
            parts = (cells, *_split(open_cells))
            cells = _Cells(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("centre", "half", "near", "far")))
    return True


class _Bound:
    def __init__(self, problem: ClassProblem, t, a0, level: float):
        self.rho, self.t, self.level = problem.ratios, t, level
        self.tables = bound_tables(problem.single)
        self.h0 = t @ a0
        self.growth = [self.tables.growth(problem.single, float(h)) for h in self.h0]
        self.outer = np.einsum("c,cr,cs->crs", problem.ratios, t, t)
        self.bend = max(0.0, float(np.linalg.eigvalsh(self.outer.sum(axis=0))[-1]) - 1.0)

    def settles(self, cells: _Cells) -> Bool[np.ndarray, " cells"]:
        middle = cells.centre @ self.t.T
        spread = cells.half @ np.abs(self.t).T
        near, far = cells.near[:, None], cells.far[:, None]
        with np.errstate(invalid="ignore"):
            low, high = middle - spread, middle + spread
            h_low = np.where(low == 0, 0.0, np.where(low > 0, near * low, far * low))
            h_high = np.where(high == 0, 0.0, np.where(high > 0, far * high, near * high))
        on = np.maximum(middle, 0.0)
        slack = np.sum(cells.centre**2, axis=1) - on**2 @ self.rho
        slope = 2 * np.abs(cells.centre - (on * self.rho) @ self.t)
        slack -= np.sum(slope * cells.half, axis=1) + self.bend * np.sum(cells.half**2, axis=1)
        outer = 0.5 * cells.near**2 * np.maximum(slack, 0.0) - self.tables.largest_psi(h_low, h_high) @ self.rho
        settled = outer >= self.level
        rest = np.flatnonzero(~settled)
        growth = self._largest_growth(h_low[rest], h_high[rest])
        largest = np.linalg.eigvalsh(np.einsum("kc,crs->krs", growth, self.outer))[:, -1]
        settled[rest] = largest <= 1.0
        return settled

    def _largest_growth(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        first, last = self.tables.nodes(low, high)
        bound = np.stack([growth(first[:, c], last[:, c]) for c, growth in enumerate(self.growth)], axis=1)
        return np.where((high > self.tables.highest) | (low < _LOWEST), np.maximum(bound, 1.05), bound)

    def lower_point(self, cells: _Cells) -> bool:
        """Whether the middle of a cell lies below the level."""
        r = np.where(np.isinf(cells.far), 2 * cells.near, 0.5 * (cells.near + cells.far))
        a = r[:, None] * cells.centre
        h = a @ self.t.T
        # Beyond the table g = h^2 / 2 up to what `beyond` bounds, and at most 0 below it.
        g = np.where(h > self.tables.highest, 0.5 * h**2, np.interp(h, self.tables.h, self.tables.g))
        g = g - _SPACING**2 / 6
        return bool(np.any(0.5 * np.sum(a**2, axis=1) - g @ self.rho < self.level))


def _first_cells(m: int) -> _Cells:
    radii = np.array([0.0, 1.0, 2.0, 4.0, 8.0, np.inf])
    faces = np.concatenate([np.eye(m), -np.eye(m)])
    half = np.concatenate([1.0 - np.eye(m)] * 2)
    count = radii.size - 1
    return _Cells(
        np.repeat(faces, count, axis=0),
        np.repeat(half, count, axis=0),
        np.tile(radii[:-1], 2 * m),
        np.tile(radii[1:], 2 * m),
    )


def _split(cells: _Cells) -> tuple[_Cells, _Cells]:
    """Each cell in two: along its radius or its widest side, whichever is relatively larger."""
    width = cells.half.max(axis=1, initial=0.0)
    thickness = np.where(
        np.isinf(cells.far),
        np.where(cells.near < 64.0, np.inf, 0.0),
        0.5 * (cells.far - cells.near) / np.maximum(cells.near, 0.5),
    )
    radial = (thickness > width) | (width == 0)
    middle = np.where(np.isinf(cells.far), 2 * cells.near, 0.5 * (cells.near + cells.far))
    side = cells.half.argmax(axis=1)
    half, shift = cells.half.copy(), np.zeros_like(cells.half)
    rows = np.flatnonzero(~radial)
    half[rows, side[rows]] *= 0.5
    shift[rows, side[rows]] = half[rows, side[rows]]
    return (
        _Cells(cells.centre - shift, half, cells.near, np.where(radial, middle, cells.far)),
        _Cells(cells.centre + shift, half, np.where(radial, middle, cells.near), cells.far),
    )
