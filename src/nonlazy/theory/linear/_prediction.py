"""What the theory says of a linear network."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
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
    checked_vector,
)
from nonlazy.theory._dataset import labelled_dataset
from nonlazy.theory._prediction import Ensemble, GeneralizationError, Grouping, error_on_test_inputs
from nonlazy.theory.linear._input_modes import InputModes


if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class LinearPrediction:
    """The linear network's posterior: Gaussian readouts and preactivations, kernels, predictor.

    Made by `nonlazy.theory.solve`; a `nonlazy.theory.Prediction`. Source: van Meegen & Sompolinsky (2025), "Results",
    with corrections at finite N, P and T (docs/theory/linear.md).

    **Fields:**

    - `posterior`: what was solved. `finite_size`: at its own N, P and T, or in the limit.
    - `readout_covariance`: U `(m, m)`; a neuron's readout vector is N(0, U).
    - `free_energy`: F/P = -log p(Y) / (N P), up to the constant m/(2N) log(2 pi noise / T) of the Gaussian density.
    - `residual`: max|Y - T t - <phi a^T>| / max|Y| over the reachable part of the targets, with the dual field t of the
      solution and <phi a^T> of neurons whose covariance is renewed once from t (docs/theory/linear.md).
    - `stationarity`: largest entry of dF/d log U, relative to its largest term.
    - `gap`, `certified`, `certificate`: bound on F - min F, whether it proves the minimum to be global, and why.
    - `modes`: the eigenmodes of the input kernel. `basis` `(m, m)`, `ratios` `(m,)`: eigenvectors of U, and its
      eigenvalues divided by sigma_a^2.
    """

    posterior: Posterior
    finite_size: bool
    readout_covariance: Float[np.ndarray, "m m"]
    free_energy: float
    residual: float
    stationarity: float
    gap: float
    certified: bool
    certificate: str
    modes: InputModes = field(repr=False)
    basis: Float[np.ndarray, "m m"] = field(repr=False)
    ratios: Float[np.ndarray, " m"] = field(repr=False)

    @property
    def ensemble(self) -> Ensemble:
        """`"equilibrium"`: linear networks have no codes whose fractions could freeze."""
        return "equilibrium"

    def backward_covariance(self, layer: int = -1) -> Float[np.ndarray, "m m"]:
        """G_l = B_l^T B_l / N of the fields B_l (N, m) that carry a layer's preactivations to the outputs, `(m, m)`.

        B_L are the readouts, so G_L = U; B_(l-1) = W_l^T B_l / sqrt(N).
        """
        layer = checked_layer(layer, self.posterior.network.depth)
        return (self.basis * self._backward_variances(layer)) @ self.basis.T

    def predict(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior mean of the outputs, `(inputs, m)`; at T = 0 exactly Y^T K_0^+ k_0(x), whatever N, L and sigma."""
        along, _ = self.modes.project(checked_inputs(X, self.posterior.task))
        return self._mean_in_basis(along) @ self.basis.T

    def predictor_variance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior variance of the outputs at the saddle's U, `(inputs, m)`."""
        along, rest = self.modes.project(checked_inputs(X, self.posterior.task))
        # |rest|^2 is what the training inputs do not span; the rest of the prior variance is learned up to noise.
        uncertain = np.sum(rest**2, axis=1)[:, None] + along**2 @ self._unlearned
        scale = self._output_scale**2 / self.posterior.network.width
        return scale * (uncertain * self._signal_variance) @ (self.basis**2).T

    def kernel(
        self,
        X1: Float[np.ndarray, "inputs1 N0"],
        X2: Float[np.ndarray, "inputs2 N0"] | None = None,
        layer: int = -1,
        terms: Literal["all", "last"] = "all",
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """Posterior mean of the kernel K_l(x1, x2) = z^l(x1) . z^l(x2) / N, `(inputs1, inputs2)`.

        **Arguments:**

        - `X1`, `X2`: inputs, `(inputs, N0)`; `X2` None means `X1`.
        - `layer`: 0 (inputs), 1 .. L, or counted from the end (-1 is the feature layer).
        - `terms`: `"all"` sums what every layer up to l learned; `"last"` keeps layer l's own term, the paper's
          leading order, K_0 + sigma_a^(2(L-l)) Y U^(-(L-l+1)) Y^T for sigma_l = 1. The two agree for l = 1 and for P
          to infinity, but slowly: consecutive terms differ by a factor P^(1/L).

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        if terms not in ("all", "last"):
            raise InvalidInput(f"terms is {terms!r}: choose 'all' or 'last'")
        layer = checked_layer(layer, self.posterior.network.depth, lowest=0)
        along1, rest1 = self.modes.project(checked_inputs(X1, self.posterior.task))
        along2, rest2 = (along1, rest1) if X2 is None else self.modes.project(checked_inputs(X2, self.posterior.task))
        mean1, mean2 = self._mean_in_basis(along1), self._mean_in_basis(along2)
        sigma2, N, m = self.posterior.sigma2, self.posterior.network.width, self.posterior.task.m
        inherited = rest1 @ rest2.T + along1 @ along2.T
        if terms == "last":
            return math.prod(sigma2[:layer]) * inherited + (self._learned(mean1, mean2, layer) if layer else 0.0)
        for l in range(1, layer + 1):
            inherited = sigma2[l - 1] * inherited
            if self.finite_size:
                # m of N directions carry the outputs instead of the prior; the outputs fluctuate around their mean.
                share = math.prod(sigma2[:l]) * self.ratios ** (l - 1) / N
                inherited = (1 - m / N) * inherited + share.sum() * (rest1 @ rest2.T)
                inherited += (along1 * (self._unlearned @ share)) @ along2.T
            inherited = inherited + self._learned(mean1, mean2, l)
        return inherited

    def preactivations_given_readout(
        self, readout: Float[np.ndarray, " m"], X: Float[np.ndarray, "inputs N0"] | None = None
    ) -> tuple[Float[np.ndarray, " inputs"], Float[np.ndarray, "inputs inputs"]]:
        """The Gaussian law of a feature-layer neuron's preactivations, given its readout vector a.

        **Returns:** the mean f(X) U^-1 a, `(inputs,)`, and the covariance sigma_L^2 K_(L-1), `(inputs, inputs)`, up
        to relative corrections of order m/N. `X` None means the training inputs. Directions in which U vanishes
        carry no preactivation.
        """
        readout = checked_vector("readout", readout, self.posterior.task.m)
        X = self.posterior.task.X if X is None else X
        along, _ = self.modes.project(checked_inputs(X, self.posterior.task))
        depth, scale = self.posterior.network.depth, self._output_scale
        mean = self._mean_in_basis(along) @ (self._inverse_backward(depth) * (self.basis.T @ readout)) / scale
        return mean, self.posterior.sigma2[-1] * self.kernel(X, layer=depth - 1)

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

        **Raises:** `nonlazy.errors.InvalidInput` for the zero vector, or where all readouts vanish in this direction.
        """
        direction = checked_direction(direction, self.posterior.task.m)
        variance = float(direction @ self.readout_covariance @ direction)
        if variance <= 1e-14 * self.posterior.sigma_a2:
            raise InvalidInput(
                f"the readouts have no variance along {direction.tolist()}: the targets vanish there and "
                "no prior variance is left, so there is no density"
            )
        grid = checked_grid(grid)
        return np.exp(-(grid**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)

    def sample_readouts(self, n: int, seed: int) -> Float[np.ndarray, "n m"]:
        """Readout vectors of `n` independent neurons, draws of N(0, U), `(n, m)`."""
        noise = np.random.default_rng(seed).standard_normal((checked_count(n), self.posterior.task.m))
        return (noise * np.sqrt(self.posterior.sigma_a2 * self.ratios)) @ self.basis.T

    def preactivation_density(
        self, grid: Float[np.ndarray, " points"], code: int | None, label: int, layer: int = -1
    ) -> Float[np.ndarray, " points"]:
        """Density, on `grid`, of a layer's preactivations on the training inputs of class `label`.

        P(z^l) = N(0, K_l) in every layer, averaged over the inputs of the class. Linear networks have no codes: `code`
        is None.

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        if code is not None:
            raise InvalidInput(f"code is {code!r}, but linear networks have no codes: give None")
        task = self.posterior.task
        layer = checked_layer(layer, self.posterior.network.depth)
        members = task.X[checked_label(label, task)]
        variances = np.array([self.kernel(x[None], layer=layer)[0, 0] for x in members])
        if not variances.all():
            raise InvalidInput(
                f"class {label} has an input whose numbers are all 0: its preactivations are 0, with no density"
            )
        grid = checked_grid(grid)
        return np.mean([np.exp(-(grid**2) / (2 * v)) / math.sqrt(2 * math.pi * v) for v in variances], axis=0)

    def to_xarray(self) -> "xarray.Dataset":
        """U, the free energy and the certificate as an `xarray.Dataset`."""
        return labelled_dataset(self, {"readout_covariance": (("output", "output_2"), self.readout_covariance)})

    def __str__(self) -> str:
        U, modes, task = self.readout_covariance, self.modes, self.posterior.task
        proof = "certified" if self.certified else "not certified"
        size = "finite N, P and T" if self.finite_size else "limit of large N and P"
        with np.printoptions(precision=5, suppress=True):
            rows = str(U).replace("\n", "\n" + " " * 25)
            ratios = ", ".join(f"{r:.4g}" for r in self.ratios[::-1])
        lines = [
            f"theory of {self.posterior}",
            f"  solved for             {size}",
            f"  readout covariance U   {rows}",
            f"  U / sigma_a^2          eigenvalues {ratios}",
            f"  free energy            {self.free_energy:.6g} per neuron and training input",
            f"  saddle point           residual {self.residual:.1e}; {proof} ({self.certificate})",
        ]
        if modes.silent:
            floor = modes.unreachable / (task.P * task.m)
            lines.append(
                f"  input kernel           rank {modes.rank} of P = {task.P}; "
                f"no linear network trains below a mean squared error of {floor:.3g}"
            )
        return "\n".join(lines)

    @property
    def _output_scale(self) -> float:
        """Outputs per (1/N) B_l^T z^l: 1 (non-lazy) or sqrt(N) (lazy)."""
        network = self.posterior.network
        return network.width * network.readout_scale

    @property
    def _signal_variance(self) -> Float[np.ndarray, " m"]:
        """Eigenvalues of sigma_1^2 G_1: N times the prior variance of (1/N) B_1^T z^1 per unit of K_0."""
        return self.posterior.sigma_a2 * math.prod(self.posterior.sigma2) * self.ratios**self.posterior.network.depth

    @property
    def _unlearned(self) -> Float[np.ndarray, "rank m"]:
        """Share of the prior variance that noise leaves in each input mode and direction of U."""
        temperature = self.posterior.temperature
        if temperature == 0:
            return np.zeros_like(self.modes.targets)
        return temperature / (self.modes.kappa[:, None] * self._signal_variance + temperature)

    def _mean_in_basis(self, along: Float[np.ndarray, "inputs rank"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior mean of the outputs in the eigenbasis of U, from inputs in the modes."""
        kappa, temperature = self.modes.kappa[:, None], self.posterior.temperature
        slope = 1.0 / kappa
        if temperature > 0:
            slope = self._signal_variance / (kappa * self._signal_variance + temperature)
        return along @ (np.sqrt(kappa) * slope * (self.modes.targets @ self.basis))

    def _inverse_backward(self, layer: int) -> Float[np.ndarray, " m"]:
        """Eigenvalues of the pseudo-inverse of G_l: a direction without variance has vanishing targets, too."""
        variances = self._backward_variances(layer)
        return np.divide(1.0, variances, out=np.zeros_like(variances), where=variances > 0)

    def _backward_variances(self, layer: int) -> Float[np.ndarray, " m"]:
        depth = self.posterior.network.depth
        return self.posterior.sigma_a2 * math.prod(self.posterior.sigma2[layer:]) * self.ratios ** (depth + 1 - layer)

    def _learned(
        self, mean1: Float[np.ndarray, "inputs1 m"], mean2: Float[np.ndarray, "inputs2 m"], layer: int
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """What layer `layer` itself learned: f G_l^-1 f^T with f = (1/N) B_l^T z^l."""
        return (mean1 * self._inverse_backward(layer)) @ mean2.T / self._output_scale**2
