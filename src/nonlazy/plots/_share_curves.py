"""Shares of the codes along chains, from different starts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


_WIDTH, _PANEL, _MOST_PANELS = 3.4, 1.15, 8  # inches; one column of a journal


def share_curves(
    times: Any,
    shares: Mapping[str, Any],
    codes: Sequence[str],
    theory: Any = None,
    title: str | None = None,
    footnote: str | None = None,
) -> Any:
    """Share of each code against sampling time: a panel a code, a colour a start, a line a chain; theory dashed.

    Time is linear up to 1 and logarithmic above.

    **Arguments:** `times`: of the draws, in sweeps of jumps, `(draw,)`; `shares`: for each start by name,
    `(chain, draw, code)`; `codes`: their names, the largest first: the first eight are drawn; `theory`: `(code,)`, NaN
    where it has none, or None; `title`: stands at the top left; `footnote`: below, in small print.

    **Returns:** a matplotlib figure, one column of a journal wide.

    **Raises:** `nonlazy.errors.InvalidInput` for shapes that do not fit.
    """
    from matplotlib.figure import Figure

    times = np.asarray(times, float)
    values = {name: np.asarray(found, float) for name, found in shares.items()}
    for name, found in values.items():
        if found.ndim != 3 or found.shape[1:] != (times.size, len(codes)):
            raise InvalidInput(f"shares of {name!r} have shape {found.shape}: give (chain, {times.size}, {len(codes)})")
    expected = np.full(len(codes), np.nan) if theory is None else np.asarray(theory, float)
    if expected.shape != (len(codes),):
        raise InvalidInput(f"theory has shape {expected.shape}: give one share for each of the {len(codes)} codes")
    count = min(len(codes), _MOST_PANELS)
    rows = -(-count // 2)
    # Lines of text take as much room in a low figure as in a high one.
    top, bottom = 0.42, 0.36 + (0.2 if footnote else 0.0)
    tall = top + bottom + rows * _PANEL + (rows - 1) * 0.16
    figure = Figure(figsize=(_WIDTH, tall), dpi=200, facecolor="white")
    lines = {}
    for k in range(count):
        row, column = divmod(k, 2)
        low = bottom + (rows - 1 - row) * (_PANEL + 0.16)
        axes = figure.add_axes((0.105 + 0.465 * column, low / tall, 0.405, _PANEL / tall))
        for colour, (name, found) in zip(_style.PALETTE, values.items(), strict=False):
            lines[name] = axes.plot(times, 100 * found[:, :, k].T, color=colour, linewidth=0.9, alpha=0.9)[0]
        if np.isfinite(expected[k]):
            lines["theory"] = axes.axhline(
                100 * expected[k], color=_style.THEORY, linestyle=(0, (4, 2)), linewidth=0.9, zorder=5
            )
        axes.text(
            0.97, 0.95, codes[k], transform=axes.transAxes, fontsize=_style.LABEL, ha="right", va="top", weight="bold"
        )
        _dress(axes, times, [found[:, :, k] for found in values.values()], expected[k])
        last = k + 2 >= count
        _style.label(axes, "time (sweeps of jumps)" if last else None, "share (%)" if column == 0 else None)
        if not last:
            axes.tick_params(labelbottom=False)
    figure.legend(
        lines.values(), lines.keys(), loc="upper left", bbox_to_anchor=(0.0, 1 - 0.17 / tall), ncols=len(lines),
        fontsize=_style.SMALL, frameon=False, handlelength=1.6, columnspacing=1.0, borderaxespad=0.1,
    )  # fmt: skip
    if title:
        figure.text(0.01, 1 - 0.03 / tall, title, fontsize=_style.LABEL, va="top", ha="left")
    if footnote:
        figure.text(0.01, 0.02 / tall, footnote, fontsize=5.2, va="bottom", ha="left", color="0.35")
    return figure


def _dress(axes: Any, times: Any, found: Sequence[Any], expected: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(0, times[-1] * 1.05)
    ticks = [0, 1, *(10**p for p in range(1, 6))]
    ticks = [t for t in ticks if t <= times[-1] / 2]
    axes.xaxis.set_major_locator(FixedLocator([*ticks, float(times[-1])]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{t:g}"))
    everything = np.concatenate([values.ravel() for values in found])
    ends = np.append(everything, expected if np.isfinite(expected) else everything[0])
    low, high = 100 * ends.min(), 100 * ends.max()
    # Panels of codes that hardly change are not to be magnified into noise.
    room = max(high - low, 4.0)
    middle = 0.5 * (low + high)
    axes.set_ylim(max(middle - 0.58 * room, -0.03 * room), max(middle + 0.68 * room, 0.0))
    _style.dress(axes)
    _style.few_ticks(axes.yaxis, 5)
