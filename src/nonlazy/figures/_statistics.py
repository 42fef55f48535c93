"""Numbers that figures read from layers and runs: contrast of kernels, gaps of levels, what neurons keep."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from nonlazy.codes import CodingScheme, detect
from nonlazy.figures._report import rule_of, untrained_layer
from nonlazy.sampling import Run


# A neuron whose |a|^2 is above this times N is an outlier of a rectified layer: the bulk's is of order 1.
OUTLIER = 0.04


def block_contrast(kernel: Float[np.ndarray, "P P"], labels: Int[np.ndarray, " P"]) -> float:
    """(mean over pairs of one class - mean over pairs of two classes) / mean diagonal; an input's own pair left out."""
    same = labels[:, None] == labels[None, :]
    own = np.eye(len(kernel), dtype=bool)
    return float((kernel[same & ~own].mean() - kernel[~same].mean()) / kernel[own].mean())


def off_diagonal_correlation(first: Float[np.ndarray, "P P"], second: Float[np.ndarray, "P P"]) -> float:
    """Correlation of the entries of two kernels above the diagonal."""
    above = np.triu_indices(len(first), 1)
    return float(np.corrcoef(first[above], second[above])[0, 1])


def least_correlation(kernels: Mapping[str, Float[np.ndarray, "P P"]]) -> float:
    """Smallest `off_diagonal_correlation` of two of the kernels."""
    return min(off_diagonal_correlation(kernels[a], kernels[b]) for a, b in combinations(kernels, 2))


def class_means(activations: Float[np.ndarray, "N P"], labels: Int[np.ndarray, " P"]) -> Float[np.ndarray, "N C"]:
    """Mean activation of each neuron over the inputs of each class."""
    return np.stack([activations[:, labels == c].mean(axis=1) for c in np.unique(labels)], axis=1)


def fluctuation(activations: Float[np.ndarray, "N P"], labels: Int[np.ndarray, " P"]) -> float:
    """Root mean square of the activations about their neuron's mean over the inputs of a class."""
    return float(np.sqrt(np.mean([activations[:, labels == c].var(axis=1, ddof=1).mean() for c in np.unique(labels)])))


def level_gap(activations: Float[np.ndarray, "N P"], labels: Int[np.ndarray, " P"]) -> float:
    """Standard deviation over neurons and classes of the class means, over `fluctuation`."""
    return float(class_means(activations, labels).std() / fluctuation(activations, labels))


def excess_kurtosis(values: Float[np.ndarray, " n"]) -> float:
    """Fourth moment about the mean over the squared variance, minus 3; 0 for a Gaussian."""
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2 - 3)


def kolmogorov_distance(
    samples: Float[np.ndarray, " n"], grid: Float[np.ndarray, " g"], density: Float[np.ndarray, " g"]
) -> float:
    """Largest difference of the distribution functions of samples and of a density on a grid that covers it."""
    steps = np.diff(grid)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * steps)])
    below /= below[-1]
    ordered = np.sort(samples)
    theory = np.interp(ordered, grid, below)
    ranks = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.abs(theory - ranks[1:]).max(), np.abs(theory - ranks[:-1]).max()))


def outliers(readouts: Float[np.ndarray, "... N m"]) -> Bool[np.ndarray, "... N"]:
    """Neurons of a rectified layer with |a|^2 above 0.04 N."""
    return (readouts**2).sum(axis=-1) > OUTLIER * readouts.shape[-2]


def layer_scheme(
    run: Run, *, layer: int = -1, draw: int = -1, chain: int = 0, test: bool = False, reference: Any = None
) -> CodingScheme:
    """The coding scheme of a layer in a draw that was kept in full (negative: counted from the last of these).

    **Arguments:** `reference`: activations of an untrained layer on the same inputs; None: a draw from the prior, on
    training inputs.
    """
    kept = run.kept_draws[draw] if draw < 0 else draw
    task = run.task
    labels = task.labels_test if test else task.labels
    if reference is None and not test:
        reference = untrained_layer(run.posterior, layer)
    activations = np.asarray(run.activations(layer=layer, draw=kept, chain=chain, test=test), dtype=np.float64)
    return detect(activations, labels, activation=rule_of(run.posterior.network.phi.name), reference=reference)


def kept_codes(run: Run, layer: int = -1, chain: int = 0) -> float:
    """Share of the neurons with the same code in the first and in the last draw that was kept in full."""
    codes = [_codes_by_name(layer_scheme(run, layer=layer, draw=draw, chain=chain)) for draw in (run.kept_draws[0], -1)]
    return float(np.mean([a == b for a, b in zip(*codes, strict=True)]))


def _codes_by_name(scheme: CodingScheme) -> list[str]:
    return [scheme.code_name(int(code)) if code >= 0 else "" for code in scheme.neuron_codes]
