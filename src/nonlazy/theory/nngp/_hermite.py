"""Gaussian averages of pairs by expansion in Hermite polynomials, for activations without a closed form.

With phi(s u) = sum_n c_n(s) h_n(u) in orthonormal Hermite polynomials, Mehler's formula reads

    <phi(z1) phi(z2)> = sum_n c_n(s1) c_n(s2) rho^n,    s_i^2 the variances, rho the correlation.

What the terms above n = M add up to is at most |rho|^(M+1) sqrt(tail_M(s1) tail_M(s2)), where tail_M(s) is
<phi(s u)^2> - sum_(n<=M) c_n(s)^2, by Cauchy and Schwarz: the error is bounded, pair by pair, and decides M.
"""

import math

import numpy as np
from jaxtyping import Float, Int

from nonlazy.activations import Activation
from nonlazy.errors import InvalidInput
from nonlazy.theory.nngp._evaluate import rounding
from nonlazy.theory.nngp._expansion import WINDOW, expand
from nonlazy.theory.nngp._kinks import kinks


# Wanted (or the rounding of phi) and largest accepted error, relative to sqrt(<phi(z1)^2> <phi(z2)^2>).
WANTED, ACCEPTED = 1e-13, 1e-6
# Variables whose correlation and standard deviations agree to this are the same.
SAME = 1e-12
# Numbers of terms at which a pair may stop, and those at which coefficients are computed.
STOPS = np.array([8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096])
STAGES = (64, 256, 1024, 4096)
# Halvings of the intervals of integration, and pairs that are worked on at a time.
FINEST = 4
PAIRS = 1 << 15


def hermite_kernel(
    activation: Activation,
    k11: Float[np.ndarray, "..."],
    correlation: Float[np.ndarray, "..."],
    k22: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "..."], float]:
    """<phi(z1) phi(z2)> at variances k11, k22 (shapes that broadcast), and its largest relative error.

    **Raises:** `nonlazy.errors.InvalidInput` where that error is above one part in 10^6.
    """
    variances, which = np.unique(np.concatenate([k11.ravel(), k22.ravel()]), return_inverse=True)
    which = which.astype(np.int32)
    first, second, rho = np.broadcast_arrays(
        which[: k11.size].reshape(k11.shape), which[k11.size :].reshape(k22.shape), correlation
    )
    first, second, rho = first.ravel(), second.ravel(), rho.ravel()
    deviations = np.sqrt(variances)
    breaks = kinks(activation, WINDOW * float(deviations[-1])) if deviations[-1] > 0 else np.empty(0)
    wanted = max(WANTED, rounding(activation))
    level, coefficients, square, error = _resolved(activation, deviations, breaks, wanted)
    error += rounding(activation)
    size = np.sqrt(square)
    # One and the same variable twice, but for rounding in layers below: the average is <phi^2>, without expansion.
    same = (rho >= 1 - SAME) & (np.abs(deviations[first] - deviations[second]) <= SAME * deviations[first])
    averages = np.where(same, size[first] * size[second], 0.0)
    error += float(np.max(1 - rho[same], initial=0.0))
    rest = np.flatnonzero(~same)
    if rest.size:
        i, j, r = first[rest], second[rest], rho[rest]
        stop, left = _stops(coefficients, size, i, j, r, wanted)
        for terms in STAGES[1:]:
            if left <= wanted:
                break
            # h_n has wavelengths down to 2 pi / sqrt(n).
            fine = max(level, 1) if terms == STAGES[-1] else level
            coefficients, _ = expand(activation, deviations, breaks, terms, fine)
            stop, left = _stops(coefficients, size, i, j, r, wanted)
        averages[rest] = _sums(coefficients, stop, i, j, r)
        error += left
    if not error <= ACCEPTED:
        raise InvalidInput(
            f"activation {activation.name!r} at preactivations of standard deviation {deviations[0]:.3g} .. "
            f"{deviations[-1]:.3g}: its Gaussian averages are known to {error:.1e} only, allowed is {ACCEPTED:g}; "
            "scale the inputs down, leave out inputs that are nearly alike, or give a function without jumps"
        )
    return averages.reshape(np.broadcast_shapes(k11.shape, correlation.shape, k22.shape)), error


def _resolved(
    activation: Activation, deviations: Float[np.ndarray, " S"], breaks: Float[np.ndarray, " kinks"], wanted: float
) -> tuple[int, Float[np.ndarray, "n S"], Float[np.ndarray, " S"], float]:
    """How fine the integrals must be, the first coefficients, <phi(s u)^2>, and the error left.

    That error is what halving all intervals changes; the values returned are the finer ones.
    """
    fine, square = expand(activation, deviations, breaks, STAGES[0], 0)
    level, error = 0, math.inf
    while error > wanted and level < FINEST:
        coarse, coarse_square, level = fine, square, level + 1
        fine, square = expand(activation, deviations, breaks, STAGES[0], level)
        size = np.where(square > 0, square, 1.0)
        change = np.sqrt(np.max(np.sum((fine - coarse) ** 2, axis=0) / size))
        error = max(float(change), float(np.max(np.abs(square - coarse_square) / size)))
    return (level - 1 if error <= wanted else level), fine, square, error


def _stops(
    coefficients: Float[np.ndarray, "n S"],
    size: Float[np.ndarray, " S"],
    i: Int[np.ndarray, " pairs"],
    j: Int[np.ndarray, " pairs"],
    rho: Float[np.ndarray, " pairs"],
    wanted: float,
) -> tuple[Int[np.ndarray, " pairs"], float]:
    """The number of terms that each pair needs, and the largest relative error left."""
    stops = STOPS[coefficients.shape[0] > STOPS]
    kept = np.cumsum(coefficients**2, axis=0)[stops]
    missing = 1 - np.divide(kept, size**2, out=np.ones(kept.shape), where=size > 0)
    # Rounding of the sums hides smaller tails.
    tail = np.sqrt(np.maximum(missing, 4 * np.finfo(np.float64).eps))
    with np.errstate(divide="ignore"):
        decay = np.log(np.abs(rho))
    stop, left = np.full(rho.size, stops[-1]), np.zeros(rho.size)
    open_pairs = np.arange(rho.size)
    for level, terms in enumerate(stops):
        logs = np.log(tail[level])
        bound = np.exp((terms + 1) * decay[open_pairs] + logs[i[open_pairs]] + logs[j[open_pairs]])
        done = bound <= wanted
        stop[open_pairs[done]] = terms
        left[open_pairs] = bound
        open_pairs = open_pairs[~done]
        if not open_pairs.size:
            break
    return stop, float(left.max())


def _sums(
    coefficients: Float[np.ndarray, "n S"],
    stop: Int[np.ndarray, " pairs"],
    i: Int[np.ndarray, " pairs"],
    j: Int[np.ndarray, " pairs"],
    rho: Float[np.ndarray, " pairs"],
) -> Float[np.ndarray, " pairs"]:
    """sum_n c_n(s_i) c_n(s_j) rho^n by Horner's rule, in pieces that stay in a processor's cache."""
    averages = np.empty(rho.size)
    for terms in np.unique(stop):
        members = np.flatnonzero(stop == terms)
        for start in range(0, members.size, PAIRS):
            part = members[start : start + PAIRS]
            left, right, r = i[part], j[part], rho[part]
            total = np.zeros(part.size)
            for n in range(int(terms), -1, -1):
                total *= r
                total += coefficients[n].take(left) * coefficients[n].take(right)
            averages[part] = total
    return averages
