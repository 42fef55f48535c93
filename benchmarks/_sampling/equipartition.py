"""A test of a sampler that needs no other sampler: (w - c) . dU/dw has a mean that is known."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from _sampling.weight_space import WeightSpace


class Equipartition:
    """(w - c) . dU/dw of each layer over its number of weights, along a chain.

    Its mean under the posterior is 1, in every layer, for any fixed c and whatever the data (by parts: the density
    vanishes at infinity). It is 1 within a basin too, where nothing flows through the basin's rim, so that shares of
    codes that freeze do not change it. What c is changes the noise, which is large far from the basin: c is the mean of
    the first third of the draws, and the last third is looked at. The third between them lets the chain forget: a c
    that still knows of the draws pulls the mean below 1.

    **Arguments:** `draws`: how many are planned.
    """

    def __init__(self, space: WeightSpace, draws: int):
        self._third = draws // 3
        self._sum: Any = None

        @jax.jit
        def measure(weights, total):
            slopes = jax.grad(space.potential)(weights)
            return {
                name: jnp.sum((w - total[name] / self._third) * slopes[name]) / w.size for name, w in weights.items()
            }

        self._measure, self._add = measure, jax.jit(lambda total, w: jax.tree.map(jnp.add, total, w))

    def __call__(self, weights: Mapping[str, Any], draw: int) -> dict[str, float] | None:
        """Of draw number `draw`; None in the first two thirds, and of fewer than three draws. Draw 0 begins anew."""
        weights = {name: jnp.asarray(w) for name, w in weights.items()}
        if draw < self._third:
            self._sum = weights if draw == 0 else self._add(self._sum, weights)
        if draw < 2 * self._third or not self._third:
            return None
        return {name: float(value) for name, value in self._measure(weights, self._sum).items()}
