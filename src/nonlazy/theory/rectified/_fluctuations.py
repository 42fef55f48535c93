"""Fluctuations of an outlier at finite N and P: how wide its peaks are."""

import numpy as np
from jaxtyping import Bool, Float


def outlier_widths(
    field: Float[np.ndarray, "P m"],
    readout: Float[np.ndarray, " m"],
    preactivation: Float[np.ndarray, " P"],
    above: Bool[np.ndarray, " P"],
    prior_variance: Float[np.ndarray, " P"],
    noise: Float[np.ndarray, "P m m"],
) -> tuple[Float[np.ndarray, " P"], Float[np.ndarray, "m m"]]:
    """Variance of an outlier's preactivation on each active input, and the covariance of its readout vector.

    Around (N^(1/2) abar, N^(1/2) zbar) the outlier's own energy is flat along it; what pins it is the remainder of the
    targets, W = `noise`^-1 with noise T + <phi^2>_bulk H^-1/P + Var(phi)_bulk a0 a0^T, from the bulk's fluctuations.
    The exponent of (da, dz) is then a quadratic form, in units where s2 = 1:

        P |da|^2 / 2 + sum_mu [dz^2 / (2 K) - t . da dz + (abar dz + zbar da)^T W (abar dz + zbar da) / 2]

    with inputs of the active set as independent. Elsewhere the variance is the prior's.
    """
    P, m = field.shape
    variance = prior_variance.copy()
    precision = P * np.eye(m)
    for mu in np.flatnonzero(above & (prior_variance > 0)):
        W = np.linalg.inv(noise[mu])
        stiffness = 1 / prior_variance[mu] + readout @ W @ readout
        variance[mu] = 1 / stiffness
        coupling = preactivation[mu] * (W @ readout) - field[mu]
        precision += preactivation[mu] ** 2 * W - np.outer(coupling, coupling) / stiffness
    if np.linalg.eigvalsh(precision)[0] <= 0:
        precision = P * np.eye(m)
    return variance, np.linalg.inv(precision)
