"""NumPyro's NUTS as an expert would run it: diagonal mass adapted, trees of depth 10."""

import jax
from numpyro.infer import NUTS

from _sampling.peers.measurement import Iteration
from _sampling.weight_space import WeightSpace


_TREE_DEPTH = 10
_ACCEPTANCE = 0.8


class Sampler:
    """See `_sampling.peers.measurement.Sampler`."""

    def __init__(self, peer: str, space: WeightSpace, warmup: int, seed: int):
        self.settings = {"max_tree_depth": _TREE_DEPTH, "target_accept_prob": _ACCEPTANCE, "dense_mass": False}
        self.warmup = warmup
        kernel = NUTS(potential_fn=space.potential, max_tree_depth=_TREE_DEPTH, target_accept_prob=_ACCEPTANCE)
        start = jax.tree.map(jax.numpy.asarray, space.prior_draw(seed))
        self._state = kernel.init(jax.random.key(seed), warmup, init_params=start)
        self._step = jax.jit(lambda state: kernel.sample(state, (), {})).lower(self._state).compile()
        jax.block_until_ready(self._state)

    def iterate(self) -> Iteration:
        """A tree."""
        self._state = state = jax.block_until_ready(self._step(self._state))
        return Iteration(state.z, int(state.num_steps), float(state.accept_prob), float(state.adapt_state.step_size))
