"""The record that describes an activation function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nonlazy.activations._namespaces import Namespace, namespace_of


Kind = Literal["linear", "sigmoidal", "rectified"]


@dataclass(frozen=True)
class Activation:
    """An activation function phi with its derivative, for NumPy and JAX arrays.

    Calling it returns phi elementwise, in the shape and precision of the argument.

    **Fields:**

    - `name`: how it is written in files and tables.
    - `kind`: `"linear"`, `"sigmoidal"` (bounded) or `"rectified"` (grows on one side). It decides the default
      variance of the readouts (`nonlazy.Posterior`), the recommended sampler and the theory.
    - `function`: `function(z, namespace)`, the formula written with `namespace.exp`, `namespace.erf` and so on.
    - `slope_function`: the same for the derivative phi'; None differentiates `function` with JAX.
    - `degree`: d where phi(c z) = c^d phi(z) for every c > 0 (positive homogeneity), else None. Degree 1 admits the
      exact pair rotations of `nonlazy.sampling`.
    """

    name: str
    kind: Kind
    function: Callable[[Any, Namespace], Any]
    slope_function: Callable[[Any, Namespace], Any] | None = None
    degree: int | None = None

    def __call__(self, z: Any) -> Any:
        """phi(z), elementwise; same shape and precision as `z`."""
        return self.function(z, namespace_of(z))

    def slope(self, z: Any) -> Any:
        """phi'(z), elementwise; same shape and precision as `z`."""
        if self.slope_function is not None:
            return self.slope_function(z, namespace_of(z))
        import jax
        import jax.numpy as jnp

        jax_namespace = namespace_of(jnp.zeros(()))

        def phi(x):
            return self.function(x, jax_namespace)

        slope = jax.jvp(phi, (jnp.asarray(z),), (jnp.ones_like(jnp.asarray(z)),))[1]
        return np.asarray(slope) if isinstance(z, np.ndarray | np.generic | float) else slope

    def __reduce__(self) -> Any:
        """Those that nonlazy knows by name are themselves again in another process, and compare equal there."""
        from nonlazy.activations._builtin import BUILTIN, get

        if BUILTIN.get(self.name) is self:
            return get, (self.name,)
        return Activation, (self.name, self.kind, self.function, self.slope_function, self.degree)

    def __repr__(self) -> str:
        return f"Activation({self.name!r}, kind={self.kind!r})"
