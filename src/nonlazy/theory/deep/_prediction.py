"""What the theory says of a deep sigmoidal network."""

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task
from nonlazy.theory._checks import checked_count, checked_direction, checked_grid, checked_label, checked_layer
from nonlazy.theory._codes import Codes
from nonlazy.theory._dataset import labelled_dataset
from nonlazy.theory._prediction import Ensemble, GeneralizationError, Grouping, error_on_test_inputs
from nonlazy.theory.deep._class_kernel import ClassKernel
from nonlazy.theory.deep._hidden_layer import HiddenLayer
from nonlazy.theory.deep._inputs import KnownInputs, known_inputs, same_input
from nonlazy.theory.deep._layer_codes import CodeWeights, LayerCodes, code_weights
from nonlazy.theory.deep._orthogonal import OrthogonalInputs, propagate
from nonlazy.theory.deep._problem import ClassProblem
from nonlazy.theory.deep._readout_density import density_along, draw_readouts
from nonlazy.theory.deep._readout_layer import ReadoutLayer
from nonlazy.theory.deep._site import sigmoid
from nonlazy.theory.deep._state import State


if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class DeepSigmoidalPrediction:
    """The posterior of a sigmoidal network with L >= 2 hidden layers on orthogonal inputs, at its own P and T.

    Every layer's neurons are independent given the class fields; lower layers have a multimodal law, one mode a code,
    the feature layer a sharper one (docs/theory/deep.md). Made by `nonlazy.theory.solve`; a
    `nonlazy.theory.Prediction`. Source: van Meegen & Sompolinsky (2025), "Results"; the finite-P
    laws are derived in the page named.

    **Fields:**

    - `posterior`: what was solved. `ensemble`: `"equilibrium"`, or `"quenched"` at given fractions of feature neurons.
    - `free_energy`: -F/P, per neuron and training input; exp(N F) is the evidence without the constant of the noise's
      Gaussian density. Quenched: F holds the entropy of the fractions, so that its equilibrium is the smallest.
    - `residual`: largest violation of the solved equations: of Y = T t + <phi a^T> relative to max |Y|, and of the
      lower layers' equations relative to their largest tilt.
    - `quadrature_error`: the same violation with twice the nodes: what the integrals' accuracy leaves open.
    - `stable`: whether F is a local maximum over the lower layers' kernels.
    - `gap`: infinite, `certified`: False: F is not concave in the lower kernels, and no bound is known.
    - `t`: the dual field `(classes, m)`: training residuals are T t.
    """

    posterior: Posterior
    ensemble: Ensemble
    free_energy: float
    residual: float
    quadrature_error: float
    stable: bool
    certificate: str
    t: Float[np.ndarray, "classes m"]
    problem: ClassProblem = field(repr=False)
    state: State = field(repr=False)

    @property
    def gap(self) -> float:
        """Infinite: no bound on a better solution is known."""
        return math.inf

    @property
    def certified(self) -> bool:
        """False: see `certificate`."""
        return False

    @functools.cached_property
    def codes(self) -> Codes:
        """The codes of the feature layer, with their readouts."""
        found, layer = self._code_weights(self.problem.depth), self.state.readout
        a = math.sqrt(self.posterior.sigma_a2) * layer.nodes.x[:, -self.problem.m :]
        fraction = found.weight.sum(axis=0)
        return Codes(found.weight.T @ a / fraction[:, None], fraction, found.activation, found.pattern, self._names)

    def layer_codes(self, layer: int = -1) -> LayerCodes:
        """The codes of a layer's neurons, their fractions and mean activations by class.

        Lower layers' neurons change code freely; their codes are modes of a smooth law.
        """
        return self._code_weights(checked_layer(layer, self.problem.depth)).codes()

    def predict(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """Posterior mean of the outputs, `(inputs, m)`, for training inputs and inputs orthogonal to all of them.

        **Raises:** `nonlazy.errors.InvalidInput` for any other input.
        """
        known = self._known(X)
        trained = self.problem.targets - self.posterior.temperature * self.t
        layer, new = self.state.readout, self._orthogonal[-1]
        a = math.sqrt(self.posterior.sigma_a2) * layer.nodes.x[:, -self.problem.m :]
        untrained = (layer.weight * new.mean) @ a
        return np.where(known.training[:, None] < 0, untrained, trained[known.group])

    def predictor_variance(self, X: Float[np.ndarray, "inputs N0"]) -> Float[np.ndarray, "inputs m"]:
        """0: the theory is that of many neurons, where the outputs do not fluctuate."""
        return np.zeros((len(self._known(X).rows), self.problem.m))

    def class_kernel(
        self, layer: int = -1
    ) -> tuple[Float[np.ndarray, "classes classes"], Float[np.ndarray, " classes"]]:
        """A layer's kernel on training inputs: of two different ones, by class; and what is added on the diagonal."""
        kernel = self._class_kernel(checked_layer(layer, self.problem.depth))
        return kernel.block, kernel.excess

    def kernel(
        self,
        X1: Float[np.ndarray, "inputs1 N0"],
        X2: Float[np.ndarray, "inputs2 N0"] | None = None,
        layer: int = -1,
    ) -> Float[np.ndarray, "inputs1 inputs2"]:
        """Posterior mean of K_l = phi(z^l)^T phi(z^l) / N, `(inputs1, inputs2)`; `X2` None means `X1`.

        For training inputs and inputs orthogonal to all of them. `layer`: 1 .. L, or counted from the end.

        **Raises:** `nonlazy.errors.InvalidInput` for any other input.
        """
        layer = checked_layer(layer, self.problem.depth)
        first = self._known(X1)
        second = first if X2 is None else self._known(X2)
        same = same_input(first, second, self.posterior.task)
        kernel, new = self._class_kernel(layer), self._orthogonal[layer - 1]
        C = self.problem.C
        # One more class: the inputs that were not trained on.
        table = np.zeros((C + 1, C + 1))
        table[:C, :C], table[C, C] = kernel.block, new.other
        table[:C, C] = table[C, :C] = new.with_training
        diagonal = np.append(kernel.excess, new.own - new.other)
        rows, columns = (np.where(inputs.group < 0, C, inputs.group) for inputs in (first, second))
        return table[np.ix_(rows, columns)] + np.where(same, diagonal[rows][:, None], 0.0)

    def generalization_error(self, task: Task | None = None, by: Grouping = "output") -> GeneralizationError:
        """Expected squared error on test inputs that are orthogonal to the training inputs, or are training inputs."""
        return error_on_test_inputs(self, task, by)

    def readout_density(
        self, direction: Float[np.ndarray, " m"], grid: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """Density, on `grid`, of a neuron's readout vector projected on the unit vector along `direction`."""
        direction = checked_direction(direction, self.problem.m)
        grid = checked_grid(grid)
        return density_along(self.state.readout, direction, grid, math.sqrt(self.posterior.sigma_a2))

    def sample_readouts(self, n: int, seed: int) -> Float[np.ndarray, "n m"]:
        """Readout vectors of `n` independent neurons, `(n, m)`."""
        generator = np.random.default_rng(seed)
        return draw_readouts(self.state.readout, checked_count(n), generator, math.sqrt(self.posterior.sigma_a2))

    def preactivation_density(
        self, grid: Float[np.ndarray, " points"], code: int | None, label: int, layer: int = -1
    ) -> Float[np.ndarray, " points"]:
        """Density, on `grid`, of a neuron's preactivation on a training input of class `label`.

        `code`: an index into `layer_codes(layer)` (for the feature layer the same as `codes`); None: all neurons.

        **Raises:** `nonlazy.errors.InvalidInput`.
        """
        number = checked_layer(layer, self.problem.depth)
        checked_label(label, self.posterior.task)
        c = self.problem.classes.index(int(label))
        here = self._layers[number - 1]
        found = self._code_weights(number)
        if code is not None and not (isinstance(code, int | np.integer) and 0 <= code < found.weight.shape[1]):
            raise InvalidInput(
                f"code is {code!r}: layer {number} has the codes 0 .. {found.weight.shape[1] - 1} "
                "(see layer_codes), or give None for all neurons"
            )
        weight = here.weight if code is None else found.weight[:, code] / found.weight[:, code].sum()
        grid = checked_grid(grid)
        u, v = here.law.fields(here.nodes.x)
        d, delta = here.law.variance[c], here.law.penalty[c]
        phi = sigmoid(grid)
        density = np.zeros(len(grid))
        present = np.flatnonzero(weight > 1e-10 * weight.max())
        for nodes in np.array_split(present, max(1, len(present) * len(grid) // 2_000_000)):
            exponent = (
                -((grid - u[nodes, c][:, None]) ** 2) / (2 * d) + (v[nodes, c][:, None] - 0.5 * delta * phi) * phi
            )
            density += weight[nodes] @ np.exp(exponent - here.site.g[nodes, c][:, None])
        return density / math.sqrt(2 * math.pi * d)

    def to_xarray(self) -> "xarray.Dataset":
        """Codes, kernels and field as an `xarray.Dataset`; lower layers' codes as `code_1`, `code_2` and so on."""
        codes = self.codes
        variables = {
            "readout": (("code", "output"), codes.readout),
            "fraction": (("code",), codes.fraction),
            "activation": (("code", "class"), codes.activation),
            "active": (("code", "class"), codes.active),
            "t": (("class", "output"), self.t),
            "quadrature_error": ((), np.float64(self.quadrature_error)),
        }
        kernels = [self._class_kernel(layer) for layer in range(1, self.problem.depth + 1)]
        variables["kernel_block"] = (("layer", "class", "class_2"), np.array([kernel.block for kernel in kernels]))
        variables["kernel_excess"] = (("layer", "class"), np.array([kernel.excess for kernel in kernels]))
        for layer in range(1, self.problem.depth):
            lower = self.layer_codes(layer)
            variables[f"fraction_{layer}"] = ((f"code_{layer}",), lower.fraction)
            variables[f"activation_{layer}"] = ((f"code_{layer}", "class"), lower.activation)
            variables[f"active_{layer}"] = ((f"code_{layer}", "class"), lower.active)
        return labelled_dataset(self, variables)

    def __str__(self) -> str:
        lines = [
            f"theory of {self.posterior}",
            f"  {self.ensemble}, at this P and T",
            f"  free energy        {self.free_energy:.6g} per neuron and training input",
            f"  residual           {self.residual:.1e} (with twice the quadrature nodes {self.quadrature_error:.1e})",
            f"  certificate        not certified: {self.certificate}",
            f"feature layer {self.problem.depth}, codes over classes {', '.join(self._names)}",
            *("  " + line for line in str(self.codes).splitlines()),
        ]
        for layer in range(self.problem.depth - 1, 0, -1):
            lines.append(f"layer {layer}, whose neurons change code freely")
            lines += ["  " + line for line in str(self.layer_codes(layer)).splitlines()]
        return "\n".join(lines)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.posterior.task.class_names[c] for c in self.problem.classes)

    @property
    def _layers(self) -> tuple[HiddenLayer | ReadoutLayer, ...]:
        return (*self.state.hidden, self.state.readout)

    @functools.cached_property
    def _orthogonal(self) -> tuple[OrthogonalInputs, ...]:
        return propagate(self.problem, self._layers)

    def _known(self, X: Float[np.ndarray, "inputs N0"]) -> KnownInputs:
        return known_inputs(X, self.posterior.task, self.problem.classes)

    def _class_kernel(self, layer: int) -> ClassKernel:
        if layer < self.problem.depth:
            return self.state.hidden[layer - 1].kernel
        site, weight = self.state.readout.site, self.state.readout.weight
        block = (site.mean * weight[:, None]).T @ site.mean
        return ClassKernel(block, weight @ (site.square - site.mean**2))

    @functools.cached_property
    def _all_code_weights(self) -> tuple[CodeWeights, ...]:
        return tuple(code_weights(layer.weight, layer.site, self.problem.counts) for layer in self._layers)

    def _code_weights(self, layer: int) -> CodeWeights:
        return self._all_code_weights[layer - 1]
