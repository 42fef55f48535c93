"""What a neuron of a well does on any inputs: moments of its preactivations, activations and their products."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular

from nonlazy.theory.linear._input_modes import InputModes
from nonlazy.theory.sigmoidal.general._averages import ErrorFunctionAverages
from nonlazy.theory.sigmoidal.general._bivariate import bivariate_normal
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._well import Well


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs in the modes of the training inputs: z(x) = along . u + (a Gaussian that training says nothing about).

    **Fields:** `along` `(inputs, r)`; `rest` `(inputs, N0)`, whose inner products are that Gaussian's covariances.
    """

    along: Float[np.ndarray, "inputs r"]
    rest: Float[np.ndarray, "inputs N0"]


def inputs_in_modes(modes: InputModes, X: Float[np.ndarray, "inputs N0"], sigma: float) -> Inputs:
    """`X` in the modes of the training inputs, with hidden weights of deviation `sigma`."""
    along, rest = modes.project(X)
    return Inputs(sigma * along, sigma * rest)


def spread_of(setting: Setting, well: Well, inputs: Inputs) -> Float[np.ndarray, "d inputs"]:
    """A factor of the covariance that the well leaves to the preactivations, without what training does not touch."""
    r = setting.rank
    if not setting.variational:
        return np.zeros((1, len(inputs.along)))
    factor = well.shape.factor
    if not setting.joint:
        return solve_triangular(factor[:r, :r], inputs.along.T, lower=True, check_finite=False)
    padded = np.concatenate([inputs.along.T, np.zeros((setting.k, len(inputs.along)))])
    return solve_triangular(factor, padded, lower=True, check_finite=False)


def readout_covariance(setting: Setting, well: Well) -> Float[np.ndarray, "k k"]:
    """Covariance of the readout within a variational well at finite size."""
    r = setting.rank
    corner = solve_triangular(well.shape.factor[r:, r:], np.eye(setting.k), lower=True)
    return setting.sigma_a**2 * corner.T @ corner


def moments_on(
    setting: Setting, well: Well, inputs: Inputs
) -> tuple[Float[np.ndarray, " inputs"], Float[np.ndarray, " inputs"]]:
    """Mean and variance of z(x), each `(inputs,)`."""
    spread = spread_of(setting, well, inputs)
    return inputs.along @ well.u, np.sum(spread**2, axis=0) + np.sum(inputs.rest**2, axis=1)


def contribution(setting: Setting, well: Well, inputs: Inputs) -> Float[np.ndarray, "inputs k"]:
    """<phi(z(x)) a>, `(inputs, k)`."""
    mean, variance = moments_on(setting, well, inputs)
    total = np.outer(setting.averages.mean(mean, variance), setting.sigma_a * well.b)
    if setting.joint:
        r = setting.rank
        corner = well.shape.factor[r:, r:]
        lever = spread_of(setting, well, inputs)[r:]
        covariance = solve_triangular(corner, lever, lower=True, trans=1, check_finite=False).T
        total += setting.sigma_a * covariance * setting.averages.slope(mean, variance)[:, None]
    return total


def products(setting: Setting, well: Well, one: Inputs, other: Inputs) -> Float[np.ndarray, "inputs1 inputs2"]:
    """<phi(z(x1)) phi(z(x2))>, `(inputs1, inputs2)`."""
    averages: ErrorFunctionAverages = setting.averages
    spread1, spread2 = spread_of(setting, well, one), spread_of(setting, well, other)
    covariance = spread1.T @ spread2 + one.rest @ other.rest.T
    widths = []
    for inputs, spread in ((one, spread1), (other, spread2)):
        variance = np.sum(spread**2, axis=0) + np.sum(inputs.rest**2, axis=1)
        widths.append(np.sqrt(averages.width**2 + variance))
    x, y = one.along @ well.u / widths[0], other.along @ well.u / widths[1]
    shape = covariance.shape
    X, Y = np.broadcast_to(x[:, None], shape), np.broadcast_to(y[None, :], shape)
    both = bivariate_normal(X, Y, covariance / np.outer(widths[0], widths[1]))
    phi1 = averages.mean(x, 1 - averages.width**2)
    phi2 = averages.mean(y, 1 - averages.width**2)
    # phi = offset + height Phi, so that Phi = (phi - offset) / height.
    linear = averages.offset * (phi1[:, None] + phi2[None, :] - averages.offset)
    return linear + averages.height**2 * both
