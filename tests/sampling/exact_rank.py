"""The exact rank test of Gandy & Scott (arXiv 2001.06465, algorithm 2) for the posterior kernels, on tiny networks.

A draw from the prior, data from the likelihood given it, and a chain run from it forwards and backwards by the
reversible kernel under test: at stationarity the draw is exchangeable with the other states, so that the rank of any
statistic of it among theirs is exactly uniform. Nothing has to converge and no error has to be estimated, so the
p-values are calibrated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats

from nonlazy import Network, Posterior, tasks
from nonlazy.sampling._coordinates import Coordinates, coordinates
from nonlazy.sampling._engine import make_kernel, make_problem
from nonlazy.sampling._samplers import HMC
from nonlazy.sampling._schedule import Phase
from nonlazy.sampling.kernels._potential import Architecture, Position, Problem, outputs, preactivations


STATES = 16
REPETITIONS = 2048
# Five statistics are tested in one call, by Bonferroni; a correct kernel fails one call in a hundred thousand.
FALSE_ALARM = 1e-5

Kernel = Callable[[Architecture, Problem, Position, jax.Array], Position]


@dataclass(frozen=True)
class Case:
    """A tiny posterior."""

    posterior: Posterior
    coordinates: Coordinates
    architecture: Architecture

    def problem(self, temperature: float | None = None) -> Problem:
        """The potential, at the posterior's or at another temperature."""
        T = self.posterior.temperature if temperature is None else temperature
        return make_problem(self.posterior, self.coordinates, HMC(), Phase("test", 1, (T, T)), T, np.float32)


def tiny(activation: str, *, depth: int = 1, readout="non-lazy", orthogonal: bool = True, T: float = 0.1) -> Case:
    """Four neurons, three inputs, two outputs; `orthogonal` inputs or correlated ones."""
    generator = np.random.default_rng(1)
    if orthogonal:
        task = tasks.toy(P=3, N0=4, class_ratios=(0.5, 0.5), y_minus=-0.5, seed=1)
    else:
        X = generator.standard_normal((3, 4)) + 1.0
        task = tasks.from_arrays(X, np.array([[1.0, -0.5], [1.0, -0.5], [-0.5, 1.0]]), labels=np.array([0, 0, 1]))
    posterior = Posterior(Network(4, depth, activation, readout), task, T, readout_variance=1.0)
    where = coordinates(posterior)
    return Case(posterior, where, make_kernel(posterior, where, HMC(), None).architecture)


def p_value(case: Case, kernel: Kernel, seed: int, problem: Problem | None = None) -> float:
    """The smallest p-value of the five statistics' ranks, times five; `problem` is what the kernel believes."""
    believed = case.problem() if problem is None else problem
    true = case.problem()
    noise = jnp.sqrt(1.0 / true.inverse_noise)
    N, r, m = case.posterior.network.width, case.coordinates.rank, case.posterior.task.m

    def repetition(key):
        keys = jax.random.split(key, 8)
        position = Position(
            jax.random.normal(keys[0], (N, r)),
            tuple(
                jax.random.normal(jax.random.fold_in(keys[1], l), (N, N)) for l in range(case.architecture.depth - 1)
            ),
            jax.random.normal(keys[2], (m, N)),
        )
        last = preactivations(case.architecture, true, position)[-1]
        f = outputs(case.architecture, true, position, last)
        targets = f + noise * jax.random.normal(keys[3], f.shape)
        mine = believed._replace(targets=targets)

        def step(carry, key):
            # The statistics of a state are always computed here, by the same compiled code: equal states tie exactly.
            return kernel(case.architecture, mine, carry, key), statistics(case.architecture, mine, carry)

        # A forward and a backward run, each with the draw as its first state, both long enough for every place of the
        # draw among STATES states.
        _, forwards = jax.lax.scan(step, position, jax.random.split(keys[4], STATES))
        _, backwards = jax.lax.scan(step, position, jax.random.split(keys[5], STATES))
        place = jax.random.randint(keys[6], (), 0, STATES)
        index = jnp.arange(1, STATES)
        others = jnp.where(
            (index <= place)[:, None], backwards[index], forwards[jnp.clip(index - place, 0, STATES - 1)]
        )
        below = jnp.sum(others < forwards[0], axis=0)
        ties = jnp.sum(others == forwards[0], axis=0)
        return below + jnp.floor(jax.random.uniform(keys[7], below.shape) * (ties + 1)).astype(jnp.int32)

    ranks = np.asarray(jax.jit(jax.vmap(repetition))(jax.random.split(jax.random.key(seed), REPETITIONS)))
    counts = np.stack([np.bincount(column, minlength=STATES) for column in ranks.T])
    return float(min(1.0, counts.shape[0] * min(scipy.stats.chisquare(row).pvalue for row in counts)))


def statistics(architecture: Architecture, problem: Problem, position: Position) -> jax.Array:
    """Loss, |a|^2, |z|^2, largest |a_i|^2 and a kernel entry: none depends on the order of the neurons."""
    last = preactivations(architecture, problem, position)[-1]
    residual = outputs(architecture, problem, position, last) - problem.targets
    norms = jnp.sum(position.readout**2, axis=0)
    phi = architecture.phi(last)
    return jnp.stack(
        [jnp.sum(residual**2), jnp.sum(norms), jnp.sum(last**2), jnp.max(norms), jnp.sum(phi[:, 0] * phi[:, -1])]
    )
