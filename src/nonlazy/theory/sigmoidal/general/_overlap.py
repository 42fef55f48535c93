"""The entropy of a mixture of Gaussians that may overlap, bounded from below."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Overlap:
    """What a mixture's entropy lacks, sum_g w_g log sum_g' w_g' exp(-C_gg'), with C the Bhattacharyya distance.

    It is sum_g w_g log w_g for Gaussians far apart, and 0 where all coincide; added to sum_g w_g KL(q_g | prior) it is
    an upper bound on the divergence of the mixture itself (Kolchinsky & Tracey, Entropy 19, 361 (2017)).

    **Fields:** `value`; its derivatives in the weights `weights` `(n,)`, the means `means` `(n, d)` and the covariances
    `covariances` `(n, d, d)`; `distances` `(n, n)`: C.
    """

    value: float
    weights: Float[np.ndarray, " n"]
    means: Float[np.ndarray, "n d"]
    covariances: Float[np.ndarray, "n d d"]
    distances: Float[np.ndarray, "n n"]


def overlap(
    weights: Float[np.ndarray, " n"],
    means: Float[np.ndarray, "n d"],
    covariances: Float[np.ndarray, "n d d"],
    precisions: Float[np.ndarray, "n d d"],
) -> Overlap:
    """The overlap of the mixture, with derivatives."""
    n = weights.size
    rows, columns = np.triu_indices(n, 1)
    log_dets = np.linalg.slogdet(covariances)[1]
    middle = np.linalg.inv(0.5 * (covariances[rows] + covariances[columns]))
    difference = means[rows] - means[columns]
    pull = np.einsum("pij,pj->pi", middle, difference)
    half = 0.25 * (log_dets[rows] + log_dets[columns])
    C = 0.125 * np.sum(pull * difference, axis=1) - 0.5 * np.linalg.slogdet(middle)[1] - half
    distances = np.zeros((n, n))
    distances[rows, columns] = distances[columns, rows] = np.maximum(C, 0.0)
    likeness = np.exp(-distances)
    seen = likeness @ weights
    slope = np.log(seen) + likeness @ (weights / seen)
    share = weights[rows] * weights[columns] * likeness[rows, columns] * (1 / seen[rows] + 1 / seen[columns])
    by_mean, by_covariance = np.zeros_like(means), np.zeros_like(covariances)
    towards = -0.25 * share[:, None] * pull
    np.add.at(by_mean, rows, towards)
    np.add.at(by_mean, columns, -towards)
    close = np.flatnonzero(share > 1e-14 * weights.min())
    for p in close:
        i, j = rows[p], columns[p]
        common = 0.25 * middle[p] - np.outer(pull[p], pull[p]) / 16
        by_covariance[i] -= share[p] * (common - 0.25 * precisions[i])
        by_covariance[j] -= share[p] * (common - 0.25 * precisions[j])
    return Overlap(float(weights @ np.log(seen)), slope, by_mean, by_covariance, distances)
