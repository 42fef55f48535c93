"""The `Network`: architecture and scaling, without weights."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from nonlazy import activations
from nonlazy.activations import Activation
from nonlazy.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Weights:
    """One draw of all weights.

    **Fields:** `hidden[l]`: `(N, N_in)` of layer l + 1, in the network's own units (the forward pass divides by
    sqrt(N_in)); `readout`: `(N, m)`.
    """

    hidden: tuple[Float[np.ndarray, "N _"], ...]
    readout: Float[np.ndarray, "N m"]


@dataclass(frozen=True)
class Network:
    """A fully connected network with L = `depth` hidden layers of one width N = `width`.

    z^1 = W^1 x / sqrt(N0), z^l = W^l phi(z^(l-1)) / sqrt(N), f_r(x) = s sum_i a_i^r phi(z_i^L(x)), where s = 1/N for
    the *non-lazy* readout, which learns features, and 1/sqrt(N) for the *lazy* one (van Meegen & Sompolinsky 2025,
    Methods). No weights are kept here.

    **Fields:**

    - `width`: N, at least 1.
    - `depth`: L, at least 1.
    - `activation`: a name ("linear", "sigmoid", "relu", "softplus", "requ", "tanh", "erf") or a
      `nonlazy.activations.Activation`.
    - `readout`: `"non-lazy"` or `"lazy"`.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """

    width: int
    depth: int = 1
    activation: Activation | str | Callable[[Any], Any] = "sigmoid"
    readout: Literal["non-lazy", "lazy"] = "non-lazy"

    def __post_init__(self):
        for name, value in (("width", self.width), ("depth", self.depth)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise InvalidInput(f"{name} is {value!r}: it must be a whole number, 1 or more")
        if self.readout not in ("non-lazy", "lazy"):
            raise InvalidInput(f"readout is {self.readout!r}: choose 'non-lazy' (1/N) or 'lazy' (1/sqrt N)")
        object.__setattr__(self, "activation", activations.get(self.activation))

    @property
    def phi(self) -> Activation:
        """The activation function."""
        assert isinstance(self.activation, Activation)
        return self.activation

    @property
    def readout_scale(self) -> float:
        """The factor s in front of the readout sum: 1/N (non-lazy) or 1/sqrt(N) (lazy)."""
        return 1.0 / self.width if self.readout == "non-lazy" else 1.0 / math.sqrt(self.width)

    def preactivations(self, weights: Weights, X: Float[np.ndarray, "inputs N0"]) -> list[Any]:
        """z^1 .. z^L on inputs `X`: a list of L arrays `(N, inputs)`."""
        self._check_weights(weights, X.shape[1])
        signal = X.T / math.sqrt(X.shape[1])
        layers = []
        for matrix in weights.hidden:
            layers.append(matrix @ signal)
            signal = self.phi(layers[-1]) / math.sqrt(self.width)
        return layers

    def activations(self, weights: Weights, X: Float[np.ndarray, "inputs N0"]) -> list[Any]:
        """phi(z^1) .. phi(z^L) on inputs `X`: a list of L arrays `(N, inputs)`."""
        return [self.phi(z) for z in self.preactivations(weights, X)]

    def kernels(self, weights: Weights, X: Float[np.ndarray, "inputs N0"]) -> list[Any]:
        """K_l = phi(z^l)^T phi(z^l) / N for every layer: a list of L arrays `(inputs, inputs)`."""
        return [phi.T @ phi / self.width for phi in self.activations(weights, X)]

    def outputs(self, weights: Weights, X: Float[np.ndarray, "inputs N0"]) -> Any:
        """f(X), `(inputs, m)`."""
        return self.readout_scale * (self.activations(weights, X)[-1].T @ weights.readout)

    def _check_weights(self, weights: Weights, N0: int) -> None:
        expected = [(self.width, N0)] + [(self.width, self.width)] * (self.depth - 1)
        found = [tuple(matrix.shape) for matrix in weights.hidden]
        if found != expected:
            raise InvalidInput(f"hidden weights have shapes {found}; this network on N0 = {N0} inputs needs {expected}")
        if weights.readout.shape[0] != self.width:
            raise InvalidInput(f"readout has {weights.readout.shape[0]} rows; the network has width {self.width}")
