"""Quantities along a parameter or along time: theory as lines, samples as points."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


# Of the small print, in an inch.
_CHARACTERS = 22
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<")
# Codes that share their fraction lie on top of each other: dashes let all of them show.
_DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)))


def shares_along(
    axes: Any,
    codes: Sequence[str],
    *,
    lines: tuple[Any, Any] | None = None,
    points: tuple[Any, Any] | None = None,
    errors: Any = None,
    label: str | None = None,
    legend: bool = True,
) -> None:
    """Draw the share of each code along a parameter: theory as lines, samples as points.

    **Arguments:**

    - `axes`: matplotlib axes to draw on.
    - `codes`: their names, in the order of the arrays' last axis; colours go by it.
    - `lines`, `points`: values of the parameter and shares, `(values,)` and `(values, codes)`; a share of 0 or NaN is
      left out. `errors`: of the points, like their shares.
    - `label`: of the abscissa. `legend`: name the codes beside the axes.

    **Raises:** `nonlazy.errors.InvalidInput` where shapes do not fit.
    """
    colours = _style.code_colours(len(codes))
    for given in (lines, points):
        if given is not None and np.shape(given[1]) != (len(given[0]), len(codes)):
            raise InvalidInput(f"shares {np.shape(given[1])} do not fit {len(given[0])} values and {len(codes)} codes")
    handles = {}
    for k, name in enumerate(codes):
        if lines is not None:
            shares = np.asarray(lines[1], float)[:, k]
            present = np.where(shares > 0, shares, np.nan)
            (handles[name],) = axes.plot(
                lines[0], present, color=colours[k], linestyle=_DASHES[k % 3], linewidth=1.0, zorder=2
            )
        if points is not None:
            shares = np.asarray(points[1], float)[:, k]
            shown = shares > 0
            spread = None if errors is None else np.asarray(errors, float)[shown, k]
            drawn = axes.errorbar(
                np.asarray(points[0], float)[shown], shares[shown], spread, color=colours[k], linestyle="",
                marker=_MARKS[k % len(_MARKS)], markersize=3, elinewidth=0.8, capsize=1.5, zorder=3,
            )  # fmt: skip
            handles.setdefault(name, drawn)
    axes.set_ylim(0, None)
    _style.dress(axes)
    _style.label(axes, label, "share of the neurons")
    if legend:
        axes.legend(
            handles.values(), handles.keys(), fontsize=_style.SMALL, frameon=False, loc="upper left",
            bbox_to_anchor=(1.01, 1.03), title="code", title_fontsize=_style.SMALL, handlelength=1.8,
        )  # fmt: skip


def histories(
    axes: Any,
    curves: Mapping[str, tuple[Any, Any]],
    *,
    x: str,
    y: str,
    marks: Mapping[str, float] | None = None,
    logarithmic: str = "",
) -> None:
    """Draw quantities against time, a colour a name, a line a chain.

    **Arguments:** `axes`: matplotlib axes to draw on; `curves`: by name, times `(times,)` and values `(chain, times)`;
    `x`, `y`: labels; `marks`: vertical dashed lines with their names; `logarithmic`: "x", "y" or "xy".
    """
    for colour, (name, (times, values)) in zip(_style.PALETTE, curves.items(), strict=False):
        for k, line in enumerate(np.atleast_2d(np.asarray(values, float))):
            axes.plot(times, line, color=colour, linewidth=0.9, alpha=0.9, label=name if k == 0 else None)
    for which, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if which in logarithmic:
            _logarithmic(axes, which, axis)
    for name, place in (marks or {}).items():
        axes.axvline(place, color=_style.THEORY, linestyle=(0, (4, 2)), linewidth=0.8)
        axes.text(
            place, 0.98, f" {name}", transform=axes.get_xaxis_transform(), fontsize=_style.SMALL, va="top", ha="left"
        )
    _style.dress(axes)
    _style.label(axes, x, y)
    if len(curves) > 1:
        axes.legend(fontsize=_style.SMALL, frameon=False)


def _logarithmic(axes: Any, which: str, axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = (axes.get_xlim if which == "x" else axes.get_ylim)()
    if high < 100 * low:
        # Within little more than a decade powers of ten alone would leave hardly a tick.
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def caption(figure: Any, title: str, footnote: str = "") -> None:
    """Write a title at the top left of a figure, and small print at its foot."""
    figure.text(0.01, 1 - 0.05 / figure.get_size_inches()[1], title, fontsize=_style.LABEL + 1, va="top", ha="left")
    if footnote:
        wide = int(_CHARACTERS * figure.get_size_inches()[0])
        lines = [part for line in footnote.splitlines() for part in textwrap.wrap(line, wide)]
        figure.text(0.01, 0.01, "\n".join(lines), fontsize=_style.SMALL, va="bottom", ha="left", color="0.3")


def letter(axes: Any, text: str) -> None:
    """Write a panel's letter at its top left."""
    axes.annotate(
        text, (0, 1), xytext=(-14, 5), xycoords="axes fraction", textcoords="offset points",
        fontsize=_style.LABEL + 1, weight="bold", va="bottom", ha="right",
    )  # fmt: skip
