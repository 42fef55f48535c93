"""The saddle point of a deep linear network: the minimum of F(R) of `_linear_energy`, found and certified."""

import dataclasses
import itertools
import math
from dataclasses import dataclass

import numpy as np
import scipy.optimize
from jaxtyping import Float

from nonlazy.errors import NonlazyError
from nonlazy.theory.linear._bound import lower_bound
from nonlazy.theory.linear._energy import LinearEnergy


# F - min F below this, per neuron and relative to |F| + 1, counts as proof that the minimum is the global one.
CERTIFIED_GAP = 1e-8
# Eigenvalues of Y^T K_0^+ Y below this share of the largest are rounding: directions in which the targets vanish.
NULL_TARGETS = 1e-12
# Largest gradient that counts as a solution.
CONVERGED = 1e-8


@dataclass(frozen=True, eq=False)
class Saddle:
    """Minimum of F: R = `basis` diag(`ratios`) `basis`^T.

    **Fields:** `basis` `(m, m)`; `ratios` `(m,)`, 0 where the posterior leaves no readout variance; `value` F;
    `stationarity`: largest entry of dF/d log R, relative to its first term L/2 max(1, r); `renewed` `(m, m)`: R in the
    basis as the right side of the saddle's equation gives it, equal to diag(`ratios`) at the solution; `gap`: bound on
    F - min F; `words`: why the minimum is the global one, or what is not known.
    """

    basis: Float[np.ndarray, "m m"]
    ratios: Float[np.ndarray, " m"]
    value: float
    stationarity: float
    renewed: Float[np.ndarray, "m m"]
    gap: float
    words: str

    @property
    def certified(self) -> bool:
        """Whether the minimum is proven to be the global one."""
        return self.gap <= CERTIFIED_GAP * (1.0 + (abs(self.value) if math.isfinite(self.value) else 0.0))


def noiseless_saddle(energy: LinearEnergy, leading: bool = False) -> Saddle:
    """The saddle at T = 0: R^(L+1) - (1 - rank/N) R^L = Y^T K_0^+ Y / v, or R^(L+1) = the same in leading order."""
    L, load = energy.depth, energy.kappa.size / energy.width
    strengths, basis = _noiseless_targets(energy)
    offset = 0.0 if leading else 1.0 - load
    ratios = np.array([_noiseless_ratio(q, L, offset) for q in strengths])
    labelled = ratios > 0
    r, q = ratios[labelled], strengths[labelled]
    slope = 0.5 * L * (r - offset - q * r ** (-L))
    if leading:
        value = 0.5 * (L + 1) * float(np.sum(r))
        words = "the leading order has one solution"
    else:
        value = _noiseless_value(energy, basis[:, labelled], r)
        words = "at T = 0 the saddle commutes with Y^T K_0^+ Y and has one solution"
    stationarity = float(np.max(np.abs(slope), initial=0.0)) / (0.5 * L * max(1.0, float(np.max(ratios))))
    renewed = np.zeros_like(ratios)
    renewed[labelled] = offset + q * r ** (-L)
    return Saddle(basis, ratios, value, stationarity, np.diag(renewed), 0.0, words)


def _noiseless_value(
    energy: LinearEnergy, basis: Float[np.ndarray, "m labelled"], ratios: Float[np.ndarray, " labelled"]
) -> float:
    """F at T = 0, where r = 0 in all directions but `basis`: -infinity if rank(K_0) > N, finite at rank(K_0) = N."""
    nulls, rank = energy.m - ratios.size, energy.kappa.size
    if nulls and rank > energy.width:
        return -math.inf
    value = energy.in_eigenbasis(basis, ratios)[0]
    return value + nulls * 0.5 * (float(np.sum(np.log(energy.variance * energy.kappa))) / energy.width - energy.depth)


def prior_saddle(energy: LinearEnergy) -> Saddle:
    """R = 1: the lazy network at N to infinity, whose posterior readouts keep their prior."""
    basis, ratios = np.eye(energy.m), np.ones(energy.m)
    if energy.temperature == 0 and energy.kappa.size == 0:
        value = 0.0
    else:
        value = energy.in_eigenbasis(basis, ratios)[0]
    return Saddle(basis, ratios, value, 0.0, basis, 0.0, "the lazy limit keeps the prior")


def noisy_saddle(energy: LinearEnergy) -> Saddle:
    """The saddle at T > 0: the lowest minimum of F, from further starts where no bound proves the first to be it."""
    starts = _starts(energy)
    if energy.depth == 1 and energy.kappa.size <= energy.width:
        return _minimum(energy, starts[0], "with one hidden layer and rank(K_0) <= N, F is convex in R")
    first = _minimum(energy, starts[0])
    if first.certified:
        return first
    minima = [first, *(_minimum(energy, start) for start in starts[1:])]
    lowest = min(minima, key=lambda saddle: saddle.value)
    if lowest.certified:
        return lowest
    words = f"lowest minimum from {len(starts)} starts; F may lie {lowest.gap:.2g} per neuron above its global minimum"
    return dataclasses.replace(lowest, words=words)


def _minimum(energy: LinearEnergy, start: Float[np.ndarray, "m m"], only_one: str = "") -> Saddle:
    """The minimum of F that a descent from log R = `start` ends in, with its dual bound unless it is the only one."""
    h, basis = np.linalg.eigh(_polish(energy, _descend(energy, start)))
    ratios = np.exp(h)
    value, gradient = energy.in_eigenbasis(basis, ratios)
    stationarity = float(np.max(np.abs(gradient))) / (0.5 * energy.depth * max(1.0, float(ratios.max())))
    if not stationarity < CONVERGED:
        raise NonlazyError(
            f"temperature is {energy.temperature:g}, too low for the saddle point of this task: its gradient stops at "
            f"{stationarity:.1e}, allowed is {CONVERGED:g} (eigenvalues of K_0 from {energy.kappa.min():.1e} to "
            f"{energy.kappa.max():.1e}); take temperature=0, which has a closed form, or a higher one"
        )
    renewed = np.diag(ratios) - (2 / energy.depth) * gradient
    if only_one:
        return Saddle(basis, ratios, value, stationarity, renewed, 0.0, only_one)
    gap = max(0.0, value - lower_bound(energy, basis, ratios))
    return Saddle(basis, ratios, value, stationarity, renewed, gap, "a dual bound equals F")


def _noiseless_targets(energy: LinearEnergy) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m m"]]:
    scaled = energy.targets / np.sqrt(energy.variance * energy.kappa)[:, None]
    strengths, basis = np.linalg.eigh(scaled.T @ scaled)
    return np.where(strengths > NULL_TARGETS * strengths[-1], strengths, 0.0), basis


def _noiseless_ratio(q: float, L: int, offset: float) -> float:
    """The root r >= 0 of r - offset = q r^(-L); the left side rises, the right side falls."""
    if q == 0:
        return max(offset, 0.0)
    high = max(offset, 0.0) + q ** (1 / (L + 1))
    low = min(high, (q / (high + max(-offset, 0.0))) ** (1 / L))

    def excess(r):
        return r - offset - q * r ** (-L)

    if excess(low) >= 0 or excess(high) <= 0:
        r = low if abs(excess(low)) < abs(excess(high)) else high
    else:
        r = float(scipy.optimize.root_scalar(excess, bracket=(low, high), xtol=1e-300, rtol=1e-15).root)
    return r - excess(r) / (1 + L * q * r ** (-L - 1))


def _starts(energy: LinearEnergy) -> list[Float[np.ndarray, "m m"]]:
    """log R to start from: the noiseless saddle, and that with some or all directions left at the prior."""
    noiseless = noiseless_saddle(energy)
    h, V = np.log(np.maximum(noiseless.ratios, 1e-3)), noiseless.basis
    m = h.size
    if m <= 4:
        learned = [np.array(pick) for pick in itertools.product((True, False), repeat=m)]
    else:
        # eigh sorts upwards, so these keep the strongest directions first.
        learned = [np.arange(m) >= weakest for weakest in range(m + 1)]
    levels = [np.where(pick, h, 0.0) for pick in learned] + [h / 2]
    return [(V * level) @ V.T for level in levels]


def _descend(energy: LinearEnergy, start: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    m = energy.m

    def objective(x):
        value, gradient = energy.value_and_gradient(_unpack(x, m))
        return value, _pack(gradient)

    # No minimum is far outside the starting points; the box keeps exp(H) finite while the line search explores.
    box = float(np.max(np.abs(start))) + 5.0
    found = scipy.optimize.minimize(
        objective,
        _pack(start),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-box, box)] * (m * (m + 1) // 2),
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000},
    )
    return _unpack(found.x, m)


def _polish(energy: LinearEnergy, H: Float[np.ndarray, "m m"], step: float = 1e-4) -> Float[np.ndarray, "m m"]:
    """Newton steps down to rounding, with the Hessian from central differences of the gradient."""
    m, x = energy.m, _pack(H)

    def slope_at(x):
        return _pack(energy.value_and_gradient(_unpack(x, m))[1])

    slope = slope_at(x)
    for _ in range(100):
        shifts = step * np.eye(x.size)
        hessian = np.array([(slope_at(x + s) - slope_at(x - s)) / (2 * step) for s in shifts])
        curvature, axes = np.linalg.eigh(0.5 * (hessian + hessian.T))
        move = -axes @ ((axes.T @ slope) / np.maximum(np.abs(curvature), 1e-12))
        move *= min(1.0, 1.0 / float(np.linalg.norm(move) + 1e-300))
        for _ in range(20):
            new_slope = slope_at(x + move)
            if np.linalg.norm(new_slope) < np.linalg.norm(slope):
                break
            move = 0.5 * move
        else:
            break
        x, slope = x + move, new_slope
    return _unpack(x, m)


def _pack(H: Float[np.ndarray, "m m"]) -> Float[np.ndarray, " n"]:
    """Coordinates of a symmetric matrix in an orthonormal basis."""
    rows, columns = np.triu_indices(H.shape[0])
    return H[rows, columns] * np.where(rows == columns, 1.0, math.sqrt(2.0))


def _unpack(x: Float[np.ndarray, " n"], m: int) -> Float[np.ndarray, "m m"]:
    rows, columns = np.triu_indices(m)
    H = np.zeros((m, m))
    H[rows, columns] = x / np.where(rows == columns, 1.0, math.sqrt(2.0))
    return H + np.triu(H, 1).T
