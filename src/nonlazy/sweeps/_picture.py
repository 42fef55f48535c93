"""The picture of a quantity over the swept parameters: a curve along one, a map over two, several over more."""

import re
import textwrap
from typing import Any

import numpy as np
import xarray
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style, caption, shares_along
from nonlazy.sweeps._gather import quantities, quantity
from nonlazy.sweeps._quantities import FRACTIONS, TEXTS, meaning
from nonlazy.sweeps._sweep import Sweep


_PANEL = 3.0  # inches
_CHARACTERS = 15  # of a title, in an inch
_MOST_FACETS = 6
# Beyond that numbers in the cells of a map cannot be read.
_MOST_NUMBERS = 80
# Beyond a factor of this an axis is logarithmic.
_WIDE = 20.0
# Beyond that so are colours.
_DECADES = 100.0


def chosen(sweep: Sweep, data: xarray.DataTree) -> str:
    """The quantity that is drawn where none is asked for: where codes change, what they change by."""
    found = quantities(data)
    kinds = set() if "kind" not in found else {str(kind) for kind in np.ravel(np.asarray(data["samples/kind"]))} - {""}
    if len(kinds) > 1:
        return "kind"
    if kinds == {"redundant"}:
        return FRACTIONS if len(data["points/state"].dims) == 1 else "classes_per_neuron"
    return "outliers" if kinds == {"sparse"} else "train_error"


def file_name(name: str) -> str:
    """The name of a quantity's picture, without its ending."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def draw(sweep: Sweep, data: xarray.DataTree, name: str) -> Any:
    """Draws a quantity; a matplotlib figure.

    Where the theory has the same quantity, it is a line beside the samples' points, or a map beside theirs. Of more
    than two parameters, the first two span the maps, the third goes from map to map, and the others stay at their first
    value, which the picture says.

    **Raises:** `nonlazy.errors.InvalidInput` where no point has the quantity.
    """
    if name == FRACTIONS:
        if "codes" not in data.children:
            raise InvalidInput("no point has codes: there are no fractions to draw")
        if len(sweep.axes) > 1:
            raise InvalidInput("fractions is drawn along one parameter: of a map, show one code, as fraction[1-1-0]")
        return _fractions(sweep, data)
    values = quantity(data, name)
    if values is None:
        raise InvalidInput(f"no point has {name!r}; there are {', '.join(quantities(data))}")
    dims = [str(dim) for dim in data["points/state"].dims]
    if len(dims) == 1:
        _, label, texts = _abscissa(sweep, data, dims[0])
        named = label == "point" and bool(texts) and name.removeprefix("theory.") not in TEXTS
        return (_rows if named else _curve)(sweep, data, name, values)
    return _maps(sweep, name, values, dims, quantity(data, f"theory.{name}"))


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _title(sweep: Sweep, figure: Any, name: str, foot: str = "") -> None:
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(f"{sweep.title or sweep.name}: {meaning(name)}", int(_CHARACTERS * width))
    above, below = 0.1 + 0.16 * len(lines), 0.25 if foot else 0.0
    figure.get_layout_engine().set(rect=(0, below / height, 1, 1 - (above + below) / height))
    caption(figure, "\n".join(lines), foot)


def _abscissa(sweep: Sweep, data: xarray.DataTree, dim: str) -> tuple[Float[np.ndarray, " points"], str, list[str]]:
    """Places along the axis, its label, and names of the places where they are not numbers."""
    names = sweep.labels[:1] if dim == "point" and len(sweep.keys) == 1 else (dim,)
    values = np.asarray(data[names[0]]) if names[0] in data.coords else np.arange(len(sweep.points))
    if dim == "point" and names[0] == "point":
        texts = [point.name for point in sweep.points]
        return np.arange(len(texts), dtype=float), "point", texts if len(texts) <= 16 else []
    if values.dtype.kind in "if":
        return values.astype(float), _words(sweep, names[0]), []
    return np.arange(len(values), dtype=float), _words(sweep, names[0]), [str(value) for value in values]


def _words(sweep: Sweep, label: str) -> str:
    """An axis label: the keys, where they are linked all of them."""
    axis = next((axis for axis in sweep.axes if axis.name == label), None)
    return ", ".join(sweep.labels[sweep.keys.index(key)] for key in axis.keys) if axis else label


def _set_abscissa(axes: Any, places: Float[np.ndarray, " points"], label: str, texts: list[str]) -> None:
    if texts:
        long = max(map(len, texts)) * len(texts) > 60
        axes.set_xticks(places, texts, rotation=60 if long else 0, ha="right" if long else "center")
    elif (places > 0).all() and places.max() >= _WIDE * places.min():
        axes.set_xscale("log")
    _style.dress(axes)
    _style.label(axes, label)


def _curve(sweep: Sweep, data: xarray.DataTree, name: str, values: xarray.DataArray) -> Any:
    places, label, texts = _abscissa(sweep, data, str(values.dims[0]))
    order = np.argsort(places, kind="stable")
    figure = _figure(_PANEL * 1.4, _PANEL)
    axes = figure.add_subplot()
    if name.removeprefix("theory.") in TEXTS:
        words = sorted({str(word) for word in values.values} - {""})
        heights = np.array([words.index(word) if word in words else np.nan for word in values.values])
        axes.plot(places, heights, "o", color=_style.PALETTE[0], markersize=4)
        axes.set_yticks(range(len(words)), words)
        axes.set_ylim(-0.5, len(words) - 0.5)
    else:
        theory = None if name.startswith("theory.") else quantity(data, f"theory.{name}")
        error = quantity(data, f"{name}_error")
        joined = "" if texts and label == "point" else "-"
        if theory is not None:
            axes.plot(
                places[order], theory.values[order], joined or "_", color=_style.THEORY, linewidth=1, label="theory"
            )
        axes.errorbar(
            places[order], values.values[order], None if error is None else error.values[order], marker="o",
            linestyle=joined if theory is None else "", color=_style.PALETTE[0], markersize=3.5, linewidth=0.8,
            elinewidth=0.8, capsize=1.5, label="theory" if name.startswith("theory.") else "samples",
        )  # fmt: skip
        if theory is not None:
            axes.legend(fontsize=_style.SMALL, frameon=False)
    _set_abscissa(axes, places, label, texts)
    _style.label(axes, y=name)
    _title(sweep, figure, name)
    return figure


def _rows(sweep: Sweep, data: xarray.DataTree, name: str, values: xarray.DataArray) -> Any:
    """A row a point of a list, with its name."""
    names = [point.name for point in sweep.points]
    theory = None if name.startswith("theory.") else quantity(data, f"theory.{name}")
    error = quantity(data, f"{name}_error")
    figure = _figure(_PANEL + 0.07 * max(map(len, names)), 1.0 + 0.2 * len(names))
    axes = figure.add_subplot()
    places = np.arange(len(names))
    if theory is not None:
        axes.plot(theory.values, places, "|", color=_style.THEORY, markersize=8, label="theory")
    axes.errorbar(
        values.values, places, xerr=None if error is None else error.values, linestyle="", marker="o",
        color=_style.PALETTE[0], markersize=3.5, elinewidth=0.8, capsize=1.5, label="samples",
    )  # fmt: skip
    if theory is not None:
        axes.legend(fontsize=_style.SMALL, frameon=False)
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    _style.dress(axes)
    _style.label(axes, name)
    _title(sweep, figure, name)
    return figure


def _fractions(sweep: Sweep, data: xarray.DataTree) -> Any:
    places, label, texts = _abscissa(sweep, data, str(data["points/state"].dims[0]))
    order = np.argsort(places, kind="stable")
    codes = [str(code) for code in np.asarray(data["codes/code"])]
    shares, spread, theory = (np.asarray(data[f"codes/{key}"])[order] for key in ("fraction", "spread", "theory"))
    solved = bool(np.isfinite(theory).any())
    figure = _figure(_PANEL * 1.6, _PANEL)
    axes = figure.add_subplot()
    points = (places[order], np.nan_to_num(shares))
    shares_along(axes, codes, points=points, errors=spread, lines=(places[order], theory) if solved else None)
    _set_abscissa(axes, places, label, texts)
    bars = "bars: standard deviation over chains" + ("; lines: theory" if solved else "")
    _title(sweep, figure, FRACTIONS, bars)
    return figure


def _maps(sweep: Sweep, name: str, values: xarray.DataArray, dims: list[str], theory: xarray.DataArray | None) -> Any:
    kept, foot = values, []
    for dim in dims[2 if len(dims) == 2 else 3 :]:
        foot.append(f"{dim} = {_said(kept[dim].values[0])}")
        kept = kept.isel({dim: 0})
    panels = [("", kept)]
    if theory is not None and len(dims) == 2:
        panels = [("samples", kept), ("theory", theory)]
    if len(dims) > 2:
        third = dims[2]
        panels = [(f"{third} = {_said(value)}", kept.isel({third: k})) for k, value in enumerate(kept[third].values)]
        if len(panels) > _MOST_FACETS:
            foot.append(f"of {len(panels)} values of {third}, the first {_MOST_FACETS} are shown")
            panels = panels[:_MOST_FACETS]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = _figure(_PANEL * (0.5 + columns), _PANEL * (0.15 + rows))
    grid = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for spare in grid[len(panels) :]:
        spare.set_visible(False)
    texts = name.removeprefix("theory.") in TEXTS
    words = sorted({str(word) for word in np.ravel(values.values)} - {""}) if texts else []
    numbers = [np.array(_indices(part.values, words) if texts else part.values, dtype=float) for _, part in panels]
    everything = np.concatenate([np.ravel(part) for part in numbers])
    seen = everything[np.isfinite(everything)]
    norm = _norm(seen)
    for (title, part), cells, axes in zip(panels, numbers, grid, strict=False):
        _map(axes, sweep, part, cells, dims, words, norm)
        axes.set_title(title, fontsize=_style.LABEL)
    shown = list(grid[: len(panels)])
    if words:
        from matplotlib.patches import Patch

        patches = [Patch(color=_style.PALETTE[k % len(_style.PALETTE)], label=word) for k, word in enumerate(words)]
        figure.legend(handles=patches, loc="outside right center", fontsize=_style.SMALL, frameon=False)
    else:
        bar = figure.colorbar(shown[0].collections[0], ax=shown, shrink=0.9)
        bar.ax.tick_params(labelsize=_style.TICK)
        bar.set_label(name, fontsize=_style.LABEL)
    if not np.isfinite(everything).all():
        foot.append("grey: points without this number")
    _title(sweep, figure, name, "; ".join(foot))
    return figure


def _norm(seen: Float[np.ndarray, " cells"]) -> Any:
    """From the smallest number to the largest; logarithmic where they are decades apart."""
    from matplotlib.colors import LogNorm, Normalize

    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    if low > 0 and high > _DECADES * low:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1.0)


def _map(
    axes: Any,
    sweep: Sweep,
    part: xarray.DataArray,
    cells: Float[np.ndarray, "first second"],
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
    if not words and cells.size <= _MOST_NUMBERS:
        for i, j in np.argwhere(np.isfinite(cells)):
            dark = norm(cells[i, j]) < 0.6
            axes.text(
                i, j, _number(float(cells[i, j])), ha="center", va="center", fontsize=_style.SMALL,
                color="white" if dark else "black",
            )  # fmt: skip
    for dim, axis in zip(dims, (axes.xaxis, axes.yaxis), strict=False):
        values = [_said(value) for value in part[dim].values]
        every = -(-len(values) // 12)
        axis.set_ticks(range(0, len(values), every), values[::every])
    _style.dress(axes, frame=True)
    if max(len(_said(value)) for value in part[dims[0]].values) * first > 40:
        axes.tick_params(axis="x", rotation=60)
    _style.label(axes, _words(sweep, dims[0]), _words(sweep, dims[1]))


def _indices(values: np.ndarray, words: list[str]) -> Float[np.ndarray, "..."]:
    return np.array([words.index(word) if word in words else np.nan for word in np.ravel(values)]).reshape(values.shape)


def _number(value: float) -> str:
    return f"{value:#.3g}".rstrip(".") if 1e-3 <= abs(value) < 1000 or value == 0 else f"{value:.2g}"


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
