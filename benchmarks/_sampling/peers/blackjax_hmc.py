"""BlackJAX's NUTS and HMC after its window adaptation (Stan's), diagonal mass, acceptance 0.8."""

import warnings

import blackjax
import jax
import jax.numpy as jnp
from blackjax.adaptation.window_adaptation import base, build_schedule

from _sampling.peers.measurement import Iteration
from _sampling.weight_space import WeightSpace


_TREE_DEPTH = 10
_ACCEPTANCE = 0.8
# Of HMC, in whitened units: the prior's width is 1, and so are most of the posterior's.
_LENGTH = 1.0
_MOST_STEPS = 1023
# BlackJAX begins with 1, whose first trees all diverge; the adaptation is the same from any start.
_FIRST_STEP = 0.1


class Sampler:
    """See `_sampling.peers.measurement.Sampler`.

    The stages of `blackjax.window_adaptation` one at a time, so that they can be stopped and looked at. The number of
    HMC's steps follows the step size: the length of a trajectory is that of ours.
    """

    def __init__(self, peer: str, space: WeightSpace, warmup: int, seed: int):
        nuts = peer == "blackjax-nuts"
        self.settings = {"target_acceptance_rate": _ACCEPTANCE, "diagonal": True, "first_step_size": _FIRST_STEP}
        self.settings |= {"max_num_doublings": _TREE_DEPTH} if nuts else {"length": _LENGTH, "most_steps": _MOST_STEPS}
        self.warmup = warmup
        algorithm = blackjax.nuts if nuts else blackjax.hmc
        kernel = algorithm.build_kernel()

        def log_density(weights):
            return -space.potential(weights)

        with warnings.catch_warnings():
            # Public, and deprecated for a function that runs all stages at once, which nobody could stop.
            warnings.simplefilter("ignore", DeprecationWarning)
            begin, update, self._final = base(True, target_acceptance_rate=_ACCEPTANCE)

        def step(key, state, step_size, inverse_mass):
            if nuts:
                return kernel(key, state, log_density, step_size, inverse_mass, max_num_doublings=_TREE_DEPTH)
            steps = jnp.clip(jnp.ceil(_LENGTH / step_size), 1, _MOST_STEPS).astype(int)
            return kernel(key, state, log_density, step_size, inverse_mass, steps)

        def adapt(key, state, adaptation, stage):
            state, info = step(key, state, adaptation.step_size, adaptation.inverse_mass_matrix)
            return state, info, update(adaptation, stage, state.position, info.acceptance_rate)

        start = jax.tree.map(jnp.asarray, space.prior_draw(seed))
        self._key = jax.random.key(seed)
        self._state = algorithm.init(start, log_density)
        self._adaptation = begin(start, jnp.asarray(_FIRST_STEP, space.dtype))
        self._schedule = build_schedule(warmup)
        self._iteration = 0
        key, adaptation = self._key, self._adaptation
        self._adapt = jax.jit(adapt).lower(key, self._state, adaptation, self._schedule[0]).compile()
        tuned = (jnp.asarray(_FIRST_STEP, space.dtype), adaptation.inverse_mass_matrix)
        self._tuned = tuned
        self._step = jax.jit(step).lower(key, self._state, *tuned).compile()
        jax.block_until_ready(self._state)

    def iterate(self) -> Iteration:
        """A trajectory or tree, and in the warm-up a step of the adaptation."""
        key = jax.random.fold_in(self._key, self._iteration)
        if self._iteration < self.warmup:
            stage = self._schedule[self._iteration]
            self._state, info, self._adaptation = self._adapt(key, self._state, self._adaptation, stage)
            if self._iteration == self.warmup - 1:
                step_size, inverse_mass = self._final(self._adaptation)
                self._tuned = (jnp.asarray(step_size, self._tuned[0].dtype), inverse_mass)
            step_size = self._adaptation.step_size
        else:
            self._state, info = self._step(key, self._state, *self._tuned)
            step_size = self._tuned[0]
        self._iteration += 1
        jax.block_until_ready(self._state)
        return Iteration(
            self._state.position, int(info.num_integration_steps), float(info.acceptance_rate), float(step_size)
        )
