"""How figure 6 is drawn: a column a network, from test activations down to errors."""

from typing import Any

import numpy as np
import xarray

from nonlazy.codes import detect
from nonlazy.figures._report import rule_of


_TITLES = {"linear": "linear", "sigmoid": "sigmoidal", "relu": "ReLU"}
_HEIGHT = 7.4  # inches
_ROWS = {"activations": (5.72, 1.35), "kernel": (3.86, 1.35), "predictor": (2.1, 1.15), "errors": (0.36, 1.15)}


def draw(panels: xarray.DataTree) -> Any:
    """The figure from its panels, 7 inches wide."""
    from matplotlib.figure import Figure

    from nonlazy import plots
    from nonlazy.plots import error_bars, mean_predictor

    figure = Figure(figsize=(7.0, _HEIGHT), dpi=200, facecolor="white")
    for column, name in enumerate(one for one in _TITLES if one in panels.children):
        node = panels[name]
        data = node.to_dataset()
        names = [str(one) for one in node.attrs["classes"]]
        labels = data["test_label"].values
        axes = {row: _place(figure, column, *place) for row, place in _ROWS.items()}
        scheme = detect(
            data["activation"].values,
            data["label"].values,
            activation=rule_of(name),
            reference=data["untrained"].values,
        )
        at_most = None if scheme.kind == "sparse" else 100
        plots.activation_raster(
            axes["activations"], data["test_activation"].values, labels, scheme, at_most=at_most, test=True
        )
        _square(axes["kernel"])
        plots.kernel(axes["kernel"], data["test_kernel"].values, labels, test=True)
        theories = {
            "theory": data["theory_output"].values[:, 0],
            "Gaussian process": data["process_output"].values[:, 0],
        }
        mean_predictor(
            axes["predictor"], data["mean_output"].values[:, 0], theories, data["test_target"].values[:, 0], labels,
            f"$f_{{{names[0]}}}$",
        )  # fmt: skip
        kinds = {
            str(kind): (data["bias2"].values[k], data["variance"].values[k])
            for k, kind in enumerate(data["kind"].values)
            if np.isfinite(data["bias2"].values[k]).all()
        }
        error_bars(axes["errors"], kinds, names)
        figure.text(axes["activations"].get_position().x0, 0.992, _TITLES[name], fontsize=8, va="top", ha="left")
        if column == 0:
            _letters(figure, axes)
    _legends(figure)
    figure.text(
        0.008, 0.03 / _HEIGHT, f"Digits 0, 1 and 2: {panels.attrs['sizes']}", fontsize=5.2, va="bottom", color="0.35"
    )
    return figure


def _place(figure: Any, column: int, bottom: float, height: float) -> Any:
    return figure.add_axes((0.1 + 0.322 * column, bottom / _HEIGHT, 0.175, height / _HEIGHT))


def _square(axes: Any) -> None:
    box = axes.get_position()
    axes.set_position((box.x0, box.y0, box.height * _HEIGHT / 7.0, box.height))


def _letters(figure: Any, axes: dict[str, Any]) -> None:
    for letter, one in zip("abcd", axes.values(), strict=True):
        figure.text(0.006, one.get_position().y1, letter, fontsize=8, weight="bold", va="top", ha="left")


def _legends(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from nonlazy.plots import _style, error_colour

    lines = [
        Line2D([], [], marker="o", linestyle="", markersize=2.5, color=_style.PALETTE[0], label="samples"),
        Line2D([], [], color=_style.THEORY, linewidth=0.8, label="theory, the paper's approximation"),
        Line2D([], [], color=_style.PALETTE[2], linewidth=0.8, label="Gaussian process"),
        Line2D([], [], color="0.75", linewidth=2.2, label="target"),
    ]
    kinds = ("samples", "theory", "Gaussian process", "lazy samples")
    bars = [Patch(color=error_colour(kind, k), label=kind) for k, kind in enumerate(kinds)]
    pale = Patch(color="0.5", alpha=0.35, label="variance of the predictor, on the squared error of its mean")
    for handles, row in ((lines, "predictor"), ([*bars, pale], "errors")):
        bottom, height = _ROWS[row]
        figure.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0.09, (bottom + height + 0.02) / _HEIGHT), fontsize=6,
            ncols=len(handles), frameon=False, handlelength=1.2, columnspacing=1.2, borderaxespad=0.1,
        )  # fmt: skip
