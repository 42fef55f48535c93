"""BlackJAX's adjusted microcanonical sampler (MHMCHMC), with its own tuning after a descent by the unadjusted one."""

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc import adjusted_mclmc_dynamic

from _sampling.peers.measurement import Iteration
from _sampling.weight_space import WeightSpace


_ACCEPTANCE = 0.9
# It does not come down from the prior by itself: the unadjusted sampler does, with half and three tenths of the steps
# planned for it for step size and diagonal preconditioner.
_DESCENT = 2000
_DESCENT_TUNING = (0.5, 0.3, 0.0)
# Of the planned trajectories a tenth each: the step size, the diagonal preconditioner, and the step size anew. They are
# the defaults.
_PLANNED = 10_000
_TUNING = (0.1, 0.1, 0.0)
# Steps of a trajectory. Two are aimed at; but the tuning keeps the length while the step size comes down, and takes
# thousands of them where it has far to go.
_MOST_STEPS = 8
# Trajectories of an iteration, and gradients of a step of the integrator that they take by default.
_TRAJECTORIES = 5
_GRADIENTS = 2


class Sampler:
    """See `_sampling.peers.measurement.Sampler`. The warm-up is one iteration, all of the tuning.

    Trajectories have a random number of steps, two on average, which is what the tuning aims at. The direction is drawn
    anew for each of them.
    """

    warmup = 1

    def __init__(self, peer: str, space: WeightSpace, warmup: int, seed: int):
        self.settings = {"target_acceptance_rate": _ACCEPTANCE, "planned_trajectories": _PLANNED, "tuning": _TUNING}
        self.settings |= {"descent_steps": _DESCENT, "trajectories_per_draw": _TRAJECTORIES, "most_steps": _MOST_STEPS}
        random_steps = adjusted_mclmc_dynamic.make_random_trajectory_length_fn(True)
        kernel = adjusted_mclmc_dynamic.build_kernel(
            integration_steps_fn=lambda key, mean: jnp.minimum(random_steps(key, mean), _MOST_STEPS)
        )

        def log_density(weights):
            return -space.potential(weights)

        def tune(start, key):
            start_key, descent_key, key, steps_key = jax.random.split(key, 4)
            state = blackjax.mcmc.mclmc.init(start, log_density, start_key)
            state, found, descent = blackjax.mclmc_find_L_and_step_size(
                blackjax.mcmc.mclmc.build_kernel(), _DESCENT, state, descent_key, log_density, *_DESCENT_TUNING
            )
            state = adjusted_mclmc_dynamic.init(state.position, log_density, steps_key)
            state, tuned, steps = blackjax.adjusted_mclmc_find_L_and_step_size(
                kernel, log_density, _PLANNED, state, key, _ACCEPTANCE, *_TUNING, params=found
            )
            return state, tuned, descent + steps

        def trajectories(state, key, tuned):
            def one(state, key):
                mean_steps = tuned.L / tuned.step_size
                state, info = kernel(
                    key,
                    state,
                    log_density,
                    tuned.step_size,
                    inverse_mass_matrix=tuned.inverse_mass_matrix,
                    integration_steps_params=(mean_steps,),
                )
                return state, (info.num_integration_steps, info.acceptance_rate)

            return jax.lax.scan(one, state, jax.random.split(key, _TRAJECTORIES))

        self._key, self._tune_key = jax.random.split(jax.random.key(seed))
        self._start = jax.tree.map(jnp.asarray, space.prior_draw(seed))
        # As one compiled function it does not keep every state of the tuning, which are gigabytes.
        self._tune = jax.jit(tune).lower(self._start, self._tune_key).compile()
        state, tuned, _ = jax.eval_shape(tune, self._start, self._tune_key)
        self._trajectories = jax.jit(trajectories).lower(state, self._key, tuned).compile()
        self._iteration = 0

    def iterate(self) -> Iteration:
        """Five trajectories; at first the tuning."""
        self._iteration += 1
        if self._iteration == 1:
            self._state, self._tuned, steps = self._tune(self._start, self._tune_key)
            self.settings |= {"L": float(self._tuned.L)}
            acceptance = None
        else:
            key = jax.random.fold_in(self._key, self._iteration)
            self._state, (counts, rates) = self._trajectories(self._state, key, self._tuned)
            steps, acceptance = np.sum(counts), float(np.mean(rates))
        jax.block_until_ready(self._state)
        return Iteration(self._state.position, _GRADIENTS * int(steps), acceptance, float(self._tuned.step_size))
