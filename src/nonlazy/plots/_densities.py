"""Densities one above the other: readouts by output, preactivations by code."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style


_POINTS = 801


def readout_densities(axes: Any, prediction: Any, names: Sequence[Any], values: Any = None) -> None:
    """Density of each readout component in theory, dashed; the first output on top.

    **Arguments:**

    - `axes`: matplotlib axes to draw on.
    - `prediction`: a `nonlazy.theory.Prediction`.
    - `names`: of the outputs.
    - `values`: readouts of samples, `(neurons, m)`, drawn as histograms below the curves; or None.

    Each output has the height of its own highest peak. Outliers of a rectified layer are single neurons, which no
    density shows: they are marked by ticks, theory below the line and samples above it.
    """
    m = len(names)
    outliers = getattr(prediction, "outliers", None)
    N = prediction.posterior.network.width
    ticks = None if outliers is None else np.asarray(outliers.readout, float) * np.sqrt(N)
    drawn = np.asarray(prediction.sample_readouts(4000, seed=0), float) if values is None else np.asarray(values, float)
    bulk = drawn if ticks is None else drawn[(drawn**2).sum(axis=1) < 0.04 * N]
    limit = 1.15 * float(np.quantile(np.abs(bulk), 0.999)) if len(bulk) else 1.0
    # A spike narrower than the grid is drawn on points of its own, around the codes' centres.
    grid = np.unique(np.concatenate([np.linspace(-limit, limit, _POINTS), _near_codes(prediction, limit)]))
    reach = limit if ticks is None or not len(ticks) else max(limit, 1.08 * float(np.abs(ticks).max()))
    for r in range(m):
        colour = _style.PALETTE[r % len(_style.PALETTE)]
        floor = 1.25 * (m - 1 - r)
        try:
            density = np.asarray(prediction.readout_density(np.eye(m)[r], grid), float)
        except InvalidInput:
            density = np.zeros_like(grid)
        histogram, bins = None, None
        if values is not None:
            bins = np.linspace(-limit, limit, 121)
            histogram = np.histogram(drawn[:, r], bins=bins)[0] / (len(drawn) * (bins[1] - bins[0]))
        peak = max(float(density.max()), 0.0 if histogram is None else float(histogram.max())) or 1.0
        if histogram is not None:
            axes.stairs(floor + histogram / peak, bins, baseline=floor, fill=True, color=colour, alpha=0.45)
        style = {"color": colour, "linewidth": 0.9} if values is None else {"color": _style.THEORY, "linewidth": 0.8}
        axes.plot(grid, floor + density / peak, "-" if values is None else "--", **style)
        axes.axhline(floor, color="0.8", linewidth=0.4, zorder=0)
        if ticks is not None:
            axes.plot(ticks[:, r], np.full(len(ticks), floor - 0.06), "|", color=_style.THEORY, markersize=4)
            if values is not None:
                large = drawn[(drawn**2).sum(axis=1) >= 0.04 * N]
                axes.plot(large[:, r], np.full(len(large), floor + 0.06), "|", color=colour, markersize=4)
        axes.text(0.01, floor + 0.8, f"$r$ = {names[r]}", transform=axes.get_yaxis_transform(), fontsize=_style.SMALL)
    axes.set_xlim(-1.05 * reach, 1.05 * reach)
    axes.set_ylim(-0.15, 1.25 * m)
    axes.set_yticks([])
    _style.dress(axes)
    axes.spines["left"].set_visible(False)
    _style.few_ticks(axes.xaxis, 4)
    _style.label(axes, "readout $a_i^r$", "density, by output" if values is None else "density; dashed: theory")


def preactivation_densities(
    axes: Any, prediction: Any, code: int | None, limits: tuple[float, float], layer: int = -1
) -> None:
    """Density of the preactivations of the neurons with one code, a curve for each class; `code` None: all neurons."""
    task = prediction.posterior.task
    grid = np.linspace(*limits, _POINTS)
    for label in np.unique(task.labels):
        try:
            density = np.asarray(prediction.preactivation_density(grid, code, int(label), layer), float)
        except InvalidInput:
            # An input of zeros has preactivations 0, and its class no density.
            continue
        colour = _style.PALETTE[int(label) % len(_style.PALETTE)]
        # Classes of equal law lie on top of each other: dashes let both show.
        style = ("-", (0, (4, 2)), (0, (1, 1.5)))[int(label) % 3]
        axes.plot(grid, density, color=colour, linestyle=style, linewidth=0.9, label=str(task.class_names[label]))
    axes.set_xlim(*limits)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    _style.dress(axes)
    axes.spines["left"].set_visible(False)
    _style.few_ticks(axes.xaxis, 4)


def _near_codes(prediction: Any, limit: float) -> Float[np.ndarray, " points"]:
    codes = getattr(prediction, "codes", None)
    if codes is None:
        return np.empty(0)
    centres = np.asarray(codes.readout, float).ravel()
    points = (centres[:, None] + np.linspace(-0.1, 0.1, 81) * limit).ravel()
    return points[np.abs(points) <= limit]
