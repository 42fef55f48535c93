"""A well: one local minimum of the energy of a single neuron in the field t."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import cholesky, solve_triangular

from nonlazy.theory.sigmoidal.general._setting import Setting


@dataclass(frozen=True, eq=False)
class Shape:
    """The covariance of a well's Gaussian, by the Cholesky factor of its precision.

    **Fields:**

    - `tilt` `(P, k)`, `stiffness` `(P,)`: what the training inputs add to the precision of (b, z_mu).
    - `factor`: lower Cholesky factor of the precision of (u, b), `(r + k, r + k)`.
    - `spread`: factor_uu^-1 L^T, so that its Gram matrix is the covariance of z given the readout, `(r, P)`.
    - `lever`: what the readout's own fluctuation adds: `(k, P)`, zero where it does not fluctuate.
    - `variance`: var z_mu, `(P,)`.
    - `covariance`: cov(a, z_mu), `(P, k)`.
    - `cost`: the part of the Kullback-Leibler divergence from the prior that the covariance owes.
    """

    tilt: Float[np.ndarray, "P k"]
    stiffness: Float[np.ndarray, " P"]
    factor: Float[np.ndarray, "d d"]
    spread: Float[np.ndarray, "r P"]
    lever: Float[np.ndarray, "k P"]
    variance: Float[np.ndarray, " P"]
    covariance: Float[np.ndarray, "P k"]
    cost: float


@dataclass(frozen=True, eq=False)
class Well:
    """A Gaussian in the whitened preactivations u and readout b, or a point where fluctuations are neglected.

    **Fields:** `u` `(r,)` and `b` `(k,)`: its centre; `v` `(P,)` and `c` `(P, k)`: var z_mu and cov(a, z_mu); `shape`:
    the covariance that they come from; `energy`: KL divergence from the prior minus <sum_mu h_mu phi_mu>, in nats, at
    the field it was last relaxed in.
    """

    u: Float[np.ndarray, " r"]
    b: Float[np.ndarray, " k"]
    v: Float[np.ndarray, " P"]
    c: Float[np.ndarray, "P k"]
    shape: Shape
    energy: float


@dataclass(frozen=True, eq=False)
class Local:
    """What the training inputs say of a neuron, given the moments of its preactivations: averages and the gradient.

    **Fields:** `m` `(P,)`: mean preactivations; `phi`: <phi>, <phi'>, .., <phi^(5)>; `h` `(P,)`: the mean field t a;
    `mixed` `(P,)`: cov(h, z); `tilt` `(P, k)` and `stiffness` `(P,)`: what an input adds to the precision of (b, z_mu);
    `gradient_u`, `gradient_b`: of the energy in the centre.
    """

    m: Float[np.ndarray, " P"]
    phi: tuple[Float[np.ndarray, " P"], ...]
    h: Float[np.ndarray, " P"]
    mixed: Float[np.ndarray, " P"]
    tilt: Float[np.ndarray, "P k"]
    stiffness: Float[np.ndarray, " P"]
    gradient_u: Float[np.ndarray, " r"]
    gradient_b: Float[np.ndarray, " k"]


def local(
    setting: Setting,
    t: Float[np.ndarray, "P k"],
    u: Float[np.ndarray, " r"],
    b: Float[np.ndarray, " k"],
    v: Float[np.ndarray, " P"],
    c: Float[np.ndarray, "P k"],
) -> Local:
    """The averages over the training inputs at centre (u, b) and moments (v, c)."""
    m = setting.roots @ u
    phi = setting.averages.derivatives(m, v)
    h = t @ (setting.sigma_a * b)
    mixed = np.sum(t * c, axis=1)
    return Local(
        m,
        phi,
        h,
        mixed,
        tilt=t * phi[1][:, None],
        stiffness=-(h * phi[2] + mixed * phi[3]),
        gradient_u=u - setting.roots.T @ (h * phi[1] + mixed * phi[2]),
        gradient_b=b - setting.sigma_a * (t.T @ phi[0]),
    )


def shape_of(setting: Setting, tilt: Float[np.ndarray, "P k"], stiffness: Float[np.ndarray, " P"]) -> Shape | None:
    """The covariance of the Gaussian whose precision the training inputs change by `tilt` and `stiffness`.

    **Returns:** None where the precision is not positive definite.
    """
    L, r, k, P = setting.roots, setting.rank, setting.k, setting.P
    precision = np.eye(r + k)
    precision[:r, :r] += (L * stiffness[:, None]).T @ L
    precision[r:, :r] = -setting.sigma_a * (tilt.T @ L)
    try:
        factor = cholesky(precision, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    spread = solve_triangular(factor[:r, :r], L.T, lower=True, check_finite=False)
    lever, covariance, variance = np.zeros((k, P)), np.zeros((P, k)), np.zeros(P)
    cost = 0.0
    if setting.variational:
        variance = np.sum(spread**2, axis=0)
        log_det = 2 * np.sum(np.log(np.diag(factor)[:r]))
        if setting.joint:
            log_det += 2 * np.sum(np.log(np.diag(factor)[r:]))
            corner = factor[r:, r:]
            lever = solve_triangular(corner, -factor[r:, :r] @ spread, lower=True, check_finite=False)
            variance = variance + np.sum(lever**2, axis=0)
            covariance = setting.sigma_a * solve_triangular(corner, lever, lower=True, trans=1, check_finite=False).T
        # Precision times covariance has trace r + k, so that the trace of the covariance needs no inverse.
        cost = 0.5 * float(log_det - stiffness @ variance + 2 * np.sum(tilt * covariance))
    return Shape(tilt, stiffness, factor, spread, lever, variance, covariance, cost)


def energy_of(here: Local, u: Float[np.ndarray, " r"], b: Float[np.ndarray, " k"], cost: float) -> float:
    """KL divergence of the Gaussian from the prior, minus <sum_mu h_mu phi_mu>, in nats."""
    return float(0.5 * (u @ u) + 0.5 * (b @ b) + cost - here.h @ here.phi[0] - here.mixed @ here.phi[1])


def learned(setting: Setting, well: Well) -> Float[np.ndarray, "P k"]:
    """<phi(z_mu) a>, `(P, k)`: what a neuron of this well contributes to the outputs."""
    phi = setting.averages.derivatives(setting.roots @ well.u, well.v)
    return np.outer(phi[0], setting.sigma_a * well.b) + well.c * phi[1][:, None]
