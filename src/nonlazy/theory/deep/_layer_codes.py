"""Codes of a layer's neurons: which classes activate them, in the sense in which a sample's neurons are read.

A neuron has a class in its code where its activations' mean over the class's P_c training inputs is above 1/2. Given
its fields these activations are independent, so that the mean is Gaussian up to corrections of order 1/P_c.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr

from nonlazy.theory.deep._site import Site
from nonlazy.theory.deep._wells import code_patterns


THRESHOLD = 0.5
_SMALLEST = 1e-6


@dataclass(frozen=True, eq=False)
class LayerCodes:
    """The codes of one layer: each is a subset of the classes, shared by a fraction of the neurons.

    **Fields:**

    - `fraction`: share of the neurons, `(n,)`; they sum to 1. Below 1e-6 a code is left out.
    - `activation`: mean activation by class, `(n, classes)`.
    - `active`: the code: which classes activate the neuron, `(n, classes)`.

    Sorted by fraction, the largest first.
    """

    fraction: Float[np.ndarray, " n"]
    activation: Float[np.ndarray, "n classes"]
    active: Bool[np.ndarray, "n classes"]

    def __len__(self) -> int:
        return len(self.fraction)

    @property
    def names(self) -> tuple[str, ...]:
        """The codes as they are written in tables, as in `1-1-0`."""
        return tuple("-".join("1" if on else "0" for on in row) for row in self.active)

    def __str__(self) -> str:
        width = max([4, *(len(name) for name in self.names)])
        lines = [f"{'code':<{width}}  {'fraction':>8}  activation by class"]
        for name, fraction, activation in zip(self.names, self.fraction, self.activation, strict=True):
            lines.append(f"{name:<{width}}  {fraction:8.4f}  " + "".join(f"{value:7.3f}" for value in activation))
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class CodeWeights:
    """How much of every node each code has.

    **Fields:** `pattern` `(codes, C)`; `weight` `(n, codes)`; `activation` `(codes, C)`, class means of the neurons
    with the code. Sorted as `LayerCodes`.
    """

    pattern: Bool[np.ndarray, "codes C"]
    weight: Float[np.ndarray, "n codes"]
    activation: Float[np.ndarray, "codes C"]

    def codes(self) -> LayerCodes:
        """The table."""
        return LayerCodes(self.weight.sum(axis=0), self.activation, self.pattern)


def code_weights(weight: Float[np.ndarray, " n"], site: Site, counts: Float[np.ndarray, " C"]) -> CodeWeights:
    """The codes at the nodes of a field law; the weights sum to 1."""
    spread = np.sqrt(np.maximum(site.square - site.mean**2, 1e-12) / counts)
    distance = (site.mean - THRESHOLD) / spread
    density = spread * np.exp(-0.5 * distance**2) / np.sqrt(2 * np.pi)
    on, off = ndtr(distance), ndtr(-distance)
    patterns = code_patterns(len(counts)).astype(bool)
    probability = np.stack([np.prod(np.where(row, on, off), axis=1) for row in patterns], axis=1) * weight[:, None]
    fraction = probability.sum(axis=0)
    kept = np.flatnonzero(fraction > _SMALLEST)
    kept = kept[np.lexsort((*patterns[kept].T, -np.round(fraction[kept], 9)))] if len(kept) else kept
    probability = probability[:, kept] / fraction[kept].sum()
    means = []
    for k, row in enumerate(patterns[kept]):
        given = site.mean + np.where(row, density / np.maximum(on, 1e-300), -density / np.maximum(off, 1e-300))
        # Far on the other side the truncated Gaussian's mean is at the threshold.
        given = np.where(np.where(row, on, off) > 1e-12, given, THRESHOLD)
        means.append(probability[:, k] @ given / probability[:, k].sum())
    return CodeWeights(patterns[kept], probability, np.array(means))
