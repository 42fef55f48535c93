"""Posteriors of single neurons: densities of samples and theory, and values along chains."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


_DASHED = (0, (3, 1.5))


def stacked_densities(
    axes: Any,
    edges: Any,
    histograms: Any,
    grid: Any,
    densities: Any,
    names: Sequence[Any],
    *,
    x: str,
    marks: tuple[Any, Any] | None = None,
) -> None:
    """Draw densities one above the other, the first on top: samples filled, theory dashed; each to its own height.

    **Arguments:**

    - `axes`: matplotlib axes to draw on.
    - `edges`, `histograms`: of the samples' bins, `(bins + 1,)` and `(names, bins)`, as densities.
    - `grid`, `densities`: the theory's, `(points,)` and `(names, points)`; NaN where it has none.
    - `names`: stand beside the curves. `x`: what the abscissa shows.
    - `marks`: values of single neurons far out, that no density shows, `(names, any number)`: of samples, ticks above
      the line, and of the theory, below it. The abscissa is logarithmic beyond the bins then.

    **Raises:** `nonlazy.errors.InvalidInput` for shapes that do not fit.
    """
    edges, counts = np.asarray(edges, float), np.asarray(histograms, float)
    grid, curves = np.asarray(grid, float), np.asarray(densities, float)
    if counts.shape != (len(names), edges.size - 1) or curves.shape != (len(names), grid.size):
        raise InvalidInput(
            f"histograms {counts.shape} and densities {curves.shape} do not fit {len(names)} names, {edges.size} edges "
            f"and {grid.size} points"
        )
    for row, name in enumerate(names):
        colour, floor = _style.PALETTE[row % len(_style.PALETTE)], 1.25 * (len(names) - 1 - row)
        peak = max(float(np.nanmax(curves[row], initial=0.0)), float(counts[row].max())) or 1.0
        axes.stairs(floor + counts[row] / peak, edges, baseline=floor, fill=True, color=colour, alpha=0.5, linewidth=0)
        axes.plot(grid, floor + curves[row] / peak, linestyle=_DASHED, color=_style.THEORY, linewidth=0.7)
        axes.axhline(floor, color="0.8", linewidth=0.4, zorder=0)
        if marks is not None:
            for at, place, tick in zip(marks, (0.1, -0.1), (colour, _style.THEORY), strict=True):
                spots = np.asarray(at, float)[row]
                axes.plot(spots, np.full(len(spots), floor + place), "|", color=tick, markersize=5, markeredgewidth=0.8)
        axes.text(0.01, floor + 0.72, str(name), transform=axes.get_yaxis_transform(), fontsize=_style.SMALL)
    axes.set_ylim(-0.2 if marks is not None else -0.05, 1.25 * len(names))
    axes.set_yticks([])
    _style.dress(axes)
    axes.spines["left"].set_visible(False)
    if marks is None:
        axes.set_xlim(edges[0], edges[-1])
        _style.few_ticks(axes.xaxis, 4)
    else:
        bulk = float(np.abs(edges).max())
        far = max([1.0, *(float(np.abs(at).max()) for at in map(np.asarray, marks) if at.size)])
        axes.set_xscale("symlog", linthresh=bulk, linscale=1.0)
        axes.set_xlim(-1.5 * far, 1.5 * far)
        near = float(f"{0.6 * bulk:.1g}")
        ticks = [-10.0, -near, 0.0, near, 10.0]
        axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
        axes.minorticks_off()
    _style.label(axes, x)


def densities_by_class(
    axes: Any, edges: Any, histograms: Any, grid: Any, densities: Any, names: Sequence[Any], *, row: str
) -> None:
    """Draw densities over each other, a colour a class: samples filled, theory dashed; each class to its own height.

    **Arguments:** `axes`: matplotlib axes to draw on; `edges` `(bins + 1,)`, `histograms` `(classes, bins)`, `grid`
    `(points,)`, `densities` `(classes, points)`; `names`: of the classes; `row`: stands at the left.

    **Raises:** `nonlazy.errors.InvalidInput` for shapes that do not fit.
    """
    edges, counts = np.asarray(edges, float), np.asarray(histograms, float)
    grid, curves = np.asarray(grid, float), np.asarray(densities, float)
    if counts.shape != (len(names), edges.size - 1) or curves.shape != (len(names), grid.size):
        raise InvalidInput(
            f"histograms {counts.shape} and densities {curves.shape} do not fit {len(names)} classes, {edges.size} "
            f"edges and {grid.size} points"
        )
    for c, name in enumerate(names):
        colour = _style.PALETTE[c % len(_style.PALETTE)]
        peak = max(float(np.nanmax(curves[c], initial=0.0)), float(counts[c].max())) or 1.0
        axes.stairs(counts[c] / peak, edges, fill=True, color=colour, alpha=0.4, linewidth=0, label=str(name))
        axes.plot(grid, curves[c] / peak, linestyle=_DASHED, color=_style.THEORY, linewidth=0.6)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.08)
    axes.set_yticks([])
    _style.dress(axes)
    axes.spines["left"].set_visible(False)
    _style.few_ticks(axes.xaxis, 4)
    axes.text(-0.03, 0.5, row, transform=axes.transAxes, fontsize=_style.SMALL, ha="right", va="center")


def values_over_time(axes: Any, times: Any, values: Any, names: Sequence[str], *, x: str, y: str) -> None:
    """Draw a value of single neurons along a chain, a line a neuron, in the colour of its code.

    **Arguments:** `axes`: matplotlib axes to draw on; `times`: `(draws,)`; `values`: `(lines, draws)`; `names`: of the
    lines, a code as "1-1-0" or another word; `x`, `y`: what the axes show.

    **Raises:** `nonlazy.errors.InvalidInput` for shapes that do not fit.
    """
    times, values = np.asarray(times, float), np.asarray(values, float)
    if values.shape != (len(names), times.size):
        raise InvalidInput(f"values {values.shape} do not fit {len(names)} lines at {times.size} times")
    handles = {}
    marker = "." if times.size <= 40 else None
    levels = values.mean(axis=1)
    for k, (colour, name, line) in enumerate(zip(_style.named_colours(names), names, values, strict=True)):
        # Lines on top of each other: dashes let both show.
        hidden = k > 0 and np.abs(levels[:k] - levels[k]).min() < 0.02 * np.ptp(values)
        style = (0, (4, 3)) if hidden and values.std(axis=1)[k] < 0.02 * np.ptp(values) else "-"
        (handle,) = axes.plot(times, line, color=colour, linewidth=0.7, linestyle=style, marker=marker, markersize=2.2)
        handles.setdefault(name, handle)
    _style.dress(axes)
    axes.set_xlim(0, 1.02 * times[-1])
    _style.few_ticks(axes.xaxis, 3)
    _style.few_ticks(axes.yaxis, 4)
    _style.label(axes, x, y)
    axes.legend(
        handles.values(), handles.keys(), fontsize=_style.SMALL, frameon=False, ncols=min(len(handles), 4),
        loc="lower center", bbox_to_anchor=(0.5, 0.97), handlelength=0.8, columnspacing=0.6, handletextpad=0.3,
        borderaxespad=0.1,
    )  # fmt: skip
