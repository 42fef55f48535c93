"""What the theory says of a sigmoidal network with one hidden layer, on any data."""

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task
from nonlazy.theory._checks import (
    checked_code,
    checked_count,
    checked_direction,
    checked_grid,
    checked_inputs,
    checked_label,
    checked_layer,
    checked_readouts,
)
from nonlazy.theory._codes import Codes
from nonlazy.theory._dataset import dataset_of_codes
from nonlazy.theory._prediction import Ensemble, GeneralizationError, Grouping, error_on_test_inputs
from nonlazy.theory.linear._input_modes import InputModes
from nonlazy.theory.sigmoidal.general._observables import (
    Inputs,
    contribution,
    inputs_in_modes,
    moments_on,
    products,
    readout_covariance,
)
from nonlazy.theory.sigmoidal.general._setting import Fluctuations, Setting
from nonlazy.theory.sigmoidal.general._well import Well


if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class GeneralSigmoidalPrediction:
    """The codes of a sigmoidal network with one hidden layer on general data, and all that follows from them.

    Made by `nonlazy.theory.solve`; a `nonlazy.theory.Prediction`. It is the limit of large width N: the predictor does
    not fluctuate. Source: van Meegen & Sompolinsky (2025), "Results"; derivation in docs/theory/general-data.md.

    **Fields:**

    - `posterior`: what was solved. `finite_size`: with the fluctuations of readouts within a code, and entropy.
    - `fluctuations`: of preactivations given the code: `"variational"` (Gaussian) or `"neglected"` (the paper).
    - `ensemble`: `"equilibrium"`, or `"quenched"` where the fractions were given.
    - `dual_field`: t `(P, m)`; the mean training error Y - f is exactly T t.
    - `free_energy`: -log p(Y) / (N P), up to the constant m/(2 P) log(2 pi T / N), at leading order in N. At T > 0, at
      finite size and with variational fluctuations it bounds that value from above where the certificate speaks of
      Gaussians. Where it speaks of wells it does so if no two of them overlap, which is not checked; overlap can bring
      it below the bound by at most log(number of wells) / P. In all other cases it is an estimate.
    - `residual`: max|Y - T t - <phi a^T>| / max|Y|, of this prediction's own outputs and field.
    - `gap`, `certified`, `certificate`: primal minus dual value in nats per neuron over the wells found. General data
      admit no bound over all wells, so that `certified` is False.
    - `wells`, `weights`: the single-neuron law, a mixture; several wells can share a code, where they differ on single
      inputs. `well_code` `(wells,)` tells which. `setting`, `modes`, `basis`, `laplace`: what they are written in.
    """

    posterior: Posterior
    finite_size: bool
    fluctuations: Fluctuations
    ensemble: Ensemble
    dual_field: Float[np.ndarray, "P m"] = field(repr=False)
    free_energy: float
    residual: float
    gap: float
    certified: bool
    certificate: str
    setting: Setting = field(repr=False)
    modes: InputModes = field(repr=False)
    basis: Float[np.ndarray, "k m"] = field(repr=False)
    wells: tuple[Well, ...] = field(repr=False)
    weights: Float[np.ndarray, " wells"] = field(repr=False)
    laplace: tuple[Float[np.ndarray, "k k"], ...] = field(repr=False)

    @property
    def codes(self) -> Codes:
        """The codes: wells that activate the same classes, a class counting as active above half of phi's range."""
        return self._codes[0]

    @property
    def well_code(self) -> Int[np.ndarray, " wells"]:
        """The code of each well, an index into `codes`."""
        return self._codes[1]

    def predict(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior mean of the outputs, `(inputs, m)`; Y - T t on the training inputs."""
        inputs = self._inputs(X)
        total = np.zeros((len(inputs.along), self.setting.k))
        for well, weight in zip(self.wells, self.weights, strict=True):
            total += weight * contribution(self.setting, well, inputs)
        return total @ self.basis

    def predictor_variance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior variance of the outputs, `(inputs, m)`: 0, because the theory is that of infinite width."""
        return np.zeros((len(checked_inputs(X, self.posterior.task)), self.posterior.task.m))

    def kernel(
        self,
        X1: Float[np.ndarray, "inputs1 N0"],
        X2: Float[np.ndarray, "inputs2 N0"] | None = None,
        layer: int = -1,
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """Posterior mean of the kernel phi(x1) . phi(x2) / N, `(inputs1, inputs2)`; layer 0 is the input kernel.

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        task = self.posterior.task
        X1 = checked_inputs(X1, task)
        X2 = X1 if X2 is None else checked_inputs(X2, task)
        if checked_layer(layer, 1, lowest=0) == 0:
            return X1 @ X2.T / task.N0
        one, other = self._inputs(X1), self._inputs(X2)
        total = np.zeros((len(X1), len(X2)))
        for well, weight in zip(self.wells, self.weights, strict=True):
            total += weight * products(self.setting, well, one, other)
        return total

    def generalization_error(self, task: Task | None = None, by: Grouping = "output") -> GeneralizationError:
        """Expected squared error on the test inputs of `task`, or of the task that was solved."""
        return error_on_test_inputs(self, task, by)

    def readout_density(
        self, direction: Float[np.ndarray, " m"], grid: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """Density of a neuron's readout vector along the unit vector of `direction`, on `grid`: a Gaussian a well.

        **Raises:** `nonlazy.errors.InvalidInput`, also at leading order in P, where readouts have no density.
        """
        unit = checked_direction(direction, self.posterior.task.m)
        self._need_finite_size("readouts take the values codes.readout alone, with no density")
        grid = checked_grid(grid)
        total = np.zeros(grid.shape)
        for centre, covariance, weight in zip(self._centres, self._covariances, self.weights, strict=True):
            total += weight * _gaussian(grid, float(centre @ unit), float(unit @ covariance @ unit))
        return total

    def sample_readouts(self, n: int, seed: int) -> Float[np.ndarray, "n m"]:
        """Readout vectors of `n` independent neurons, `(n, m)`; at leading order in P the wells' centres."""
        n, generator = checked_count(n), np.random.default_rng(seed)
        chosen = generator.choice(len(self.weights), size=n, p=self.weights)
        readouts = self._centres[chosen]
        if self.finite_size:
            noise = generator.standard_normal(readouts.shape)
            roots = np.array([np.linalg.cholesky(covariance) for covariance in self._covariances])
            readouts = readouts + np.einsum("nij,nj->ni", roots[chosen], noise)
        return readouts

    def assign(self, readouts: Float[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
        """The code of each readout vector, an index into `codes`: that of the nearest well."""
        readouts = checked_readouts(readouts, self.posterior.task.m)
        distance = np.sum(self._centres**2, axis=1) - 2 * readouts @ self._centres.T
        return self.well_code[np.argmin(distance, axis=1)]

    def preactivation_density(
        self, grid: Float[np.ndarray, " points"], code: int | None, label: int, layer: int = -1
    ) -> Float[np.ndarray, " points"]:
        """Density, on `grid`, of the preactivation of a neuron with code `code` on a training input of class `label`.

        A mixture of Gaussians over the inputs of the class. `code` is an index into `codes`; None: all neurons.

        **Raises:** `nonlazy.errors.InvalidInput`, also where fluctuations are neglected.
        """
        checked_layer(layer, 1)
        members = checked_label(label, self.posterior.task)
        checked_code(code, len(self.codes))
        if not self.setting.variational:
            raise InvalidInput(
                "fluctuations of the preactivations are neglected here, so that they have no density: "
                "solve with fluctuations='variational'"
            )
        grid = checked_grid(grid)
        chosen = np.ones(len(self.weights), dtype=bool) if code is None else self.well_code == code
        total = np.zeros(grid.shape)
        for g in np.flatnonzero(chosen):
            mean, variance = self.setting.roots[members] @ self.wells[g].u, self.wells[g].v[members]
            each = _gaussian(grid[:, None], mean, variance).mean(axis=1)
            total += self.weights[g] / self.weights[chosen].sum() * each
        return total

    def preactivations(
        self, code: int, X: Float[np.ndarray, "inputs N0"] | None = None
    ) -> tuple[Float[np.ndarray, " inputs"], Float[np.ndarray, " inputs"]]:
        """Mean and variance of a neuron's preactivations given its code, each `(inputs,)`; None: training inputs."""
        checked_code(code, len(self.codes), none=False)
        inputs = self._inputs(self.posterior.task.X if X is None else X)
        chosen = np.flatnonzero(self.well_code == code)
        shares = self.weights[chosen] / self.weights[chosen].sum()
        moments = [moments_on(self.setting, self.wells[g], inputs) for g in chosen]
        mean = sum(share * m for share, (m, _) in zip(shares, moments, strict=True))
        square = sum(share * (v + m * m) for share, (m, v) in zip(shares, moments, strict=True))
        return np.asarray(mean), np.asarray(square - mean * mean)

    def to_xarray(self) -> "xarray.Dataset":
        """Codes, field and certificate as an `xarray.Dataset`."""
        return dataset_of_codes(self, self.codes, self.dual_field, {})

    def __str__(self) -> str:
        posterior = self.posterior
        size = f"P = {posterior.task.P}" if self.finite_size else "leading order in P"
        table = "\n".join("    " + line for line in str(self.codes).splitlines())
        spread = "Gaussian" if self.setting.variational else "neglected"
        lines = [
            f"theory of {posterior}",
            f"  solved for      {self.ensemble}, {size}, N to infinity, T = {posterior.temperature:g}",
            f"  preactivations  fluctuations given the code: {spread}",
            f"  codes           {len(self.codes)}, in {len(self.weights)} wells",
            table,
            f"  free energy     {self.free_energy:.8g} per neuron and training input",
            f"  equations       residual {self.residual:.1e}",
            "  not certified   " + self.certificate.replace("; ", ";\n" + " " * 18),
        ]
        return "\n".join(lines)

    @functools.cached_property
    def _codes(self) -> tuple[Codes, Int[np.ndarray, " wells"]]:
        task, setting = self.posterior.task, self.setting
        classes = range(task.classes)
        phi = np.array([setting.averages.mean(setting.roots @ well.u, well.v) for well in self.wells])
        # A class without training inputs has no mean activation.
        activation = np.full((len(self.wells), task.classes), np.nan)
        for c in classes:
            if (task.labels == c).any():
                activation[:, c] = phi[:, task.labels == c].mean(axis=1)
        active = activation > setting.averages.threshold
        distinct, code = np.unique(active, axis=0, return_inverse=True)
        code = code.reshape(-1)
        fraction = np.array([self.weights[code == g].sum() for g in range(len(distinct))])
        order = np.lexsort((*(~distinct.T[::-1]), -np.round(fraction, 10)))
        rank = np.argsort(order)
        shares = np.zeros((len(distinct), len(self.wells)))
        shares[code, np.arange(len(self.wells))] = self.weights / fraction[code]
        codes = Codes(
            (shares @ self._centres)[order],
            fraction[order],
            (shares @ activation)[order],
            distinct[order],
            task.class_names,
        )
        return codes, rank[code]

    @functools.cached_property
    def _centres(self) -> Float[np.ndarray, "wells m"]:
        return np.array([self.setting.sigma_a * well.b for well in self.wells]) @ self.basis

    @functools.cached_property
    def _covariances(self) -> tuple[Float[np.ndarray, "m m"], ...]:
        """Covariance of the readout in each well; outputs without targets keep the prior's."""
        variational = self.setting.joint
        inner = [readout_covariance(self.setting, well) for well in self.wells] if variational else self.laplace
        free = self.posterior.sigma_a2 * (np.eye(self.posterior.task.m) - self.basis.T @ self.basis)
        return tuple(self.basis.T @ covariance @ self.basis + free for covariance in inner)

    def _inputs(self, X) -> Inputs:
        checked = checked_inputs(X, self.posterior.task)
        return inputs_in_modes(self.modes, checked, math.sqrt(self.posterior.sigma2[0]))

    def _need_finite_size(self, why: str) -> None:
        if not self.finite_size:
            raise InvalidInput(f"at leading order in P {why}: solve with finite_size=True")


def _gaussian(grid, mean, variance):
    return np.exp(-((grid - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
