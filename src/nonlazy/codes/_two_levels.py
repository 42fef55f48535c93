"""Do the class means of a layer's neurons take two levels, or are they graded?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


_ITERATIONS = 200
_TOLERANCE = 1e-7  # in units of the column's standard deviation


@dataclass(frozen=True, eq=False)
class TwoLevels:
    """Two levels fitted to each column of a table, against one Gaussian; one entry a column.

    The two-level model is w N(lower, s^2) + (1 - w) N(upper, s^2). The spread s^2 contains the known variance of
    measurement `noise`; `separation` has it removed, so that few inputs a class blur the levels without hiding them.

    **Fields:** `lower`, `upper`: the levels; `minority`: weight of the less populated one; `separation`:
    (upper - lower) / sqrt(v - noise), where v is s^2 or, if larger, the mean of the two levels' own variances;
    `evidence`: twice the difference of the log likelihoods of two levels and of one Gaussian; `variance`: variance of
    the column with `noise` removed, not below 0.
    """

    lower: Float[np.ndarray, " columns"]
    upper: Float[np.ndarray, " columns"]
    minority: Float[np.ndarray, " columns"]
    separation: Float[np.ndarray, " columns"]
    evidence: Float[np.ndarray, " columns"]
    variance: Float[np.ndarray, " columns"]


def two_levels(values: Float[np.ndarray, "rows columns"], noise: Float[np.ndarray, " columns"]) -> TwoLevels:
    """Fit two levels to each column by expectation maximisation from the best split in two.

    **Arguments:** `values`: class means, neurons in rows; `noise`: mean variance of measurement of each column.

    **Returns:** a `TwoLevels`; columns without variance have separation and evidence 0.
    """
    n = values.shape[0]
    centre = values.mean(axis=0)
    variance = values.var(axis=0)
    usable = variance > np.maximum(1e-20, 1e-20 * centre**2)
    scale = np.sqrt(np.where(usable, variance, 1.0))
    x = (values - centre) / scale
    # The spread is held above the noise of measurement, and above what would collapse a level on a single value.
    least = np.maximum(noise / scale**2, 1e-6)
    lower, upper, weight = _best_split(x)
    spread = np.maximum(1 - weight * (1 - weight) * (upper - lower) ** 2, least)
    for _ in range(_ITERATIONS):
        share = _share_of_lower(x, lower, upper, weight, spread)
        mass = np.clip(share.sum(axis=0), 1e-9, n - 1e-9)
        moved = (share * x).sum(axis=0) / mass, ((1 - share) * x).sum(axis=0) / (n - mass)
        change = max(np.abs(moved[0] - lower).max(), np.abs(moved[1] - upper).max())
        lower, upper = moved
        weight = np.clip(mass / n, 1e-6, 1 - 1e-6)
        squares = share * (x - lower) ** 2 + (1 - share) * (x - upper) ** 2
        spread = np.maximum(squares.mean(axis=0), least)
        if change < _TOLERANCE:
            break
    a = np.log(weight) - (x - lower) ** 2 / (2 * spread)
    b = np.log(1 - weight) - (x - upper) ** 2 / (2 * spread)
    two = np.sum(np.logaddexp(a, b) - 0.5 * np.log(spread), axis=0)
    broad = np.maximum(1.0, least)
    one = -0.5 * n * (np.log(broad) + 1 / broad)
    # Two levels are two narrow groups: a long tail makes a broad one of few neurons, which the common spread hides.
    share = _share_of_lower(x, lower, upper, weight, spread)
    mass = np.clip(share.sum(axis=0), 1e-9, n - 1e-9)
    low = (share * (x - lower) ** 2).sum(axis=0) / mass
    high = ((1 - share) * (x - upper) ** 2).sum(axis=0) / (n - mass)
    clean = np.sqrt(np.maximum(np.maximum(spread, 0.5 * (low + high)) - noise / scale**2, 1e-6))
    return TwoLevels(
        lower=centre + scale * lower,
        upper=centre + scale * upper,
        minority=np.where(usable, np.minimum(weight, 1 - weight), 0.0),
        separation=np.where(usable, (upper - lower) / clean, 0.0),
        evidence=np.where(usable, 2 * (two - one), 0.0),
        variance=np.where(usable, np.maximum(variance - noise, 0.0), 0.0),
    )


def _share_of_lower(x: np.ndarray, lower: Any, upper: Any, weight: Any, spread: Any) -> np.ndarray:
    log_odds = np.log(weight / (1 - weight)) + ((x - upper) ** 2 - (x - lower) ** 2) / (2 * spread)
    return 0.5 * (1 + np.tanh(0.5 * log_odds))


def _best_split(x: Float[np.ndarray, "rows columns"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of the two halves, and the share of the lower one, of the split with least within-half variance."""
    n = x.shape[0]
    if n < 2:
        zeros = np.zeros(x.shape[1])
        return zeros, zeros, zeros + 0.5
    ordered = np.sort(x, axis=0)
    sums = np.cumsum(ordered, axis=0)
    sizes = np.arange(1, n)[:, None]
    left, right = sums[:-1] / sizes, (sums[-1] - sums[:-1]) / (n - sizes)
    best = np.argmax(sizes * (n - sizes) * (right - left) ** 2, axis=0)
    columns = np.arange(x.shape[1])
    return left[best, columns], right[best, columns], (best + 1) / n
