"""Errors and convergence of a series that chains draw."""

import math

import numpy as np
from jaxtyping import Float


# With fewer draws the estimators are not defined.
_FEWEST = 4


def standard_error(values: Float[np.ndarray, "chain draw"]) -> float:
    """Monte Carlo standard error of the mean; NaN for fewer than four draws, 0 for a constant."""
    return _estimate("mcse", values, 0.0, method="mean")


def effective_draws(values: Float[np.ndarray, "chain draw"]) -> float:
    """Effective sample size (bulk, Vehtari et al. 2021); the number of chains where nothing varies within them."""
    return _estimate("ess", values, float(values.shape[0]), method="bulk")


def rhat(values: Float[np.ndarray, "chain draw"]) -> float:
    """Rank-normalised split R-hat; 1 for a constant, infinite where chains stand still apart, NaN for one chain."""
    if values.shape[0] < 2 or values.shape[1] < _FEWEST:
        return math.nan
    if (values == values[:, :1]).all():
        return 1.0 if (values == values[0, 0]).all() else math.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _estimate("rhat", values, math.nan)
    return math.inf if math.isnan(found) else found


def _estimate(name: str, values: Float[np.ndarray, "chain draw"], constant: float, **options: str) -> float:
    if values.shape[1] < _FEWEST:
        return math.nan
    if (values == values[:, :1]).all():
        return constant
    from arviz_stats.base.array import array_stats

    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.asarray(getattr(array_stats, name)(values, chain_axis=0, draw_axis=1, **options)))
