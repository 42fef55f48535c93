"""BlackJAX's microcanonical Langevin Monte Carlo, not adjusted, with its own tuning."""

from functools import partial

import blackjax
import jax
import jax.numpy as jnp

from _sampling.peers.measurement import Iteration
from _sampling.weight_space import WeightSpace


# Shares of the planned steps: to come down from the prior and find a step size, for the diagonal preconditioner, and
# for the length after which the direction is forgotten.
_PLANNED = 2000
_TUNING = (0.5, 0.3, 0.1)
# Of an iteration, and gradients of a step of the integrator that it takes by default.
_STEPS = 10
_GRADIENTS = 2


class Sampler:
    """See `_sampling.peers.measurement.Sampler`. The warm-up is one iteration, all of the tuning."""

    warmup = 1

    def __init__(self, peer: str, space: WeightSpace, warmup: int, seed: int):
        self.settings = {"planned_steps": _PLANNED, "tuning": _TUNING, "steps_per_draw": _STEPS}

        def log_density(weights):
            return -space.potential(weights)

        self._key, start_key, self._tune_key = jax.random.split(jax.random.key(seed), 3)
        start = jax.tree.map(jnp.asarray, space.prior_draw(seed))
        self._state = blackjax.mcmc.mclmc.init(start, log_density, start_key)
        self._kernel = blackjax.mcmc.mclmc.build_kernel()
        self._log_density = log_density
        self._iteration, self._dtype = 0, space.dtype

        def steps(key, state, L, step_size, inverse_mass):
            def one(_, carry):
                key, state = carry
                key, now = jax.random.split(key)
                return key, self._kernel(now, state, log_density, inverse_mass, L, step_size)[0]

            return jax.lax.fori_loop(0, _STEPS, one, (key, state))[1]

        dimensions = sum(w.size for w in start.values())
        example = tuple(jnp.ones(shape, space.dtype) for shape in ((), (), dimensions))
        self._steps = jax.jit(steps).lower(self._key, self._state, *example).compile()
        jax.block_until_ready(self._state)

    def iterate(self) -> Iteration:
        """Ten steps; at first the tuning, its compilation included (it compiles as it goes)."""
        self._iteration += 1
        if self._iteration == 1:
            self._state, tuned, steps = blackjax.mclmc_find_L_and_step_size(
                self._kernel, _PLANNED, self._state, self._tune_key, self._log_density, *_TUNING
            )
            as_float = partial(jnp.asarray, dtype=self._dtype)
            self._tuned = tuple(map(as_float, (tuned.L, tuned.step_size, tuned.inverse_mass_matrix)))
            self.settings |= {"L": float(tuned.L)}
        else:
            steps = _STEPS
            key = jax.random.fold_in(self._key, self._iteration)
            self._state = self._steps(key, self._state, *self._tuned)
        jax.block_until_ready(self._state)
        return Iteration(self._state.position, _GRADIENTS * int(steps), None, float(self._tuned[1]))
