"""Neurons that change code: the algebra, the transport, and that a sweep leaves the posterior invariant.

How invariance is tested is told in `jump_exactness`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nonlazy import Network, Posterior, tasks
from nonlazy.sampling.kernels import _collapsed, _jump, _jump_attempts, _jump_reference, _jump_wells as wells
from nonlazy.sampling.kernels._collapsed import Collapsed, features, invert
from nonlazy.sampling.kernels._jump import sweep
from nonlazy.sampling.kernels._jump_attempts import DEFAULT, Candidate, Settings
from nonlazy.sampling.kernels._jump_table import make_problem, make_table
from nonlazy.sampling.kernels._potential import Position
from tests.sampling.jump_exactness import (
    ALONE,
    Z_LIMIT,
    Subject,
    against_trajectories,
    independent,
    joint_test,
    relaxed,
    state_of,
    trajectories,
)
from tests.sampling.small_posteriors import small_posterior


# Changes of code in a sweep of 12 neurons, or the comparison says nothing.
ACCEPTED = 0.1
CODES = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]])


def posterior_of(N: int, P: int, T: float, **settings) -> Posterior:
    task = tasks.toy(P=P, N0=P + 1, class_ratios=(0.5, 0.25, 0.25), y_minus=0.5, seed=0)
    return Posterior(Network(N), task, T, **settings)


def problem_of(posterior: Posterior) -> Collapsed:
    return jax.tree.map(jnp.asarray, make_problem(posterior))


def planted(posterior: Posterior, counts, seed: int = 0, dtype: type = np.float64) -> Position:
    """Neurons in the codes of the task with y- = 1/2, `counts` of each, and their exact readouts."""
    rng = np.random.default_rng(seed)
    code = np.repeat(CODES, counts, axis=0)[:, posterior.task.labels]
    first = 1.3 * (2.0 * code - 1.0) + 0.5 * rng.standard_normal(code.shape)
    mean, covariance = posterior.readout_conditional(posterior.network.phi(first))
    noise = np.linalg.cholesky(covariance) @ rng.standard_normal(mean.shape)
    readout = (mean + noise) / np.sqrt(posterior.sigma_a2)
    return Position(jnp.asarray(first, dtype), (), jnp.asarray(readout.T, dtype))


@pytest.fixture(scope="module")
def coded():
    """A posterior with four well separated codes and a relaxed state with a quarter of the neurons in each."""
    posterior = posterior_of(80, 80, 5e-3)
    position = planted(posterior, (20, 20, 20, 20), dtype=np.float32)
    return posterior, relaxed(posterior, position, 0.03, 40).position


def in_code_111(posterior: Posterior, first) -> int:
    phi = posterior.network.phi(np.asarray(first, np.float64))
    members = make_problem(posterior).members
    return int(np.all(phi @ members / members.sum(axis=0) > 0.5, axis=1).sum())


# The algebra.


@pytest.mark.parametrize("P", [128, 129, 300])
def test_the_inverse_by_blocks_is_the_inverse(P, float64):
    problem = problem_of(posterior_of(60, P, 1e-2))
    U = problem.gain * np.random.default_rng(P).standard_normal((60, P))
    C = U.T @ U + float(problem.noise) * np.eye(P)
    matrix = np.asarray(invert(problem, jnp.asarray(U)).matrix)
    # The rounding of a backward stable inversion.
    limit = P * np.finfo(np.float64).eps * np.linalg.cond(C)
    assert limit < 1e-6
    np.testing.assert_allclose(matrix @ C, np.eye(P), rtol=0, atol=limit)
    np.testing.assert_allclose(matrix, np.linalg.inv(C), rtol=0, atol=limit * np.abs(matrix).max())


def test_the_maintained_inverse_is_the_inverse(float64):
    posterior = small_posterior(width=5)
    problem, rng = problem_of(posterior), np.random.default_rng(0)
    phi, z = posterior.network.phi, rng.standard_normal((5, 4))
    U = features(phi, problem, jnp.asarray(z))
    inverse = invert(problem, U)
    C = np.asarray(U).T @ np.asarray(U) + float(problem.noise) * np.eye(4)
    np.testing.assert_allclose(inverse.matrix, np.linalg.inv(C), rtol=1e-9)

    cavity = _collapsed.cavity(inverse, U[2])
    without = np.linalg.inv(C - np.outer(U[2], U[2]))
    new = jnp.asarray(rng.standard_normal(4))
    np.testing.assert_allclose(cavity.dual, without @ posterior.task.Y, rtol=1e-9)
    applied = _collapsed.apply(inverse, cavity, new)
    np.testing.assert_allclose(applied, without @ new, rtol=1e-9)
    replaced = _collapsed.replace(problem, inverse, cavity, new, applied)
    for ours, theirs in zip(replaced, invert(problem, U.at[2].set(new)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("readout", ["non-lazy", "lazy"])
def test_the_target_is_the_posterior_with_the_other_readouts_integrated_out(float64, readout):
    posterior = small_posterior(width=5, readout=readout)
    problem, rng = problem_of(posterior), np.random.default_rng(1)
    phi, P, m = posterior.network.phi, 4, posterior.task.m
    first = jnp.asarray(rng.standard_normal((5, P)))

    def excess(row, a):
        # log p(a, z | Y) - log p(a | z, Y) - log p(z | Y): the same number for every a and z.
        changed = first.at[3].set(row)
        U = features(phi, problem, changed)
        inverse = invert(problem, features(phi, problem, first))
        cavity = _collapsed.cavity(inverse, inverse_features(inverse, first))
        state = Candidate(jnp.zeros((), jnp.int32), a / np.sqrt(P), row, U[3], _collapsed.apply(inverse, cavity, U[3]))
        mean, covariance = posterior.readout_conditional(np.asarray(phi(problem.scale * changed)))
        deviation = a - mean[3] / np.sqrt(posterior.sigma_a2)
        variance = covariance[3, 3] / posterior.sigma_a2
        conditional = -0.5 * jnp.sum(deviation**2) / variance - 0.5 * m * np.log(variance)
        collapsed = _collapsed.log_likelihood(problem, U) - 0.5 * jnp.sum(row**2)
        return _jump_attempts.log_target(cavity, state) - conditional - collapsed

    def inverse_features(inverse, first):
        return features(phi, problem, first)[3]

    values = [float(excess(jnp.asarray(rng.standard_normal(P)), jnp.asarray(rng.standard_normal(m)))) for _ in range(4)]
    np.testing.assert_allclose(values, values[0], atol=1e-7)


def test_readouts_are_drawn_from_their_exact_law(float64):
    posterior = small_posterior(width=3)
    problem, phi = problem_of(posterior), posterior.network.phi
    first = jnp.asarray(np.random.default_rng(2).standard_normal((3, 4)))
    U = features(phi, problem, first)
    inverse, draws = invert(problem, U), 20000
    one = functools.partial(_collapsed.draw_readouts, problem, inverse, U)
    a = np.asarray(jax.vmap(one)(jax.random.split(jax.random.key(0), draws))) * np.sqrt(posterior.sigma_a2)
    mean, covariance = posterior.readout_conditional(np.asarray(phi(problem.scale * first)))
    error = np.sqrt(np.diag(covariance) / draws)
    # 6 means and 6 variances, |z| < 5: a false alarm in 1 of 10^5 runs.
    assert np.all(np.abs(a.mean(axis=0) - mean.T) < Z_LIMIT * error)
    assert np.all(np.abs(a.var(axis=0) / np.diag(covariance) - 1) < Z_LIMIT * np.sqrt(2 / draws))


def test_quadrature_integrates_functions_of_phi(float64):
    problem = problem_of(posterior_of(4, 8, 0.1))
    z = np.linspace(-9, 9, 20001)
    phi = np.asarray(posterior_of(4, 8, 0.1).network.phi(z))
    weight = np.exp(-0.5 * z * z) / np.exp(-0.5 * z * z).sum()
    for eta, beta in ((15.0, 0.0), (-12.0, 4.0), (8.0, 20.0)):
        tilted = weight * np.exp(eta * phi - beta * phi**2 / 2)
        expected = np.log(tilted.sum()), (tilted @ phi) / tilted.sum(), (tilted @ phi**2) / tilted.sum()
        at = wells.moments(problem, *(jnp.full((1, 1), x, jnp.float32) for x in (eta, beta)))
        np.testing.assert_allclose([float(x[0, 0]) for x in at], expected, rtol=1e-5, atol=1e-5)


# The reference and its transport.


def example_references():
    z = _jump_reference.grid()
    field = jnp.asarray([[[3.0], [-6.0], [0.5]], [[-4.0], [5.0], [7.0]]])
    return [_jump_reference.make_reference(-0.5 * z * z + h * jax.nn.sigmoid(2 * z)) for h in field]


def test_the_reference_is_a_normalised_density(float64):
    first, _ = example_references()
    one = jax.tree.map(lambda x: x[:1], first)
    z = (np.arange(24000) + 0.5) / 2000 - 6
    density = jax.vmap(lambda x: jnp.exp(_jump_reference.log_density(one, x[None])))(jnp.asarray(z))
    assert abs(float(density.sum()) / 2000 - 1) < 1e-6
    assert float(_jump_reference.log_density(one, jnp.asarray([6.1]))) == -np.inf


def test_transport_returns_and_its_volume_change_is_the_ratio_of_the_references(float64):
    old, new = example_references()
    z = jnp.asarray([0.3, -1.2, 1.9])

    def transport(there, back, z):
        return _jump_reference.quantile(back, _jump_reference.distribution(there, z))

    moved = transport(old, new, z)
    assert np.all(np.abs(moved - z) > 0.1)
    np.testing.assert_allclose(transport(new, old, moved), z, atol=1e-10)
    volume = jnp.linalg.slogdet(jax.jacfwd(functools.partial(transport, old, new))(z))[1]
    ratio = _jump_reference.log_density(old, z) - _jump_reference.log_density(new, moved)
    np.testing.assert_allclose(volume, ratio, atol=1e-9)


# Tables and sweeps.


def test_a_table_holds_the_populated_wells(coded):
    posterior, position = coded
    table = make_table(posterior.network.phi, make_problem(posterior), position)
    count = int(table.count)
    found = [tuple(row) for row in (table.class_mean[:count] > 0.5).astype(int)]
    # The fields of so many neurons in 111 do not hold that code: the table has it from the neurons themselves.
    assert {tuple(code) for code in CODES} <= set(found) and len(set(found)) == count
    assert not table.readout[count:].any()
    assert table.readout.dtype == table.class_mean.dtype == np.float32


def test_a_sweep_keeps_the_precision_and_repeats_itself(coded):
    posterior, position = coded
    problem, phi = make_problem(posterior), posterior.network.phi
    table = make_table(phi, problem, position)
    new, info = sweep(phi, problem, table, position, jax.random.key(3))
    again, _ = sweep(phi, problem, table, position, jax.random.key(3))
    assert new.first.dtype == new.readout.dtype == jnp.float32
    assert int(info.proposed) >= int(info.accepted) > 0
    assert float(info.drift) < 1e-9
    changed = np.any(np.asarray(new.first) != np.asarray(position.first), axis=1).sum()
    assert changed == int(info.accepted)
    for one, other in zip(new[::2], again[::2], strict=True):
        np.testing.assert_array_equal(one, other)


def test_looking_at_many_neurons_at_once_changes_nothing(coded):
    posterior, position = coded
    problem, phi = make_problem(posterior), posterior.network.phi
    table = make_table(phi, problem, position)
    results = [sweep(phi, problem, table, position, jax.random.key(4), Settings(block=block)) for block in (1, 16)]
    (one, one_info), (many, many_info) = results
    assert int(one_info.accepted) == int(many_info.accepted) > 1
    # Single precision inside the wells rounds differently in blocks of another size.
    np.testing.assert_allclose(one.first, many.first, atol=1e-3)


# Invariance.


def small() -> tuple[Subject, wells.Table]:
    """Three overlapping labels around the prior's readouts, so that many proposals are accepted."""
    task = tasks.toy(P=6, N0=7, class_ratios=(0.5, 0.5), seed=0)
    subject = independent(Posterior(Network(6), task, 0.01, 1.3 / 6, 0.8))
    problem, m = subject.problem, task.m
    readout = np.zeros((8, m), np.float32)
    readout[:3, :2] = [[0.4, 0.0], [-0.2, 0.35], [-0.2, -0.35]]
    class_mean = np.full((8, problem.members.shape[1]), 0.5, np.float32)
    return subject, jax.tree.map(jnp.asarray, wells.Table(readout, class_mean, np.asarray(3, np.int32)))


def test_a_sweep_leaves_weights_and_targets_jointly_as_they_are(float64):
    right, wrong = joint_test(*small(), DEFAULT, [1.0, 1.2], 4000)
    assert right[0] < Z_LIMIT
    # Power: changes are made, and a temperature off by a fifth is found.
    assert right[2] > 1.0
    assert wrong[0] > 2 * Z_LIMIT


def with_complements() -> tuple[Subject, wells.Table]:
    """`small` with a table that says that its first two wells are a code and its complement: flips are tried."""
    subject, table = small()
    class_mean = np.full(table.class_mean.shape, 0.5, np.float32)
    class_mean[:2] = [[0.9, 0.1], [0.1, 0.9]]
    return subject, table._replace(class_mean=jnp.asarray(class_mean))


@pytest.mark.statistical
def test_a_sweep_with_flips_leaves_weights_and_targets_jointly_as_they_are(float64):
    right, wrong = joint_test(*with_complements(), DEFAULT, [1.0, 1.2], 4000)
    assert right[0] < Z_LIMIT
    assert right[3] > 1.0
    assert wrong[0] > 2 * Z_LIMIT


def test_flips_are_tried_where_the_table_has_complements_alone(float64):
    for (subject, table), some in ((small(), False), (with_complements(), True)):
        position = subject.random(jax.random.key(0), jax.random.key(1))
        _, info = subject.sweep(Settings(), subject.problem, table, position, jax.random.key(2))
        assert (int(info.flips.proposed) > 0) == some


@pytest.mark.statistical
def test_leaving_out_the_volume_of_the_transport_is_found(float64, monkeypatch):
    monkeypatch.setattr(_jump, "log_density", lambda grid, z: 0.0 * jnp.sum(z))
    ((largest, *_),) = joint_test(*small(), DEFAULT, 1.0, 12000)
    assert largest > 2 * Z_LIMIT


@pytest.mark.statistical
def test_leaving_out_the_density_of_the_readout_is_found(float64, monkeypatch):
    monkeypatch.setattr(_jump_attempts, "log_student", lambda settings, wells, label, a, P: 0.0 * jnp.sum(a))
    ((largest, *_),) = joint_test(*small(), DEFAULT, 1.0, 12000)
    assert largest > 2 * Z_LIMIT


@pytest.mark.statistical
@pytest.mark.parametrize("settings", [DEFAULT, Settings(redraw=True, fresh=0.5), Settings(block=1, steps=3)])
def test_many_repetitions_find_no_error(float64, settings):
    ((largest, _, accepted, _),) = joint_test(*small(), settings, 1.0, 40000, seed=7)
    assert largest < Z_LIMIT and accepted > 0.5


@pytest.mark.statistical
@pytest.mark.parametrize("hmc", [1, 0])
def test_coded_networks_agree_with_hamiltonian_monte_carlo(float64, hmc):
    posterior = posterior_of(12, 8, 0.05)
    start = state_of(planted(posterior, (3, 3, 3, 3)), 0.15)
    z, accepted = against_trajectories(independent(posterior), start, bool(hmc), DEFAULT if hmc else ALONE)
    assert accepted > ACCEPTED
    assert np.all(np.abs(z) < Z_LIMIT), np.round(z, 2)


@pytest.mark.statistical
@pytest.mark.parametrize("in_111", [0, 40])
def test_the_number_of_neurons_in_111_is_the_equilibrium_one_from_both_sides(in_111):
    """N = P = 200, T = 1e-2: 18.39 by the theory of finite P and T; its O(1) corrections in N allow 1.5."""
    posterior = posterior_of(200, 200, 1e-2)
    problem, phi = make_problem(posterior), posterior.network.phi
    iterate = jax.jit(trajectories(posterior))
    position = planted(posterior, (70 - in_111 // 2, 65, 65 - in_111 // 2, in_111), dtype=np.float32)
    state = state_of(position, 0.03)
    table, counts = None, []
    for index in range(600):
        state, _ = iterate(state, np.int32(1), np.int32(in_111), np.int32(index))
        if index >= 40 and index % 4 == 0:
            if table is None or index < 150:
                table = make_table(phi, problem, state.position)
            key = jax.random.fold_in(jax.random.key(in_111), index)
            position, _ = sweep(phi, problem, table, state.position, key)
            state = state._replace(position=position)
        if index >= 200:
            counts.append(in_code_111(posterior, state.position.first))
    assert abs(np.mean(counts) - 18.39) < 1.5
