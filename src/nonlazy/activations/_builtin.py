"""The activation functions that nonlazy knows by name."""

import math
from collections.abc import Callable
from typing import Any

from nonlazy.activations._activation import Activation, Kind
from nonlazy.errors import InvalidInput


_SIGMOID_SCALE = math.sqrt(math.pi) / 2
_ERF_SLOPE = 2 / math.sqrt(math.pi)


BUILTIN: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation(
            "linear",
            "linear",
            lambda z, xp: z,
            lambda z, xp: xp.ones_like(z),
            degree=1,
        ),
        # The paper's sigmoid: 1/2 [1 + erf(sqrt(pi) z / 2)], whose slope at 0 is 1/2.
        Activation(
            "sigmoid",
            "sigmoidal",
            lambda z, xp: 0.5 + 0.5 * xp.erf(_SIGMOID_SCALE * z),
            lambda z, xp: 0.5 * xp.exp((-0.25 * math.pi) * z * z),
        ),
        Activation("relu", "rectified", lambda z, xp: xp.maximum(z, 0.0), lambda z, xp: xp.step(z), degree=1),
        Activation("softplus", "rectified", lambda z, xp: xp.logaddexp(z, 0.0 * z), lambda z, xp: xp.expit(z)),
        Activation(
            "requ",
            "rectified",
            lambda z, xp: xp.maximum(z, 0.0) ** 2,
            lambda z, xp: 2.0 * xp.maximum(z, 0.0),
            degree=2,
        ),
        Activation("tanh", "sigmoidal", lambda z, xp: xp.tanh(z), lambda z, xp: 1.0 - xp.tanh(z) ** 2),
        Activation("erf", "sigmoidal", lambda z, xp: xp.erf(z), lambda z, xp: _ERF_SLOPE * xp.exp(-z * z)),
    )
}


def get(
    activation: str | Activation | Callable[[Any], Any],
    *,
    kind: Kind | None = None,
) -> Activation:
    """The `Activation` of a name, of a function of the user's own, or itself.

    **Arguments:**

    - `activation`: a name of `nonlazy.activations.BUILTIN`, an `Activation`, or an elementwise function written with
      `jax.numpy`; its derivative is then taken by JAX.
    - `kind`: for a function of the user's own, whether it is `"linear"`, `"sigmoidal"` or `"rectified"`.

    **Returns:** an `Activation`.

    **Raises:** `nonlazy.errors.InvalidInput` for an unknown name, or for a function without `kind`.
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        if activation not in BUILTIN:
            raise InvalidInput(
                f"activation {activation!r} is not known: choose one of {', '.join(BUILTIN)}, "
                "or give a nonlazy.activations.Activation"
            )
        return BUILTIN[activation]
    if kind is None:
        raise InvalidInput(
            f"activation {activation!r} is a function of your own: wrap it, "
            "nonlazy.activations.get(function, kind='sigmoidal' | 'rectified' | 'linear'), "
            "so that the default readout variance is defined"
        )
    function = activation
    return Activation(getattr(function, "__name__", "custom"), kind, lambda z, xp: function(z))
