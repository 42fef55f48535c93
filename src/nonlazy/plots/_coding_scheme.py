"""The coding scheme of any layer in one picture: activations, kernel, shares of codes, readouts."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.codes import CodingScheme, as_layer
from nonlazy.errors import InvalidInput
from nonlazy.plots import _style
from nonlazy.plots._kernel import kernel
from nonlazy.plots._raster import activation_raster, names_width
from nonlazy.plots._readouts import checked, readout_scatter
from nonlazy.plots._rows import rows_of


_HEIGHT = 2.9  # inches
_INPUTS = 400  # shown; more could not be told apart
_NEURONS = 1000
_CODES = 16


def coding_scheme(
    figure: Any,
    scheme: CodingScheme,
    activations: Any,
    labels: Any,
    readouts: Any = None,
    title: str | None = None,
) -> Any:
    """A layer of any network, 7 inches wide: activations sorted by code and class, kernel, shares of the codes with
    their 95 % intervals, and the readout weights where they are given.

    Of many inputs an even selection of each class is shown, of many neurons the most active.

    **Arguments:**

    - `figure`: a matplotlib figure or subfigure to draw on; None makes one.
    - `scheme`: of the layer.
    - `activations`, `labels`: what `nonlazy.codes.detect` takes.
    - `readouts`: a_i^r, `(neurons, outputs)`, or None.
    - `title`: stands at the top left.

    **Returns:** the figure.

    **Raises:** `nonlazy.errors.InvalidInput` where the arrays do not fit.
    """
    layer = as_layer(activations)
    labels = np.asarray(labels)
    if layer.neurons != scheme.neuron_codes.size or labels.shape != (layer.inputs,):
        raise InvalidInput(
            f"activations {(layer.neurons, layer.inputs)}, labels {labels.shape} and a scheme of "
            f"{scheme.neuron_codes.size} neurons do not fit"
        )
    weights = None if readouts is None else checked(readouts, scheme, None)[0]
    if figure is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_style.WIDTH, _HEIGHT), dpi=200, facecolor="white")
    shown = _selection(labels)
    values = np.concatenate([chunk[:, shown] for _, chunk in layer.chunks()])
    axes = {name: figure.add_axes(place) for name, place in _places(scheme, weights is not None).items()}
    at_most = None if scheme.kind == "sparse" else min(_NEURONS, layer.neurons)
    activation_raster(axes["activations"], values, labels[shown], scheme, at_most=at_most)
    kernel(axes["kernel"], values.T @ values / layer.neurons, labels[shown])
    code_shares(axes["shares"], scheme)
    if weights is not None:
        plane = (0, 1) if weights.shape[1] > 1 else None
        readout_scatter(axes["readouts"], weights, scheme, plane=plane, legend=False)
    if title:
        figure.text(0.008, 0.985, title, fontsize=_style.LABEL + 1, va="top", ha="left")
    return figure


def code_shares(axes: Any, scheme: CodingScheme) -> None:
    """Draw the share of neurons of each code with its 95 % interval, the commonest sixteen from top to bottom.

    **Arguments:** `axes`: matplotlib axes to draw on; `scheme`: of a layer; without codes the panel says so.
    """
    if not len(scheme.codes):
        axes.axis("off")
        axes.text(0.5, 0.5, f"{scheme.kind}:\nno codes", transform=axes.transAxes, ha="center", fontsize=_style.LABEL)
        return
    _style.dress(axes)
    colours = _style.scheme_colours(scheme.codes)
    most = np.argsort(-scheme.counts, kind="stable")[:_CODES]
    for place, code in enumerate(most):
        low, high = scheme.fraction_intervals[code]
        axes.plot([low, high], [place, place], color=colours[code], linewidth=1, solid_capstyle="butt")
        axes.plot(scheme.fractions[code], place, "o", color=colours[code], markersize=3)
    axes.set_ylim(max(len(most), 3) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_yticks(range(len(most)), [_short(scheme.code_name(int(code))) for code in most], fontsize=_style.TICK)
    axes.tick_params(axis="y", length=0)
    _style.few_ticks(axes.xaxis, 3)
    more = len(scheme.codes) - len(most)
    _style.label(axes, "share of neurons" + (f"\n{len(most)} of {len(scheme.codes)} codes" if more else ""))


def _short(name: str) -> str:
    return name if len(name) <= 11 else name.replace("-", "")


def _selection(labels: np.ndarray) -> Int[np.ndarray, " shown"]:
    """At most `_INPUTS` inputs, evenly from each class in proportion to its size, at least one of each."""
    if labels.size <= _INPUTS:
        return np.arange(labels.size)
    names, classes = np.unique(labels, return_inverse=True)
    chosen = []
    for c in range(names.size):
        members = np.flatnonzero(classes == c)
        number = max(1, int(_INPUTS * members.size / labels.size))
        chosen.append(members[np.arange(number) * members.size // number])
    return np.sort(np.concatenate(chosen))


def _places(scheme: CodingScheme, with_readouts: bool) -> dict[str, Float[np.ndarray, "4"]]:
    """Left, bottom, width and height of every panel, as shares of the figure."""
    bottom, top = (0.43 if len(scheme.codes) <= _CODES else 0.53) / _HEIGHT, 1 - 0.4 / _HEIGHT
    height = top - bottom
    named = len(scheme.codes) > 0 and rows_of(scheme).separated
    left = 0.04 + (12 + names_width(scheme) if named else 8) / 72 / _style.WIDTH
    square = 1.45 / _style.WIDTH
    kernel_left = 0.5
    places = {
        "activations": np.array([left, bottom, kernel_left - left - 0.135, height]),
        "kernel": np.array([kernel_left, bottom + 0.5 * (height - 1.45 / _HEIGHT), square, 1.45 / _HEIGHT]),
    }
    names = 0.0075 * min(max((len(_short(scheme.code_name(i))) for i in range(len(scheme.codes))), default=0), 12)
    start = kernel_left + square + 0.095 + names
    if with_readouts:
        half = (height - 0.5 / _HEIGHT) / 2
        places["shares"] = np.array([start, top - half, 0.985 - start, half])
        places["readouts"] = np.array([start, bottom, 0.985 - start, half])
    else:
        places["shares"] = np.array([start, bottom, 0.985 - start, height])
    return places
