"""Generalization errors side by side, squared bias and variance apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


def error_bars(
    axes: Any,
    errors: Mapping[str, tuple[Float[np.ndarray, " groups"], Float[np.ndarray, " groups"]]],
    groups: Sequence[str],
    what: str = "output $r$",
) -> None:
    """Draw generalization errors: a group of bars for each entry of `groups`, a bar in it for each kind.

    The full part of a bar is the squared bias, the pale part on top the variance.

    **Arguments:** `axes`: matplotlib axes to draw on; `errors`: by kind, squared bias and variance, `(groups,)` each,
    NaN where there is none; `groups`: their names; `what`: the groups are, for the axis.

    **Raises:** `nonlazy.errors.InvalidInput` where the numbers are not one a group.
    """
    for kind, parts in errors.items():
        if any(np.shape(part) != (len(groups),) for part in parts):
            raise InvalidInput(f"errors of {kind!r} have shapes {[np.shape(part) for part in parts]}: give one a group")
    wide = 0.8 / max(len(errors), 1)
    for k, (kind, (bias2, variance)) in enumerate(errors.items()):
        x = np.arange(len(groups)) + wide * (k - (len(errors) - 1) / 2)
        colour = error_colour(kind, k)
        axes.bar(x, bias2, 0.9 * wide, color=colour, linewidth=0, label=kind)
        axes.bar(x, variance, 0.9 * wide, bottom=bias2, color=colour, alpha=0.35, linewidth=0)
    axes.set_xticks(range(len(groups)), [str(group) for group in groups])
    axes.set_xlim(-0.55, len(groups) - 0.45)
    axes.set_ylim(bottom=0)
    _style.dress(axes)
    axes.tick_params(axis="x", length=0)
    _style.few_ticks(axes.yaxis, 4)
    _style.label(axes, what, "error $\\varepsilon_r$" if what.startswith("output") else "error")


def error_colour(kind: str, k: int) -> str:
    """Colour of the bars of the `k`th kind; the theory's are nearly black, as its lines are."""
    return "0.25" if kind == "theory" else _style.PALETTE[k % len(_style.PALETTE)]
