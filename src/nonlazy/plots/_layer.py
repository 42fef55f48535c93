"""One layer in one row: readouts, activations, outputs, and the kernel if wanted."""

from collections.abc import Sequence
from typing import Any

from nonlazy.codes import CodingScheme
from nonlazy.plots import _style
from nonlazy.plots._kernel import kernel
from nonlazy.plots._outputs import outputs_against_targets
from nonlazy.plots._raster import activation_raster, code_strip, names_width
from nonlazy.plots._readouts import checked, readout_map, readout_scatter
from nonlazy.plots._rows import rows_of
from nonlazy.plots._theory import readout_centres, readout_covariance


_HEIGHT = 2.75  # inches
_HEIGHT_WITH_KERNEL = 3.9


def layer(
    figure: Any,
    readouts: Any,
    activations: Any,
    labels: Any,
    outputs: Any,
    Y: Any,
    scheme: CodingScheme,
    title: str | None = None,
    theory: Any = None,
    footnote: str | None = None,
    badge: str | None = None,
    K: Any = None,
    names: Sequence[Any] | None = None,
    letters: str = "abcd",
) -> Any:
    """One draw of a network in one row, as in Fig. 2 of van Meegen & Sompolinsky (2025), 7 inches wide.

    From left to right: readout weights (two planes for three outputs and more, a histogram for one); the same as a heat
    map beside the activations, neuron by neuron, sorted by code; outputs against targets, and below them the kernel
    if `K` is given.

    **Arguments:**

    - `figure`: a matplotlib figure or subfigure to draw on; None makes one.
    - `readouts`, `activations`, `outputs`: of the same draw; `labels`, `Y`: class and target of each input.
    - `scheme`: coding scheme of the layer.
    - `title`: stands at the top left.
    - `theory`: drawn in black over the readouts, see `readout_scatter`.
    - `footnote`: small print below, such as where the data come from.
    - `badge`: boxed at the top right, what the reader must not miss, such as "QUICK SIZE".
    - `K`: kernel of the layer on the same inputs.
    - `names`: of the outputs; None takes the scheme's classes where there are as many.
    - `letters`: of the panels, from left to right.

    **Returns:** the figure.

    **Raises:** `nonlazy.errors.InvalidInput` where the arrays do not fit.
    """
    readouts, names = checked(readouts, scheme, names)
    if figure is None:
        from matplotlib.figure import Figure

        figure = Figure(
            figsize=(_style.WIDTH, _HEIGHT if K is None else _HEIGHT_WITH_KERNEL), dpi=200, facecolor="white"
        )
    m = readouts.shape[1]
    places = _places(m, K is not None, bool(footnote), _label_width(scheme))
    axes = {name: figure.add_axes(place) for name, place in places.items()}
    planes = [(0, 1), (0, 2)] if m >= 3 else [None]
    for k, plane in enumerate(planes):
        readout_scatter(axes[f"readouts {k}"], readouts, scheme, plane=plane, names=names, theory=theory, legend=False)
    if len(planes) == 2:
        _share_abscissa(axes["readouts 0"], axes["readouts 1"])
    rows = activation_raster(axes["activations"], activations, labels, scheme, strip=False)
    readout_map(axes["map"], readouts, scheme, rows=rows, names=names)
    code_strip(axes["map"], rows, scheme)
    outputs_against_targets(axes["outputs"], outputs, Y, labels, names=names)
    if K is not None:
        kernel(axes["kernel"], K, labels)
    _letters(
        figure,
        [axes["readouts 0"], axes["map"], axes["outputs"], *([axes["kernel"]] if K is not None else [])],
        letters,
    )
    dashed = readout_covariance(theory, m) is not None
    if dashed or readout_centres(theory, m) is not None:
        mark = "dashed" if dashed or m == 1 else "+"
        axes["readouts 0"].set_title(f"{mark}: theory", fontsize=_style.SMALL, pad=2, loc="right")
    if title:
        figure.text(0.008, 0.985, title, fontsize=_style.LABEL + 1, va="top", ha="left")
    if badge:
        figure.text(
            0.992, 0.98, badge, fontsize=_style.LABEL, va="top", ha="right", weight="bold", color="#B00020",
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "#B00020", "linewidth": 0.8},
        )  # fmt: skip
    if footnote:
        figure.text(0.008, 0.015, footnote, fontsize=_style.SMALL, va="bottom", ha="left", color="0.3")
    return figure


def _label_width(scheme: CodingScheme) -> float:
    """Share of the width that strip, names of codes and the axis label need to the left of the heat map."""
    if not len(scheme.codes) or not rows_of(scheme).separated:
        return 0.035
    return 0.035 + (12 + names_width(scheme)) / 72 / _style.WIDTH


def _places(m: int, with_kernel: bool, footnote: bool, names: float) -> dict[str, tuple]:
    """Left, bottom, width and height of every panel, as shares of the figure."""
    tall = _HEIGHT_WITH_KERNEL if with_kernel else _HEIGHT
    # In inches: axis labels and the footnote below; title, class names and the bar of the heat map above.
    bottom, top = (0.53 if footnote else 0.43) / tall, 1 - 0.53 / tall
    height = top - bottom
    left, planes = 0.06, 0.175
    places = {}
    if m >= 3:
        gap = 0.14 / tall
        half = (height - gap) / 2
        places["readouts 0"] = (left, bottom + half + gap, planes, half)
        places["readouts 1"] = (left, bottom, planes, half)
    else:
        places["readouts 0"] = (left, bottom, planes, height)
    start = left + planes + 0.03 + names
    narrow = min(0.018 * max(m, 2), 0.08)
    places["map"] = (start, bottom, narrow, height)
    start += narrow + 0.009
    # Between activations and outputs: the bar of colours and the labels of both.
    between = 0.142
    rest = 1 - start - between - 0.012
    share = 0.44 if with_kernel else 0.54
    places["activations"] = (start, bottom, share * rest, height)
    start += share * rest + between
    rest *= 1 - share
    if not with_kernel:
        places["outputs"] = (start, bottom, rest, height)
        return places
    gap = 0.62 / tall
    half = (height - gap) / 2
    square = half * tall / _style.WIDTH
    places["outputs"] = (start, bottom + half + gap, rest, half)
    places["kernel"] = (start, bottom, min(square, rest - 0.08), half)
    return places


def _share_abscissa(upper: Any, lower: Any) -> None:
    sides = zip(upper.get_xlim(), lower.get_xlim(), strict=True)
    limits = [extreme(side) for extreme, side in zip((min, max), sides, strict=True)]
    for axes in (upper, lower):
        axes.set_xlim(limits)
    upper.set_xlabel("")
    upper.tick_params(labelbottom=False)


def _letters(figure: Any, panels: list[Any], letters: str) -> None:
    _, tall = _style.inches(figure)
    for place, (letter, axes) in enumerate(zip(letters, panels, strict=False)):
        box = axes.get_position()
        x = (0.008, box.x0 - 0.058)[place] if place < 2 else box.x0 - 0.052
        above = 0.12 if place == 3 else 0.24
        figure.text(x, box.y1 + above / tall, letter, fontsize=_style.LABEL + 1, weight="bold", va="center", ha="left")
