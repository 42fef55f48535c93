"""Activations, neurons by code and inputs by class."""

from typing import Any

import numpy as np

from nonlazy.codes import CodingScheme
from nonlazy.errors import InvalidInput
from nonlazy.plots import _style
from nonlazy.plots._rows import Rows, rows_of


def activation_raster(
    axes: Any,
    activations: Any,
    labels: Any,
    scheme: CodingScheme,
    *,
    at_most: int | None = None,
    names: bool = True,
    strip: bool = True,
    bar: bool = True,
    test: bool = False,
    span: Any = None,
) -> Rows:
    """Draw a layer's activations, a row a neuron, a column an input.

    Rows are sorted by code, and within a code from strong to weak (analog layers: all from strong to weak; sparse
    layers: the 20 most active neurons, the rest counted in the label); columns are sorted by class. Codes are named at
    the left, classes below.

    **Arguments:**

    - `axes`: matplotlib axes to draw on; the names of codes stand to the left of it.
    - `activations`, `labels`: phi(z_i(x_mu)), `(neurons, inputs)`, and the class of each input.
    - `scheme`: of the layer, possibly found on other inputs.
    - `at_most`: show the most active neurons only; None: 20 in a sparse layer, else all.
    - `names`, `strip`, `bar`: whether to name the codes, draw their colours, and draw a colour bar.
    - `test`: say "test input" on the axis.
    - `span`: activations that the colours span, so that panels compare; None: those shown.

    **Returns:** the `Rows` shown, so that a panel beside it can show the same.

    **Raises:** `nonlazy.errors.InvalidInput` where activations, labels and scheme do not fit.
    """
    layer, labels = checked(activations, labels, scheme)
    rows = rows_of(scheme, at_most)
    columns, classes, edges = _style.by_class(labels)
    shown = layer[np.ix_(rows.neurons, columns)]
    scale, note, extend = _style.colour_scale(shown if span is None else np.asarray(span, dtype=float))
    image = _style.draw_image(axes, shown, **scale)
    contrast = "black" if scale["cmap"] == _style.DIVERGING else "white"
    for edge in edges[1:-1]:
        axes.axvline(edge - 0.5, color=contrast, linewidth=_style.LINE)
    for edge in rows.edges[1:-1] if rows.separated else ():
        axes.axhline(edge - 0.5, color=contrast, linewidth=_style.LINE)
    _style.dress(axes, frame=True)
    axes.set_yticks([])
    _style.class_ticks(axes, "x", classes, edges)
    _style.label(axes, f"{'test input' if test else 'input'} $\\mu$, by class")
    if strip:
        code_strip(axes, rows, scheme, names=names)
    if bar:
        _style.colour_bar(axes, image, f"activation $\\phi(z_i)${note}", extend)
    return rows


def code_strip(axes: Any, rows: Rows, scheme: CodingScheme, *, names: bool = True) -> None:
    """Draw a strip of the codes' colours at the left of `axes`, the codes' names, and what the rows are."""
    from matplotlib.patches import Rectangle

    across = axes.get_yaxis_transform()
    colours = _style.scheme_colours(scheme.codes)
    groups = list(zip(rows.codes, rows.edges[:-1], rows.edges[1:], strict=True))
    height = _style.points(axes, "y")
    name_groups = names and rows.separated and len(scheme.codes) > 0
    # The strip is as wide in print whatever the width of the panel: 4 points.
    wide = 4 / _style.points(axes, "x")
    wanted = [(first + last) / 2 - 0.5 for _, first, last in groups]
    shown = axes.get_ylim()
    places = _style.spread_out(wanted, (_style.TICK + 1.5) / height * rows.neurons.size)
    for (code, first, last), place, centre in zip(groups, places, wanted, strict=True):
        if scheme.codes.shape[0]:
            axes.add_patch(
                Rectangle(
                    (-1.6 * wide, first - 0.5),
                    wide,
                    last - first,
                    transform=across,
                    clip_on=False,
                    linewidth=0,
                    color=_style.GREY if code < 0 else colours[code],
                )
            )
        if name_groups:
            text = row_name(scheme, code)
            axes.plot(
                [-1.7 * wide, -2.6 * wide], [centre, place], transform=across, clip_on=False, color="0.4", linewidth=0.4
            )
            axes.text(
                -2.8 * wide, place, text, transform=across, ha="right", va="center", fontsize=_style.TICK, clip_on=False
            )
    # Lines to names beyond the rows are not to make room for themselves.
    axes.set_ylim(shown)
    text = _style.fitted(_row_label(rows, scheme), height)
    axes.set_ylabel(text, fontsize=_style.LABEL, labelpad=_label_pad(scheme, name_groups), linespacing=1.0)


def row_name(scheme: CodingScheme, code: int) -> str:
    """What stands beside the rows of a code, "1-1-0" (no hyphens above five classes), or of neurons without one."""
    if code < 0:
        return "bulk" if scheme.kind == "sparse" else "no code"
    name = scheme.code_name(code)
    return name if scheme.codes.shape[1] <= 5 else name.replace("-", "")


def names_width(scheme: CodingScheme) -> float:
    """Room that the names of the codes take, in points."""
    # Digits and letters are about .64 of the font size wide, hyphens .37.
    names = [row_name(scheme, i) for i in range(-1 if np.any(scheme.neuron_codes < 0) else 0, len(scheme.codes))]
    return _style.TICK * max(0.64 * len(name) - 0.27 * name.count("-") for name in names)


def checked(activations: Any, labels: Any, scheme: CodingScheme) -> tuple[np.ndarray, np.ndarray]:
    """Activations and labels as arrays that fit each other and the scheme."""
    layer, labels = np.asarray(activations, dtype=float), np.asarray(labels)
    neurons = scheme.neuron_codes.size
    if layer.ndim != 2 or layer.shape[0] != neurons or layer.shape[1] == 0:
        raise InvalidInput(f"activations have shape {layer.shape}: a scheme of {neurons} neurons needs ({neurons}, P)")
    if labels.shape != (layer.shape[1],):
        raise InvalidInput(f"labels have shape {labels.shape}; activations are of {layer.shape[1]} inputs")
    if not np.isfinite(layer).all():
        raise InvalidInput(f"activations hold {int((~np.isfinite(layer)).sum())} values that are not finite")
    return layer, labels


def _row_label(rows: Rows, scheme: CodingScheme) -> str:
    if rows.neurons.size < rows.total:
        return f"the {rows.neurons.size} most active of {rows.total} neurons"
    if scheme.kind == "redundant":
        codes = f" ({len(scheme.codes)} codes)" if not rows.separated else ""
        return f"neuron $i$, by code{codes}"
    return "neuron $i$, by mean square"


def _label_pad(scheme: CodingScheme, named: bool) -> float:
    if not named:
        return 8.0 if scheme.codes.shape[0] else 2.0
    return 12.0 + names_width(scheme)
