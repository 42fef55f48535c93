"""Shares of codes, a dot a chain, beside the theory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from nonlazy.plots import _style


_MARKERS = ("o", "s", "^", "D")


def share_dots(
    axes: Any,
    shares: Mapping[str, Float[np.ndarray, "chains codes"]],
    names: Sequence[str],
    theory: Float[np.ndarray, " codes"] | None = None,
    legend: bool = False,
) -> None:
    """Draw the share of each code in every chain, a colour and a marker a start; the theory is a black bar.

    **Arguments:** `axes`: matplotlib axes to draw on; `shares`: of each start, by name; `names`: of the codes;
    `theory`: share of each code, or None; `legend`: name the starts.
    """
    wide = 0.75 / max(len(shares), 1)
    for k, (start, values) in enumerate(shares.items()):
        x = np.arange(len(names)) + wide * (k - (len(shares) - 1) / 2)
        for c, chain in enumerate(values):
            axes.plot(
                x, 100 * chain, _MARKERS[k % len(_MARKERS)], color=_style.PALETTE[k % len(_style.PALETTE)],
                markersize=3, markeredgewidth=0, alpha=0.75, label=start if c == 0 else None,
            )  # fmt: skip
    if theory is not None:
        where = np.arange(len(names))
        axes.hlines(100 * theory, where - 0.42, where + 0.42, color=_style.THEORY, linewidth=0.9, label="theory")
    axes.set_xticks(range(len(names)), list(names))
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(bottom=-1)
    _style.dress(axes)
    axes.tick_params(axis="x", length=0)
    _style.few_ticks(axes.yaxis, 5)
    _style.label(axes, "code", "share of neurons (%)")
    if legend:
        axes.legend(fontsize=_style.SMALL, frameon=False, handlelength=1.0, borderaxespad=0.1)
