"""One formula, two array libraries: the elementwise functions that activations are written with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Namespace:
    """Elementwise functions of one array library."""

    exp: Callable[[Any], Any]
    erf: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    maximum: Callable[[Any, Any], Any]
    logaddexp: Callable[[Any, Any], Any]
    expit: Callable[[Any], Any]
    step: Callable[[Any], Any]
    ones_like: Callable[[Any], Any]


@cache
def _numpy_namespace() -> Namespace:
    from scipy.special import erf, expit

    return Namespace(
        exp=np.exp,
        erf=erf,
        tanh=np.tanh,
        maximum=np.maximum,
        logaddexp=np.logaddexp,
        expit=expit,
        step=lambda z: (np.asarray(z) > 0).astype(np.result_type(z)),
        ones_like=np.ones_like,
    )


@cache
def _jax_namespace() -> Namespace:
    import jax
    import jax.numpy as jnp

    return Namespace(
        exp=jnp.exp,
        erf=jax.scipy.special.erf,
        tanh=jnp.tanh,
        maximum=jnp.maximum,
        logaddexp=jnp.logaddexp,
        expit=jax.nn.sigmoid,
        step=lambda z: (z > 0).astype(z.dtype),
        ones_like=jnp.ones_like,
    )


def namespace_of(z: Any) -> Namespace:
    """The functions of the array library that `z` belongs to: NumPy for its arrays and Python numbers, JAX else."""
    if isinstance(z, np.ndarray | np.generic | int | float):
        return _numpy_namespace()
    return _jax_namespace()
