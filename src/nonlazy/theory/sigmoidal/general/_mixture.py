"""The best mixture of Gaussians that may overlap: for codes that merge, where wells cannot be told apart."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from nonlazy.theory.sigmoidal.general._overlap import Overlap, overlap
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._well import Local, local


# Components with a smaller share of the neurons leave.
NEGLIGIBLE = 1e-8


@dataclass(frozen=True, eq=False)
class Mixture:
    """A law of one neuron: a mixture of Gaussians over whitened preactivations and readout x = (u, b).

    **Fields:** `weights` `(n,)`, sum 1; `means` `(n, d)`; `precisions` and `covariances` `(n, d, d)`; d = r + k.
    """

    weights: Float[np.ndarray, " n"]
    means: Float[np.ndarray, "n d"]
    precisions: Float[np.ndarray, "n d d"]
    covariances: Float[np.ndarray, "n d d"]


@dataclass(frozen=True, eq=False)
class Moments:
    """What a mixture does on the training inputs.

    **Fields:** `v` `(n, P)`: var z_mu; `c` `(n, P, k)`: cov(a, z_mu); `learned` `(n, P, k)`: <phi a^T> of each
    component; `outputs` `(P, k)`: their mean; `divergence` `(n,)`: from the prior; `overlap`; `value`: the free energy
    per neuron, an upper bound on the exact one.
    """

    v: Float[np.ndarray, "n P"]
    c: Float[np.ndarray, "n P k"]
    learned: Float[np.ndarray, "n P k"]
    outputs: Float[np.ndarray, "P k"]
    divergence: Float[np.ndarray, " n"]
    overlap: Overlap
    value: float


@dataclass(frozen=True, eq=False)
class Step:
    """A change of a mixture: of log weights `(n,)`, means `(n, d)` and precisions `(n, d, d)`."""

    weights: Float[np.ndarray, " n"]
    means: Float[np.ndarray, "n d"]
    precisions: Float[np.ndarray, "n d d"]


def mixture_of(
    weights: Float[np.ndarray, " n"], means: Float[np.ndarray, "n d"], precisions: Float[np.ndarray, "n d d"]
) -> Mixture:
    """The mixture with these precisions.

    **Raises:** `numpy.linalg.LinAlgError` where one is not positive definite.
    """
    np.linalg.cholesky(precisions)
    return Mixture(weights, means, precisions, np.linalg.inv(precisions))


def moments(setting: Setting, mixture: Mixture) -> Moments:
    """Outputs and free energy of a mixture, at T > 0."""
    L, r = setting.roots, setting.rank
    v = np.einsum("pi,nij,pj->np", L, mixture.covariances[:, :r, :r], L, optimize=True)
    c = setting.sigma_a * np.einsum("pi,nik->npk", L, mixture.covariances[:, :r, r:], optimize=True)
    learned = []
    for g, x in enumerate(mixture.means):
        m = L @ x[:r]
        phi = setting.averages.mean(m, v[g])
        slope = setting.averages.slope(m, v[g])
        learned.append(phi[:, None] * (setting.sigma_a * x[r:]) + slope[:, None] * c[g])
    each = np.array(learned)
    outputs = np.tensordot(mixture.weights, each, axes=1)
    d = mixture.means.shape[1]
    log_det = np.linalg.slogdet(mixture.covariances)[1]
    trace = np.trace(mixture.covariances, axis1=1, axis2=2)
    divergence = 0.5 * (np.sum(mixture.means**2, axis=1) + trace - log_det - d)
    shared = overlap(mixture.weights, mixture.means, mixture.covariances, mixture.precisions)
    error = float(np.sum((setting.targets - outputs) ** 2)) / (2 * setting.temperature)
    value = float(mixture.weights @ divergence) + shared.value + error
    return Moments(v, c, each, outputs, divergence, shared, value)


def natural_step(setting: Setting, t: Float[np.ndarray, "P k"], mixture: Mixture, now: Moments) -> Step:
    """The natural gradient, downhill, of the mixture's free energy in the field t."""
    r, n = setting.rank, len(mixture.weights)
    means, precisions, energies = np.empty_like(mixture.means), np.empty_like(mixture.precisions), np.empty(n)
    for g in range(n):
        here = _local(setting, t, mixture, now, g)
        weight = mixture.weights[g]
        gradient = np.concatenate([here.gradient_u, here.gradient_b]) + now.overlap.means[g] / weight
        means[g] = -mixture.covariances[g] @ gradient
        aim = precision_of(setting, here)
        precisions[g] = aim - mixture.precisions[g] + 2 * now.overlap.covariances[g] / weight
        energies[g] = now.divergence[g] - np.sum(t * now.learned[g])
    slope = energies + now.overlap.weights
    assert means.shape[1] == r + setting.k
    return Step(-(slope - mixture.weights @ slope), means, precisions)


def response_of(setting: Setting, mixture: Mixture, now: Moments) -> Float[np.ndarray, "Pk Pk"]:
    """How the outputs answer a change of the field, to first order, by a natural step: `(P k, P k)`, positive.

    It is the covariance of phi(z_mu) a_r, as far as linear and quadratic functions of x and the component carry it.
    """
    L, r, P, k, s = setting.roots, setting.rank, setting.P, setting.k, setting.sigma_a
    total = np.zeros((P * k, P * k))
    for g, weight in enumerate(mixture.weights):
        phi, a = _derivatives(setting, mixture, now, g)
        S = mixture.covariances[g]
        once = phi[1][:, None] * a + now.c[g] * phi[2][:, None]
        twice = phi[2][:, None] * a + now.c[g] * phi[3][:, None]
        slopes = np.zeros((P, k, r + k))
        slopes[:, :, :r] = once[:, :, None] * L[:, None, :]
        slopes[:, np.arange(k), r + np.arange(k)] = s * phi[0][:, None]
        flat = slopes.reshape(P * k, r + k)
        total += weight * (flat @ S) @ flat.T
        q = s * phi[1]
        zz, zb, bb = L @ S[:r, :r] @ L.T, L @ S[:r, r:], S[r:, r:]
        blocks = total.reshape(P, k, P, k)
        for one in range(k):
            for other in range(one, k):
                left = np.stack([twice[:, one] * zb[:, other], q, bb[one, other] * q], axis=1)
                right = np.stack([q, twice[:, other] * zb[:, one], q])
                block = zz * (0.5 * np.outer(twice[:, one], twice[:, other]) * zz + left @ right)
                block += np.outer(q * zb[:, other], q * zb[:, one])
                blocks[:, one, :, other] += weight * block
                if other != one:
                    blocks[:, other, :, one] += weight * block.T
        off = (now.learned[g] - now.outputs).ravel()
        total += weight * np.outer(off, off)
    return 0.5 * (total + total.T)


def outputs_changed(setting: Setting, mixture: Mixture, now: Moments, step: Step) -> Float[np.ndarray, "P k"]:
    """The change of the outputs along a step, to first order."""
    L, r, s = setting.roots, setting.rank, setting.sigma_a
    total = np.tensordot(mixture.weights * step.weights, now.learned, axes=1)
    for g, weight in enumerate(mixture.weights):
        phi, a = _derivatives(setting, mixture, now, g)
        once = phi[1][:, None] * a + now.c[g] * phi[2][:, None]
        twice = phi[2][:, None] * a + now.c[g] * phi[3][:, None]
        change = -mixture.covariances[g] @ step.precisions[g] @ mixture.covariances[g]
        du, db = step.means[g][:r], step.means[g][r:]
        moved = once * (L @ du)[:, None] + s * phi[0][:, None] * db
        moved += 0.5 * twice * np.einsum("pi,ij,pj->p", L, change[:r, :r], L, optimize=True)[:, None]
        moved += s * phi[1][:, None] * (L @ change[:r, r:])
        total += weight * moved
    return total


def stepped(mixture: Mixture, step: Step, share: float) -> Mixture:
    """The mixture a share of the step on.

    **Raises:** `numpy.linalg.LinAlgError` where a precision loses its positivity.
    """
    log_weights = np.log(mixture.weights) + np.clip(share * step.weights, -2.0, 2.0)
    weights = np.exp(log_weights - log_weights.max())
    weights = np.maximum(weights / weights.sum(), 1e-12)
    means = mixture.means + share * step.means
    return mixture_of(weights / weights.sum(), means, mixture.precisions + share * step.precisions)


@dataclass(frozen=True, eq=False)
class Solution:
    """A mixture that is stationary in the field t, and how far it is from solving the equations.

    **Fields:** `residual`: max|Y - T t - <phi a^T>| / max|Y|; `gain`: what another step would lower the free energy by,
    in nats per neuron.
    """

    mixture: Mixture
    now: Moments
    t: Float[np.ndarray, "P k"]
    residual: float
    gain: float


def minimise(setting: Setting, mixture: Mixture, steps: int, accuracy: float) -> Solution:
    """Descends to a minimum of the free energy over mixtures with this number of components.

    A step is natural-gradient descent in a field that is chosen such that outputs and field agree after it; that is
    Newton's method with the curvature of the averages over each component. Every step lowers the free energy.
    """
    P, k, T = setting.P, setting.k, setting.temperature
    now = moments(setting, mixture)
    t = (setting.targets - now.outputs) / T
    for _ in range(steps):
        matrix = response_of(setting, mixture, now)
        matrix[np.diag_indices_from(matrix)] += T
        first = outputs_changed(setting, mixture, now, natural_step(setting, t, mixture, now))
        force = setting.targets - now.outputs - first - T * t
        t = t + cho_solve(cho_factor(matrix, lower=True), force.ravel()).reshape(P, k)
        step = natural_step(setting, t, mixture, now)
        found = _solution(setting, mixture, now, t, step)
        if found.gain < accuracy**2 and found.residual < accuracy:
            return found
        share, moved = 1.0, None
        while share > 1e-7:
            try:
                trial = stepped(mixture, step, share)
                after = moments(setting, trial)
            except np.linalg.LinAlgError:
                share /= 2
                continue
            if after.value < now.value + 1e-13 * abs(now.value):
                moved = trial, after
                break
            share /= 2
        if moved is None:
            return found
        mixture, now = moved
    # The last step changed the mixture, which is what the residual has to be that of.
    return _solution(setting, mixture, now, t, natural_step(setting, t, mixture, now))


def _solution(setting: Setting, mixture: Mixture, now: Moments, t: Float[np.ndarray, "P k"], step: Step) -> Solution:
    force = setting.targets - now.outputs - setting.temperature * t
    # A residual relative to targets that all vanish has no meaning; any scale does then.
    scale = float(np.abs(setting.targets).max()) or 1.0
    gain = _gain(mixture, step) + float(np.sum(force**2)) / (2 * setting.temperature)
    return Solution(mixture, now, t, float(np.abs(force).max()) / scale, gain)


def thinned(mixture: Mixture, now: Moments, coincide: float) -> Mixture:
    """The mixture without components that nobody is in, and with those closer than `coincide` (nats) taken together."""
    n = mixture.weights.size
    weights, kept = mixture.weights.copy(), []
    for g in np.argsort(-mixture.weights):
        twin = next((other for other in kept if now.overlap.distances[g, other] < coincide), None)
        if twin is not None:
            weights[twin] += weights[g]
        elif weights[g] > NEGLIGIBLE:
            kept.append(g)
    if len(kept) == n:
        return mixture
    order = np.sort(np.array(kept))
    share = weights[order] / weights[order].sum()
    return Mixture(share, mixture.means[order], mixture.precisions[order], mixture.covariances[order])


def at(setting: Setting, temperature: float) -> Setting:
    """The setting at another temperature."""
    return dataclasses.replace(setting, temperature=temperature)


def _gain(mixture: Mixture, step: Step) -> float:
    """Half the squared length of a step in the mixture's own metric: to second order, the free energy that it gains."""
    total = float(mixture.weights @ step.weights**2)
    for g, weight in enumerate(mixture.weights):
        change = mixture.covariances[g] @ step.precisions[g]
        total += weight * float(step.means[g] @ mixture.precisions[g] @ step.means[g] + 0.5 * np.sum(change * change.T))
    return 0.5 * total


def _derivatives(setting: Setting, mixture: Mixture, now: Moments, g: int):
    x = mixture.means[g]
    return setting.averages.derivatives(setting.roots @ x[: setting.rank], now.v[g]), setting.sigma_a * x[
        setting.rank :
    ]


def _local(setting: Setting, t, mixture: Mixture, now: Moments, g: int) -> Local:
    x = mixture.means[g]
    return local(setting, t, x[: setting.rank], x[setting.rank :], now.v[g], now.c[g])


def precision_of(setting: Setting, here: Local) -> Float[np.ndarray, "d d"]:
    """The precision that the training inputs ask for, `(d, d)`."""
    L, r = setting.roots, setting.rank
    precision = np.eye(r + setting.k)
    precision[:r, :r] += (L * here.stiffness[:, None]).T @ L
    cross = -setting.sigma_a * (here.tilt.T @ L)
    precision[r:, :r], precision[:r, r:] = cross, cross.T
    return precision
