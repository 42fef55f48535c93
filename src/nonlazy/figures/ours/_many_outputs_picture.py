"""How the figure of many outputs is drawn: a column a number of classes; codes, their sizes, outliers."""

from typing import Any

import numpy as np
import xarray


_ROWS = (1.25, 0.95, 1.25, 0.8)  # inches, heights of the rows of panels
_BETWEEN, _ABOVE, _BELOW = 0.52, 0.55, 0.62


def draw(panels: xarray.DataTree) -> Any:
    """The figure from its panels, 7 inches wide."""
    from matplotlib.figure import Figure

    from nonlazy import plots
    from nonlazy.plots import _style

    numbers = sorted({int(node.attrs["m"]) for node in panels.children.values()})
    tall, boxes = _places(len(numbers))
    figure = Figure(figsize=(_style.WIDTH, tall), dpi=200, facecolor="white")
    for column, m in enumerate(numbers):
        places = [figure.add_axes((x, y / tall, 0.225, high / tall)) for x, y, high in boxes[column]]
        sigmoid, relu = panels[f"sigmoid-{m}"].to_dataset(), panels[f"relu-{m}"].to_dataset()
        start = panels[f"sigmoid-{m}-planted"].to_dataset() if f"sigmoid-{m}-planted" in panels.children else None
        _codes(places[0], sigmoid["class_mean"].values, column)
        places[0].set_title(f"m = {m}, sigmoidal: {_read(sigmoid)}", fontsize=6.5, pad=2, loc="left")
        _sizes(places[1], sigmoid, start, column)
        _outliers(places[2], relu["class_mean"].values, column)
        places[2].set_title(f"m = {m}, ReLU: {_read(relu)}", fontsize=6.5, pad=2, loc="left")
        _by_class(places[3], relu, column)
        if column == 0:
            for letter, axes in zip("abcd", places, strict=True):
                plots.letter(axes, letter)
    small = (
        f"{panels.attrs['sizes']}. a, c: last draw of a chain, rows in the order of their first active classes. b: a "
        "dot a chain, bars: theory. d: how many outliers respond to a class, a line a chain, classes from few to many"
    )
    plots.caption(figure, "Many outputs: codes and outliers", small)
    return figure


def _places(columns: int) -> tuple[float, list[list[tuple[float, float, float]]]]:
    """Height of the figure in inches, and for each column its panels: left edge (share of the width), lower edge and
    height (inches). A single column has its panels two by two."""
    if columns == 1:
        tall = _ABOVE + 2 * max(_ROWS) + _BETWEEN + _BELOW
        tops = [tall - _ABOVE - row * (max(_ROWS) + _BETWEEN) for row in range(2)]
        return tall, [[(0.085 + 0.42 * (k % 2), tops[k // 2] - high, high) for k, high in enumerate(_ROWS)]]
    tall = _ABOVE + sum(_ROWS) + (len(_ROWS) - 1) * _BETWEEN + _BELOW
    lower = [tall - _ABOVE - sum(_ROWS[: row + 1]) - row * _BETWEEN for row in range(len(_ROWS))]
    return tall, [[(0.085 + 0.315 * k, y, high) for y, high in zip(lower, _ROWS, strict=True)] for k in range(columns)]


def _read(data: xarray.Dataset) -> str:
    kind = str(data.attrs["kind"])
    return "reads no scheme" if kind == "none" else f"reads {kind}"


def _ordered(active: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Rows by their sets of classes, as codes stand in other pictures: with the first classes first."""
    keys = [-means.mean(axis=1), *(~active).T[::-1]]
    return np.lexsort(tuple(keys))


def _codes(axes: Any, means: np.ndarray, column: int) -> None:
    from nonlazy.plots import _style

    order = _ordered(means > 0.5, means)
    image = _style.draw_image(axes, means[order], cmap=_style.SEQUENTIAL, vmin=0.0, vmax=1.0)
    _style.dress(axes, frame=True)
    axes.set_yticks([])
    _style.few_ticks(axes.xaxis, 5)
    _style.label(axes, "class", f"{len(means)} neurons $i$" if column == 0 else None)
    _style.colour_bar(axes, image, "mean activation")


def _sizes(axes: Any, data: xarray.Dataset, planted: xarray.Dataset | None, column: int) -> None:
    from nonlazy.plots import _style

    m = int(data.attrs["m"])
    places = np.arange(m + 1)
    theory = data["size_theory"].values
    present = theory > 0
    axes.bar(places[present], 100 * theory[present], 0.8, color="0.8", linewidth=0, label="theory")
    for words, one, colour, marker in (("quench", data, 0, "o"), ("planted", planted, 1, "s")):
        if one is None:
            continue
        for k, chain in enumerate(one["size_share"].values):
            shown = chain > 0
            axes.plot(
                places[shown], 100 * chain[shown], marker, color=_style.PALETTE[colour], markersize=2.4,
                markeredgewidth=0, alpha=0.8, label=words if k == 0 else None,
            )  # fmt: skip
    found = np.flatnonzero(theory + data["size_share"].values.sum(axis=0) > 0)
    room = max(3, m // 10)
    axes.set_xlim(max(found.min() - room, -0.6), min(found.max() + room, m + 0.6))
    axes.set_ylim(0, 105)
    _style.dress(axes)
    _style.few_ticks(axes.xaxis, 5)
    _style.few_ticks(axes.yaxis, 4)
    _style.label(axes, "classes in a code", "neurons (%)" if column == 0 else None)
    if column == 0:
        axes.legend(fontsize=_style.SMALL, frameon=False, handlelength=1.0, borderaxespad=0.1, loc="upper left")


def _outliers(axes: Any, means: np.ndarray, column: int) -> None:
    from nonlazy.plots import _style

    if len(means):
        active = means > 0.5 * means.max(axis=1, keepdims=True)
        order = _ordered(active, means)
        image = _style.draw_image(axes, means[order], cmap=_style.SEQUENTIAL, vmin=0.0, vmax=float(means.max()))
        _style.colour_bar(axes, image, "mean activation")
    _style.dress(axes, frame=True)
    axes.set_yticks([])
    _style.few_ticks(axes.xaxis, 5)
    _style.label(axes, "class", f"{len(means)} outliers")


def _by_class(axes: Any, data: xarray.Dataset, column: int) -> None:
    from nonlazy.plots import _style

    counts = np.sort(data["outliers_by_class"].values, axis=1)
    places = np.arange(1, counts.shape[1] + 1)
    for chain in counts:
        axes.step(places, chain, where="mid", color=_style.PALETTE[0], linewidth=0.9, alpha=0.6)
    axes.set_xlim(0.5, counts.shape[1] + 0.5)
    axes.set_ylim(0, max(counts.max() * 1.15, 1.5))
    _style.dress(axes)
    _style.few_ticks(axes.xaxis, 5)
    _style.few_ticks(axes.yaxis, 4)
    _style.label(axes, "class, by its outliers", "outliers" if column == 0 else None)
