"""`gaussian_process`: the baseline whose features do not learn."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.network import Network
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task
from nonlazy.theory.nngp._evidence import evidence_readout_variance
from nonlazy.theory.nngp._layer_kernels import layer_kernel
from nonlazy.theory.nngp._prediction import GaussianProcessPrediction
from nonlazy.theory.nngp._regression import kernel_modes


def gaussian_process(
    network: Posterior | Network,
    task: Task | None = None,
    readout_variance: float | str | None = None,
    temperature: float | None = None,
    weight_variance: float | Sequence[float] | None = None,
) -> GaussianProcessPrediction:
    """The Gaussian process (NNGP) that a network's outputs are at infinite width, conditioned on a task.

    The baseline of van Meegen & Sompolinsky (2025), Fig. 6: readouts scale as 1/sqrt(N), whatever the network's own
    readout, so that features keep their prior and only the readouts learn. Any depth and activation
    (docs/theory/gaussian-process.md). Its width does not enter.

    **Arguments:**

    - `network`: a `nonlazy.Network`, or a `nonlazy.Posterior` with its task, temperature and hidden variances.
    - `task`: with a `Network`, what is learned.
    - `readout_variance`: sigma_a^2, the prior variance of an output in units of the kernel; `"evidence"` takes the most
      probable, tr(Y^T K^-1 Y) / (m P) at T = 0. None: that of a lazy posterior, else 1. (A non-lazy posterior's own is
      of another scale, and is not used.)
    - `temperature`: T >= 0 (default 0), the noise variance of each output, as in a lazy posterior.
    - `weight_variance`: sigma_l^2 of the hidden layers (default 1), one number or one a layer.

    **Returns:** a `GaussianProcessPrediction`: mean, variance, kernels, generalization error.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    posterior = _lazy_posterior(network, task, readout_variance, temperature, weight_variance)
    task = posterior.task
    K, error = layer_kernel(posterior, task.X, task.X, posterior.network.depth)
    modes = kernel_modes(K, task.Y, error)
    origin: Literal["given", "evidence"] = "given"
    if readout_variance == "evidence":
        variance, origin = evidence_readout_variance(modes, posterior.temperature), "evidence"
        posterior = dataclasses.replace(posterior, readout_variance=variance)
    sigma_a2, T = posterior.sigma_a2, posterior.temperature
    weights = modes.weights(K, sigma_a2, T)
    field = weights + modes.unreachable / T if T > 0 else weights
    missed = modes.unreachable if T == 0 else np.zeros_like(task.Y)
    largest = float(np.max(np.abs(task.Y))) or 1.0
    return GaussianProcessPrediction(
        posterior=posterior,
        readout_variance_from=origin,
        free_energy=-modes.log_evidence(sigma_a2, T) / task.P,
        residual=float(np.max(np.abs(task.Y - missed - T * field - sigma_a2 * (K @ weights)))) / largest,
        unreachable=float(np.max(np.abs(missed))) / largest,
        kernel_error=error,
        dual_field=field,
        weights=weights,
        modes=modes,
    )


def _lazy_posterior(network, task, readout_variance, temperature, weight_variance) -> Posterior:
    """What was asked for, as a posterior of a lazy network."""
    if isinstance(readout_variance, str) and readout_variance != "evidence":
        raise InvalidInput(f"readout_variance is {readout_variance!r}: give a number above 0, or 'evidence'")
    number = 1.0 if readout_variance is None or isinstance(readout_variance, str) else readout_variance
    if isinstance(network, Posterior):
        settings = {"task": task, "temperature": temperature, "weight_variance": weight_variance}
        given = [name for name, value in settings.items() if value is not None]
        if given:
            raise InvalidInput(
                f"{', '.join(given)} given next to a posterior, which has its own: "
                "leave them out, or pass the network and the task"
            )
        if readout_variance is None and network.network.readout == "lazy":
            number = network.sigma_a2
        task, temperature, weight_variance = network.task, network.temperature, network.sigma2
        network = network.network
    if task is None:
        raise InvalidInput("a network alone cannot be solved: pass a posterior, or the network and a task")
    return Posterior(
        dataclasses.replace(network, readout="lazy"),
        task,
        0.0 if temperature is None else temperature,
        number,
        1.0 if weight_variance is None else weight_variance,
    )
