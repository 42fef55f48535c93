"""Mean activations and kernels of the feature layer on any input, given the law of the readouts.

Given its readout a, a neuron's preactivations on the training inputs are independent, each with density proportional to
N(z; 0, v) exp((a . t_c) phi(z)). A further input x = sum_mu w_mu x_mu + (a part orthogonal to the training inputs) has

    z(x) = sum_mu w_mu z_mu + N(0, rest).

The term with the largest |w_mu| is kept exactly, the sum of the others is taken as Gaussian with their exact mean and
variance. So training inputs, inputs orthogonal to them, and a training input with an orthogonal perturbation are exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.special
from jaxtyping import Bool, Float, Int

from nonlazy.posterior import Posterior
from nonlazy.theory.sigmoidal._problem import ClassProblem, input_norm
from nonlazy.theory.sigmoidal._single_neuron import gauss_rule


_SAME_INPUT = 1e-9
_PREACTIVATION_NODES, _GAUSSIAN_NODES, _HERMITE_NODES, _MOST_ORDERS = 20, 24, 64, 60
_BATCH = 128


@dataclass(frozen=True, eq=False)
class Atoms:
    """A few readouts with weights that stand for the readouts' law.

    **Fields:** `readout` `(A, r)`, `weight` `(A,)`.
    """

    readout: Float[np.ndarray, "A r"]
    weight: Float[np.ndarray, " A"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs in terms of the training inputs.

    **Fields:** `share` w `(inputs, P)`; `rest` `(inputs,)`: variance of the orthogonal part; `twin` `(inputs,)`: the
    training input that it is equal to, or -1; `X`: the inputs themselves.
    """

    share: Float[np.ndarray, "inputs P"]
    rest: Float[np.ndarray, " inputs"]
    twin: Int[np.ndarray, " inputs"]
    X: Float[np.ndarray, "inputs N0"]


def resolve(posterior: Posterior, X: Float[np.ndarray, "inputs N0"]) -> Inputs:
    """The inputs `X` in terms of the training inputs."""
    task = posterior.task
    norm = input_norm(task)
    assert norm is not None
    share = X @ task.X.T / (task.N0 * norm)
    own = np.sum(X**2, axis=1) / task.N0
    rest = posterior.sigma2[0] * np.maximum(own - norm * np.sum(share**2, axis=1), 0.0)
    rest[rest < 1e-12 * posterior.sigma2[0] * norm] = 0.0
    nearest = np.argmax(np.abs(share), axis=1)
    missed = share.copy()
    missed[np.arange(len(X)), nearest] -= 1.0
    same = (np.max(np.abs(missed), axis=1) < _SAME_INPUT) & (rest < _SAME_INPUT * posterior.sigma2[0] * norm)
    return Inputs(share, rest, np.where(same, nearest, -1), X)


def mean_activations(
    problem: ClassProblem, t: Float[np.ndarray, "C r"], atoms: Atoms, inputs: Inputs
) -> Float[np.ndarray, "A inputs"]:
    """<phi(z(x)) | a> for every atom and input."""
    h = atoms.readout @ t.T
    neuron, groups = problem.neuron, problem.groups
    mean, variance = _preactivation_moments(problem, h)
    rules = [[gauss_rule(neuron.z, q, _PREACTIVATION_NODES) for q in row] for row in neuron.tilted_weights(h)]
    z = np.array([[rule[0] for rule in row] for row in rules])
    z_weight = np.array([[rule[1] for rule in row] for row in rules])
    xi, xi_weight = _standard_normal(_GAUSSIAN_NODES)
    result = np.empty((len(h), len(inputs.share)))
    for start in range(0, len(inputs.share), _BATCH):
        part = slice(start, start + _BATCH)
        share = inputs.share[part].copy()
        rows = np.arange(len(share))
        largest = np.argmax(np.abs(share), axis=1)
        own, group = share[rows, largest], groups[largest]
        share[rows, largest] = 0.0
        others = mean @ _by_group(share, groups, problem.C).T
        width = np.sqrt(variance @ _by_group(share**2, groups, problem.C).T + inputs.rest[part])
        # (A, inputs, nodes of z, nodes of the Gaussian rest)
        centre = others[:, :, None] + own[None, :, None] * z[:, group]
        values = np.asarray(neuron.phi(centre[..., None] + width[:, :, None, None] * xi), dtype=np.float64) @ xi_weight
        result[:, part] = np.sum(values * z_weight[:, group], axis=-1)
    twins = np.flatnonzero(inputs.twin >= 0)
    result[:, twins] = neuron.mean(h)[:, groups[inputs.twin[twins]]]
    return result


def covariance_given_readout(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    atoms: Atoms,
    inputs1: Inputs,
    inputs2: Inputs,
    prior: Float[np.ndarray, "inputs1 inputs2"],
) -> Float[np.ndarray, "inputs1 inputs2"]:
    """Average over the atoms of Cov(phi(z(x1)), phi(z(x2)) | a); `prior` is the prior covariance of z(x1), z(x2)."""
    parts = conditional_covariances(problem, t, atoms, inputs1, inputs2, prior)
    return sum((weight * part for weight, part in zip(atoms.weight, parts, strict=True)), np.zeros(prior.shape))


def conditional_covariances(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    atoms: Atoms,
    inputs1: Inputs,
    inputs2: Inputs,
    prior: Float[np.ndarray, "inputs1 inputs2"],
) -> Iterator[Float[np.ndarray, "inputs1 inputs2"]]:
    """Cov(phi(z(x1)), phi(z(x2)) | a) for one atom a after the other.

    Between different training inputs 0, of a training input with itself g''. Else both preactivations are taken as
    jointly Gaussian with their exact means and covariances, and the covariance is summed over Hermite polynomials.
    """
    neuron, groups = problem.neuron, problem.groups
    h = atoms.readout @ t.T
    mean, variance = _preactivation_moments(problem, h)
    joint = inputs1.share @ inputs2.share.T
    orthogonal = prior - problem.neuron.variance * joint
    orthogonal[np.abs(orthogonal) < 1e-12 * problem.neuron.variance] = 0.0
    twins = _both_twins(inputs1, inputs2)
    same = twins & (inputs1.twin[:, None] == inputs2.twin[None, :])
    own, group = neuron.cumulants(h)[2], groups[inputs1.twin[np.nonzero(same)[0]]]
    linked = ~twins & ((np.abs(inputs1.share) @ np.abs(inputs2.share.T) > 1e-12) | (orthogonal != 0))
    for k in range(len(atoms.weight)):
        result = np.zeros(joint.shape)
        result[same] = own[k, group]
        if linked.any():
            covariance = (inputs1.share * variance[k, groups]) @ inputs2.share.T + orthogonal
            deviations, coefficients = zip(
                *(_hermite(problem, inputs, mean[k], variance[k]) for inputs in (inputs1, inputs2)), strict=True
            )
            correlation = np.where(linked, np.clip(covariance / np.outer(*deviations), -1.0, 1.0), 0.0)
            total, power = np.zeros_like(correlation), np.ones_like(correlation)
            for n in range(1, _MOST_ORDERS):
                power = power * correlation
                total += power * np.outer(coefficients[0][n], coefficients[1][n])
                if float(np.max(np.abs(power))) < 1e-9:
                    break
            result[linked] = total[linked]
        yield result


def conditional_variances(
    problem: ClassProblem, t: Float[np.ndarray, "C r"], atoms: Atoms, inputs: Inputs
) -> Float[np.ndarray, "A inputs"]:
    """Var(phi(z(x)) | a) for every atom and input: g'' on training inputs, else z(x) taken as Gaussian."""
    h = atoms.readout @ t.T
    mean, variance = _preactivation_moments(problem, h)
    xi, weight = _standard_normal(_HERMITE_NODES)
    result = np.empty((len(h), len(inputs.share)))
    for k in range(len(h)):
        centre = inputs.share @ mean[k, problem.groups]
        deviation = np.sqrt(inputs.share**2 @ variance[k, problem.groups] + inputs.rest)
        phi = np.asarray(problem.neuron.phi(centre[:, None] + deviation[:, None] * xi), dtype=np.float64)
        result[k] = phi**2 @ weight - (phi @ weight) ** 2
    twins = np.flatnonzero(inputs.twin >= 0)
    result[:, twins] = problem.neuron.cumulants(h)[2][:, problem.groups[inputs.twin[twins]]]
    return result


def _hermite(problem, inputs: Inputs, mean, variance) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation of z(x), and <phi(z) He_n> / sqrt(n!) for the Gaussian with its mean and variance."""
    groups = problem.groups
    centre = inputs.share @ mean[groups]
    deviation = np.sqrt(inputs.share**2 @ variance[groups] + inputs.rest)
    xi, weight = _standard_normal(_HERMITE_NODES)
    phi = np.asarray(problem.neuron.phi(centre[:, None] + deviation[:, None] * xi), dtype=np.float64)
    polynomials = np.zeros((_MOST_ORDERS, xi.size))
    polynomials[0], polynomials[1] = 1.0, xi
    for n in range(1, _MOST_ORDERS - 1):
        polynomials[n + 1] = (xi * polynomials[n] - np.sqrt(n) * polynomials[n - 1]) / np.sqrt(n + 1)
    return np.maximum(deviation, 1e-300), (phi * weight @ polynomials.T).T


def _preactivation_moments(problem, h) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of a training input's preactivation in the fields `h`."""
    tilted = problem.neuron.tilted_weights(h)
    mean = tilted @ problem.neuron.z
    return mean, tilted @ problem.neuron.z**2 - mean**2


def _both_twins(inputs1: Inputs, inputs2: Inputs) -> Bool[np.ndarray, "inputs1 inputs2"]:
    return np.logical_and.outer(inputs1.twin >= 0, inputs2.twin >= 0)


def _by_group(values, groups, C) -> np.ndarray:
    return values @ np.eye(C)[groups]


def _standard_normal(size: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = scipy.special.roots_hermitenorm(size)
    return nodes, weights / weights.sum()
