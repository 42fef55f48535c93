"""The Gaussian average <phi(z1) phi(z2)> that takes one layer's kernel to the next, for every activation function."""

import math

import numpy as np
from jaxtyping import Float

from nonlazy.activations import BUILTIN, Activation
from nonlazy.errors import InvalidInput
from nonlazy.theory.nngp._hermite import hermite_kernel


# Covariances may exceed the Cauchy-Schwarz bound by this share of it: rounding in the kernel of the layer below.
ROUNDING = 1e-9


def activation_kernel(
    activation: Activation,
    k11: Float[np.ndarray, "..."],
    k12: Float[np.ndarray, "..."],
    k22: Float[np.ndarray, "..."],
) -> Float[np.ndarray, "..."]:
    """<phi(z1) phi(z2)> over zero-mean Gaussian pairs with variances k11, k22 and covariance k12.

    **Arguments:**

    - `activation`: phi. Closed forms for linear, sigmoid, erf, relu and requ (arc-cosine kernels of degree 1 and 2);
      for others an expansion in Hermite polynomials with a bound on what it leaves out.
    - `k11`, `k12`, `k22`: shapes that broadcast; for a kernel matrix `(P1, 1)`, `(P1, P2)` and `(1, P2)`.

    **Returns:** the averages in the broadcast shape.

    **Raises:** `nonlazy.errors.InvalidInput` for variances below 0, |k12| > sqrt(k11 k22), or an activation whose
    average is not known to one part in 10^6.

    Source: Williams (1997) for the error functions, Cho & Saul (2009) for the rectified ones.
    """
    return activation_kernel_with_error(activation, k11, k12, k22)[0]


def activation_kernel_with_error(
    activation: Activation,
    k11: Float[np.ndarray, "..."],
    k12: Float[np.ndarray, "..."],
    k22: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "..."], float]:
    """`activation_kernel` and its largest error, relative to sqrt(<phi(z1)^2> <phi(z2)^2>)."""
    k11, k12, k22 = (np.asarray(k, dtype=np.float64) for k in (k11, k12, k22))
    correlation = _correlation(k11, k12, k22)
    if correlation.size == 0:
        return correlation, 0.0
    if BUILTIN.get(activation.name) is not activation or activation.name not in _CLOSED_FORMS:
        return hermite_kernel(activation, k11, correlation, k22)
    # A few roundings of the arguments and of the formula.
    return np.asarray(_CLOSED_FORMS[activation.name](k11, correlation, k22)), 8 * float(np.finfo(np.float64).eps)


def _correlation(k11, k12, k22) -> Float[np.ndarray, "..."]:
    """k12 / sqrt(k11 k22), 0 where a variance is 0."""
    for k in (k11, k22):
        if not (np.isfinite(k).all() and np.all(k >= 0)):
            raise InvalidInput(f"variances run from {np.min(k)} to {np.max(k)}: they must be finite and 0 or more")
    size = np.sqrt(k11) * np.sqrt(k22)
    excess = np.abs(k12) - size * (1 + ROUNDING)
    if not np.all(excess <= 0):
        worst = float(np.max(np.where(np.isfinite(excess), excess, np.inf)))
        raise InvalidInput(f"a covariance exceeds sqrt(k11 k22) by {worst:.2g}: no Gaussian pair has it")
    return np.clip(np.divide(k12, size, out=np.zeros(np.broadcast(k12, size).shape), where=size > 0), -1.0, 1.0)


def _linear(k11, correlation, k22):
    return np.sqrt(k11) * np.sqrt(k22) * correlation


def _arcsine(k11, correlation, k22, scale):
    """<erf(b z1) erf(b z2)> with scale = 2 b^2."""
    shrink = np.sqrt(scale * k11 / (1 + scale * k11)) * np.sqrt(scale * k22 / (1 + scale * k22))
    return 2 / math.pi * np.arcsin(shrink * correlation)


def _erf(k11, correlation, k22):
    return _arcsine(k11, correlation, k22, 2.0)


def _sigmoid(k11, correlation, k22):
    return 0.25 + 0.25 * _arcsine(k11, correlation, k22, math.pi / 2)


def _relu(k11, correlation, k22):
    angle = np.arccos(correlation)
    shape = np.sqrt(1 - correlation**2) + (math.pi - angle) * correlation
    return np.sqrt(k11) * np.sqrt(k22) * shape / (2 * math.pi)


def _requ(k11, correlation, k22):
    angle = np.arccos(correlation)
    shape = 3 * np.sqrt(1 - correlation**2) * correlation + (math.pi - angle) * (1 + 2 * correlation**2)
    return k11 * k22 * shape / (2 * math.pi)


_CLOSED_FORMS = {"linear": _linear, "sigmoid": _sigmoid, "erf": _erf, "relu": _relu, "requ": _requ}
