"""Numbers of several chains side by side, and the theory's beside them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


def dots_by_chain(
    axes: Any,
    names: Sequence[Any],
    values: Any,
    *,
    theory: Any = None,
    x: str | None = None,
    y: str | None = None,
) -> None:
    """Draw a number of each chain as a dot, a place for each name; the theory's as a dashed bar.

    **Arguments:** `axes`: matplotlib axes to draw on; `names`: below the places; `values`: `(chains, names)`; `theory`:
    `(names,)`, NaN where it has none, or None; `x`, `y`: what the axes show.

    **Raises:** `nonlazy.errors.InvalidInput` for shapes that do not fit.
    """
    values = np.asarray(values, float)
    expected = np.full(len(names), np.nan) if theory is None else np.asarray(theory, float)
    if values.ndim != 2 or values.shape[1] != len(names) or expected.shape != (len(names),):
        raise InvalidInput(
            f"values {values.shape} and theory {expected.shape} do not fit {len(names)} names: give (chains, names)"
        )
    places = np.arange(len(names))
    shift = 0.5 * (np.arange(len(values)) - (len(values) - 1) / 2) / max(len(values), 1)
    for c, chain in enumerate(values):
        axes.plot(places + shift[c], chain, "o", color=_style.PALETTE[0], markersize=2.6, markeredgewidth=0, alpha=0.85)
    shown = np.isfinite(expected)
    axes.hlines(
        expected[shown], places[shown] - 0.36, places[shown] + 0.36, color=_style.THEORY, linewidth=0.9,
        linestyle=(0, (3, 1.5)), zorder=3,
    )  # fmt: skip
    _style.dress(axes)
    axes.set_xlim(-0.5, len(names) - 0.5)
    top = np.nanmax(np.concatenate([values.ravel(), expected[shown]])) if values.size else 1.0
    axes.set_ylim(min(0.0, 1.1 * float(np.nanmin(values, initial=0.0))), 1.12 * float(top) or 1.0)
    narrow = _style.points(axes, "x") / max(len(names), 1) < 0.6 * _style.TICK * max(len(str(n)) for n in names)
    axes.set_xticks(places, [str(name).replace("-", "") if narrow else str(name) for name in names])
    axes.tick_params(axis="x", length=0)
    _style.few_ticks(axes.yaxis, 4)
    _style.label(axes, x, y)
