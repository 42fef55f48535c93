"""How the figure of few-shot learning is drawn: a column a network; all digits, then the new ones."""

from typing import Any

import numpy as np
import xarray


_TITLES = {"linear": "linear", "sigmoid": "sigmoidal", "relu": "ReLU"}
_PANEL, _ROW, _ABOVE, _BELOW = 1.15, 1.6, 0.72, 0.58  # inches
_ROWS = (("prototype", "nearest class mean"), ("regression", "least squares"))
# Name of a curve: experiment (None: the column's own), kind, colour in the palette, dashes, marker.
_CURVES: dict[str, tuple[str, str, int | None, Any, str]] = {
    "non-lazy samples": ("", "samples", 0, "", "o"),
    "theory": ("", "theory", None, (0, (4, 2)), ""),
    "lazy samples": ("-lazy", "samples", 1, "", "s"),
    "Gaussian process": ("-lazy", "theory", 2, (0, (1, 1.5)), ""),
    "pixels": ("pixels", "samples", 3, (0, (5, 1, 1, 1)), "^"),
}


def draw(panels: xarray.DataTree) -> Any:
    """The figure from its panels, 7 inches wide."""
    from matplotlib.figure import Figure

    from nonlazy import plots
    from nonlazy.plots import _style

    columns = [name for name in _TITLES if name in panels.children]
    # A single network has its panels side by side.
    rows = 1 if len(columns) == 1 else 3
    tall = _ABOVE + _BELOW + (rows - 1) * _ROW + _PANEL
    figure = Figure(figsize=(7.0, tall), dpi=200, facecolor="white")
    handles: dict[str, Any] = {}
    shared: list[Any] = [None, None, None]
    for column, name in enumerate(columns):
        for row in range(3):
            x, y = (column, 2 - row) if rows == 3 else (row, 0)
            place = (0.085 + 0.318 * x, (_BELOW + y * _ROW) / tall, 0.262, _PANEL / tall)
            axes = figure.add_axes(place, sharey=shared[row])
            shared[row] = shared[row] or axes
            if row < 2:
                classifier, words = _ROWS[row]
                handles |= _curves(axes, panels, name, classifier)
                axes.set_title(f"all digits, {words}", fontsize=6.5, pad=2, loc="left")
            else:
                _by_digit(axes, panels, name)
                axes.set_title("the new digit, nearest class mean, $k$ = 5", fontsize=6.5, pad=2, loc="left")
            _style.label(axes, ("labelled images a class $k$", "new digit")[row == 2], "accuracy" if x == 0 else None)
            if row == 0:
                figure.text(place[0], 1 - 0.44 / tall, _TITLES[name], fontsize=8, va="top")
            if column == 0:
                plots.letter(axes, "abc"[row])
    figure.legend(
        handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(0.075, 1 - 0.18 / tall),
        ncols=len(handles), fontsize=6, frameon=False, handlelength=2.6, columnspacing=1.2, borderaxespad=0.1,
    )  # fmt: skip
    old = ", ".join(str(one) for one in panels.attrs["old"])
    small = (
        f"Trained on {old}: {panels.attrs['sizes']}. Error bars: standard errors over episodes. "
        "c, lines: theory (black), Gaussian process"
    )
    plots.caption(figure, "New digits from few examples", small)
    return figure


def _node(panels: xarray.DataTree, name: str, experiment: str, kind: str) -> xarray.Dataset | None:
    """A curve's numbers; None where the figure has none of it."""
    key = experiment if experiment == "pixels" else name + experiment
    if key not in panels.children:
        return None
    data = panels[key].to_dataset()
    return data.sel(kind=kind) if kind in data["kind"].values else None


def _curves(axes: Any, panels: xarray.DataTree, name: str, classifier: str) -> dict[str, Any]:
    from nonlazy.plots import _style

    handles = {}
    for words, (experiment, kind, colour, dashes, marker) in _CURVES.items():
        data = _node(panels, name, experiment, kind)
        if data is None:
            continue
        shown = data.sel(classifier=classifier, group="all")
        handles[words] = axes.errorbar(
            np.arange(shown.sizes["shots"]), shown["accuracy"].values,
            shown["error"].values if kind == "samples" else None,
            color=_style.THEORY if colour is None else _style.PALETTE[colour], linestyle=dashes or "-", marker=marker,
            markersize=3, linewidth=0.9, elinewidth=0.8, capsize=1.5, zorder=4 if colour is None else 3,
        )  # fmt: skip
    shots = panels["pixels"].to_dataset()["shots"].values
    axes.set_xticks(range(len(shots)), [str(k) for k in shots])
    _style.dress(axes)
    _style.few_ticks(axes.yaxis, 5)
    return handles


def _by_digit(axes: Any, panels: xarray.DataTree, name: str) -> None:
    from nonlazy.plots import _style

    digits = panels["pixels"].to_dataset()["new"].values
    for experiment, kind, colour, _, marker in _CURVES.values():
        data = _node(panels, name, experiment, kind)
        if data is None:
            continue
        values = data["by_digit"].sel(classifier="prototype", shots=5, group="new").values
        if kind == "theory":
            dark = _style.THEORY if colour is None else _style.PALETTE[colour]
            axes.hlines(values, np.arange(len(digits)) - 0.32, np.arange(len(digits)) + 0.32, color=dark, linewidth=0.9)
        else:
            axes.plot(np.arange(len(digits)), values, marker, color=_style.PALETTE[colour or 0], markersize=3)
    axes.set_xticks(range(len(digits)), [str(digit) for digit in digits])
    axes.set_xlim(-0.6, len(digits) - 0.4)
    axes.set_ylim(0, 1)
    _style.dress(axes)
    axes.tick_params(axis="x", length=0)
    _style.few_ticks(axes.yaxis, 4)
