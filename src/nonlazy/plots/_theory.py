"""What of a prediction can be laid over samples."""

from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput


def readout_covariance(theory: Any, m: int) -> np.ndarray | None:
    """U (m, m) of `theory`: the array itself, or the `readout_covariance` of a prediction; None if it has none."""
    found = theory if isinstance(theory, np.ndarray) else getattr(theory, "readout_covariance", None)
    if found is None:
        return None
    covariance = np.asarray(found, dtype=float)
    if covariance.shape != (m, m):
        raise InvalidInput(f"the readout covariance has shape {covariance.shape}; the readouts have m = {m} outputs")
    return covariance


def readout_centres(theory: Any, m: int) -> np.ndarray | None:
    """Readouts (n, m) of the codes of `theory`, or of its outliers in the network's own units; None without either."""
    found = getattr(getattr(theory, "codes", None), "readout", None)
    outliers = getattr(theory, "outliers", None)
    if found is None and outliers is not None and len(outliers):
        found = theory.posterior.network.width**outliers.exponent * np.asarray(outliers.readout)
    if found is None:
        return None
    centres = np.asarray(found, dtype=float)
    if centres.ndim != 2 or centres.shape[1] != m:
        raise InvalidInput(f"the code centres have shape {centres.shape}; the readouts have m = {m} outputs")
    return centres
