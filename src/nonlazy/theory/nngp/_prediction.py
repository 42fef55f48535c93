"""What the Gaussian process of an infinitely wide network says of a task."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.linalg
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task
from nonlazy.theory._checks import (
    checked_count,
    checked_direction,
    checked_grid,
    checked_inputs,
    checked_label,
    checked_layer,
)
from nonlazy.theory._dataset import labelled_dataset
from nonlazy.theory._prediction import Ensemble, GeneralizationError, Grouping, error_on_test_inputs
from nonlazy.theory.nngp._layer_kernels import layer_kernel, layer_variances
from nonlazy.theory.nngp._regression import Modes


if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class GaussianProcessPrediction:
    """The lazy network of infinite width: a Gaussian process, whose features do not learn.

    Made by `nonlazy.theory.gaussian_process`; a `nonlazy.theory.Prediction` (docs/theory/gaussian-process.md).

    **Fields:**

    - `posterior`: what was solved: the lazy posterior, with the readout variance used. Its width does not enter.
    - `readout_variance_from`: `"given"` or `"evidence"` (it maximises p(Y)).
    - `free_energy`: -log p(Y) / P, with all constants. (No neuron is left to divide by.) At T = 0 with a singular
      kernel, of the reachable part of the targets.
    - `residual`: max|Y - T t - <f>| / max|Y| over the reachable targets, with the dual field t = (sigma_a^2 K + T)^-1 Y
      and <f> = sigma_a^2 K t, which is <phi a^T> summed over neurons.
    - `unreachable`: max|Y - reachable part| / max|Y|: what the mean predictor misses at T = 0 where K is singular.
    - `kernel_error`: error of the kernel's entries, relative to sqrt(K_ii K_jj).
    - `dual_field`: t, `(P, m)`; the mean training residual is T t.
    - `weights`: the part of t that the kernel carries, `(P, m)`. `modes`: eigenmodes of the training inputs' kernel.
    """

    posterior: Posterior
    readout_variance_from: Literal["given", "evidence"]
    free_energy: float
    residual: float
    unreachable: float
    kernel_error: float
    dual_field: Float[np.ndarray, "P m"] = field(repr=False)
    weights: Float[np.ndarray, "P m"] = field(repr=False)
    modes: Modes = field(repr=False)

    @property
    def ensemble(self) -> Ensemble:
        """`"equilibrium"`: a Gaussian process has no codes whose fractions could freeze."""
        return "equilibrium"

    @property
    def gap(self) -> float:
        """0: the posterior is known in closed form."""
        return 0.0

    @property
    def certified(self) -> bool:
        """True: the posterior is Gaussian, and nothing was searched for."""
        return True

    @property
    def certificate(self) -> str:
        """Why the solution is the only one."""
        return "closed form: the posterior is Gaussian"

    def predict(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior mean of the outputs, k(X)^T (K + T/sigma_a^2)^-1 Y, `(inputs, m)`; free of sigma_a at T = 0."""
        return self.posterior.sigma_a2 * self._to_training(checked_inputs(X, self.posterior.task)) @ self.weights

    def predictor_variance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior variance of the outputs, the same for each, sigma_a^2 (k(x, x) - k^T (K + T/sigma_a^2)^-1 k)."""
        X = checked_inputs(X, self.posterior.task)
        sigma_a2, T = self.posterior.sigma_a2, self.posterior.temperature
        prior = sigma_a2 * layer_variances(self.posterior, X, self.posterior.network.depth)
        known = np.sum(self.modes.explained(self._to_training(X), sigma_a2, T) ** 2, axis=1)
        # Rounding can leave a training input without noise a variance just below 0.
        variance = np.maximum(prior - known, 0.0)
        return np.repeat(variance[:, None], self.posterior.task.m, axis=1)

    def predictor_covariance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs inputs"]:
        """Posterior covariance of one output between inputs, the same for each output, `(inputs, inputs)`."""
        X = checked_inputs(X, self.posterior.task)
        sigma_a2, T = self.posterior.sigma_a2, self.posterior.temperature
        known = self.modes.explained(self._to_training(X), sigma_a2, T)
        return sigma_a2 * self.kernel(X) - known @ known.T

    def sample_predictions(
        self, X: Float[np.ndarray, "inputs N0"], n: int, seed: int
    ) -> Float[np.ndarray, "n inputs m"]:
        """`n` functions drawn from the posterior, without the noise T, on inputs `X`, `(n, inputs, m)`."""
        values, vectors = scipy.linalg.eigh(self.predictor_covariance(X))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        noise = np.random.default_rng(seed).standard_normal((checked_count(n), len(values), self.posterior.task.m))
        return self.predict(X) + root @ noise

    def kernel(
        self,
        X1: Float[np.ndarray, "inputs1 N0"],
        X2: Float[np.ndarray, "inputs2 N0"] | None = None,
        layer: int = -1,
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """The kernel of a layer, 0 (inputs) .. L, `(inputs1, inputs2)`: at infinite width that of the prior.

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        layer = checked_layer(layer, self.posterior.network.depth, lowest=0)
        X1 = checked_inputs(X1, self.posterior.task)
        X2 = X1 if X2 is None else checked_inputs(X2, self.posterior.task)
        return layer_kernel(self.posterior, X1, X2, layer)[0]

    def generalization_error(self, task: Task | None = None, by: Grouping = "output") -> GeneralizationError:
        """Expected squared error on the test inputs of `task`, or of the task that was solved."""
        return error_on_test_inputs(self, task, by)

    def readout_density(
        self, direction: Float[np.ndarray, " m"], grid: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """Density of a readout vector along any direction: the prior N(0, sigma_a^2), from which none moves."""
        checked_direction(direction, self.posterior.task.m)
        return _gaussian(grid, self.posterior.sigma_a2)

    def sample_readouts(self, n: int, seed: int) -> Float[np.ndarray, "n m"]:
        """Readout vectors of `n` independent neurons, draws of the prior, `(n, m)`."""
        noise = np.random.default_rng(seed).standard_normal((checked_count(n), self.posterior.task.m))
        return math.sqrt(self.posterior.sigma_a2) * noise

    def preactivation_density(
        self, grid: Float[np.ndarray, " points"], code: int | None, label: int, layer: int = -1
    ) -> Float[np.ndarray, " points"]:
        """Density of a layer's preactivations on the training inputs of class `label`: the prior's.

        N(0, sigma_l^2 K_(l-1)(x, x)), averaged over the inputs of the class. There are no codes: `code` is None.

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        if code is not None:
            raise InvalidInput(f"code is {code!r}, but the neurons of a Gaussian process have no codes: give None")
        task = self.posterior.task
        layer = checked_layer(layer, self.posterior.network.depth)
        members = task.X[checked_label(label, task)]
        variances = self.posterior.sigma2[layer - 1] * layer_variances(self.posterior, members, layer - 1)
        if not np.all(variances > 0):
            raise InvalidInput(
                f"an input of class {label!r} is the zero vector: its preactivations are 0 and have no density"
            )
        return np.mean([_gaussian(grid, float(v)) for v in variances], axis=0)

    def to_xarray(self) -> "xarray.Dataset":
        """The dual field, the kernel's eigenvalues, the free energy and the certificate as an `xarray.Dataset`."""
        return labelled_dataset(
            self,
            {
                "dual_field": (("input", "output"), self.dual_field),
                "kernel_eigenvalue": (("mode",), self.modes.values),
                "readout_variance": ((), np.array(self.posterior.sigma_a2)),
            },
        )

    def __str__(self) -> str:
        posterior, modes = self.posterior, self.modes
        origin = "given" if self.readout_variance_from == "given" else "maximises the evidence p(Y)"
        P = posterior.task.P
        lines = [
            f"Gaussian process of {posterior}",
            "  solved for             infinite width N: features keep their prior",
            f"  readout variance       {posterior.sigma_a2:.6g} ({origin})",
            f"  free energy            {self.free_energy:.6g} = -log p(Y) / P",
            f"  kernel of layer L      known to {self.kernel_error:.0e}; rank {modes.rank} of P = {P}",
            f"  regression             residual {self.residual:.1e}; certified ({self.certificate})",
        ]
        if modes.rank < P:
            lines.append(
                f"  singular kernel        {P - modes.rank} eigenvalues up to {modes.threshold:.1e} count as 0 "
                "(inputs alike, or too smooth a kernel)"
            )
            if posterior.temperature == 0:
                lines.append(
                    f"                         pseudo-inverse; the mean misses the targets by up to "
                    f"{self.unreachable:.1e} of the largest"
                )
        return "\n".join(lines)

    def _to_training(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs P"]:
        return layer_kernel(self.posterior, X, self.posterior.task.X, self.posterior.network.depth)[0]


def _gaussian(grid: Float[np.ndarray, " points"], variance: float) -> Float[np.ndarray, " points"]:
    grid = checked_grid(grid)
    return np.exp(-(grid**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
