"""Overlaps of two configurations of codes or class means, corrected for chance."""

import numpy as np
from jaxtyping import Float, Int


def matches_by_chance(before: Int[np.ndarray, " neurons"], after: Int[np.ndarray, " neurons"]) -> float:
    """Share of pairs of different neurons that have the same code, one before and one after; NaN without pairs.

    Neurons without a code (-1) at either time are left out.
    """
    kept = (before >= 0) & (after >= 0)
    before, after = before[kept], after[kept]
    n = before.size
    if n < 2:
        return float("nan")
    size = int(max(before.max(), after.max())) + 1
    pairs = np.bincount(before, minlength=size).astype(float) @ np.bincount(after, minlength=size)
    return float(pairs - np.sum(before == after)) / (n * (n - 1))


def code_overlap(
    before: Int[np.ndarray, " neurons"], after: Int[np.ndarray, " neurons"], weights: Float[np.ndarray, " neurons"]
) -> float:
    """(match - q0) / (1 - q0): match the weighted share of neurons with the same code, q0 that of different neurons.

    **Returns:** 1 where all neurons keep their codes, 0 on average where codes are dealt anew; NaN where that is the
    same.
    """
    kept = (before >= 0) & (after >= 0)
    before, after, weights = before[kept], after[kept], weights[kept]
    n, total = before.size, float(weights.sum())
    if n < 2 or total == 0:
        return float("nan")
    size = int(max(before.max(), after.max())) + 1
    same = before == after
    # Weighted by the neuron before; the one after is any of the others.
    others = np.bincount(after, minlength=size)[before] - same
    chance = float(weights @ others) / (total * (n - 1))
    match = float(weights @ same) / total
    return (match - chance) / (1 - chance) if chance < 1 else float("nan")


def vector_overlap(before: Float[np.ndarray, "neurons classes"], after: Float[np.ndarray, "neurons classes"]) -> float:
    """Cosine of all class means, centred over neurons, at two times; NaN where they do not differ among neurons."""
    one, other = before - before.mean(axis=0), after - after.mean(axis=0)
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.sum(one * other)) / norm if norm > 0 else float("nan")
