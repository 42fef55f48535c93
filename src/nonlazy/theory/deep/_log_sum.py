"""Logs of sums of exponentials, without overflow."""

import numpy as np


def log_sum(exponents: np.ndarray, axis: int = -1) -> np.ndarray:
    """log sum exp along `axis`."""
    peak = np.max(exponents, axis=axis, keepdims=True)
    return np.asarray(np.squeeze(peak, axis=axis) + np.log(np.sum(np.exp(exponents - peak), axis=axis)))
