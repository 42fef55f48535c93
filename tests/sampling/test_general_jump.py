"""Jumps on correlated inputs: the wells, the transport, and that a sweep leaves the posterior invariant.

Invariance is tested as in `test_jump`, by Geweke's joint test: each of 14 statistics has mean change zero over sweeps
that start from weights of the prior and targets of the likelihood; |z| < 5 is a false alarm in 1 of 10^5 runs.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nonlazy import Network, Posterior
from nonlazy.sampling._coordinates import coordinates
from nonlazy.sampling._starts import Prior, initial
from nonlazy.sampling.kernels import _general_jump, _general_table, _general_wells as wells, _jump, _jump_table
from nonlazy.sampling.kernels._collapsed import invert
from nonlazy.sampling.kernels._general_jump import features_of, sweep, sweep_traced
from nonlazy.sampling.kernels._general_table import General
from nonlazy.sampling.kernels._jump import Settings
from nonlazy.sampling.kernels._potential import Position
from tests.sampling.small_posteriors import general_task
from tests.sampling.test_jump import Z_LIMIT, planted, posterior_of, state_of, trajectories


def problem_of(posterior: Posterior) -> General:
    return jax.tree.map(jnp.asarray, _general_table.make_problem(posterior, coordinates(posterior)))


def correlated(N: int, P: int, T: float, *, rank: int | None = None, N0: int = 12, **settings) -> Posterior:
    return Posterior(Network(N), general_task(P, N0, rank=rank), T, **settings)


@pytest.fixture(scope="module")
def coded():
    """The orthogonal task's posterior and relaxed state of `test_jump`: there the two kinds of moves meet."""
    posterior = posterior_of(80, 80, 5e-3)
    iterate = jax.jit(trajectories(posterior))
    state = state_of(planted(posterior, (20, 20, 20, 20), dtype=np.float32), 0.03)
    for index in range(40):
        state, _ = iterate(state, np.int32(1), np.int32(0), np.int32(index))
    return posterior, state.position


# The wells.


def example_well(posterior: Posterior, problem: General):
    rng = np.random.default_rng(3)
    r = problem.factor.shape[1]
    first = jnp.asarray(rng.standard_normal((posterior.network.width, r)))
    inverse = invert(problem.collapsed, features_of(posterior.network.phi, problem, first))
    fields, _, _ = wells.fields_of(problem.collapsed, inverse, features_of(posterior.network.phi, problem, first[:2]))
    one = wells.Fields(*(x if axis is None else x[0] for x, axis in zip(fields, wells.BY_NEURON, strict=True)))
    mixing = rng.standard_normal((r, r))
    lower = jnp.linalg.cholesky(jnp.asarray(mixing @ mixing.T / r + np.eye(r)))
    shape = wells.shape_of(problem.factor, lower)
    a, c = jnp.asarray(rng.standard_normal(posterior.task.m)), jnp.asarray(rng.standard_normal(r))
    return jax.tree.map(lambda x: x.astype(jnp.float64), one), shape, lower, a, c


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_gradients_of_a_well_are_those_of_its_bound(float64, activation):
    posterior = Posterior(Network(6, 1, activation), general_task(5, 9), 0.1, 0.7, 1.3)
    problem, phi = problem_of(posterior), posterior.network.phi
    fields, shape, _, a, c = example_well(posterior, problem)

    def at(a, c):
        return wells._expand(phi, problem.factor, fields, shape, a, c)

    here = jax.jit(at)(a, c)
    by_readout, by_centre = jax.jit(jax.grad(lambda a, c: at(a, c).bound, (0, 1)))(a, c)
    # The quadrature of 11 points and Stein's lemma agree to its own error.
    np.testing.assert_allclose(here.readout, by_readout, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(here.centre, by_centre, rtol=1e-3, atol=1e-3)
    mixed = jax.jit(jax.jacfwd(lambda a: at(a, c).centre))(a)
    np.testing.assert_allclose(problem.factor.T @ here.mixed, mixed, rtol=1e-3, atol=1e-3)


def test_the_bound_is_the_average_of_the_target_less_the_divergence(float64):
    posterior = Posterior(Network(6), general_task(5, 9), 0.1, 0.7, 1.3)
    problem, phi = problem_of(posterior), posterior.network.phi
    fields, shape, lower, a, c = example_well(posterior, problem)
    tight = wells.Shape(0.01 * shape.covariance, 0.01 * shape.spread, jnp.zeros(()))
    matrix = fields.M + fields.boost * jnp.outer(fields.v, fields.v)
    rng = np.random.default_rng(4)
    # Pairs of draws at c +- x cancel what is odd; the spread is small, so that pairs of inputs enter to second order.
    x = 0.1 * np.linalg.solve(np.asarray(lower).T, rng.standard_normal((lower.shape[0], 200_000)))
    u = np.asarray(c)[:, None] + np.concatenate([x, -x], axis=1)
    value = np.asarray(phi(np.asarray(problem.factor) @ u))
    P, square = 5, float(a @ a)
    target = -0.5 * P * square - 0.5 * np.sum(u * u, axis=0) + np.asarray(a @ fields.t) @ value
    target -= 0.5 * square * np.sum(value * (np.asarray(matrix) @ value), axis=0)
    half = target[: x.shape[1]] + target[x.shape[1] :]
    expected, error = 0.5 * half.mean(), 0.5 * half.std() / np.sqrt(half.size)
    # The bound counts |u|^2 at the centre; the trace belongs to the divergence.
    bound = wells._expand(phi, problem.factor, fields, tight, a, c).bound - 0.5 * jnp.trace(tight.covariance)
    assert abs(float(bound) - expected) < 5 * error + 0.02 * abs(0.5 * square * float(jnp.trace(tight.spread)))


def test_wells_of_orthogonal_inputs_are_those_of_the_other_move(coded):
    posterior, position = coded
    phi = posterior.network.phi
    problem = _general_table.make_problem(posterior, coordinates(posterior))
    ours = _general_table.make_table(phi, problem, position)
    theirs = _jump_table.make_table(phi, _jump_table.make_problem(posterior), position)
    found = ours.readout[: int(ours.count)]
    assert int(theirs.count) >= 4
    for readout in theirs.readout[: int(theirs.count)]:
        # Two approximations of the same wells; posterior deviations are 1/sqrt(80) = 0.11.
        assert np.linalg.norm(found - readout, axis=1).min() < 0.05


def test_a_gaussian_reference_carries_its_draws_over(float64):
    posterior = Posterior(Network(6), general_task(5, 9), 0.1, 0.7, 1.3)
    rng = np.random.default_rng(5)
    r = problem_of(posterior).factor.shape[1]
    old, new = (
        wells.Gaussian(
            jnp.asarray(rng.standard_normal(r)), jnp.asarray(np.tril(rng.uniform(0.5, 1.5, (r, r)) + np.eye(r)))
        )
        for _ in range(2)
    )
    z = jnp.asarray(rng.standard_normal(r))

    def transport(there, back, z):
        return _general_jump.place(back, _general_jump.standardise(there, z))

    moved = transport(old, new, z)
    np.testing.assert_allclose(transport(new, old, moved), z, atol=1e-10)
    volume = jnp.linalg.slogdet(jax.jacfwd(functools.partial(transport, old, new))(z))[1]
    ratio = _general_jump.log_density(old, z) - _general_jump.log_density(new, moved)
    np.testing.assert_allclose(volume, ratio, atol=1e-9)


# Sweeps.


def test_a_sweep_keeps_the_precision_and_repeats_itself(coded):
    posterior, position = coded
    phi = posterior.network.phi
    problem = _general_table.make_problem(posterior, coordinates(posterior))
    table = _general_table.make_table(phi, problem, position)
    new, info = sweep(phi, problem, table, position, jax.random.key(3))
    again, _ = sweep(phi, problem, table, position, jax.random.key(3))
    assert new.first.dtype == new.readout.dtype == jnp.float32
    assert int(info.proposed) >= int(info.accepted) > 0
    assert float(info.drift) < 1e-9
    changed = np.any(np.asarray(new.first) != np.asarray(position.first), axis=1).sum()
    assert changed <= int(info.accepted) + 3 * int(info.flips.accepted)
    for one, other in zip(new[::2], again[::2], strict=True):
        np.testing.assert_array_equal(one, other)


class Case(NamedTuple):
    """A posterior and the table's first two components of three labels' readouts."""

    N: int
    P: int
    T: float
    readout_variance: float
    weight_variance: float
    readouts: tuple[tuple[float, float], ...]


# Labels overlap: many changes of code are accepted.
LOOSE = Case(6, 6, 0.01, 1.3 / 6, 0.8, ((0.4, 0.0), (-0.2, 0.35), (-0.2, -0.35)))
# Fewer neurons than inputs: the cavity holds directions that only the noise limits, and the sizes of the readouts set
# the volumes of the references; they differ.
TIGHT = Case(4, 7, 0.005, 2 / 7, 3.0, ((0.1, 0.0), (-0.6, 0.7), (0.7, -0.6)))
# No step is made: every well is where the table has it, and changes of code are large.
AS_TABLED = Settings(steps=0)
# Readouts are proposed from narrow peaks, whose density matters all the more.
NARROW = Settings(steps=0, inflation=0.2)


def table_of_three(problem: General, m: int, readouts) -> wells.Table:
    """Three labels, all with the preactivations of the prior."""
    r = problem.factor.shape[1]
    readout = np.zeros((8, m), np.float32)
    readout[:3, :2] = readouts
    factor = np.asarray(problem.factor)
    return jax.tree.map(
        jnp.asarray,
        wells.Table(
            readout,
            np.zeros((8, r), np.float32),
            np.tile(np.eye(r, dtype=np.float32), (8, 1, 1)),
            np.tile((factor @ factor.T).astype(np.float32), (8, 1, 1)),
            np.zeros(8, np.float32),
            np.asarray(3, np.int32),
        ),
    )


def joint_test(case: Case, settings: Settings, noise_factor, repetitions: int, seed: int = 0, rank=None):
    """z of the mean change of 14 statistics, and proposals, acceptances and accepted flips a repetition."""
    N, P, sweeps = case.N, case.P, 3
    posterior = correlated(
        N, P, case.T, rank=rank, readout_variance=case.readout_variance, weight_variance=case.weight_variance
    )
    problem, phi, m = problem_of(posterior), posterior.network.phi, posterior.task.m
    r = problem.factor.shape[1]
    table = table_of_three(problem, m, case.readouts)

    def statistics(problem, position):
        collapsed = problem.collapsed
        U, a = features_of(phi, problem, position.first), position.readout
        F, value = a @ U, U / collapsed.gain
        labels = _general_jump.nearest(table, (a / np.sqrt(P)).astype(jnp.float32))
        counts = [jnp.sum(labels == g).astype(jnp.float64) for g in range(3)]
        return jnp.stack(
            [
                jnp.sum((U @ collapsed.targets) ** 2),
                jnp.sum((collapsed.targets.T - F) ** 2),
                jnp.sum(F * collapsed.targets.T),
                jnp.sum(a * a),
                jnp.sum(jnp.abs(a[0] * a[1])),
                jnp.sum(position.first**2),
                jnp.sum(value),
                jnp.sum(value @ value.T),
                jnp.sum(jnp.mean(value, axis=1) ** 2),
                jnp.sum(a[0] * value[:, 0]),
                jnp.max(position.first),
                *counts[:2],
                counts[0] ** 2,
            ]
        )

    def repetition(key, noise_factor):
        keys = jax.random.split(key, 4)
        start = Position(jax.random.normal(keys[0], (N, r)), (), jax.random.normal(keys[1], (m, N)))
        noise = jnp.sqrt(problem.collapsed.noise) * jax.random.normal(keys[2], (P, m))
        targets = (start.readout @ features_of(phi, problem, start.first)).T + noise
        true = problem._replace(collapsed=problem.collapsed._replace(targets=targets))
        believed = true._replace(collapsed=true.collapsed._replace(noise=noise_factor * true.collapsed.noise))

        def step(position, key):
            return sweep_traced(phi, settings, believed, table, position, key)

        end, info = jax.lax.scan(step, start, jax.random.split(keys[3], sweeps))
        counts = (jnp.sum(x) for x in (info.proposed, info.accepted, info.flips.accepted))
        return statistics(true, end) - statistics(true, start), *counts

    run = jax.jit(jax.vmap(repetition, in_axes=(0, None)))
    results = []
    for factor in np.atleast_1d(noise_factor):
        change, *counts = jax.device_get(run(jax.random.split(jax.random.key(seed), repetitions), factor))
        z = change.mean(axis=0) / (change.std(axis=0) / np.sqrt(repetitions))
        results.append((np.abs(z).max(), *(count.mean() for count in counts)))
    return results


@pytest.mark.statistical
def test_a_sweep_leaves_weights_and_targets_jointly_as_they_are(float64):
    right, wrong = joint_test(LOOSE, Settings(), [1.0, 1.2], 4000)
    assert right[0] < Z_LIMIT
    # Power: changes are made, and a temperature off by a fifth is found.
    assert right[2] > 1.0 and right[3] > 1.0
    assert wrong[0] > 2 * Z_LIMIT


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("wrong", "settings"),
    [
        # The volume of the transport, the density of the readout, and the cavity's part of Q_i u.
        ((_general_jump, "log_density", lambda reference, z: 0.0 * jnp.sum(z)), AS_TABLED),
        ((_jump, "log_student", lambda settings, wells, label, a, P: 0.0 * jnp.sum(a)), NARROW),
        ((_general_jump, "apply", lambda inverse, cavity, u: inverse.matrix @ u), AS_TABLED),
    ],
    ids=["volume", "student", "cavity"],
)
def test_what_is_left_out_of_the_ratio_is_found(float64, monkeypatch, wrong, settings):
    monkeypatch.setattr(*wrong)
    ((largest, *_),) = joint_test(TIGHT, settings, 1.0, 40000)
    assert largest > 2 * Z_LIMIT


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("case", "settings", "rank"),
    [
        (LOOSE, Settings(), None),
        (LOOSE, Settings(), 4),
        (LOOSE, Settings(redraw=True, fresh=0.5), None),
        (LOOSE, Settings(block=1, steps=1), None),
        (TIGHT, AS_TABLED, None),
        (TIGHT, NARROW, None),
    ],
)
def test_many_repetitions_find_no_error(float64, case, settings, rank):
    ((largest, _, accepted, _),) = joint_test(case, settings, 1.0, 20000, seed=7, rank=rank)
    assert largest < Z_LIMIT and accepted > 0.01


@pytest.mark.statistical
@pytest.mark.parametrize("hmc", [1, 0])
def test_networks_on_correlated_inputs_agree_with_hamiltonian_monte_carlo(float64, hmc):
    """Codes, kernels and outputs at N = 12, P = 8: sweeps with and without trajectories against trajectories alone.

    22 statistics, |z| < 5 with errors from 32 independent chains each (Student t, 62 degrees of freedom): a false alarm
    in 1 of 7,000 runs.
    """
    task = general_task(8, 12, classes=3)
    posterior = Posterior(Network(12), task, 0.15)
    problem, phi = problem_of(posterior), posterior.network.phi
    collapsed, where = problem.collapsed, coordinates(posterior)
    iterate = trajectories(posterior, np.float64)
    first, _, readout = initial(Prior(), posterior, where, (1, 0))
    start = Position(jnp.asarray(first), (), jnp.asarray(readout))
    relaxed = state_of(start, 0.15)
    for index in range(50):
        relaxed, _ = jax.jit(iterate)(relaxed, np.int32(4), np.int32(0), np.int32(index))
    table = jax.tree.map(jnp.asarray, _general_table.make_table(phi, problem, relaxed.position))
    settings = Settings() if hmc else Settings(redraw=True, fresh=1.0)
    chains, warmup, draws = 32, 300, 2500

    def statistics(position):
        U = features_of(phi, problem, position.first)
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
                position, info = sweep_traced(phi, settings, problem, table, state.position, key)
                state, accepted = state._replace(position=position), accepted + info.accepted
            return (state, total + jnp.where(index >= warmup, statistics(state.position), 0.0), accepted), None

        start = (relaxed, jnp.zeros(22), jnp.zeros((), jnp.int32))
        (_, total, accepted), _ = jax.lax.scan(step, start, jnp.arange(warmup + draws, dtype=jnp.int32))
        return total / draws, accepted / (warmup + draws)

    keys = jax.random.split(jax.random.key(8), (2, chains))
    (ours, accepted), (theirs, _) = (
        jax.device_get(jax.jit(jax.vmap(functools.partial(chain, jumping=jumping)))(keys[k]))
        for k, jumping in enumerate((True, False))
    )
    assert accepted.mean() > 0.2
    error = np.sqrt((ours.var(axis=0, ddof=1) + theirs.var(axis=0, ddof=1)) / chains)
    z = (ours.mean(axis=0) - theirs.mean(axis=0)) / np.maximum(error, 1e-12)
    assert np.all(np.abs(z) < Z_LIMIT), np.round(z, 2)
