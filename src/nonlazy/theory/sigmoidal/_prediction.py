"""What the theory says of a sigmoidal network whose training inputs are orthogonal."""

import math
import textwrap
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
from nonlazy.theory.sigmoidal._finite import ReadoutLaw
from nonlazy.theory.sigmoidal._fluctuations import predictor_variance, readout_moments
from nonlazy.theory.sigmoidal._inputs import Atoms, covariance_given_readout, mean_activations, resolve
from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._readouts import draw_readouts, projected_density
from nonlazy.theory.sigmoidal._single_neuron import gauss_rule


if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class SigmoidalPrediction:
    """The codes of a sigmoidal network with one hidden layer and orthogonal training inputs, and all that follows.

    Made by `nonlazy.theory.solve`; a `nonlazy.theory.Prediction`. It is the limit of large width N: the predictor does
    not fluctuate. Source: van Meegen & Sompolinsky (2025), "Results"; derivation in docs/theory/sigmoidal.md.

    **Fields:**

    - `posterior`: what was solved. `finite_size`: at its own P, or for P to infinity.
    - `ensemble`: `"equilibrium"`, or `"quenched"` where the fractions were given.
    - `codes`: the codes, their fractions, readouts and mean activations.
    - `centres`: `(n, m)`, the lowest point of the energy of each code; `assign` tells codes by them.
    - `dual_field`: t `(P, m)`; the mean training error Y - f is exactly T t.
    - `free_energy`: -log p(Y) / (N P), up to the constant m/(2 N) log(2 pi T / N).
    - `residual`: max|Y - T t - <phi a^T>| / max|Y|. `quadrature_error`: by how much a second quadrature rule changes
      <phi a^T>, in the same units (0 for P to infinity).
    - `gap`, `certified`, `certificate`: how far P · free_energy can lie from its optimum, whether this is proved, and
      how. Quenched: how far it lies above equilibrium.
    """

    posterior: Posterior
    finite_size: bool
    ensemble: Ensemble
    codes: Codes
    centres: Float[np.ndarray, "n m"]
    dual_field: Float[np.ndarray, "P m"] = field(repr=False)
    free_energy: float
    residual: float
    quadrature_error: float
    gap: float
    certified: bool
    certificate: str
    problem: ClassProblem = field(repr=False)
    t: Float[np.ndarray, "C r"] = field(repr=False)
    law: ReadoutLaw | None = field(repr=False)

    def predict(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior mean of the outputs, `(inputs, m)`; Y - T t on training inputs, <a> <phi> on orthogonal ones."""
        inputs = resolve(self.posterior, checked_inputs(X, self.posterior.task))
        problem, atoms = self.problem, self._atoms
        phi = mean_activations(problem, self.t, atoms, inputs)
        outputs = problem.scale * (phi.T * atoms.weight) @ atoms.readout @ problem.basis
        twins = inputs.twin >= 0
        outputs[twins] = self._group_outputs[problem.groups[inputs.twin[twins]]]
        return outputs

    def predictor_variance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior variance of the outputs, `(inputs, m)`, to first order in 1/N; 0 with finite_size=False.

        Readouts and preactivations of the N neurons fluctuate, with the training outputs held within T/N. At
        equilibrium the codes' fractions fluctuate, too; where they are given they do not (docs/theory/sigmoidal.md).
        """
        task = self.posterior.task
        X = checked_inputs(X, task)
        if self.law is None:
            return np.zeros((len(X), task.m))
        atoms = self._atoms
        code = np.repeat(np.arange(len(self.codes)), len(atoms.weight) // len(self.codes))
        moments = readout_moments(self.problem, atoms, code if self.ensemble == "quenched" else np.zeros_like(code))
        inputs, training = resolve(self.posterior, X), resolve(self.posterior, task.X)
        variance = predictor_variance(self.problem, self.t, atoms, moments, inputs, training, self.posterior.sigma2[0])
        return variance / self.posterior.network.width

    def kernel(
        self,
        X1: Float[np.ndarray, "inputs1 N0"],
        X2: Float[np.ndarray, "inputs2 N0"] | None = None,
        layer: int = -1,
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """Posterior mean of the kernel phi(x1) . phi(x2) / N, `(inputs1, inputs2)`; layer 0 is the input kernel."""
        task = self.posterior.task
        X1 = checked_inputs(X1, task)
        X2 = X1 if X2 is None else checked_inputs(X2, task)
        input_kernel = X1 @ X2.T / task.N0
        if checked_layer(layer, 1, lowest=0) == 0:
            return input_kernel
        problem, atoms = self.problem, self._atoms
        inputs1, inputs2 = resolve(self.posterior, X1), resolve(self.posterior, X2)
        phi1, phi2 = (mean_activations(problem, self.t, atoms, inputs) for inputs in (inputs1, inputs2))
        prior = self.posterior.sigma2[0] * input_kernel
        kernel = (phi1.T * atoms.weight) @ phi2
        kernel += covariance_given_readout(problem, self.t, atoms, inputs1, inputs2, prior)
        # Between training inputs the whole law of the readouts is at hand.
        rows, columns = np.flatnonzero(inputs1.twin >= 0), np.flatnonzero(inputs2.twin >= 0)
        twins1, twins2 = inputs1.twin[rows], inputs2.twin[columns]
        between, within = self._training_kernel
        exact = between[np.ix_(problem.groups[twins1], problem.groups[twins2])]
        exact = exact + np.equal.outer(twins1, twins2) * within[problem.groups[twins1]][:, None]
        kernel[np.ix_(rows, columns)] = exact
        return kernel

    def generalization_error(self, task: Task | None = None, by: Grouping = "output") -> GeneralizationError:
        """Expected squared error on the test inputs of `task`, or of the task that was solved."""
        return error_on_test_inputs(self, task, by)

    def readout_density(
        self, direction: Float[np.ndarray, " m"], grid: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """Density of a neuron's readout vector along the unit vector of `direction`, on `grid`.

        Exact to 1e-6 of its peak, in up to six dimensions; above, smoothed by 0.15 of the prior's standard deviation.

        **Raises:** `nonlazy.errors.InvalidInput`, also for P to infinity, where the readouts take the codes' values
        alone.
        """
        unit = checked_direction(direction, self.posterior.task.m)
        if self.law is None:
            raise InvalidInput(
                "for P to infinity readouts take the values codes.readout alone, with no density: "
                "solve with finite_size=True"
            )
        grid = checked_grid(grid)
        density = projected_density(self.problem, self.law, unit, grid, self.ensemble == "quenched")
        # The rounding of a Fourier sum: far from every readout it may fall below 0.
        return np.maximum(density, 0.0)

    def sample_readouts(self, n: int, seed: int) -> Float[np.ndarray, "n m"]:
        """Readout vectors of `n` independent neurons, `(n, m)`, drawn exactly; for P to infinity the codes' values."""
        n, generator = checked_count(n), np.random.default_rng(seed)
        if self.law is None:
            return self.codes.readout[generator.choice(len(self.codes), size=n, p=self.codes.fraction)]
        return draw_readouts(self.problem, self.law, n, generator, self.ensemble == "quenched")

    def assign(self, readouts: Float[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
        """The code of each readout vector, an index into `codes`: that of the nearest centre, as in this prediction."""
        readouts = checked_readouts(readouts, self.posterior.task.m)
        return np.argmin(np.sum(self.centres**2, axis=1) - 2 * readouts @ self.centres.T, axis=1)

    def preactivation_density(
        self, grid: Float[np.ndarray, " points"], code: int | None, label: int, layer: int = -1
    ) -> Float[np.ndarray, " points"]:
        """Density, on `grid`, of the preactivation of a neuron with code `code` on a training input of class `label`.

        `code` is an index into `codes`; None averages over all neurons. For every readout a the density is
        N(z; 0, v) exp((a . t) phi(z) - g(a . t)).

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        checked_layer(layer, 1)
        checked_label(label, self.posterior.task)
        checked_code(code, len(self.codes))
        chosen, grid = range(len(self.codes)) if code is None else [code], checked_grid(grid)
        total = np.zeros(len(grid))
        mass = sum(self.codes.fraction[k] for k in chosen)
        for k in chosen:
            for group, share in enumerate(self.problem.label_share[label]):
                if share > 0:
                    h, weight = self._fields(k, group)
                    total += share * self.codes.fraction[k] / mass * (weight @ self.problem.neuron.density(grid, h))
        return total

    def to_xarray(self) -> "xarray.Dataset":
        """Codes, field and certificate as an `xarray.Dataset`."""
        centres = {"centre": (("code", "output"), self.centres)}
        return dataset_of_codes(self, self.codes, self.dual_field, centres)

    def __str__(self) -> str:
        posterior = self.posterior
        size = f"P = {posterior.task.P}" if self.finite_size else "P to infinity"
        proof = "certified" if self.certified else "not certified"
        table = "\n".join("    " + line for line in str(self.codes).splitlines())
        lines = [
            *textwrap.wrap(f"theory of {posterior}", 98, subsequent_indent="    "),
            f"  solved for    {self.ensemble}, {size}, N to infinity, T = {posterior.temperature:g}",
            f"  codes         {len(self.codes)}",
            table,
            f"  free energy   {self.free_energy:.8g} per neuron and training input",
            f"  equations     residual {self.residual:.1e}"
            + (f", quadrature error {self.quadrature_error:.1e}" if self.finite_size else ""),
            *textwrap.wrap(f"{proof}: {self.certificate}", 98, initial_indent="  ", subsequent_indent="    "),
        ]
        return "\n".join(lines)

    @property
    def _atoms(self) -> Atoms:
        """The codes; at finite P each as 2 r points with the mean and the covariance of its readouts."""
        problem, law = self.problem, self.law
        if law is None:
            return Atoms(self.centres @ problem.basis.T / problem.scale, self.codes.fraction)
        readouts, weights = [], []
        for share, membership in zip(law.weight, law.membership().T, strict=True):
            members = membership > 0
            probability = membership[members] / membership[members].sum()
            mean = probability @ law.readout[members]
            centred = law.readout[members] - mean
            values, vectors = np.linalg.eigh(centred.T @ (probability[:, None] * centred))
            spread = (vectors * np.sqrt(problem.rank * np.maximum(values, 0.0))).T
            readouts += [mean + spread, mean - spread]
            weights.append(np.full(2 * problem.rank, share / (2 * problem.rank)))
        return Atoms(np.concatenate(readouts), np.concatenate(weights))

    @property
    def _nodes(self) -> Atoms:
        """The whole law of the readouts."""
        return self._atoms if self.law is None else Atoms(self.law.readout, self.law.probability)

    @property
    def _group_outputs(self) -> Float[np.ndarray, "C m"]:
        """<phi a^T> on the training inputs of each group."""
        nodes, problem = self._nodes, self.problem
        activation = problem.neuron.mean(nodes.readout @ self.t.T)
        return problem.scale * (activation.T * nodes.weight) @ nodes.readout @ problem.basis

    @property
    def _training_kernel(self) -> tuple[Float[np.ndarray, "C C"], Float[np.ndarray, " C"]]:
        """The kernel between different training inputs by group, and what the diagonal has in addition."""
        nodes = self._nodes
        _, mean, variance = self.problem.neuron.cumulants(nodes.readout @ self.t.T)
        return (mean.T * nodes.weight) @ mean, nodes.weight @ variance

    def _fields(self, code: int, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The law of a . t_c within a code, as a few nodes with the same first moments."""
        if self.law is None:
            return self._atoms.readout[[code]] @ self.t[group], np.ones(1)
        membership = self.law.membership()[:, code]
        members = membership > 0
        h, probability = self.law.readout[members] @ self.t[group], membership[members]
        return gauss_rule(h, probability / math.fsum(probability), min(20, h.size))
