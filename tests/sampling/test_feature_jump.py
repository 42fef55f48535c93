"""Jumps in the feature layer of deep networks: the wells given the layer below, and that a sweep is exact.

How invariance is tested is told in `jump_exactness`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nonlazy import Network, Posterior, tasks
from nonlazy.sampling._coordinates import coordinates
from nonlazy.sampling._jumping import Jumping, table_arrays
from nonlazy.sampling._starts import Planted, Prior, initial
from nonlazy.sampling.kernels import _feature_jump, _general_jump, _general_table
from nonlazy.sampling.kernels._feature_jump import Table, given_below, make_problem, make_table, realise, sweep
from nonlazy.sampling.kernels._jump_attempts import Settings
from nonlazy.sampling.kernels._potential import Position, preactivations
from tests.sampling.jump_exactness import (
    Z_LIMIT,
    Subject,
    against_trajectories,
    in_feature_layer,
    joint_test,
    relaxed,
)
from tests.sampling.small_posteriors import general_task, pieces, random_position, small_posterior


ACCEPTED = 0.2


@pytest.fixture(scope="module")
def coded():
    """Two layers with codes in the second, planted and relaxed."""
    task = tasks.toy(P=60, N0=61, class_ratios=(0.5, 0.25, 0.25), y_minus=0.5, seed=0)
    posterior = Posterior(Network(60, 2), task, 1e-2)
    start = Planted(((0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)))
    first, hidden, readout = initial(start, posterior, coordinates(posterior), (0, 0))
    layers = tuple(jnp.asarray(matrix, jnp.float32) for matrix in hidden)
    position = Position(jnp.asarray(first, jnp.float32), layers, jnp.asarray(readout, jnp.float32))
    return posterior, relaxed(posterior, position, 0.02, 60).position


@pytest.mark.parametrize(("depth", "orthogonal"), [(2, True), (3, False)])
def test_the_layer_below_gives_the_preactivations(float64, depth, orthogonal):
    posterior = small_posterior(depth=depth, orthogonal=orthogonal)
    where, architecture, potential = pieces(posterior)
    position = random_position(posterior, where)
    given = given_below(posterior.network.phi, make_problem(posterior, where), position)
    expected = preactivations(architecture, potential, position)[-1]
    np.testing.assert_allclose(position.hidden[-1] @ given.factor.T, expected, rtol=1e-9, atol=1e-12)


def test_wells_made_from_the_frozen_table_are_those_that_it_was_made_from(coded):
    posterior, position = coded
    phi, problem = posterior.network.phi, make_problem(posterior, coordinates(posterior))
    with jax.enable_x64(True):
        given = given_below(phi, problem, position)
        given = given._replace(factor=np.asarray(given.factor))
        last = Position(position.hidden[-1], (), position.readout)
        direct = _general_table.make_table(phi, given, last)
        table = jax.tree.map(jnp.asarray, make_table(phi, problem, position))
        made = jax.device_get(realise(table, jnp.asarray(given.factor, jnp.float32)))
    count = int(made.count)
    assert count == int(direct.count) >= 4
    np.testing.assert_array_equal(made.readout, direct.readout)
    for g in range(count):
        # Equal but for inputs near the threshold, whose curvature is left out where it is negative.
        here, there = (given.factor @ table.centre[g] for table in (made, direct))
        assert np.median(np.abs(here - there)) < 0.05
        assert np.all(np.isfinite(made.covariance[g]))
    assert not made.covariance[count:].any()


def test_a_sweep_moves_feature_neurons_alone_and_repeats_itself(coded):
    posterior, position = coded
    phi, problem = posterior.network.phi, make_problem(posterior, coordinates(posterior))
    table = make_table(phi, problem, position)
    new, info = sweep(phi, problem, table, position, jax.random.key(3))
    again, _ = sweep(phi, problem, table, position, jax.random.key(3))
    np.testing.assert_array_equal(new.first, position.first)
    rows = np.any(np.asarray(new.hidden[0]) != np.asarray(position.hidden[0]), axis=1).sum()
    assert 0 < rows <= int(info.accepted) + 3 * int(info.flips.accepted)
    assert new.hidden[0].dtype == new.readout.dtype == jnp.float32
    assert float(info.drift) < 1e-9
    np.testing.assert_array_equal(new.hidden[0], again.hidden[0])
    np.testing.assert_array_equal(new.readout, again.readout)


def test_a_checkpoint_keeps_the_tables():
    posterior = small_posterior(depth=2)
    jumping = Jumping(posterior, coordinates(posterior))
    position = random_position(posterior, coordinates(posterior), dtype=np.float32)
    (kept,) = jumping.tables(table_arrays([jumping.table(position)]))
    for one, other in zip(kept, jumping.table(position), strict=True):
        np.testing.assert_array_equal(one, other)
    new, counts = jumping.sweep(kept, position, jax.random.key(0))
    assert int(counts.proposed) >= int(counts.accepted) >= 0
    assert new.hidden[-1].shape == position.hidden[-1].shape


# Invariance.


def small(N: int, P: int, T: float, depth: int = 2, orthogonal: bool = False) -> tuple[Subject, Table]:
    """Three overlapping labels with the preactivations of the prior: many changes are accepted."""
    task = tasks.toy(P=P, N0=P + 1, class_ratios=(0.5, 0.5), seed=0) if orthogonal else general_task(P, 12)
    posterior = Posterior(Network(N, depth), task, T, 1.3 / P, (0.8,) + (1.3,) * (depth - 1))
    readout = np.zeros((8, task.m), np.float32)
    readout[:3, :2] = [[0.4, 0.0], [-0.2, 0.35], [-0.2, -0.35]]
    flat, square = np.zeros((8, P), np.float32), np.zeros((8, P, P), np.float32)
    table = Table(readout, flat, square, np.asarray(3, np.int32))  # pyright: ignore[reportArgumentType]
    return in_feature_layer(posterior), jax.tree.map(jnp.asarray, table)


@pytest.mark.statistical
def test_a_sweep_leaves_weights_and_targets_jointly_as_they_are(float64):
    right, wrong = joint_test(*small(6, 6, 0.01), Settings(), [1.0, 1.2], 8000)
    assert right[0] < Z_LIMIT
    # Power: changes are made, and a temperature off by a fifth is found.
    assert right[2] > 1.0
    assert wrong[0] > 2 * Z_LIMIT


@pytest.mark.statistical
@pytest.mark.parametrize(
    "wrong",
    [
        # The volume of the transport, and layers below that are forgotten.
        (_general_jump, "log_density", lambda reference, z: 0.0 * jnp.sum(z)),
        (_feature_jump, "given_below", lambda phi, problem, position: problem.feature),
    ],
    ids=["volume", "layer below"],
)
def test_what_is_left_out_is_found(float64, monkeypatch, wrong):
    monkeypatch.setattr(*wrong)
    ((largest, *_),) = joint_test(*small(6, 6, 0.005), Settings(steps=0), 1.0, 20000)
    assert largest > 2 * Z_LIMIT


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ((6, 6, 0.01), Settings()),
        ((6, 6, 0.01, 3, True), Settings()),
        ((6, 6, 0.01), Settings(redraw=True, fresh=0.5)),
        ((4, 7, 0.005), Settings(steps=0)),
    ],
)
def test_many_repetitions_find_no_error(float64, case, settings):
    ((largest, _, accepted, _),) = joint_test(*small(*case), settings, 1.0, 20000, seed=7)
    assert largest < Z_LIMIT and accepted > 0.01


@pytest.mark.statistical
def test_deep_networks_agree_with_hamiltonian_monte_carlo(float64):
    """N = 10, P = 8, two layers. Trajectories alone mix where neurons hold no codes: they are redrawn in place."""
    posterior = Posterior(Network(10, 2), general_task(8, 12, classes=3), 0.15)
    first, hidden, readout = initial(Prior(), posterior, coordinates(posterior), (1, 0))
    position = Position(jnp.asarray(first), tuple(map(jnp.asarray, hidden)), jnp.asarray(readout))
    start = relaxed(posterior, position, 0.15, 50)
    z, accepted = against_trajectories(in_feature_layer(posterior), start, True, Settings(redraw=True, fresh=0.5))
    assert accepted > ACCEPTED
    assert np.all(np.abs(z) < Z_LIMIT), np.round(z, 2)
