"""The joint test of Geweke (2004) for Hamiltonian, Langevin and rotation kernels on tiny networks.

Weights from the prior, targets from the likelihood given them, then iterations of the kernel under test at these
targets. Weights and targets keep the joint law that they began with, so that the mean change of every statistic is
zero: 14 are compared with the standard errors of their changes over repetitions. (Jumps: `tests.sampling.
jump_exactness`.)
"""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats

from nonlazy.sampling.kernels._potential import Architecture, Position, Problem, outputs, preactivations
from tests.sampling.exact_rank import Case, Kernel


STATISTICS = 14
REPETITIONS = 8000
_ITERATIONS = 3


def p_value(case: Case, kernel: Kernel, seed: int, believed: Problem | None = None) -> float:
    """Of the largest mean change of the statistics, by Bonferroni; `believed` is the kernel's problem."""
    true = case.problem()
    believed = true if believed is None else believed
    architecture = case.architecture
    N, m = case.posterior.network.width, case.posterior.task.m

    def repetition(key):
        keys = jax.random.split(key, 5)
        start = Position(
            jax.random.normal(keys[0], (N, case.coordinates.rank)),
            tuple(jax.random.normal(jax.random.fold_in(keys[1], l), (N, N)) for l in range(architecture.depth - 1)),
            jax.random.normal(keys[2], (m, N)),
        )
        f = outputs(architecture, true, start, preactivations(architecture, true, start)[-1])
        targets = f + jnp.sqrt(1.0 / true.inverse_noise) * jax.random.normal(keys[3], f.shape)
        mine = believed._replace(targets=targets)

        def step(position, key):
            return kernel(architecture, mine, position, key), None

        end, _ = jax.lax.scan(step, start, jax.random.split(keys[4], _ITERATIONS))
        return statistics(architecture, mine, end) - statistics(architecture, mine, start)

    change = np.asarray(jax.jit(jax.vmap(repetition))(jax.random.split(jax.random.key(seed), REPETITIONS)), float)
    assert change.shape[1] == STATISTICS
    # Linear readouts of what a kernel keeps to rounding, as rotations keep the outputs, change by rounding alone.
    error = np.maximum(change.std(axis=0) / np.sqrt(REPETITIONS), 1e-6)
    z = np.abs(change.mean(axis=0)) / error
    return float(min(1.0, STATISTICS * 2 * scipy.stats.norm.sf(z.max())))


def statistics(architecture: Architecture, problem: Problem, position: Position) -> jax.Array:
    """Of weights and targets; none depends on the order of the neurons."""
    z = preactivations(architecture, problem, position)[-1]
    phi, a = architecture.phi(z), position.readout
    f, Y = outputs(architecture, problem, position, z), problem.targets
    norms = jnp.sum(a**2, axis=0)
    return jnp.stack(
        [
            jnp.sum((f - Y) ** 2),
            jnp.sum(f * Y),
            jnp.sum(f**2),
            jnp.sum(norms),
            jnp.sum(norms**2),
            jnp.max(norms),
            jnp.sum(a[0] * a[1]) ** 2,
            jnp.sum(position.first**2),
            jnp.sum(z**2),
            jnp.max(jnp.abs(z)),
            jnp.sum(phi),
            jnp.sum(phi[:, 0] * phi[:, -1]),
            jnp.sum((a * Y[:, :1]) @ phi[:, 0]),
            jnp.sum(norms * jnp.sum(phi**2, axis=1)),
        ]
    )
