"""A proof that no well was missed: branch and bound over the readouts.

With h_c = a . t_c, E(a) = |a|^2/2 - sum_c rho_c g(h_c). Boxes of (h_1 .. h_C) are discarded by one of four arguments:

- *no stationary point*: the global minimum satisfies h_c = sum_c' t_c . t_c' rho_c' g'(h_c'), and g' is monotone, so a
  box shrinks to where both sides can be equal, possibly to nothing;
- *no minimum*: E curves downwards in some direction all over the box;
- *bound*: for every beta, E >= -|sum_c beta_c t_c|^2/2 + sum_c min over the interval of beta_c h - rho_c g(h), and the
  inner minimum lies at an end of the interval, because -g is concave;
- *convex*: in the box around a well where E is convex, the well is the minimum.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._wells import Wells, descend


_BATCH = 4096
# The third cumulant of a number in an interval of length 1 is at most 1 / (6 sqrt 3), and at most its variance.
_THIRD_CUMULANT = 0.0963
_FEWEST_CELLS, _MOST_CELLS, _CELL = 500, 40_000, 0.02


@dataclass(frozen=True)
class Bound:
    """What the search proved: min E >= lowest well - `gap`, and no unknown well lies lower than `above` over it.

    `boxes` it looked at; `complete`: none was left over, else the second statement is open; `missed`: an unknown well,
    where one turned up.
    """

    gap: float
    boxes: int
    complete: bool
    above: float = 0.0
    missed: Float[np.ndarray, " r"] | None = None


def bound_energy(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    wells: Wells,
    above: float = 0.0,
    tolerance: float = 1e-10,
    most_boxes: int = 200_000,
) -> Bound:
    """A bound on how far any readout lies below the lowest of the `wells`, which are all that are known.

    Unknown wells are ruled out up to `above` over the lowest one. Boxes whose bound is within `tolerance` of that level
    are closed. Where `most_boxes` do not suffice, the gap is that of the worst box left over.
    """
    lowest = float(wells.energy.min())
    target = lowest + above
    gram = t @ t.T
    pull = gram * problem.rho
    up, down = np.maximum(pull, 0), np.minimum(pull, 0)
    low, high = problem.neuron.low, problem.neuron.high
    margin = 1e-9 * (1.0 + np.sum(np.abs(pull), axis=1) * max(abs(low), abs(high)))
    root_low = up.sum(axis=1) * low + down.sum(axis=1) * high - margin
    root_high = up.sum(axis=1) * high + down.sum(axis=1) * low + margin
    curvature = _curvature_table(problem, root_low, root_high)
    convex_low, convex_high = _convex_boxes(problem, t, wells, curvature)
    pool_low, pool_high, pool_bound = root_low[None], root_high[None], np.array([-np.inf])
    boxes, worst = 0, 0.0
    while len(pool_low):
        if boxes >= most_boxes:
            return Bound(max(worst, lowest - float(pool_bound.min())), boxes, False, above)
        l, u = pool_low[-_BATCH:], pool_high[-_BATCH:]
        pool_low, pool_high, pool_bound = pool_low[:-_BATCH], pool_high[:-_BATCH], pool_bound[:-_BATCH]
        boxes += len(l)
        alive = np.ones(len(l), dtype=bool)
        for _ in range(3):
            b_low, b_high = problem.neuron.mean(l), problem.neuron.mean(u)
            l = np.maximum(l, b_low @ up.T + b_high @ down.T - margin)
            u = np.minimum(u, b_high @ up.T + b_low @ down.T + margin)
            alive &= np.all(l <= u, axis=1)
            u = np.maximum(l, u)
        alive &= ~_inside(l, u, convex_low, convex_high)
        l, u = l[alive], u[alive]
        if not len(l):
            continue
        bound, loss, split = _relax(problem, gram, l, u)
        closed = bound >= target - tolerance
        if closed.any():
            worst = max(worst, lowest - float(bound[closed].min()))
        closed |= _curved_down(problem, t, curvature, l, u)
        l, u, bound, loss, split = (part[~closed] for part in (l, u, bound, loss, split))
        if not len(l):
            continue
        # Boxes that stay open may hide a well that the search for wells has missed.
        deepest = np.argsort(bound)[:4]
        reached = descend(problem, t, (problem.rho * problem.neuron.mean(split[deepest])) @ t)
        unknown = np.max(np.abs(reached.readout[:, None] - wells.readout[None]), axis=2).min(axis=1) > 1e-5
        unknown &= (reached.energy < target - tolerance) & (np.linalg.eigvalsh(reached.curvature)[:, 0] > 0)
        if unknown.any():
            return Bound(np.inf, boxes, False, above, reached.readout[unknown][0])
        rows = np.arange(len(l))
        along = np.argmax(loss, axis=1)
        width = u[rows, along] - l[rows, along]
        at = np.clip(split[rows, along], l[rows, along] + 0.2 * width, u[rows, along] - 0.2 * width)
        left, right = u.copy(), l.copy()
        left[rows, along], right[rows, along] = at, at
        pool_low = np.concatenate([pool_low, l, right])
        pool_high = np.concatenate([pool_high, left, u])
        pool_bound = np.concatenate([pool_bound, bound, bound])
    return Bound(worst, boxes, True, above)


def _relax(problem, gram, l, u) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bound of each box, by coordinate ascent in beta; how much each coordinate loses, and where."""
    g = problem.neuron.log_average(np.stack([l, u])) * problem.rho
    width = np.maximum(u - l, 1e-300)
    chord = (g[1] - g[0]) / width
    beta = chord.copy()
    h = beta @ gram
    own = np.diag(gram)
    for _ in range(3):
        for c in range(problem.C):
            if own[c] <= 0:
                continue
            at_chord = h[:, c] + (chord[:, c] - beta[:, c]) * own[c]
            best = chord[:, c] + (np.clip(at_chord, l[:, c], u[:, c]) - at_chord) / own[c]
            h += (best - beta[:, c])[:, None] * gram[c]
            beta[:, c] = best
    h = beta @ gram
    ends = np.minimum(beta * l - g[0], beta * u - g[1])
    bound = -0.5 * np.sum(beta * h, axis=1) + ends.sum(axis=1)
    inside = np.clip(h, l, u)
    loss = beta * inside - problem.rho * problem.neuron.log_average(inside) - ends
    middle = 0.5 * (l + u)
    # A coordinate that loses nothing at the relaxed point may still be the one that is undecided.
    curvature_loss = 1e-3 * problem.rho * width
    return bound, np.maximum(loss, 0) + curvature_loss * 1e-3, np.where(loss > 1e-12, inside, middle)


def _inside(l, u, convex_low, convex_high) -> Bool[np.ndarray, " boxes"]:
    inside = np.zeros(len(l), dtype=bool)
    for low, high in zip(convex_low, convex_high, strict=True):
        inside |= np.all((l >= low) & (u <= high), axis=1)
    return inside


@dataclass(frozen=True, eq=False)
class _Curvature:
    """g'' on a grid of every h_c.

    **Fields:** `grid` `(C, points)`; `most` `(C, points)`: an upper bound of g'' up to the next points; `least`
    `(windows, C, points)`: lower bounds on the 2^k cells from a point on.
    """

    grid: Float[np.ndarray, "C points"]
    most: Float[np.ndarray, "C points"]
    least: Float[np.ndarray, "windows C points"]

    @property
    def cells(self) -> int:
        return self.grid.shape[1] - 1


def _curvature_table(problem, root_low, root_high) -> _Curvature:
    neuron = problem.neuron
    spread, width = neuron.high - neuron.low, root_high - root_low
    cells = int(np.clip(np.ceil(np.max(width) * spread / _CELL), _FEWEST_CELLS, _MOST_CELLS))
    grid = root_low[:, None] + width[:, None] * np.linspace(0, 1, cells + 1)
    value = neuron.cumulants(grid)[2]
    additive = (_THIRD_CUMULANT * spread**3 * width / cells)[:, None]
    factor = np.exp(spread * width / cells)[:, None]
    windows = [np.maximum(value - additive, value / factor)]
    while 2 ** len(windows) <= cells:
        half, last = 2 ** (len(windows) - 1), windows[-1]
        windows.append(np.minimum(last, np.concatenate([last[:, half:], last[:, -1:].repeat(half, axis=1)], axis=1)))
    return _Curvature(grid, np.minimum(value + additive, value * factor), np.stack(windows))


def _curved_down(problem, t, curvature: _Curvature, l, u) -> Bool[np.ndarray, " boxes"]:
    """Where the Hessian of E has a negative eigenvalue all over the box."""
    low, windows = curvature.grid[:, 0], curvature.least
    cell = curvature.cells / (curvature.grid[:, -1] - low)
    first = np.clip(np.floor((l - low) * cell).astype(int), 0, curvature.cells)
    last = np.clip(np.ceil((u - low) * cell).astype(int), 0, curvature.cells)
    level = np.floor(np.log2(last - first + 1)).astype(int)
    column = np.arange(problem.C)
    least = np.minimum(windows[level, column, first], windows[level, column, last - 2**level + 1])
    least = np.maximum(least, 0.0)
    hessian = np.eye(t.shape[1]) - np.einsum("kc,ci,cj->kij", problem.rho * least, t, t, optimize=True)
    return np.linalg.eigvalsh(hessian)[:, 0] < -1e-12


def _convex_boxes(problem, t, wells, curvature: _Curvature) -> tuple[np.ndarray, np.ndarray]:
    """For every well, a box around it in which E is convex: where each g'' stays below a threshold.

    The thresholds lie between g'' at the well and its largest value, all at the same share, as high as they can be with
    sum_c rho_c threshold_c t_c t_c^T < 1.
    """
    C, grid, most = problem.C, curvature.grid, curvature.most
    root_low, root_high = grid[:, 0], grid[:, -1]
    largest = most.max(axis=1)
    lows, highs = [], []
    for h in wells.readout @ t.T:
        share = (h - root_low) / (root_high - root_low)
        cell = np.clip(np.ceil(share * curvature.cells).astype(int), 1, curvature.cells)
        start = np.maximum(most[np.arange(C), cell], most[np.arange(C), cell - 1])

        def convex(level, start=start):
            threshold = start + level * (largest - start)
            return np.linalg.eigvalsh((t.T * (problem.rho * threshold)) @ t)[-1] < 1 - 1e-9

        if not convex(0.0):
            continue
        level, step = 0.0, 0.5
        for _ in range(12):
            level, step = (level + step if convex(level + step) else level), step / 2
        threshold = start + level * (largest - start) + 1e-15
        low, high = np.empty(C), np.empty(C)
        for c in range(C):
            above = np.flatnonzero(most[c] > threshold[c])
            before, after = above[above < cell[c]], above[above >= cell[c]]
            # A point between two grid points is covered by the slack of both.
            low[c] = grid[c, before[-1] + 1] if before.size else root_low[c]
            high[c] = grid[c, after[0] - 1] if after.size else root_high[c]
        if np.all((low <= h) & (h <= high)):
            lows.append(low)
            highs.append(high)
    return np.array(lows).reshape(-1, C), np.array(highs).reshape(-1, C)
