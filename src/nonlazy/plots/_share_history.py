"""Share of a code along chains, from different starts."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


def share_history(axes: Any, times: Any, shares: Mapping[str, Any], theory: float | None = None) -> dict[str, Any]:
    """Draw the share of one code against sampling time: a colour a start, a line a chain; theory dashed.

    Time is linear up to 1 and logarithmic above.

    **Arguments:** `axes`: matplotlib axes to draw on; `times`: of the draws, in sweeps of jumps, `(draw,)`; `shares`:
    of each start by name, `(chain, draw)`; `theory`: its share, or None.

    **Returns:** a line of each start, and of the theory, by name: for a legend.

    **Raises:** `nonlazy.errors.InvalidInput` for shapes that do not fit.
    """
    times = np.asarray(times, float)
    values = {name: np.asarray(found, float) for name, found in shares.items()}
    for name, found in values.items():
        if found.ndim != 2 or found.shape[1] != times.size:
            raise InvalidInput(f"shares of {name!r} have shape {found.shape}: give (chain, {times.size})")
    lines: dict[str, Any] = {}
    for colour, (name, found) in zip(_style.PALETTE, values.items(), strict=False):
        lines[name] = axes.plot(times, 100 * found.T, color=colour, linewidth=0.9, alpha=0.9)[0]
    if theory is not None and np.isfinite(theory):
        lines["theory"] = axes.axhline(
            100 * theory, color=_style.THEORY, linestyle=(0, (4, 2)), linewidth=0.9, zorder=5
        )
    _dress(axes, times, np.concatenate([found.ravel() for found in values.values()]), theory)
    return lines


def _dress(axes: Any, times: Any, found: Any, expected: float | None) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(0, times[-1] * 1.05)
    ticks = [0, 1, *(10**p for p in range(1, 6))]
    ticks = [t for t in ticks if t <= times[-1] / 2]
    axes.xaxis.set_major_locator(FixedLocator([*ticks, float(times[-1])]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{t:g}"))
    ends = np.append(found, expected if expected is not None and np.isfinite(expected) else found[0])
    low, high = 100 * ends.min(), 100 * ends.max()
    # Panels of codes that hardly change are not to be magnified into noise.
    room = max(high - low, 4.0)
    middle = 0.5 * (low + high)
    axes.set_ylim(max(middle - 0.58 * room, -0.03 * room), max(middle + 0.68 * room, 0.0))
    _style.dress(axes)
    _style.few_ticks(axes.yaxis, 5)
