"""Values of an activation function, whoever wrote it, and how exact they are."""

import numpy as np
from jaxtyping import Float

from nonlazy.activations import Activation


def values(activation: Activation, z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """phi(z) in float64; infinite or not a number where phi is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(activation(z), dtype=np.float64)


def rounding(activation: Activation) -> float:
    """Relative rounding error of phi's values: that of float32 for functions that JAX evaluates by default."""
    kind = np.asarray(activation(np.array([0.5]))).dtype
    return float(np.finfo(kind if np.issubdtype(kind, np.floating) else np.float64).eps)
