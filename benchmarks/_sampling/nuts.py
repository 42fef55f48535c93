"""NumPyro's NUTS in weight space, as an expert would run it: all weights whitened, diagonal mass adapted, depth 10."""

import sys
import time
from typing import Any

import numpy as np

from _sampling.cases import Case, SchemeTest


_LINE_SECONDS = 10.0
_TREE_DEPTH = 10
_ACCEPTANCE = 0.8


def measure(case: dict[str, Any], warmup: int, draws: int, seed: int, launched: float) -> dict[str, Any]:
    """One chain from the prior; each iteration is timed, what is looked at between iterations is not.

    The quantities compared are computed outside the clock, which favours NUTS: our draws pay for theirs.
    """
    import jax
    import jax.numpy as jnp
    from numpyro.infer import NUTS

    from nonlazy.sampling._coordinates import coordinates
    from nonlazy.sampling._record import kernel_pairs

    posterior = Case(**case).posterior()
    network, task = posterior.network, posterior.task
    N, N0, m = network.width, task.N0, task.m
    inputs = jnp.asarray((task.X.T * np.sqrt(posterior.sigma2[0] / N0)).astype(np.float32))
    targets = jnp.asarray(task.Y.T.astype(np.float32))
    gain = float(network.readout_scale * np.sqrt(posterior.sigma_a2))
    inverse_noise = float(1 / posterior.noise_variance)

    def preactivations(weights):
        return weights["hidden"] @ inputs

    def loss(weights, z):
        residual = gain * (weights["readout"] @ network.phi(z)) - targets
        return 0.5 * jnp.sum(residual * residual)

    def potential(weights):
        prior = 0.5 * sum(jnp.sum(w * w) for w in weights.values())
        return prior + inverse_noise * loss(weights, preactivations(weights))

    basis = coordinates(posterior).basis
    assert basis is not None
    basis, pairs = jnp.asarray(basis.astype(np.float32)), kernel_pairs(posterior)

    @jax.jit
    def observe(weights):
        z = preactivations(weights)
        phi = network.phi(z)
        # The density of what meets the data: weights outside the inputs' span are left out, as they are in ours.
        inside = weights["hidden"] @ basis
        prior = 0.5 * (jnp.sum(inside * inside) + jnp.sum(weights["readout"] ** 2))
        return {
            "log density": -prior - inverse_noise * loss(weights, z),
            "sum a^2": posterior.sigma_a2 * jnp.sum(weights["readout"] ** 2),
            "kernel entries": jnp.sum(phi[:, pairs[:, 0]] * phi[:, pairs[:, 1]], axis=0) / N,
            "z": z,
            "readout": float(np.sqrt(posterior.sigma_a2)) * weights["readout"].T,
        }

    chain_key, hidden_key, readout_key = jax.random.split(jax.random.key(seed), 3)
    start = {"hidden": jax.random.normal(hidden_key, (N, N0)), "readout": jax.random.normal(readout_key, (m, N))}
    kernel = NUTS(potential_fn=potential, max_tree_depth=_TREE_DEPTH, target_accept_prob=_ACCEPTANCE)
    state = kernel.init(chain_key, warmup, init_params=start)
    step = jax.jit(lambda state: kernel.sample(state, (), {})).lower(state).compile()
    jax.block_until_ready(state)

    test = SchemeTest(posterior)
    ready = time.time() - launched
    seconds, gradients, acceptance, seen = [], [], [], []
    values: dict[str, list] = {"log density": [], "sum a^2": [], "kernel entries": []}
    words, said = "", time.time()
    for iteration in range(warmup + draws):
        begun = time.perf_counter()
        state = step(state)
        jax.block_until_ready(state)
        seconds.append(time.perf_counter() - begun)
        gradients.append(int(state.num_steps))
        acceptance.append(float(state.accept_prob))
        observed = jax.device_get(observe(state.z))
        there, words = test(observed.pop("z"), observed.pop("readout"))
        seen.append(there)
        if iteration >= warmup:
            for name, value in observed.items():
                values[name].append(np.asarray(value, float).tolist())
        if time.time() - said > _LINE_SECONDS:
            said = time.time()
            print(
                f"  NUTS: iteration {iteration + 1} of {warmup + draws}, {seconds[-1]:.2g} s and {gradients[-1]} "
                f"gradients each, {words}",
                file=sys.stderr,
                flush=True,
            )
    values["kernel entries"] = np.array(values["kernel entries"]).T.tolist()
    elapsed = np.cumsum(seconds)
    return {
        "sampler": "NUTS",
        "settings": {"max_tree_depth": _TREE_DEPTH, "target_accept_prob": _ACCEPTANCE, "dense_mass": False},
        "warmup": warmup,
        "draws": draws,
        "seconds_per_draw": float(np.mean(seconds[warmup:])),
        "gradients_per_draw": float(np.mean(gradients[warmup:])),
        "warmup_gradients": int(np.sum(gradients[:warmup])),
        "acceptance": float(np.mean(acceptance[warmup:])),
        "step_size": float(state.adapt_state.step_size),
        "values": values,
        "reached": seen[-1],
        "scheme": words,
        "seen": seen,
        "total_seconds": ready + float(elapsed[-1]),
        "clock": {"iterations": list(range(1, len(seconds) + 1)), "seconds": (ready + elapsed).tolist()},
    }
