"""Solves a linear network: reduction to the saddle point of one m x m matrix."""

import math

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.theory.linear._energy import LinearEnergy
from nonlazy.theory.linear._input_modes import InputModes, input_modes
from nonlazy.theory.linear._prediction import LinearPrediction
from nonlazy.theory.linear._saddle import Saddle, noiseless_saddle, noisy_saddle, prior_saddle


def solve_linear(posterior: Posterior, finite_size: bool = True, fractions=None) -> LinearPrediction:
    """The linear network in closed form, any depth, input kernel, temperature and readout scaling.

    **Arguments:**

    - `posterior`: of a network with activation phi(z) = z.
    - `finite_size`: the saddle point at the network's own N, P and T. False: the limit, for the non-lazy readout the
      paper's U^(L+1) = sigma_a^(2L) Y^T K_0^+ Y at T = 0, for the lazy one N to infinity at fixed P (U = sigma_a^2).
    - `fractions`: must be None.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    network, task, temperature = posterior.network, posterior.task, posterior.temperature
    _check(posterior, finite_size, fractions)
    modes = input_modes(task.X, task.Y)
    # A lazy network with targets Y is the non-lazy one with targets Y / sqrt(N), at the same T.
    targets = modes.targets if network.readout == "non-lazy" else modes.targets / math.sqrt(network.width)
    energy = LinearEnergy(
        modes.kappa,
        targets,
        depth=network.depth,
        width=network.width,
        variance=posterior.sigma_a2 * math.prod(posterior.sigma2),
        temperature=temperature,
    )
    if not finite_size:
        saddle = noiseless_saddle(energy, leading=True) if network.readout == "non-lazy" else prior_saddle(energy)
    elif temperature == 0:
        saddle = noiseless_saddle(energy)
    else:
        saddle = noisy_saddle(energy)
    return LinearPrediction(
        posterior=posterior,
        finite_size=finite_size,
        readout_covariance=posterior.sigma_a2 * (saddle.basis * saddle.ratios) @ saddle.basis.T,
        free_energy=_free_energy(posterior, modes, saddle),
        residual=_residual(posterior, modes, saddle),
        stationarity=saddle.stationarity,
        gap=saddle.gap,
        certified=saddle.certified,
        certificate=saddle.words,
        modes=modes,
        basis=saddle.basis,
        ratios=saddle.ratios,
    )


def _residual(posterior: Posterior, modes: InputModes, saddle: Saddle) -> float:
    """max|Y - T t - <phi a^T>| / max|Y| over the reachable part of the targets.

    The dual field t = (w K_0 + T)^-1 Y with w = v R^L is that of the solution. Given t, the saddle's equation renews R,
    and neurons with it give <phi a^T> = K_0 t v R^L: the same outputs only where R solves its equation.
    """
    temperature, L = posterior.temperature, posterior.network.depth
    variance, kappa = posterior.sigma_a2 * math.prod(posterior.sigma2), modes.kappa[:, None]
    scale = 1.0 if posterior.network.readout == "non-lazy" else 1.0 / math.sqrt(posterior.network.width)
    # Directions without any readout variance have no targets, either.
    kept = saddle.ratios > 0
    targets = scale * modes.targets @ saddle.basis[:, kept]
    field = targets / (kappa * (variance * saddle.ratios[kept] ** L) + temperature)
    outputs = kappa * field @ (variance * np.linalg.matrix_power(saddle.renewed, L)[np.ix_(kept, kept)])
    along, _ = modes.project(posterior.task.X)
    missed = (along / np.sqrt(modes.kappa)) @ (targets - temperature * field - outputs) @ saddle.basis[:, kept].T
    return float(np.max(np.abs(missed))) / (scale * (float(np.max(np.abs(posterior.task.Y))) or 1.0))


def _free_energy(posterior: Posterior, modes: InputModes, saddle: Saddle) -> float:
    """F per training input, with the part of zero modes, which no R changes, added at T > 0."""
    value, temperature, task = saddle.value, posterior.temperature, posterior.task
    if temperature > 0:
        N = posterior.network.width
        scale = 1.0 if posterior.network.readout == "non-lazy" else 1.0 / N
        value += 0.5 * task.m * modes.silent * math.log(temperature) / N + 0.5 * scale * modes.unreachable / temperature
    return value / task.P


def _check(posterior: Posterior, finite_size: bool, fractions) -> None:
    network, task = posterior.network, posterior.task
    probe = np.array([-2.0, -0.5, 0.0, 1.0, 3.0])
    if not np.allclose(np.asarray(network.phi(probe)), probe):
        raise InvalidInput(
            f"activation {network.phi.name!r} is of the linear kind but is not phi(z) = z: use activation='linear', "
            "with its slope squared as a factor of the next layer's prior variance"
        )
    if fractions is not None:
        raise InvalidInput("fractions were given, but linear networks have no codes (their coding is analog)")
    if finite_size and network.width < task.m:
        raise InvalidInput(
            f"width N = {network.width} is below the number of outputs m = {task.m}: the readouts' covariance is "
            "singular and has no saddle point; choose N >= m"
        )
    if not finite_size and network.readout == "non-lazy" and posterior.temperature > 0:
        raise InvalidInput(
            f"temperature is {posterior.temperature:g}, but the limit of the non-lazy linear network (the paper's "
            "formula) is one of T = 0: call solve(network, task, finite_size=False), or keep finite_size=True"
        )
