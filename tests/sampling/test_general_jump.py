"""Jumps on correlated inputs: the wells, the transport, and that a sweep leaves the posterior invariant.

How invariance is tested is told in `jump_exactness`.
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
from nonlazy.sampling.kernels import _general_jump, _general_table, _general_wells as wells, _jump_attempts, _jump_table
from nonlazy.sampling.kernels._collapsed import invert
from nonlazy.sampling.kernels._general_jump import features_of, sweep
from nonlazy.sampling.kernels._general_table import General
from nonlazy.sampling.kernels._jump_attempts import Settings
from nonlazy.sampling.kernels._potential import Position
from tests.sampling.jump_exactness import ALONE, Z_LIMIT, Subject, against_trajectories, correlated, joint_test, relaxed
from tests.sampling.small_posteriors import general_task
from tests.sampling.test_jump import planted, posterior_of


# Changes of code in a sweep of 12 neurons, or the comparison says nothing.
ACCEPTED = 0.2


def problem_of(posterior: Posterior) -> General:
    return jax.tree.map(jnp.asarray, _general_table.make_problem(posterior, coordinates(posterior)))


@pytest.fixture(scope="module")
def coded():
    """The orthogonal task's posterior and relaxed state of `test_jump`: there the two kinds of moves meet."""
    posterior = posterior_of(80, 80, 5e-3)
    position = planted(posterior, (20, 20, 20, 20), dtype=np.float32)
    return posterior, relaxed(posterior, position, 0.03, 40).position


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


def subject(case: Case, rank: int | None = None) -> tuple[Subject, wells.Table]:
    """A small posterior on correlated inputs, and its table of three labels."""
    task = general_task(case.P, 12, rank=rank)
    settings = {"readout_variance": case.readout_variance, "weight_variance": case.weight_variance}
    what = correlated(Posterior(Network(case.N), task, case.T, **settings))
    return what, table_of_three(what.problem, task.m, case.readouts)


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


@pytest.mark.statistical
def test_a_sweep_leaves_weights_and_targets_jointly_as_they_are(float64):
    right, wrong = joint_test(*subject(LOOSE), Settings(), [1.0, 1.2], 4000)
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
        ((_jump_attempts, "log_student", lambda settings, wells, label, a, P: 0.0 * jnp.sum(a)), NARROW),
        ((_jump_attempts, "apply", lambda inverse, cavity, u: inverse.matrix @ u), AS_TABLED),
    ],
    ids=["volume", "student", "cavity"],
)
def test_what_is_left_out_of_the_ratio_is_found(float64, monkeypatch, wrong, settings):
    monkeypatch.setattr(*wrong)
    ((largest, *_),) = joint_test(*subject(TIGHT), settings, 1.0, 40000)
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
    ((largest, _, accepted, _),) = joint_test(*subject(case, rank), settings, 1.0, 20000, seed=7)
    assert largest < Z_LIMIT and accepted > 0.01


@pytest.mark.statistical
@pytest.mark.parametrize("hmc", [1, 0])
def test_networks_on_correlated_inputs_agree_with_hamiltonian_monte_carlo(float64, hmc):
    posterior = Posterior(Network(12), general_task(8, 12, classes=3), 0.15)
    first, _, readout = initial(Prior(), posterior, coordinates(posterior), (1, 0))
    start = relaxed(posterior, Position(jnp.asarray(first), (), jnp.asarray(readout)), 0.15, 50)
    z, accepted = against_trajectories(correlated(posterior), start, bool(hmc), Settings() if hmc else ALONE)
    assert accepted > ACCEPTED
    assert np.all(np.abs(z) < Z_LIMIT), np.round(z, 2)
