"""How far the outputs of N neurons fluctuate: the posterior variance of the predictor, to first order in 1/N.

In the field t neurons are independent, so the outputs F on all inputs, training and new, are Gaussian with covariance
C / N, C being that of o = a phi(z) over one neuron. The likelihood pins the training outputs within T/N, and what is
left is

    Var f(x) = (C_xx - C_xt (C_tt + T)^-1 C_tx) / N.

C_tt is constant on groups of inputs but for its diagonal, so only group means and deviations from them are solved for.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.theory.sigmoidal._inputs import (
    Atoms,
    Inputs,
    conditional_covariances,
    conditional_variances,
    mean_activations,
)
from nonlazy.theory.sigmoidal._problem import ClassProblem


_BATCH = 64


@dataclass(frozen=True, eq=False)
class ReadoutMoments:
    """First and second moments of the readout vectors, in the user's units, that go with each atom.

    **Fields:** `weight` `(A,)`; `mean` `(A, m)`; `second` `(A, m, m)`, with the prior's variance outside of the
    targets' space; `ensemble` `(A,)`: atoms of one number share what may fluctuate: all of them at equilibrium, those
    of one code where fractions are frozen.
    """

    weight: Float[np.ndarray, " A"]
    mean: Float[np.ndarray, "A m"]
    second: Float[np.ndarray, "A m m"]
    ensemble: Int[np.ndarray, " A"]


def readout_moments(problem: ClassProblem, atoms: Atoms, ensemble: Int[np.ndarray, " A"]) -> ReadoutMoments:
    """The moments of the readouts that `atoms` stand for."""
    mean = problem.scale * atoms.readout @ problem.basis
    outside = np.eye(problem.basis.shape[1]) - problem.basis.T @ problem.basis
    second = mean[:, :, None] * mean[:, None, :] + problem.scale**2 / problem.P * outside
    return ReadoutMoments(atoms.weight, mean, second, ensemble)


def predictor_variance(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    atoms: Atoms,
    moments: ReadoutMoments,
    inputs: Inputs,
    training: Inputs,
    weight_variance: float,
) -> Float[np.ndarray, "inputs m"]:
    """N times the posterior variance of the outputs on `inputs`; `training` are the training inputs."""
    C, m, groups = problem.C, moments.mean.shape[1], problem.groups
    counts = np.bincount(groups, minlength=C)
    _, mean, variance = problem.neuron.cumulants(atoms.readout @ t.T)
    noise = problem.temperature * problem.scale**2 * np.eye(m)
    own = np.einsum("a,ac,ars->crs", moments.weight, variance, moments.second) + noise
    system = np.einsum("crdq,d->crdq", _covariance(moments, mean, mean), counts)
    for c in range(C):
        system[c, :, c, :] += own[c]
    inverse = np.linalg.inv(own)
    result = np.empty((len(inputs.share), m))
    for start in range(0, len(result), _BATCH):
        part = _part(inputs, slice(start, start + _BATCH))
        here = mean_activations(problem, t, atoms, part)
        prior = weight_variance * (part.X @ training.X.T) / part.X.shape[1]
        across = np.zeros((len(part.X), m, problem.P, m))
        for covariance, share, second in zip(
            conditional_covariances(problem, t, atoms, part, training, prior),
            moments.weight,
            moments.second,
            strict=True,
        ):
            across += share * covariance[:, None, :, None] * second[None, :, None, :]
        across += _covariance(moments, here, mean)[:, :, groups, :]
        centre = np.stack([across[:, :, groups == c].mean(axis=2) for c in range(C)], axis=2)
        away = across - centre[:, :, groups]
        pinned = np.einsum("xrps,psq,xrpq->xr", away, inverse[groups], away, optimize=True)
        right = centre.reshape(-1, C * m).T
        solved = np.linalg.solve(system.reshape(C * m, C * m), right).T.reshape(centre.shape)
        pinned += np.einsum("xrcs,c,xrcs->xr", centre, counts, solved)
        result[start : start + _BATCH] = (
            _variance(moments, conditional_variances(problem, t, atoms, part), here) - pinned
        )
    return np.maximum(result, 0.0)


def _covariance(moments: ReadoutMoments, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cov(a_r <phi_x|a>, a_s <phi_y|a>) as (x, r, y, s), from mean activations `(A, x)` and `(A, y)`."""
    total = np.einsum("a,ax,ay,ars->xrys", moments.weight, first, second, moments.second, optimize=True)
    for number in np.unique(moments.ensemble):
        members = moments.ensemble == number
        share = moments.weight[members].sum()
        left, right = (
            np.einsum("a,ax,ar->xr", moments.weight[members], phi[members], moments.mean[members])
            for phi in (first, second)
        )
        total -= left[:, :, None, None] * right[None, None] / share
    return total


def _variance(moments: ReadoutMoments, own: np.ndarray, here: np.ndarray) -> np.ndarray:
    """C_xx: the variance of a_r phi(z(x)) over a neuron, from Var(phi | a) and <phi | a>."""
    second = np.einsum("arr->ar", moments.second)
    total = np.einsum("a,ax,ar->xr", moments.weight, own + here**2, second)
    for number in np.unique(moments.ensemble):
        members = moments.ensemble == number
        share = moments.weight[members].sum()
        total -= np.einsum("a,ax,ar->xr", moments.weight[members], here[members], moments.mean[members]) ** 2 / share
    return total


def _part(inputs: Inputs, rows: slice) -> Inputs:
    return Inputs(inputs.share[rows], inputs.rest[rows], inputs.twin[rows], inputs.X[rows])
