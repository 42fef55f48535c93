"""Samples against theory."""

from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.plots import _style
from nonlazy.plots._densities import readout_densities
from nonlazy.plots._kernel import kernel
from nonlazy.plots._outputs import outputs_against_targets


def compare(run: Any, prediction: Any) -> Any:
    """Samples against their theory: readouts, kernel of the feature layer, outputs.

    Readouts: histogram over all neurons, draws and chains for each output, and the theory's density dashed. Kernel:
    posterior mean above the diagonal, theory below. Outputs: posterior means against targets.

    **Arguments:** `run`: a `nonlazy.sampling.Run`; `prediction`: a `nonlazy.theory.Prediction` of its posterior.

    **Returns:** a matplotlib figure, 7 inches wide.

    **Raises:** `nonlazy.errors.InvalidInput` if the prediction does not fit the run.
    """
    from matplotlib.figure import Figure

    readouts = np.asarray(run.readouts(), float)
    m, task = readouts.shape[-1], run.task
    learned = prediction.posterior.task
    if (learned.P, learned.m) != (task.P, m):
        raise InvalidInput(
            f"the prediction is of a task with P = {learned.P}, m = {learned.m}; the run has P = {task.P}, m = {m}"
        )
    names = task.class_names if len(task.class_names) == m else [str(r + 1) for r in range(m)]
    figure = Figure(figsize=(_style.WIDTH, 2.5), dpi=200, facecolor="white")
    bottom, height = 0.17, 0.66
    histograms = figure.add_axes((0.05, bottom, 0.24, height))
    square = height * 2.5 / _style.WIDTH
    matrix = figure.add_axes((0.36, bottom, square, height))
    outputs = figure.add_axes((0.755, bottom, 0.235, height))
    readout_densities(histograms, prediction, names, values=readouts.reshape(-1, m))
    kernel(matrix, np.asarray(run.kernel(), float), task.labels, theory=np.asarray(prediction.kernel(task.X), float))
    outputs_against_targets(outputs, np.asarray(run.mean_outputs(), float).mean(axis=0), task.Y, task.labels)
    said = _style.unbroken(str(run.posterior))
    figure.text(0.008, 0.98, said, fontsize=_style.SMALL, va="top", ha="left", color="0.3", wrap=True)
    return figure
