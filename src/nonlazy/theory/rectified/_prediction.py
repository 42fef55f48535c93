"""What the theory says of a rectified network."""

import math
import textwrap
from dataclasses import dataclass, field as dataclass_field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr

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
from nonlazy.theory.rectified._bulk_models import BulkModel, gaussian
from nonlazy.theory.rectified._records import Bulk, Outliers


if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class RectifiedPrediction:
    """A rectified network with one hidden layer: a few outliers carry the task, the bulk is almost task-agnostic.

    Made by `nonlazy.theory.solve`; a `nonlazy.theory.Prediction`. Source: van Meegen & Sompolinsky (2025), "Results",
    derived anew in docs/theory/rectified.md.

    **Fields:**

    - `posterior`: what was solved. `finite_size`: at its own N and P, or in the limit.
    - `outliers`, `bulk`: the two kinds of neurons.
    - `free_energy`: -log Z / (N P), without the constant of the Gaussian likelihood and terms of order log N / N; for
      squared ReLU divided by N^(-1/3), its leading order.
    - `residual`: largest violation of any equation, Y - T t = <phi a^T> among them, relative to max|Y|.
    - `gap`, `certified`, `certificate`: how far the free energy can lie above its optimum, whether that is proved, and
      how. `gap` is infinite where there is no bound.
    - `field`: the dual field t `(P, m)`: the mean training residual is T t (N^(-1/3) T t for squared ReLU).
    - `correlation`: t times the covariance of the bulk's readouts `(P, m)`: how phi and a fluctuate together there; 0
      where that is neglected.
    - `sources`: q `(n, P)`: an outlier's preactivation on any input is N^(1/2) sum_mu q_mu sigma_1^2 x . x_mu / N0.
    """

    posterior: Posterior
    finite_size: bool
    outliers: Outliers
    bulk: Bulk
    free_energy: float
    residual: float
    gap: float
    certified: bool
    certificate: str
    field: Float[np.ndarray, "P m"] = dataclass_field(repr=False)
    sources: Float[np.ndarray, "n P"] = dataclass_field(repr=False)
    bulk_model: BulkModel = dataclass_field(repr=False)
    correlation: Float[np.ndarray, "P m"] = dataclass_field(repr=False)
    peak_variance: Float[np.ndarray, "n P"] = dataclass_field(repr=False)
    peak_covariance: Float[np.ndarray, "n m m"] = dataclass_field(repr=False)

    @property
    def ensemble(self) -> Ensemble:
        """`"equilibrium"`: the outliers follow from the optimum, there are no fractions to freeze."""
        return "equilibrium"

    def predict(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior mean of the outputs, `(inputs, m)`: bulk and outliers, to leading order in N.

        f(x) = a0 <phi(z(x))>_bulk + sum_i abar_i phi(zbar_i(x)), with max(0, z)^d for phi of the outliers.
        """
        X = checked_inputs(X, self.posterior.task)
        outputs = self._outlier_activations(X) @ self.outliers.readout
        if np.any(self.bulk.readout):
            outputs = outputs + self._learned_share * np.outer(self.bulk_model.mean(X), self.bulk.readout)
        if np.any(self.correlation):
            covariance = self.bulk_model.covariance(X, self.posterior.task.X)
            outputs = outputs + self._learned_share * covariance @ self.correlation
        return outputs

    def predictor_variance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior variance of the outputs: 0, its value at infinite width (it is of order 1/N)."""
        X = checked_inputs(X, self.posterior.task)
        return np.zeros((len(X), self.posterior.task.m))

    def kernel(
        self,
        X1: Float[np.ndarray, "inputs1 N0"],
        X2: Float[np.ndarray, "inputs2 N0"] | None = None,
        layer: int = -1,
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """Posterior mean of K_l(x1, x2), `(inputs1, inputs2)`: layer 0 (inputs), or 1 (-1), of bulk and outliers.

        K_1 = <phi phi>_bulk + sum_i phi(zbar_i(x1)) phi(zbar_i(x2)). For squared ReLU the outliers' part grows as
        N^(1/3), and is given at the network's own N.

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        layer = checked_layer(layer, self.posterior.network.depth, lowest=0)
        X1 = checked_inputs(X1, self.posterior.task)
        X2 = X1 if X2 is None else checked_inputs(X2, self.posterior.task)
        if layer == 0:
            return X1 @ X2.T / self.posterior.task.N0
        degree = self.posterior.network.phi.degree or 1
        growth = self.posterior.network.width ** (2 * self.outliers.exponent * degree - 1)
        learned = self._outlier_activations(X1) @ self._outlier_activations(X2).T
        means = np.outer(self.bulk_model.mean(X1), self.bulk_model.mean(X2))
        return self._bulk_share * (means + self.bulk_model.covariance(X1, X2)) + growth * learned

    def generalization_error(self, task: Task | None = None, by: Grouping = "output") -> GeneralizationError:
        """Expected squared error on test inputs, squared bias and predictor variance apart.

        **Arguments:**

        - `task`: its test set is used; None: the task that was solved.
        - `by`: `"output"`, the mean over test inputs for each output (the paper's); or `"input_class"`, the sum over
          outputs, averaged over the test inputs of each class.

        **Raises:** `nonlazy.errors.InvalidInput` without a test set.
        """
        return error_on_test_inputs(self, task, by)

    def readout_density(
        self, direction: Float[np.ndarray, " m"], grid: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """Density, on `grid`, of a neuron's readout vector projected on the unit vector along `direction`.

        (N - n)/N times the bulk's Gaussian, and 1/N times a narrow Gaussian for each outlier at N^(1/2) abar, whose
        width is that of its fluctuations around the pinned targets (docs/theory/rectified.md).

        **Raises:** `nonlazy.errors.InvalidInput` for the zero vector, or in the limit, where the peaks have no width.
        """
        direction = checked_direction(direction, self.posterior.task.m)
        self._check_finite("readout density")
        N, grid = self.posterior.network.width, checked_grid(grid)
        spread = float(direction @ self.bulk.covariance @ direction)
        density = self._bulk_share * gaussian(grid, float(direction @ self.bulk.readout), spread)
        for readout, covariance in zip(self.outliers.readout, self.peak_covariance, strict=True):
            centre = N**self.outliers.exponent * float(direction @ readout)
            density = density + gaussian(grid, centre, float(direction @ covariance @ direction)) / N
        return density

    def sample_readouts(self, n: int, seed: int) -> Float[np.ndarray, "n m"]:
        """Readout vectors of `n` independent neurons, `(n, m)`: of the bulk, or of one of the outliers with chance 1/N.

        **Raises:** `nonlazy.errors.InvalidInput`, also in the limit, where an outlier's readout is infinite.
        """
        self._check_finite("sample of readouts")
        n, N = checked_count(n), self.posterior.network.width
        generator = np.random.default_rng(seed)
        kinds = generator.choice(len(self.outliers) + 1, size=n, p=self._weights())
        means = np.vstack([self.bulk.readout, N**self.outliers.exponent * self.outliers.readout])
        covariances = np.concatenate([self.bulk.covariance[None], self.peak_covariance])
        roots = np.linalg.cholesky(covariances)
        noise = generator.standard_normal((n, self.posterior.task.m))
        return means[kinds] + np.einsum("krs,ks->kr", roots[kinds], noise)

    def preactivation_density(
        self, grid: Float[np.ndarray, " points"], code: int | None, label: int, layer: int = -1
    ) -> Float[np.ndarray, " points"]:
        """Density, on `grid`, of a neuron's preactivation on a training input of class `label`, in units of z itself.

        **Arguments:**

        - `code`: an index into `outliers`; None mixes the bulk and all outliers with their shares of the neurons.
        - `label`: the class; densities are averaged over its training inputs.
        - `layer`: 1 or -1.

        An outlier's active inputs have a Gaussian at N^(1/2) zbar, narrower than the prior, its silent ones the part of
        the prior below 0.

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        checked_layer(layer, self.posterior.network.depth)
        members = checked_label(label, self.posterior.task)
        grid = checked_grid(grid)
        if not np.all(np.any(self.posterior.task.X[members], axis=1)):
            raise InvalidInput(
                f"class {label} has an input whose numbers are all 0: its preactivations are 0, with no density"
            )
        if len(self.outliers) or code is not None:
            self._check_finite("preactivation density of an outlier")
        if code is not None:
            if isinstance(code, bool) or not isinstance(code, int | np.integer) or not 0 <= code < len(self.outliers):
                raise InvalidInput(
                    f"code is {code!r}: this solution has the outliers 0 .. {len(self.outliers) - 1}; None mixes bulk "
                    "and outliers"
                )
            return self._outlier_density(grid, int(code), members)
        shares = self._weights()
        density = shares[0] * self.bulk_model.density(grid, members)
        for i in range(len(self.outliers)):
            density = density + shares[i + 1] * self._outlier_density(grid, i, members)
        return density

    def to_xarray(self) -> "xarray.Dataset":
        """Outliers, bulk, free energy and certificate as an `xarray.Dataset`."""
        column = self._column
        variables = {
            "outlier_readout": (("outlier", "output"), self.outliers.readout),
            "outlier_preactivation": (("outlier", column), self.outliers.preactivation),
            "outlier_weight": (("outlier",), self.outliers.weight),
            "bulk_readout": (("output",), self.bulk.readout),
            "bulk_activation": ((column,), self.bulk.activation),
            "bulk_covariance": (("output", "output_2"), self.bulk.covariance),
            "dual_field": (("input", "output"), self.field),
        }
        return labelled_dataset(self, variables).assign_attrs(outlier_exponent=self.outliers.exponent)

    def __str__(self) -> str:
        posterior, outliers = self.posterior, self.outliers
        size = "finite N and P" if self.finite_size else "limit of large N and P"
        unit = "sqrt(N)" if outliers.exponent == 0.5 else "N^(1/3)"
        proof = "certified" if self.certified else "not certified"
        by_class = self._column == "class"
        m, columns = posterior.task.m, outliers.preactivation.shape[1] if by_class else 0
        readouts = f"readout / {unit}"
        lines = [
            *textwrap.wrap(f"theory of {posterior}", width=100, subsequent_indent="  "),
            f"  solved for     {size}",
            f"  neurons        {len(outliers)} outlier{'s' * (len(outliers) != 1)}, the others in the bulk",
        ]
        wide = m > 6 or columns > 6
        heading = f"  {'':<10}  {'weight':>7}"
        if not wide:
            heading += f"  {readouts:<{8 * m}}"
            heading += f"  preactivation by class / {unit}" if by_class else "  active inputs"
        lines.append(heading)
        for i in range(min(len(outliers), 20)):
            line = f"  outlier {i:<3} {outliers.weight[i]:8.4f}"
            if not wide:
                line += "  " + "".join(f"{a:8.3f}" for a in outliers.readout[i]) + "  "
                z = outliers.preactivation[i]
                line += (
                    "".join(f"{value:7.3f}" for value in z)
                    if by_class
                    else f"{np.mean(z > 1e-9 * np.max(np.abs(z))):12.0%}"
                )
            lines.append(line)
        if len(outliers) > 20:
            lines.append(f"  and {len(outliers) - 20} weaker ones")
        if not wide:
            line = f"  {'bulk':<10}  {'':>7}  " + "".join(f"{a:8.3f}" for a in self.bulk.readout) + "  "
            if by_class:
                line += "".join(f"{value:7.3f}" for value in self.bulk.activation) + "  (mean of phi)"
            lines.append(line + ("" if by_class else "  (readout itself)"))
        if by_class and not wide:
            lines.append("  the bulk's row is not divided by " + unit)
        lines.append(f"  free energy    {self.free_energy:.6g} per neuron and training input")
        lines.append(f"  solution       residual {self.residual:.1e}; {proof}")
        lines.extend(_wrapped(self.certificate))
        return "\n".join(line.rstrip() for line in lines)

    @property
    def _column(self) -> str:
        task = self.posterior.task
        return "class" if self.bulk.activation.shape[0] == task.classes != task.P else "input"

    @property
    def _bulk_share(self) -> float:
        return 1.0 - len(self.outliers) / self.posterior.network.width if self.finite_size else 1.0

    @property
    def _learned_share(self) -> float:
        # On general inputs the equations that were solved have the bulk with weight 1.
        return self._bulk_share if np.any(self.correlation) else 1.0

    def _weights(self) -> Float[np.ndarray, " kinds"]:
        return np.array([self._bulk_share] + [1.0 / self.posterior.network.width] * len(self.outliers))

    def _outlier_activations(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs n"]:
        task = self.posterior.task
        z = self.posterior.sigma2[0] * (X @ task.X.T / task.N0) @ self.sources.T
        return np.maximum(z, 0.0) ** (self.posterior.network.phi.degree or 1)

    def _outlier_density(
        self, grid: Float[np.ndarray, " points"], outlier: int, members: Bool[np.ndarray, " P"]
    ) -> Float[np.ndarray, " points"]:
        task, N = self.posterior.task, self.posterior.network.width
        z = self.posterior.sigma2[0] * (self.sources[outlier] @ task.X) @ task.X.T / task.N0
        # What is 0 up to rounding, next to the inputs that drive the outlier, is silent.
        z = np.where(np.abs(z) < 1e-9 * np.max(np.abs(z), initial=1e-300), 0.0, z)
        centre, variance = N**self.outliers.exponent * z[members], self.peak_variance[outlier, members]
        total = np.zeros_like(grid)
        for mean, spread in zip(centre, variance, strict=True):
            peak = gaussian(grid, mean, spread)
            if mean <= 0:
                peak = np.where(grid <= 0, peak / ndtr(-mean / math.sqrt(spread)), 0.0)
            total += peak
        return total / len(centre)

    def _check_finite(self, what: str) -> None:
        if not self.finite_size:
            raise InvalidInput(
                f"there is no {what} in the limit of large N and P: outliers grow as a power of N and the bulk's peak "
                "has no width; solve with finite_size=True"
            )


def _wrapped(text: str, width: int = 98) -> list[str]:
    return textwrap.wrap(text, width=width, initial_indent="                 ", subsequent_indent="                 ")
