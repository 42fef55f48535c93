"""The predictor's variance, and densities on grids of any span."""

import tracemalloc

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.sigmoidal import solve_sigmoidal_classes
from tests.theory.sigmoidal.problems import toy_posterior


P, T = 24, 0.02


@pytest.fixture(scope="module")
def small():
    return solve_sigmoidal_classes(toy_posterior(P=P, ratios=(0.5, 0.5), T=T))


def new_inputs(task):
    """Two inputs orthogonal to all training inputs, and two training inputs with something orthogonal added."""
    beyond = np.linalg.svd(task.X)[2][P:] * np.sqrt(task.N0)
    return np.concatenate([beyond[:2], 0.8 * task.X[[0, -1]] + 0.6 * beyond[2:4]])


def simulated(prediction, X, neurons, seed):
    """The posterior covariance of the outputs from draws of single neurons: no classes, no moments, plain matrices."""
    task, generator = prediction.posterior.task, np.random.default_rng(seed)
    a = prediction.sample_readouts(neurons, seed)
    h = a @ prediction.dual_field.T
    phi = prediction.posterior.network.phi
    # z by rejection: of the prior, with probability exp(h phi) relative to its largest value.
    drawn, waiting = np.empty(h.size), np.arange(h.size)
    while waiting.size:
        z, field = generator.standard_normal(waiting.size), h.ravel()[waiting]
        accepted = np.log(generator.random(waiting.size)) < field * np.asarray(phi(z)) - np.maximum(field, 0.0)
        drawn[waiting[accepted]] = z[accepted]
        waiting = waiting[~accepted]
    drawn = drawn.reshape(h.shape)
    share = X @ task.X.T / task.N0
    rest = X - share @ task.X
    beyond = generator.standard_normal((neurons, task.N0)) @ rest.T / np.sqrt(task.N0)
    everything = np.concatenate([drawn, drawn @ share.T + beyond], axis=1)
    activation = np.asarray(phi(everything))
    outputs = (activation[:, :, None] * a[:, None, :]).reshape(neurons, -1)
    outputs = outputs - outputs.mean(axis=0)
    C = outputs.T @ outputs / neurons
    train = P * task.m
    pinned = C[:train, train:].T @ np.linalg.solve(C[:train, :train] + T * np.eye(train), C[:train, train:])
    return np.diag(C[train:, train:] - pinned).reshape(len(X), task.m)


def test_variance_is_that_of_simulated_neurons(small):
    """Within 4 errors sqrt(2 / neurons) of a variance from that many neurons, plus 1/P for the codes' shape."""
    task, N = small.posterior.task, small.posterior.network.width
    X = new_inputs(task)
    expected = simulated(small, X, 40_000, 0) / N
    np.testing.assert_allclose(small.predictor_variance(X), expected, rtol=4 * np.sqrt(2 / 40_000) + 1 / P)


def test_training_outputs_fluctuate_less_than_their_noise(small):
    task, N = small.posterior.task, small.posterior.network.width
    variance = small.predictor_variance(task.X)
    assert np.all(variance > 0) and np.all(variance < T / N)


def test_outputs_outside_of_the_targets_fluctuate_like_the_prior():
    """Rows of the targets sum to 0: along (1, 1, 1) readouts keep their prior, and the outputs those of a GP."""
    prediction = solve_sigmoidal_classes(toy_posterior(P=40, T=0.02, y_minus=-0.5))
    task, N = prediction.posterior.task, prediction.posterior.network.width
    X = np.linalg.svd(task.X)[2][40:42] * np.sqrt(task.N0)
    K, across = prediction.kernel(task.X) / 40, prediction.kernel(X, task.X) / 40
    prior = np.diag(prediction.kernel(X)) / 40 - np.sum(across * np.linalg.solve(K + 0.02 * np.eye(40), across.T).T, 1)
    assert np.all(prediction.predictor_variance(X).sum(axis=1) > prior / N)
    assert prediction.problem.rank == 2


def test_frozen_fractions_do_not_fluctuate_more(small):
    """Up to 1/P: with fractions given, codes are basins, and at equilibrium nearest centres."""
    fractions = {
        tuple(int(on) for on in row): float(f) for row, f in zip(small.codes.active, small.codes.fraction, strict=True)
    }
    frozen = solve_sigmoidal_classes(small.posterior, fractions=fractions)
    X = new_inputs(small.posterior.task)
    assert np.all(frozen.predictor_variance(X) < (1 + 1 / P) * small.predictor_variance(X))


def test_memory_of_a_density_does_not_grow_with_the_grid(small):
    """As exact on a grid that reaches far as on a narrow one, 0 far away, in memory that follows the grid's size."""
    direction = np.array([1.0, 0.0])
    near = np.linspace(-5, 5, 201)
    reference = small.readout_density(direction, near)
    assert np.trapezoid(reference, near) == pytest.approx(1, abs=1e-6)
    tracemalloc.start()
    far = small.readout_density(direction, np.concatenate([near, [-1e7, 1e7]]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(far[:-2], reference, atol=1e-6 * reference.max())
    assert np.all(far[-2:] == 0)
    assert peak < 64e6


def test_density_along_a_direction_with_hardly_any_target():
    """Next to (1, 1, 1), along which y- = -1/2 leaves the prior N(0, 1/P), samples and density have one variance."""
    prediction = solve_sigmoidal_classes(toy_posterior(P=40, T=0.02, y_minus=-0.5))
    direction = np.array([1.0, 1.0, 1.0 + 1e-5])
    grid = np.linspace(-1.5, 1.5, 1501)
    density = prediction.readout_density(direction, grid)
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-9)
    assert np.trapezoid(density * grid**2, grid) == pytest.approx(1 / 40, rel=1e-6)


def test_weights_of_tiny_variance_are_solved():
    """phi is linear over preactivations of variance 1e-4, and still bounded."""
    posterior = nl.Posterior(
        nl.Network(100), nl.tasks.toy(100, 120, class_ratios=(0.7, 0.3), y_minus=0.5), 1e-3, weight_variance=1e-4
    )
    prediction = solve_sigmoidal_classes(posterior, finite_size=False)
    assert prediction.certified and prediction.residual < 1e-9
