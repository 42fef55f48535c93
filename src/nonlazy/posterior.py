"""The `Posterior`: the density that the samplers draw from and the theory predicts.

This is the one place where temperature, noise and prior variances are defined:

- prior: readouts a ~ N(0, sigma_a^2), hidden weights of layer l ~ N(0, sigma_l^2), all independent;
- likelihood: exp(-|Y - f(X)|^2 / (2 noise)), with noise variance T/N per output for the non-lazy readout and T for the
  lazy one. T is the paper's rescaled temperature;
- the defaults of sigma_a^2 undo what the 1/N readout would otherwise unlearn: 1/P for sigmoidal activations at any
  depth, 1/P^(1/L) for linear and rectified ones, 1 for the lazy readout.

Source: van Meegen & Sompolinsky, Nature Communications 16, 3354 (2025), "Results" and "Methods".
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float

from nonlazy._regular_files import shown
from nonlazy.errors import InvalidInput
from nonlazy.network import Network, Weights
from nonlazy.tasks import Task


# The smallest number that float64 holds with all its digits; and sizes beyond which somebody has mistyped them.
_LEAST = sys.float_info.min
_MOST_LAYERS = 10_000
_MOST_NEURONS = 10**15


@dataclass(frozen=True)
class Posterior:
    """The Bayesian posterior of a network's weights given a task.

    **Arguments:**

    - `network`, `task`: architecture and data.
    - `temperature`: T >= 0, rescaled: the noise variance of each output is T/N (non-lazy) or T (lazy). 0 is the limit
      without noise; above 0 the noise variance must be a normal float64, 2.3e-308 or more.
    - `readout_variance`: sigma_a^2 > 0; None takes the paper's scaling (see the module).
    - `weight_variance`: sigma_l^2 > 0 of the hidden layers: one number, or one a layer.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """

    network: Network
    task: Task
    temperature: float
    readout_variance: float | None = None
    weight_variance: float | Sequence[float] = 1.0

    def __post_init__(self):
        temperature = _number("temperature", self.temperature)
        if temperature < 0:
            raise InvalidInput(f"temperature is {temperature}: it must be 0 or more (1e-3 is a good start)")
        object.__setattr__(self, "temperature", temperature)
        for name, value, most in (
            ("depth", self.network.depth, _MOST_LAYERS),
            ("width", self.network.width, _MOST_NEURONS),
        ):
            if value > most:
                raise InvalidInput(f"{name} is {shown(value)}: a posterior has at most {most}; choose a smaller {name}")
        if temperature > 0 and min(temperature, self.noise_variance) < _LEAST:
            scaled = "" if self.noise_variance == temperature else f", and the noise variance {self.noise_variance}"
            raise InvalidInput(
                f"temperature is {temperature}{scaled}: above 0 both must be {_LEAST} or more, the least that float64 "
                "holds with all digits; choose a higher temperature, or 0 for no noise at all"
            )
        variance = default_readout_variance(self.network, self.task.P)
        if self.readout_variance is not None:
            variance = _number("readout_variance", self.readout_variance)
        given = self.weight_variance
        variances = (given,) * self.network.depth if given is None or np.ndim(given) == 0 else tuple(np.asarray(given))
        if len(variances) != self.network.depth:
            raise InvalidInput(f"weight_variance has {len(variances)} entries for {self.network.depth} hidden layers")
        variances = tuple(_number("weight_variance", v) for v in variances)
        for name, value in (("readout_variance", variance), *(("weight_variance", v) for v in variances)):
            if value <= 0:
                raise InvalidInput(f"{name} is {value}: a variance must be above 0")
        object.__setattr__(self, "readout_variance", variance)
        object.__setattr__(self, "weight_variance", variances)

    @property
    def sigma_a2(self) -> float:
        """sigma_a^2, the prior variance of the readouts."""
        assert isinstance(self.readout_variance, float)
        return self.readout_variance

    @property
    def sigma2(self) -> tuple[float, ...]:
        """sigma_l^2, the prior variances of the hidden layers, `(L,)`."""
        assert isinstance(self.weight_variance, tuple)
        return self.weight_variance

    @property
    def noise_variance(self) -> float:
        """Noise variance of one output: T/N (non-lazy) or T (lazy)."""
        return self.temperature / self.network.width if self.network.readout == "non-lazy" else self.temperature

    def log_density(self, weights: Weights) -> float:
        """log of the posterior density of `weights`, up to a constant: -loss/noise - sum theta^2 / (2 sigma^2).

        **Raises:** `nonlazy.errors.InvalidInput` at temperature 0, where the posterior has no density.
        """
        if self.temperature == 0:
            raise InvalidInput("temperature is 0: the posterior is concentrated on the minima of the loss")
        loss = 0.5 * float(np.sum((self.task.Y - self.network.outputs(weights, self.task.X)) ** 2))
        prior = float(np.sum(weights.readout**2)) / (2 * self.sigma_a2)
        for matrix, variance in zip(weights.hidden, self.sigma2, strict=True):
            prior += float(np.sum(matrix**2)) / (2 * variance)
        return -loss / self.noise_variance - prior

    def readout_conditional(
        self, activations: Float[np.ndarray, "N P"]
    ) -> tuple[Float[np.ndarray, "N m"], Float[np.ndarray, "N N"]]:
        """The exact Gaussian law of the readouts given the feature layer's activations on the training inputs.

        **Returns:** mean `(N, m)` and the covariance `(N, N)` that every output's readouts share.

        **Raises:** `nonlazy.errors.InvalidInput` at temperature 0.
        """
        if self.temperature == 0:
            raise InvalidInput("temperature is 0: the readouts given the activations have no density")
        features = np.asarray(activations, dtype=np.float64) * self.network.readout_scale
        precision = features @ features.T / self.noise_variance + np.eye(features.shape[0]) / self.sigma_a2
        factor = scipy.linalg.cho_factor(precision, lower=True)
        mean = scipy.linalg.cho_solve(factor, features @ self.task.Y / self.noise_variance)
        return mean, scipy.linalg.cho_solve(factor, np.eye(features.shape[0]))

    def __str__(self) -> str:
        network, task = self.network, self.task
        hidden = ", ".join(f"{v:g}" for v in self.sigma2)
        noise = "T/N" if network.readout == "non-lazy" else "T"
        return (
            f"{network.phi.name} network, {network.readout} readout, L = {network.depth}, N = {network.width}; "
            f"{task.name}: P = {task.P}, N0 = {task.N0}, m = {task.m}; T = {self.temperature:g} "
            f"(noise variance {noise} = {self.noise_variance:g}), sigma_a^2 = {self.sigma_a2:g}, "
            f"sigma_l^2 = {hidden}"
        )


def default_readout_variance(network: Network, P: int) -> float:
    """The paper's sigma_a^2: 1 (lazy), 1/P (sigmoidal, any depth), 1/P^(1/L) (linear and rectified)."""
    if network.readout == "lazy":
        return 1.0
    if network.phi.kind == "sigmoidal":
        return 1.0 / P
    return P ** (-1.0 / network.depth)


def _number(name: str, value) -> float:
    if isinstance(value, bool):
        raise InvalidInput(f"{name} is {value}: it must be a number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name} is {value!r}: it must be a number") from None
    if not math.isfinite(number):
        raise InvalidInput(f"{name} is {number}: it must be finite")
    return number
