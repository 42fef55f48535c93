"""A statistic along the chains."""

from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


def trace(axes: Any, values: Any, name: str) -> None:
    """Draw a statistic against the draw, a line a chain.

    **Arguments:** `axes`: matplotlib axes to draw on; `values`: `(chain, draw)`; `name`: of the statistic, with symbol
    and unit, for the axis. Values that are not finite leave a gap in the line.

    **Raises:** `nonlazy.errors.InvalidInput` for another shape.
    """
    values = np.asarray(values, float)
    if values.ndim != 2 or values.size == 0:
        raise InvalidInput(f"values have shape {values.shape}: give (chain, draw)")
    marker = "o" if values.shape[1] == 1 else None
    for c, chain in enumerate(values):
        colour = _style.PALETTE[c % len(_style.PALETTE)]
        axes.plot(np.where(np.isfinite(chain), chain, np.nan), color=colour, linewidth=0.8, marker=marker, label=str(c))
    _style.dress(axes)
    _style.label(axes, "draw", name)
    if 1 < values.shape[0] <= 8:
        axes.legend(
            title="chain", fontsize=_style.SMALL, title_fontsize=_style.SMALL, frameon=False, ncols=values.shape[0],
            handlelength=1, columnspacing=0.8, borderaxespad=0.1,
        )  # fmt: skip
