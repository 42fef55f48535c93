"""Samples against theory."""

from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style, _theory
from nonlazy.plots._kernel import kernel
from nonlazy.plots._outputs import outputs_against_targets


def compare(run: Any, prediction: Any) -> Any:
    """Samples of a linear network against its theory: readouts, kernel of the feature layer, outputs.

    Readouts: histogram over all neurons, draws and chains for each output, and the Gaussian N(0, U_rr) dashed. Kernel:
    posterior mean above the diagonal, theory below. Outputs: posterior means against targets.

    **Arguments:** `run`: a `nonlazy.sampling.Run`; `prediction`: with `readout_covariance` and `kernel(X)`, as
    `nonlazy.theory.solve` gives it for a linear network.

    **Returns:** a matplotlib figure, 7 inches wide.

    **Raises:** `nonlazy.errors.InvalidInput` if the prediction has no readout covariance or does not fit the run.
    """
    from matplotlib.figure import Figure

    readouts = np.asarray(run.readouts(), float)
    m = readouts.shape[-1]
    covariance = _theory.readout_covariance(prediction, m)
    if covariance is None:
        raise InvalidInput("the prediction has no readout covariance: this comparison is of linear networks")
    task = run.task
    figure = Figure(figsize=(_style.WIDTH, 2.5), dpi=200, facecolor="white")
    bottom, height = 0.17, 0.66
    histograms = figure.add_axes((0.07, bottom, 0.22, height))
    square = height * 2.5 / _style.WIDTH
    matrix = figure.add_axes((0.36, bottom, square, height))
    outputs = figure.add_axes((0.755, bottom, 0.235, height))
    _densities(histograms, readouts.reshape(-1, m), covariance, task)
    kernel(matrix, np.asarray(run.kernel(), float), task.labels, theory=np.asarray(prediction.kernel(task.X), float))
    outputs_against_targets(outputs, np.asarray(run.mean_outputs(), float).mean(axis=0), task.Y, task.labels)
    figure.text(0.008, 0.98, f"{run.posterior}", fontsize=_style.SMALL, va="top", ha="left", color="0.3", wrap=True)
    return figure


def _densities(axes: Any, values: np.ndarray, covariance: np.ndarray, task: Any) -> None:
    m = values.shape[1]
    names = task.class_names if len(task.class_names) == m else [str(r + 1) for r in range(m)]
    limit = 4 * np.sqrt(covariance.diagonal().max())
    bins, grid = np.linspace(-limit, limit, 61), np.linspace(-limit, limit, 300)
    for r in range(m):
        variance = covariance[r, r]
        peak = 1 / np.sqrt(2 * np.pi * variance)
        colour = _style.PALETTE[r % len(_style.PALETTE)]
        # One above the other: densities of several outputs would lie on top of each other.
        floor = (m - 1 - r) * 1.15 / np.sqrt(2 * np.pi * covariance.diagonal().min())
        density = np.histogram(values[:, r], bins=bins)[0] / (values.shape[0] * (bins[1] - bins[0]))
        axes.stairs(floor + density, bins, baseline=floor, fill=True, color=colour, alpha=0.45)
        axes.plot(grid, floor + peak * np.exp(-(grid**2) / (2 * variance)), "--", color=_style.THEORY, linewidth=0.9)
        measured = float(np.mean(values[:, r] ** 2))
        axes.text(
            0.99,
            floor + 0.55 * peak,
            f"$r$ = {names[r]}\n$U_{{rr}}$ = {measured:.3f}\ntheory {variance:.3f}",
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=_style.SMALL,
        )
    axes.set_xlim(-limit, 1.5 * limit)
    axes.set_yticks([])
    _style.dress(axes)
    axes.spines["left"].set_visible(False)
    _style.label(axes, "readout $a_i^r$", "density; dashed: theory")
