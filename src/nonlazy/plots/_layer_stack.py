"""The layers of one network, one below the other: activations, and the kernel beside them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonlazy.codes import CodingScheme
from nonlazy.errors import InvalidInput
from nonlazy.plots import _style
from nonlazy.plots._kernel import kernel
from nonlazy.plots._raster import activation_raster, names_width


# Inches: of panels and of what lies between them.
_SIDE, _GAP, _RIGHT, _BETWEEN, _TOP, _BARS = 0.74, 0.2, 0.06, 0.2, 0.3, 0.42


def layer_stack_height(layers: int) -> float:
    """Inches that `layer_stack` needs for so many layers."""
    return _TOP + layers * _SIDE + (layers - 1) * _BETWEEN + 0.14 + _BARS


def layer_stack(
    figure: Any,
    activations: Sequence[Any],
    kernels: Sequence[Any],
    labels: Any,
    schemes: Sequence[CodingScheme],
    *,
    title: str | None = None,
    at_most: int | None = None,
    letter: str | None = None,
    top: float | None = None,
) -> None:
    """Draw the layers of one network: a row a layer, activations sorted by the layer's own codes and its kernel.

    All rasters share one colour scale, and so do all kernels; their bars stand below.

    **Arguments:**

    - `figure`: a matplotlib figure or subfigure to draw on, 2.3 inches wide and at least `layer_stack_height` high.
    - `activations`, `kernels`, `schemes`: of each layer, the first one first; `labels`: class of each input.
    - `title`, `letter`: stand at the top left.
    - `at_most`: show the most active neurons of each layer only.
    - `top`: inches from the lower edge of the figure to the upper edge of the stack; None: the figure's height.

    **Raises:** `nonlazy.errors.InvalidInput` where the arrays do not fit.
    """
    if not len(activations) == len(kernels) == len(schemes) > 0:
        raise InvalidInput(
            f"{len(activations)} activations, {len(kernels)} kernels, {len(schemes)} schemes: give one each a layer"
        )
    wide, tall = _style.inches(figure)
    top = tall if top is None else top
    names = max((names_width(scheme) / 72 for scheme in schemes if len(scheme.codes)), default=0.0)
    left = 0.2 + (0.17 + names if names else 0.06)
    width = wide - left - _GAP - _SIDE - _RIGHT

    def add(x: float, y: float, across: float, high: float) -> Any:
        return figure.add_axes((x / wide, y / tall, across / wide, high / tall))

    all_activations = np.concatenate([*map(np.asarray, activations)])
    all_kernels = np.array([*map(np.asarray, kernels)])
    raster = matrix = None
    for number, (layer, K, scheme) in enumerate(zip(activations, kernels, schemes, strict=True)):
        y = top - _TOP - _SIDE - number * (_SIDE + _BETWEEN)
        last = number + 1 == len(schemes)
        raster, matrix = add(left, y, width, _SIDE), add(wide - _RIGHT - _SIDE, y, _SIDE, _SIDE)
        activation_raster(raster, layer, labels, scheme, at_most=at_most, bar=False, span=all_activations)
        kernel(matrix, K, labels, bar=False, span=all_kernels)
        raster.set_ylabel("")
        figure.text(0.05 / wide, (y + _SIDE / 2) / tall, f"layer {number + 1}", **_SIDEWAYS)
        matrix.set_ylabel("")
        for axes in (raster, matrix):
            axes.set_xlabel("input $\\mu$, by class" if last else "", fontsize=_style.LABEL, labelpad=2)
    y = top - layer_stack_height(len(schemes)) + 0.14
    _bar(add(left, y, width, 0.05), raster, "activation $\\phi(z_i)$")
    _bar(add(wide - _RIGHT - _SIDE, y, _SIDE, 0.05), matrix, "kernel $K_{\\mu\\nu}$")
    if letter:
        figure.text(0.03 / wide, (top - 0.03) / tall, letter, fontsize=_style.LABEL + 1, weight="bold", va="top")
    if title:
        figure.text(0.2 / wide, (top - 0.03) / tall, title, fontsize=_style.LABEL + 1, va="top")


_SIDEWAYS: Any = {"rotation": 90, "va": "center", "ha": "left", "fontsize": _style.LABEL}


def _bar(place: Any, axes: Any, text: str) -> None:
    """A horizontal bar for what `axes` shows, its name below it."""
    from matplotlib.colors import PowerNorm

    bar = axes.figure.colorbar(axes.images[0], cax=place, orientation="horizontal")
    bar.outline.set_linewidth(_style.LINE)
    place.tick_params(labelsize=_style.SMALL, length=2, width=_style.LINE, pad=1.2)
    _style.few_ticks(place.xaxis, 2 if _style.points(place, "x") < 60 else 4)
    root = " (square root)" if isinstance(axes.images[0].norm, PowerNorm) else ""
    place.set_xlabel(_style.fitted(text + root, 1.3 * _style.points(place, "x"), _style.SMALL), fontsize=_style.SMALL,
                     labelpad=1, linespacing=1.0)  # fmt: skip
