"""Shares of codes: intervals, effective number."""

import numpy as np
import scipy.special
from jaxtyping import Float, Int


LEVEL = 0.95


def proportion_intervals(counts: Int[np.ndarray, " n"], total: int, level: float = LEVEL) -> Float[np.ndarray, "n 2"]:
    """Clopper-Pearson intervals of `counts` out of `total`: the true share is in them at least as often as `level`."""
    tail = 0.5 * (1 - level)
    with np.errstate(invalid="ignore"):
        lower = scipy.special.betaincinv(np.maximum(counts, 1), total - counts + 1, tail)
        upper = scipy.special.betaincinv(counts + 1, np.maximum(total - counts, 1), 1 - tail)
    return np.stack([np.where(counts == 0, 0.0, lower), np.where(counts == total, 1.0, upper)], axis=1)


def effective_number(counts: Int[np.ndarray, " n"]) -> float:
    """exp of the entropy of the shares: n for n equal ones; 0 of nothing."""
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(np.exp(-np.sum(shares * np.log(shares)))) if shares.size else 0.0
