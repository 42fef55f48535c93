"""Two tests that jumps leave the posterior invariant, for every kind of them.

**Joint test** (Geweke 2004), without a reference sampler: weights from the prior, targets from the likelihood given
them, then sweeps. At every number of sweeps weights and targets must have the joint law that they started with, so that
the mean change of any statistic is zero. Each of 14 is compared with the standard error of its change over repetitions;
|z| < 5 is a false alarm in 1 of 10^5 runs.

**Against trajectories**: 22 statistics of sweeps, with and without trajectories, against trajectories alone; |z| < 5
with errors from 32 independent chains each (Student t, 62 degrees of freedom): a false alarm in 1 of 7,000 runs.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nonlazy import Posterior
from nonlazy.sampling import _engine
from nonlazy.sampling._coordinates import coordinates
from nonlazy.sampling._samplers import resolve_sampler
from nonlazy.sampling._schedule import sampling_phase
from nonlazy.sampling.kernels import _feature_jump, _general_jump, _jump
from nonlazy.sampling.kernels._collapsed import Collapsed, features
from nonlazy.sampling.kernels._feature_jump import given_below
from nonlazy.sampling.kernels._jump_attempts import Settings, nearest
from nonlazy.sampling.kernels._potential import Position


Z_LIMIT = 5.0


class Subject(NamedTuple):
    """A kind of jump for one posterior.

    - `sweep(settings, problem, table, position, key)`; `features(problem, position)`: U of the feature layer.
    - `collapsed(problem)`, and `changed(problem, collapsed)` with other numbers in it.
    """

    posterior: Posterior
    problem: Any
    make_table: Callable
    sweep: Callable
    features: Callable
    collapsed: Callable[[Any], Collapsed]
    changed: Callable[[Any, Collapsed], Any]

    def random(self, first_key: jax.Array, readout_key: jax.Array) -> Position:
        """A draw from the prior."""
        network = self.posterior.network
        N, rank = network.width, coordinates(self.posterior).rank
        hidden = [jax.random.normal(jax.random.fold_in(first_key, l), (N, N)) for l in range(1, network.depth)]
        readout = jax.random.normal(readout_key, (self.posterior.task.m, N))
        return Position(jax.random.normal(first_key, (N, rank)), tuple(hidden), readout)


def independent(posterior: Posterior) -> Subject:
    """Jumps on orthogonal inputs."""
    phi = posterior.network.phi
    return Subject(
        posterior,
        jax.tree.map(jnp.asarray, _jump.make_problem(posterior)),
        functools.partial(_jump.make_table, phi),
        functools.partial(_jump.sweep_traced, phi),
        lambda problem, position: features(phi, problem, position.first),
        lambda problem: problem,
        lambda problem, collapsed: collapsed,
    )


def correlated(posterior: Posterior) -> Subject:
    """Jumps on any inputs."""
    phi = posterior.network.phi
    return Subject(
        posterior,
        jax.tree.map(jnp.asarray, _general_jump.make_problem(posterior, coordinates(posterior))),
        functools.partial(_general_jump.make_table, phi),
        functools.partial(_general_jump.sweep_traced, phi),
        lambda problem, position: _general_jump.features_of(phi, problem, position.first),
        lambda problem: problem.collapsed,
        lambda problem, collapsed: problem._replace(collapsed=collapsed),
    )


def in_feature_layer(posterior: Posterior) -> Subject:
    """Jumps in the feature layer of a deep network."""
    phi = posterior.network.phi

    def of_features(problem, position):
        given = given_below(phi, problem, position)
        return _general_jump.features_of(phi, given, position.hidden[-1])

    def changed(problem, collapsed):
        return problem._replace(feature=problem.feature._replace(collapsed=collapsed))

    return Subject(
        posterior,
        jax.tree.map(jnp.asarray, _feature_jump.make_problem(posterior, coordinates(posterior))),
        functools.partial(_feature_jump.make_table, phi),
        functools.partial(_feature_jump.sweep_traced, phi),
        of_features,
        lambda problem: problem.feature.collapsed,
        changed,
    )


# Sweeps that reach every state by themselves.
ALONE = Settings(redraw=True, fresh=1.0)


def joint_test(subject: Subject, table, settings: Settings, noise_factor, repetitions: int, sweeps=3, seed: int = 0):
    """The largest |z| of 14 mean changes, and proposals, acceptances and accepted flips a repetition, for each factor.

    `noise_factor`: the noise variance that the sweeps believe in, over that of the targets.
    """
    P, m = subject.posterior.task.P, subject.posterior.task.m

    def statistics(problem, position):
        collapsed, a = subject.collapsed(problem), position.readout
        rows = position.hidden[-1] if position.hidden else position.first
        U = subject.features(problem, position)
        F, value = a @ U, U / collapsed.gain
        labels = nearest(table, (a / np.sqrt(P)).astype(jnp.float32))
        counts = [jnp.sum(labels == g).astype(jnp.float64) for g in range(3)]
        return jnp.stack(
            [
                # No likelihood here: two batched factorisations at once can lock the threads of jaxlib's LAPACK.
                jnp.sum((U @ collapsed.targets) ** 2),
                jnp.sum((collapsed.targets.T - F) ** 2),
                jnp.sum(F * collapsed.targets.T),
                jnp.sum(a * a),
                jnp.sum(jnp.abs(a[0] * a[1])),
                jnp.sum(rows**2),
                jnp.sum(value),
                jnp.sum(value @ value.T),
                jnp.sum(jnp.mean(value, axis=1) ** 2),
                jnp.sum(a[0] * value[:, 0]),
                jnp.max(rows),
                *counts[:2],
                counts[0] ** 2,
            ]
        )

    def repetition(key, noise_factor):
        keys = jax.random.split(key, 4)
        start = subject.random(keys[0], keys[1])
        collapsed = subject.collapsed(subject.problem)
        noise = jnp.sqrt(collapsed.noise) * jax.random.normal(keys[2], (P, m))
        targets = (start.readout @ subject.features(subject.problem, start)).T + noise
        true = subject.changed(subject.problem, collapsed._replace(targets=targets))
        believed = subject.changed(true, collapsed._replace(targets=targets, noise=noise_factor * collapsed.noise))

        def step(position, key):
            return subject.sweep(settings, believed, table, position, key)

        end, info = jax.lax.scan(step, start, jax.random.split(keys[3], sweeps))
        flips = info.flips.accepted if hasattr(info, "flips") else jnp.zeros(1)
        counts = (jnp.sum(x) for x in (info.proposed, info.accepted, flips))
        return statistics(true, end) - statistics(true, start), *counts

    run = jax.jit(jax.vmap(repetition, in_axes=(0, None)))
    results = []
    for factor in np.atleast_1d(noise_factor):
        change, *counts = jax.device_get(run(jax.random.split(jax.random.key(seed), repetitions), factor))
        z = change.mean(axis=0) / (change.std(axis=0) / np.sqrt(repetitions))
        results.append((np.abs(z).max(), *(count.mean() for count in counts)))
    return results


def trajectories(posterior: Posterior, dtype: type = np.float32):
    """One iteration of Hamiltonian Monte Carlo as a function of state, chain and index, and a first state."""
    sampler, where = resolve_sampler(None, posterior), coordinates(posterior)
    kernel = _engine.make_kernel(posterior, where, sampler, None)
    phase = sampling_phase(posterior, sampler, None, 1)
    potential = _engine.make_problem(posterior, where, sampler, phase, posterior.temperature, dtype)
    control = _engine.make_control(posterior, sampler, phase, posterior.temperature, dtype)
    return functools.partial(_engine.iterate, kernel, potential, control)


def state_of(position: Position, step_size: float) -> _engine.State:
    dtype = position.readout.dtype
    zero = jnp.zeros((), dtype)
    return _engine.State(position, jnp.log(jnp.asarray(step_size, dtype)), zero, zero)


def relaxed(posterior: Posterior, position: Position, step_size: float, iterations: int) -> _engine.State:
    """A state after some trajectories."""
    iterate = jax.jit(trajectories(posterior, position.readout.dtype.type))
    state = state_of(position, step_size)
    for index in range(iterations):
        state, _ = iterate(state, np.int32(1), np.int32(0), np.int32(index))
    return state


def against_trajectories(subject: Subject, start: _engine.State, hmc: bool, settings: Settings, draws: int = 2500):
    """z of 22 statistics, and changes accepted a sweep; `hmc`: whether a trajectory comes before every sweep."""
    posterior = subject.posterior
    iterate = trajectories(posterior, np.float64)
    table = jax.tree.map(jnp.asarray, subject.make_table(subject.problem, start.position))
    chains, warmup = 32, 300
    collapsed = subject.collapsed(subject.problem)

    def statistics(position):
        U = subject.features(subject.problem, position)
        F, value = position.readout @ U, U / collapsed.gain
        means = value @ collapsed.members / jnp.sum(collapsed.members, axis=0)
        counts = jnp.bincount((means > 0.5).astype(jnp.int32) @ jnp.array([4, 2, 1]), length=8).astype(jnp.float64)
        a2 = jnp.sum(position.readout**2)
        kernel = value.T @ value / value.shape[0]
        others = [
            counts[1] ** 2, counts[1] * counts[6], jnp.sum((F - collapsed.targets.T) ** 2), a2, a2**2,
            jnp.sum(position.first**2), kernel[0, 0], kernel[0, 1], kernel[0, 3], kernel[2, 5], F[0, 0], F[1, 2],
            jnp.sum(position.readout[0] * position.readout[1]), jnp.max(jnp.sum(position.readout**2, axis=0)),
        ]  # fmt: skip
        return jnp.concatenate([counts, jnp.stack(others)])

    def chain(key, jumping):
        number = jax.random.randint(key, (), 0, 2**30)

        def step(carry, index):
            state, total, accepted = carry
            if not jumping or hmc:
                state, _ = iterate(state, jnp.int32(5), number, index)
            if jumping:
                key = jax.random.fold_in(jax.random.fold_in(jax.random.key(6), number), index)
                position, info = subject.sweep(settings, subject.problem, table, state.position, key)
                state, accepted = state._replace(position=position), accepted + info.accepted
            return (state, total + jnp.where(index >= warmup, statistics(state.position), 0.0), accepted), None

        first = (start, jnp.zeros(22), jnp.zeros((), jnp.int32))
        (_, total, accepted), _ = jax.lax.scan(step, first, jnp.arange(warmup + draws, dtype=jnp.int32))
        return total / draws, accepted / (warmup + draws)

    keys = jax.random.split(jax.random.key(8), (2, chains))
    (ours, accepted), (theirs, _) = (
        jax.device_get(jax.jit(jax.vmap(functools.partial(chain, jumping=jumping)))(keys[k]))
        for k, jumping in enumerate((True, False))
    )
    error = np.sqrt((ours.var(axis=0, ddof=1) + theirs.var(axis=0, ddof=1)) / chains)
    z = (ours.mean(axis=0) - theirs.mean(axis=0)) / np.maximum(error, 1e-12)
    return z, accepted.mean()
