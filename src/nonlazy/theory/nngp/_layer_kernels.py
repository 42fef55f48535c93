"""The kernels of a wide network's layers under the prior, from the inputs up."""

import numpy as np
from jaxtyping import Float

from nonlazy.posterior import Posterior
from nonlazy.theory.nngp._activation_kernel import activation_kernel, activation_kernel_with_error


def layer_kernel(
    posterior: Posterior,
    X1: Float[np.ndarray, "inputs1 N0"],
    X2: Float[np.ndarray, "inputs2 N0"],
    layer: int,
) -> tuple[Float[np.ndarray, "inputs1 inputs2"], float]:
    """K_l = <phi phi> under N(0, sigma_l^2 K_(l-1)), with K_0 = X1 X2^T / N0, and its relative error.

    The error is that of the layers' Gaussian averages, added up, relative to sqrt(K_l(x1, x1) K_l(x2, x2)).
    """
    same = X1 is X2
    kernel = X1 @ X2.T / X1.shape[1]
    own1 = np.sum(X1**2, axis=1) / X1.shape[1]
    own2 = own1 if same else np.sum(X2**2, axis=1) / X2.shape[1]
    error = 0.0
    for variance in posterior.sigma2[:layer]:
        if same:
            # The same sums in another order: without this, rounding makes correlations of almost 1 out of 1.
            np.fill_diagonal(kernel, own1)
        phi, v1, v2 = posterior.network.phi, variance * own1, variance * own2
        kernel, lost = activation_kernel_with_error(phi, v1[:, None], variance * kernel, v2[None])
        own1 = activation_kernel(phi, v1, v1, v1)
        own2 = own1 if same else activation_kernel(phi, v2, v2, v2)
        error += lost
    return kernel, error


def layer_variances(
    posterior: Posterior, X: Float[np.ndarray, "inputs N0"], layer: int
) -> Float[np.ndarray, " inputs"]:
    """K_l(x, x)."""
    own = np.sum(X**2, axis=1) / X.shape[1]
    for variance in posterior.sigma2[:layer]:
        own = activation_kernel(posterior.network.phi, variance * own, variance * own, variance * own)
    return own
