import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.theory import Prediction
from nonlazy.theory.sigmoidal import is_classwise, solve_sigmoidal_classes
from tests.theory.sigmoidal.problems import toy_posterior


@pytest.fixture(scope="module")
def prediction():
    return solve_sigmoidal_classes(toy_posterior(P=80, T=0.01))


@pytest.fixture(scope="module")
def limit():
    return solve_sigmoidal_classes(toy_posterior(P=80, T=0.01), finite_size=False)


def test_it_is_a_prediction(prediction, limit):
    for one in (prediction, limit):
        assert isinstance(one, Prediction)
        assert one.ensemble == "equilibrium" and one.certified
        assert max(len(line) for line in str(one).splitlines()) <= 100
        dataset = one.to_xarray()
        assert dataset["fraction"].sum() == pytest.approx(1)
        assert list(dataset["code"].values) == list(one.codes.names)


def test_training_error_is_temperature_times_field(prediction, limit):
    for one in (prediction, limit):
        task = one.posterior.task
        np.testing.assert_allclose(one.predict(task.X), task.Y - 0.01 * one.dual_field, atol=1e-9)
    assert np.all(limit.predictor_variance(limit.posterior.task.X) == 0)


def test_kernel_on_training_inputs(limit):
    """sum_g P_g b_gc b_gc' between inputs, and sum_g P_g g'' more on the diagonal."""
    task, codes = limit.posterior.task, limit.codes
    kernel = limit.kernel(task.X)
    expected = np.einsum("n,nc,nd->cd", codes.fraction, codes.activation, codes.activation)
    different = ~np.eye(80, dtype=bool)
    np.testing.assert_allclose(kernel[different], expected[np.ix_(task.labels, task.labels)][different], atol=1e-12)
    z = np.linspace(-8, 8, 1001)
    for c in range(3):
        square = 0.0
        for k, share in enumerate(codes.fraction):
            density = limit.preactivation_density(z, k, c)
            square += share * np.trapezoid(density * np.asarray(limit.posterior.network.phi(z)) ** 2, z)
        assert kernel[np.argmax(task.labels == c), np.argmax(task.labels == c)] == pytest.approx(square, abs=1e-9)
    np.testing.assert_allclose(limit.kernel(task.X, layer=0), task.input_kernel, atol=1e-14)


def test_preactivations_have_the_mean_activations_of_the_codes(prediction):
    z = np.linspace(-8, 8, 1001)
    phi = np.asarray(prediction.posterior.network.phi(z))
    for k in range(len(prediction.codes)):
        for c in range(3):
            density = prediction.preactivation_density(z, k, c)
            assert np.trapezoid(density, z) == pytest.approx(1, abs=1e-9)
            assert np.trapezoid(density * phi, z) == pytest.approx(prediction.codes.activation[k, c], abs=1e-9)
    average = prediction.preactivation_density(z, None, 1)
    parts = [f * prediction.preactivation_density(z, k, 1) for k, f in enumerate(prediction.codes.fraction)]
    np.testing.assert_allclose(average, np.sum(parts, axis=0), atol=1e-12)


def test_inputs_orthogonal_to_training_are_not_told_apart(prediction):
    task = prediction.posterior.task
    X = np.linalg.svd(task.X)[2][80:84] * np.sqrt(task.N0)
    mean = prediction.codes.fraction @ prediction.codes.readout
    np.testing.assert_allclose(prediction.predict(X), np.tile(mean / 2, (4, 1)), atol=1e-9)
    kernel = prediction.kernel(X)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(kernel[off], 0.25, atol=1e-9)
    np.testing.assert_allclose(
        np.diag(kernel), 0.25 + np.arcsin(0.5 * np.pi / (1 + np.pi / 2)) / (2 * np.pi), atol=1e-6
    )


def test_general_inputs_against_neurons_drawn_from_the_law(limit):
    """200,000 neurons of the limit: readouts, preactivations on the training inputs, and the rest of z(x)."""
    task, network = limit.posterior.task, limit.posterior.network
    generator = np.random.default_rng(5)
    outside = np.linalg.svd(task.X)[2][80:83] * np.sqrt(task.N0)
    X = np.stack(
        [
            0.8 * task.X[3] + 0.6 * outside[0],
            0.5 * task.X[3] + 0.5 * task.X[50] + 0.4 * outside[0] + 0.4 * outside[1],
            task.X.T @ generator.standard_normal(80) / np.sqrt(80),
        ]
    )
    neurons = 200_000
    code = generator.choice(len(limit.codes), size=neurons, p=limit.codes.fraction)
    grid = np.linspace(-7, 7, 4001)
    z = np.empty((neurons, 80), dtype=np.float32)
    for k in range(len(limit.codes)):
        for c in range(3):
            cumulative = np.cumsum(limit.preactivation_density(grid, k, c))
            rows, columns = np.flatnonzero(code == k), np.flatnonzero(task.labels == c)
            uniform = generator.random((rows.size, columns.size))
            z[np.ix_(rows, columns)] = np.interp(uniform, cumulative / cumulative[-1], grid)
    share = X @ task.X.T / task.N0
    along = X @ outside.T / task.N0
    z_test = z @ share.T + generator.standard_normal((neurons, 3)) @ along.T
    phi = np.asarray(network.phi(z_test))
    readout = limit.codes.readout[code]
    mean, error = phi.T @ readout / neurons, np.sqrt((phi**2).T @ readout**2) / neurons
    # Nine numbers and six below at 4.5 standard errors: a false alarm in 1e-4 of such tests; 2e-3 for the central limit
    # theorem, which is the approximation of this prediction.
    assert np.all(np.abs(limit.predict(X) - mean) < 4.5 * error + 2e-3)
    kernel = phi.T @ phi / neurons
    assert np.all(np.abs(limit.kernel(X) - kernel) < 4.5 * 0.5 / np.sqrt(neurons) + 2e-3)
    mixed = np.asarray(network.phi(z[:, [3, 50]])).T @ phi / neurons
    assert np.all(np.abs(limit.kernel(task.X[[3, 50]], X) - mixed) < 4.5 * 0.5 / np.sqrt(neurons) + 4e-3)


def test_kernel_is_consistent_between_training_and_other_inputs(prediction):
    X = prediction.posterior.task.X[:6]
    moved = X.copy()
    moved[:, 0] += 1e-4
    np.testing.assert_allclose(prediction.kernel(moved), prediction.kernel(X), atol=5e-3)
    np.testing.assert_allclose(prediction.predict(moved), prediction.predict(X), atol=1e-3)


def test_limit_has_points_instead_of_a_density(limit):
    with pytest.raises(InvalidInput, match="finite_size"):
        limit.readout_density(np.ones(3), np.linspace(-1, 1, 5))
    draws = limit.sample_readouts(50, seed=0)
    assert all(np.min(np.abs(limit.codes.readout - row).max(axis=1)) == 0 for row in draws)
    assert np.array_equal(limit.assign(limit.codes.readout), np.arange(len(limit.codes)))


def test_who_is_served():
    assert is_classwise(toy_posterior(P=30))
    assert is_classwise(toy_posterior(P=30, activation="tanh"))
    task = toy_posterior(P=30).task
    noisy = nl.Task(task.X + 0.01, task.Y, task.labels)
    for posterior, words in (
        (nl.Posterior(nl.Network(30, activation="relu"), task, 0.0), "bounded"),
        (nl.Posterior(nl.Network(30, depth=2), task, 0.0), "depth 2"),
        (nl.Posterior(nl.Network(30, readout="lazy"), task, 0.0), "lazy"),
        (nl.Posterior(nl.Network(30), noisy, 0.0), "orthogonal"),
        (nl.Posterior(nl.Network(30), nl.Task(task.X, np.arange(30.0)[:, None], task.labels), 0.0), "30 different"),
    ):
        assert not is_classwise(posterior)
        with pytest.raises(InvalidInput, match=words):
            solve_sigmoidal_classes(posterior)


def test_bad_requests(prediction):
    with pytest.raises(InvalidInput, match="code is 9"):
        prediction.preactivation_density(np.zeros(1), 9, 0)
    with pytest.raises(InvalidInput, match="label"):
        prediction.preactivation_density(np.zeros(1), 0, 7)
    with pytest.raises(InvalidInput, match="shape"):
        prediction.assign(np.zeros((2, 2)))
    with pytest.raises(InvalidInput, match="layer"):
        prediction.kernel(prediction.posterior.task.X, layer=2)


def test_targets_of_zero_need_no_code():
    task = toy_posterior(P=20).task
    silent = solve_sigmoidal_classes(nl.Posterior(nl.Network(20), nl.Task(task.X, 0 * task.Y, task.labels), 0.0))
    assert len(silent.codes) == 1
    np.testing.assert_allclose(silent.predict(task.X), 0, atol=1e-12)
