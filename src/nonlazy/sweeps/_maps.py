"""Pictures of a quantity over two swept parameters or more: maps, and maps for each value of a third."""

from typing import Any

import numpy as np
import xarray
from jaxtyping import Bool, Float

from nonlazy.plots import _style
from nonlazy.sweeps._canvas import DECADES, NOT_CERTIFIED, PANEL, converged, done, figure_of, title, uncertified
from nonlazy.sweeps._places import at, dimension_words, tick
from nonlazy.sweeps._quantities import TEXTS
from nonlazy.sweeps._sweep import Sweep
from nonlazy.sweeps._words import quantity_words


_MOST_FACETS = 6
_COLUMNS = 3
# Beyond that numbers in the cells of a map cannot be read.
_MOST_NUMBERS = 80
_CIRCLE = "circle: chains have not converged (R-hat of 1.05 or more, or one chain alone)"


def maps(
    sweep: Sweep,
    data: xarray.DataTree,
    name: str,
    values: xarray.DataArray,
    dims: list[str],
    theory: xarray.DataArray | None,
) -> Any:
    """A map over the first two parameters, one for each value of the third; the theory's beside or below it.

    Further parameters stay at their first value, which the picture says.
    """
    doubted = xarray.DataArray(done(data) & ~converged(data), dims=dims)
    unproved = xarray.DataArray(uncertified(data, name), dims=dims)
    notes = [f"at {at(sweep, dim, values[dim].values[0])}, the first of {values.sizes[dim]} values" for dim in dims[3:]]
    first = {dim: 0 for dim in dims[3:]}
    alone = name.startswith("theory.")
    sources = [("theory" if alone else "samples", values.isel(first), (unproved if alone else doubted).isel(first))]
    if theory is not None:
        sources.append(("theory", theory.isel(first), unproved.isel(first)))
    panels, columns = _panels(sweep, sources, dims, notes)
    rows = -(-len(panels) // columns)
    figure = figure_of(PANEL * (0.5 + columns), PANEL * (0.25 + rows))
    grid = np.ravel(figure.subplots(rows, columns, squeeze=False))
    texts = name.removeprefix("theory.") in TEXTS
    words = sorted({str(word) for word in np.ravel(values.values)} - {""}) if texts else []
    numbers = [None if panel is None else _numbers(panel[2], words if texts else None) for panel in panels]
    everything = np.concatenate([np.ravel(part) for part in numbers if part is not None])
    norm = _norm(everything[np.isfinite(everything)])
    shown: list[Any] = []
    marks: set[str] = set()
    for panel, cells, axes in zip(panels, numbers, grid, strict=False):
        if panel is None or cells is None:
            axes.set_visible(False)
            continue
        source, heading, part, marked = panel
        marked = np.asarray(marked) if source == "samples" else np.asarray(marked) & np.isfinite(cells)
        _map(axes, sweep, part, cells, marked, "o" if source == "samples" else "x", dims, words, norm)
        axes.set_title(heading, fontsize=_style.LABEL)
        marks |= {source} if marked.any() else set()
        shown.append(axes)
    for spare in grid[len(panels) :]:
        spare.set_visible(False)
    if words:
        from matplotlib.patches import Patch

        patches = [Patch(color=_style.PALETTE[k % len(_style.PALETTE)], label=word) for k, word in enumerate(words)]
        figure.legend(handles=patches, loc="outside right center", fontsize=_style.SMALL, frameon=False)
    else:
        bar = figure.colorbar(shown[0].collections[0], ax=shown, shrink=0.9)
        bar.ax.tick_params(labelsize=_style.TICK)
        bar.set_label(quantity_words(name), fontsize=_style.LABEL)
    if not np.isfinite(everything).all():
        unfinished = not done(data).all()
        notes.append("grey: points without this number" + (", or not done" if unfinished else ""))
    notes += [said for source, said in (("samples", _CIRCLE), ("theory", NOT_CERTIFIED)) if source in marks]
    title(sweep, figure, name, "; ".join(notes))
    return figure


def _panels(
    sweep: Sweep, sources: list[tuple[str, Any, Any]], dims: list[str], notes: list[str]
) -> tuple[list[tuple[str, str, Any, Any] | None], int]:
    """Source, title, values and marked cells of each panel, row by row; None leaves its place empty. With the number of
    columns."""
    if len(dims) == 2:
        alone = len(sources) == 1
        return [(source, "" if alone else source, part, marked) for source, part, marked in sources], len(sources)
    third = dims[2]
    places = sources[0][1][third].values
    if len(places) > _MOST_FACETS:
        notes.append(f"of {len(places)} values of {dimension_words(sweep, third)}, the first {_MOST_FACETS} are shown")
    count = min(len(places), _MOST_FACETS)
    columns = min(count, _COLUMNS)
    panels: list[tuple[str, str, Any, Any] | None] = []
    for begin in range(0, count, columns):
        for source, part, marked in sources:
            prefix = f"{source}, " if len(sources) > 1 else ""
            row = [
                (source, prefix + at(sweep, third, places[k]), part.isel({third: k}), marked.isel({third: k}))
                for k in range(begin, min(begin + columns, count))
            ]
            panels += [*row, *[None] * (columns - len(row))]
    return panels, columns


def _numbers(part: xarray.DataArray, words: list[str] | None) -> Float[np.ndarray, "first second"]:
    """The values of a map's cells; of texts, their places among `words`."""
    if words is None:
        return np.asarray(part.values, dtype=float)
    places = [words.index(word) if word in words else np.nan for word in np.ravel(part.values)]
    return np.array(places, dtype=float).reshape(part.shape)


def _norm(seen: Float[np.ndarray, " cells"]) -> Any:
    """From the smallest number to the largest; logarithmic where they are decades apart."""
    from matplotlib.colors import LogNorm, Normalize

    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    if low > 0 and high > DECADES * low:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1.0)


def _map(
    axes: Any,
    sweep: Sweep,
    part: xarray.DataArray,
    cells: Float[np.ndarray, "first second"],
    marked: Bool[np.ndarray, "first second"],
    mark: str,
    dims: list[str],
    words: list[str],
    norm: Any,
) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    first, second = cells.shape
    # Cells of one size, whatever the spacing of the values: the ticks say them.
    edges = np.arange(first + 1) - 0.5, np.arange(second + 1) - 0.5
    axes.set_facecolor("0.85")
    if words:
        colours = ListedColormap([_style.PALETTE[k % len(_style.PALETTE)] for k in range(len(words))])
        scale: dict[str, Any] = {"cmap": colours, "norm": BoundaryNorm(np.arange(len(words) + 1) - 0.5, len(words))}
        if len(words) == 1:
            scale = {"cmap": colours, "vmin": 0, "vmax": 1}
    else:
        scale = {"cmap": _style.SEQUENTIAL, "norm": norm}
    axes.pcolormesh(*edges, np.ma.masked_invalid(cells.T), **scale)
    for i, j in np.argwhere(np.isfinite(cells) | marked):
        there = bool(np.isfinite(cells[i, j]))
        ink = "white" if there and not words and norm(cells[i, j]) < 0.6 else "black"
        if there and not words and cells.size <= _MOST_NUMBERS:
            text = _number(float(cells[i, j]))
            axes.text(i, j, text, ha="center", va="center", fontsize=_style.SMALL, color=ink)
        if marked[i, j]:
            size = min(3.0, 40.0 / max(first, second))
            axes.plot(
                i + 0.36, j + 0.34, mark, markerfacecolor="none", markeredgecolor=ink, markersize=size,
                markeredgewidth=0.7,
            )  # fmt: skip
    for dim, axis in zip(dims, (axes.xaxis, axes.yaxis), strict=False):
        values = [tick(value) for value in part[dim].values]
        every = -(-len(values) // 12)
        axis.set_ticks(range(0, len(values), every), values[::every])
    _style.dress(axes, frame=True)
    if max(len(tick(value)) for value in part[dims[0]].values) * first > 40:
        axes.tick_params(axis="x", rotation=60)
    _style.label(axes, dimension_words(sweep, dims[0]), dimension_words(sweep, dims[1]))


def _number(value: float) -> str:
    return f"{value:#.3g}".rstrip(".") if 1e-3 <= abs(value) < 1000 or value == 0 else f"{value:.2g}"
