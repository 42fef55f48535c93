"""Shares of the codes along a path of tasks."""

from typing import Any

import numpy as np

from nonlazy.plots import _style


_WIDTH, _HEIGHT = 3.4, 2.3  # inches


def scheme_curve(curve: Any, title: str | None = None) -> Any:
    """Share of each code against the parameter that varies, transitions between schemes as vertical lines.

    **Arguments:** `curve`: a `nonlazy.theory.SchemeCurve`; `title`: stands at the top left.

    **Returns:** a matplotlib figure, one column of a journal wide.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=200, facecolor="white")
    axes = figure.add_axes((0.13, 0.17, 0.62, 0.72))
    values, shares = np.asarray(curve.values), np.asarray(curve.fraction)
    for edge in curve.transitions:
        axes.axvline(edge, color="0.8", linewidth=_style.LINE, zorder=0)
    colours = _style.code_colours(len(curve.codes))
    for k, name in enumerate(curve.codes):
        present = np.where(shares[:, k] > 0, shares[:, k], np.nan)
        # Codes that share their fraction lie on top of each other: dashes let all of them show.
        style = ("-", (0, (4, 2)), (0, (1, 1.5)))[k % 3]
        axes.plot(values, present, color=colours[k], linestyle=style, linewidth=1.1, label=name)
    axes.set_xlim(values[0], values[-1])
    axes.set_ylim(0, None)
    _style.dress(axes)
    _style.few_ticks(axes.xaxis, 5)
    _style.label(axes, {"y-": "target $y_-$", "T": "temperature $T$"}.get(curve.parameter), "share of the neurons")
    axes.legend(
        fontsize=_style.SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1.02, 1.02), title="code",
        title_fontsize=_style.SMALL, handlelength=1.8,
    )  # fmt: skip
    if title:
        figure.text(0.01, 0.985, title, fontsize=_style.LABEL, va="top", ha="left")
    return figure
