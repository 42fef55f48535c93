"""Kernels, inputs by class."""

from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


def kernel(
    axes: Any,
    K: Any,
    labels: Any,
    *,
    theory: Any = None,
    bar: bool = True,
    test: bool = False,
    span: Any = None,
) -> None:
    """Draw a kernel with its inputs sorted by class.

    The colours span the entries off the diagonal, which is often much larger; entries beyond are marked on the bar.

    **Arguments:**

    - `axes`: matplotlib axes to draw on.
    - `K`, `labels`: K(x_mu, x_nu), `(inputs, inputs)`, and the class of each input.
    - `theory`: a second kernel, shown below the diagonal, `K` then above it.
    - `bar`: whether to draw a colour bar.
    - `test`: say "test input" on the axes.
    - `span`: kernels, `(any number, inputs, inputs)`, whose entries the colours span, so that panels compare; None: `K`
      and `theory`.

    **Raises:** `nonlazy.errors.InvalidInput` where the shapes do not fit.
    """
    K, labels = np.asarray(K, float), np.asarray(labels)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or labels.shape != K.shape[:1] or K.size == 0:
        raise InvalidInput(f"a kernel {K.shape} and labels {labels.shape} do not fit: give (P, P) and (P,)")
    order, classes, edges = _style.by_class(labels)
    shown = K[np.ix_(order, order)]
    if theory is not None:
        other = np.asarray(theory, float)
        if other.shape != K.shape:
            raise InvalidInput(f"the theory's kernel has shape {other.shape}, the samples' {K.shape}")
        shown = np.triu(shown) + np.tril(other[np.ix_(order, order)], -1)
    spanned = shown[None] if span is None else np.asarray(span, float)
    if spanned.ndim != 3 or spanned.shape[1] != spanned.shape[2]:
        raise InvalidInput(f"span has shape {spanned.shape}: give kernels, (any number, inputs, inputs)")
    beside = spanned[:, ~np.eye(spanned.shape[1], dtype=bool)] if spanned.shape[1] > 1 else spanned
    lowest, highest = float(np.quantile(beside, 0.002)), float(np.quantile(beside, 0.998))
    if highest <= lowest:
        lowest, highest = lowest - 0.5, lowest + 0.5
    if lowest < -0.15 * highest:
        highest = max(-lowest, highest)
        scale = {"cmap": _style.DIVERGING, "vmin": -highest, "vmax": highest}
    else:
        scale = {"cmap": _style.SEQUENTIAL, "vmin": min(lowest, 0.0), "vmax": highest}
    image = _style.draw_image(axes, shown, aspect="equal", **scale)
    line = "black" if scale["cmap"] == _style.DIVERGING else "white"
    for edge in edges[1:-1]:
        axes.axhline(edge - 0.5, color=line, linewidth=_style.LINE)
        axes.axvline(edge - 0.5, color=line, linewidth=_style.LINE)
    if theory is not None:
        inside = {"transform": axes.transAxes, "fontsize": _style.TICK, "color": "black"}
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.text(0.97, 0.97, "samples", ha="right", va="top", bbox=box, **inside)
        axes.text(0.03, 0.03, "theory", ha="left", va="bottom", bbox=box, **inside)
    _style.dress(axes, frame=True)
    _style.class_ticks(axes, "x", classes, edges)
    _style.class_ticks(axes, "y", classes, edges)
    which = "test input" if test else "input"
    _style.label(axes, f"{which} $\\mu$, by class", f"{which} $\\nu$")
    if bar:
        beyond = spanned.max() > scale["vmax"], spanned.min() < scale["vmin"]
        extend = {(True, True): "both", (True, False): "max", (False, True): "min"}.get(beyond, "neither")
        _style.colour_bar(axes, image, "kernel $K_{\\mu\\nu}$", extend)
