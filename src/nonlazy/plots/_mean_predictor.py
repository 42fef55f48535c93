"""Mean outputs on test inputs, samples against theories."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.plots import _style


def mean_predictor(
    axes: Any,
    samples: Float[np.ndarray, " inputs"],
    theories: Mapping[str, Float[np.ndarray, " inputs"]],
    targets: Float[np.ndarray, " inputs"],
    labels: Int[np.ndarray, " inputs"],
    name: str = "$f$",
) -> None:
    """Draw one output's mean on test inputs, sorted by class and within a class by the samples' mean.

    Samples are dots, targets grey bars; of the theories the first is a black line, the others are lines of colour.

    **Arguments:** `axes`: matplotlib axes to draw on; `samples`, `targets`, `labels`: of each input; `theories`: by
    name, for the legend; `name`: of the output, with symbol.
    """
    names, classes = np.unique(labels, return_inverse=True)
    order = np.lexsort((samples, classes))
    edges = np.concatenate([[0], np.cumsum(np.bincount(classes))])
    places = np.arange(len(samples))
    for first, last in itertools.pairwise(edges):
        target = targets[order][first]
        axes.hlines(target, first - 0.5, last - 0.5, color="0.75", linewidth=2.2, zorder=0)
        inside = slice(first, last)
        for k, values in enumerate(theories.values()):
            colour = _style.THEORY if k == 0 else _style.PALETTE[k + 1]
            axes.plot(places[inside], values[order][inside], color=colour, linewidth=0.7, zorder=3 - k)
    axes.scatter(places, samples[order], s=4, color=_style.PALETTE[0], linewidths=0, zorder=2)
    for edge in edges[1:-1]:
        axes.axvline(edge - 0.5, color="0.8", linewidth=_style.LINE)
    axes.set_xlim(-0.5, len(samples) - 0.5)
    _style.dress(axes)
    _style.class_ticks(axes, "x", list(names), edges)
    _style.few_ticks(axes.yaxis, 4)
    _style.label(axes, "test input $\\mu$, by class", f"mean output {name}")
