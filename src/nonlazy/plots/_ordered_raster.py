"""Activations with neurons in an order that is given, so that panels can show the same neurons in the same rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.plots import _style
from nonlazy.plots._code_times import code_column


def ordered_raster(
    axes: Any,
    activations: Float[np.ndarray, "neurons inputs"],
    labels: Int[np.ndarray, " inputs"],
    codes: Int[np.ndarray, " neurons"],
    colours: Mapping[int, str],
    order: Int[np.ndarray, " neurons"],
    title: str = "",
    bar: bool = False,
) -> None:
    """Draw a layer's activations between 0 and 1, a row a neuron, a column an input, with a strip of the codes.

    **Arguments:** `axes`: matplotlib axes to draw on; `labels`: class of each input, by which columns are sorted;
    `codes`: of each neuron, as numbers; `colours`: of them; `order`: the neurons from top to bottom; `title`: above the
    panel; `bar`: draw a colour bar.
    """
    columns, classes, edges = _style.by_class(labels)
    image = _style.draw_image(
        axes, np.asarray(activations, float)[np.ix_(order, columns)], cmap=_style.SEQUENTIAL, vmin=0.0, vmax=1.0
    )
    for edge in edges[1:-1]:
        axes.axvline(edge - 0.5, color="white", linewidth=_style.LINE)
    _style.dress(axes, frame=True)
    axes.set_yticks([])
    _style.class_ticks(axes, "x", classes, edges)
    _style.label(axes, "input $\\mu$, by class")
    code_column(axes, codes[order], colours)
    axes.set_title(title, fontsize=_style.SMALL, pad=2, loc="left")
    if bar:
        _style.colour_bar(axes, image, "activation $\\phi(z_i)$")


def by_code(
    codes: Int[np.ndarray, " neurons"], activations: Float[np.ndarray, "neurons inputs"]
) -> Int[np.ndarray, " neurons"]:
    """Neurons sorted by code, the highest number first, and within a code from strong to weak."""
    return np.lexsort((-np.mean(np.square(activations), axis=1), -codes))
