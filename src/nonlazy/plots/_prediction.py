"""What the theory says of a layer, in one row: readouts, preactivations by code, kernel."""

import math
import textwrap
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style
from nonlazy.plots._densities import preactivation_densities, readout_densities
from nonlazy.plots._kernel import kernel


_HEIGHT = 2.9  # inches
_MOST_ROWS = 7


def prediction(prediction: Any, title: str | None = None) -> Any:
    """A prediction in one row: density of the readouts by output, of the preactivations by code, and the kernel.

    **Arguments:** `prediction`: a `nonlazy.theory.Prediction`; `title`: stands at the top left, None takes the
    posterior in words.

    **Returns:** a matplotlib figure, 7 inches wide.
    """
    from matplotlib.figure import Figure

    posterior = prediction.posterior
    task = posterior.task
    names = task.class_names if len(task.class_names) == task.m else [str(r + 1) for r in range(task.m)]
    figure = Figure(figsize=(_style.WIDTH, _HEIGHT), dpi=200, facecolor="white")
    bottom, height = 0.21, 0.6
    readout_densities(figure.add_axes((0.04, bottom, 0.24, height)), prediction, names)
    _preactivations(figure, prediction, (0.36, bottom, 0.23, height))
    square = height * _HEIGHT / _style.WIDTH
    panel = figure.add_axes((0.66, bottom, square, height))
    kernel(panel, np.asarray(prediction.kernel(task.X), float), task.labels)
    said = title or _style.unbroken(str(posterior))
    figure.text(
        0.008, 0.985, said, fontsize=_style.SMALL if title is None else _style.LABEL, va="top",
        ha="left", wrap=True, color="0.3" if title is None else "black",
    )  # fmt: skip
    proof = "certified" if prediction.certified else "not certified"
    small = textwrap.fill(f"{prediction.ensemble}; {proof}: {prediction.certificate}", 150, max_lines=2)
    figure.text(0.008, 0.008, small, fontsize=_style.SMALL, va="bottom", ha="left", color="0.3")
    return figure


def _preactivations(figure: Any, prediction: Any, place: tuple[float, float, float, float]) -> None:
    left, bottom, width, height = place
    rows = _rows(prediction)
    # Rows of one range share the numbers below the last of them.
    last = [k + 1 == len(rows) or rows[k + 1][2] != rows[k][2] for k in range(len(rows))]
    gaps = [0.07 if numbered else 0.02 for numbered in last[:-1]]
    each = (height - sum(gaps)) / len(rows)
    top = bottom + height
    for k, (name, code, limits) in enumerate(rows):
        axes = figure.add_axes((left, top - each, width, each))
        top -= each + (gaps[k] if k < len(gaps) else 0.0)
        preactivation_densities(axes, prediction, code, limits)
        axes.text(-0.03, 0.5, name, transform=axes.transAxes, fontsize=_style.SMALL, ha="right", va="center")
        if k == 0:
            axes.legend(
                fontsize=_style.SMALL, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 0.98),
                handlelength=1, columnspacing=1,
            )  # fmt: skip
        axes.tick_params(labelbottom=last[k])
        if k == len(rows) - 1:
            _style.label(axes, "preactivation $z_i(x)$, by class")


def _rows(prediction: Any) -> list[tuple[str, int | None, tuple[float, float]]]:
    """Name, code and range of each row of densities; at most a few of the largest codes."""
    posterior = prediction.posterior
    spread = math.sqrt(float(np.mean(np.sum(posterior.task.X**2, axis=1)) / posterior.task.N0) * posterior.sigma2[0])
    limits = (-4.5 * spread, 4.5 * spread)
    codes, outliers = getattr(prediction, "codes", None), getattr(prediction, "outliers", None)
    if codes is not None:
        shown = list(zip(codes.names, codes.fraction, strict=True))[:_MOST_ROWS]
        return [(f"{name}\n{share:.1%}", k, limits) for k, (name, share) in enumerate(shown)]
    if outliers is not None:
        scale = posterior.network.width**outliers.exponent
        preactivations = np.asarray(outliers.preactivation, float)[: _MOST_ROWS - 1] * scale
        wide = (-4.5 * spread, float(preactivations.max(initial=0.0)) + 4.5 * spread)
        return [*((f"outlier {k + 1}", k, wide) for k in range(len(preactivations))), ("all", None, limits)]
    return [("all", None, (-3 * _deviation(prediction), 3 * _deviation(prediction)))]


def _deviation(prediction: Any) -> float:
    """Largest standard deviation of a class's feature preactivations, from the densities themselves; 1 without any."""
    posterior = prediction.posterior
    grid = np.linspace(-30, 30, 6001) * math.sqrt(posterior.sigma2[-1])
    widest = 0.0
    for label in np.unique(posterior.task.labels):
        try:
            density = prediction.preactivation_density(grid, None, int(label), -1)
        except InvalidInput:
            continue
        widest = max(widest, math.sqrt(float(np.sum(grid**2 * density) / np.sum(density))))
    return widest or 1.0
