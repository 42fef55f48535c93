"""The whitened first layer: exact on the training inputs, the prior's own outside their span."""

import numpy as np
import pytest

from nonlazy import Network, Posterior, tasks
from nonlazy.network import Weights
from nonlazy.sampling._coordinates import coordinates
from tests.sampling.small_posteriors import general_task, orthogonal_task, whiteness


N, SIGMA2 = 7, 1.7
twice = tasks.from_arrays(np.ones((2, 4)), np.array([[1.0], [0.0]]), labels=np.array([0, 1]))
# With the rank that is expected, and whether z^1 is u itself, up to a number.
TASKS = {
    "P < N0": (general_task(5, 9), 5, False),
    "P = N0": (general_task(6, 6), 6, False),
    "P > N0": (general_task(9, 5), 5, False),
    "P < N0, dependent inputs": (general_task(6, 9, rank=3), 3, False),
    "P = N0, dependent inputs": (general_task(6, 6, rank=4), 4, False),
    "P > N0, dependent inputs": (general_task(9, 5, rank=3), 5, False),
    "orthogonal": (orthogonal_task(5, 9), 5, True),
    "orthogonal, P = N0": (orthogonal_task(6, 6), 6, True),
    "one input twice": (twice, 1, False),
}
# Of one check that a sample is white: they are exact, and their seeds are fixed.
FALSE_ALARM = 1e-6


@pytest.fixture(params=TASKS)
def case(request):
    task, rank, plain = TASKS[request.param]
    posterior = Posterior(Network(N, 1, "sigmoid"), task, 0.1, weight_variance=SIGMA2)
    where = coordinates(posterior)
    assert (where.rank, where.factor is None) == (rank, plain)
    return posterior, where


def draw(posterior, where, seed=0, rows=N):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, where.rank)), rng.standard_normal((rows, posterior.task.N0))


def on_training_inputs(where, u):
    return where.scale * u if where.factor is None else u @ where.factor.T


def weights(where, u, outside):
    return Weights((where.first_weights(u, outside),), np.zeros((u.shape[0], 1)))


def test_preactivations_are_those_of_the_recovered_weights(case):
    posterior, where = case
    u, outside = draw(posterior, where)
    forward = posterior.network.preactivations(weights(where, u, outside), posterior.task.X)[0]
    np.testing.assert_allclose(on_training_inputs(where, u), forward, rtol=1e-9, atol=1e-9)


def test_what_lies_outside_the_span_moves_no_training_output(case):
    posterior, where = case
    u, outside = draw(posterior, where)
    other = draw(posterior, where, seed=1)[1]
    one, two = weights(where, u, outside), weights(where, u, other)
    z = [posterior.network.preactivations(w, posterior.task.X)[0] for w in (one, two)]
    np.testing.assert_allclose(z[0], z[1], rtol=1e-9, atol=1e-9)
    if where.rank < posterior.task.N0:
        assert np.abs(one.hidden[0] - two.hidden[0]).max() > 0.1


def test_the_basis_is_orthonormal_and_spans_the_inputs(case):
    posterior, where = case
    X = posterior.task.X
    basis = np.eye(posterior.task.N0) if where.basis is None else where.basis
    np.testing.assert_allclose(basis.T @ basis, np.eye(where.rank), atol=1e-12)
    np.testing.assert_allclose(X @ basis @ basis.T, X, atol=1e-9)


def test_test_inputs_see_the_recovered_weights(case):
    posterior, where = case
    X = np.random.default_rng(3).standard_normal((4, posterior.task.N0))
    inside, beyond = where.test_factors(X)
    u, outside = draw(posterior, where)
    z = u @ inside.T
    assert (beyond is None) == (where.basis is None)
    if beyond is not None:
        z = z + outside @ beyond.T
    forward = posterior.network.preactivations(weights(where, u, outside), X)[0]
    np.testing.assert_allclose(z, forward, rtol=1e-9, atol=1e-9)


def test_test_factors_of_the_training_inputs_are_the_training_factor(case):
    posterior, where = case
    inside, beyond = where.test_factors(posterior.task.X)
    factor = where.scale * np.eye(where.rank) if where.factor is None else where.factor
    np.testing.assert_allclose(inside, factor, atol=1e-9)
    if beyond is not None:
        np.testing.assert_allclose(beyond, 0.0, atol=1e-9)


def test_a_draw_from_the_prior_has_independent_weights_of_the_prior_variance(case):
    posterior, where = case
    W = where.first_weights(*draw(posterior, where, seed=4, rows=2000))
    assert whiteness(W / np.sqrt(SIGMA2)) > FALSE_ALARM
    # The check has to see what it is for.
    assert whiteness(W / np.sqrt(1.2 * SIGMA2)) < FALSE_ALARM
    assert whiteness(W @ (np.eye(W.shape[1]) + 0.2 * np.eye(W.shape[1], k=1)) / np.sqrt(SIGMA2)) < FALSE_ALARM


def test_outside_the_span_the_weights_keep_their_prior(case):
    posterior, where = case
    if where.basis is None:
        pytest.skip("the training inputs see all weights")
    # Fixed u, fresh G: the part along the inputs is fixed, the other white.
    u = np.tile(draw(posterior, where)[0][:1], (2000, 1))
    W = where.first_weights(u, draw(posterior, where, seed=5, rows=2000)[1])
    np.testing.assert_allclose(W @ where.basis, np.sqrt(SIGMA2) * u, atol=1e-9)
    beyond = np.linalg.svd(where.basis)[0][:, where.rank :]
    if beyond.shape[1]:
        assert whiteness(W @ beyond / np.sqrt(SIGMA2)) > FALSE_ALARM


def test_nearly_orthogonal_inputs_are_not_taken_for_orthogonal():
    task = orthogonal_task(5, 9)
    X = task.X.copy()
    X[1] += 1e-6 * X[0]
    near = Posterior(Network(N, 1, "sigmoid"), tasks.from_arrays(X, task.Y, labels=task.labels), 0.1)
    where = coordinates(near)
    assert where.factor is not None
    np.testing.assert_allclose(where.factor @ where.factor.T, X @ X.T / 9, rtol=1e-12, atol=1e-12)
