import numpy as np
import pytest
import scipy.stats

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.theory.nngp import GaussianProcessPrediction, gaussian_process


def random_task(P=20, N0=30, m=3, P_test=9, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.arange(P) % m
    return nl.Task(
        X=generator.standard_normal((P, N0)),
        Y=generator.standard_normal((P, m)),
        labels=labels,
        X_test=generator.standard_normal((P_test, N0)),
        Y_test=generator.standard_normal((P_test, m)),
        labels_test=np.arange(P_test) % m,
    )


@pytest.fixture
def task():
    return random_task()


@pytest.mark.parametrize("activation", ["linear", "sigmoid", "erf", "tanh", "relu", "softplus", "requ"])
@pytest.mark.parametrize("temperature", [0.0, 0.2])
def test_mean_and_variance_are_gaussian_regression(task, activation, temperature):
    prediction = gaussian_process(nl.Network(7, 2, activation), task, 0.6, temperature, (1.2, 0.8))
    assert isinstance(prediction, nl.theory.Prediction)
    K, k = prediction.kernel(task.X), prediction.kernel(task.X_test, task.X)
    noisy = K + temperature / 0.6 * np.eye(task.P)
    np.testing.assert_allclose(
        prediction.predict(task.X_test), k @ np.linalg.solve(noisy, task.Y), rtol=1e-7, atol=1e-9
    )
    own = np.diag(prediction.kernel(task.X_test))
    variance = 0.6 * (own - np.sum(k * np.linalg.solve(noisy, k.T).T, axis=1))
    found = prediction.predictor_variance(task.X_test)
    np.testing.assert_allclose(found, np.repeat(variance[:, None], 3, axis=1), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(np.diag(prediction.predictor_covariance(task.X_test)), variance, rtol=1e-7, atol=1e-9)
    assert prediction.residual < 1e-9 and prediction.certified and prediction.unreachable == 0
    np.testing.assert_allclose(
        task.Y - prediction.predict(task.X), temperature * prediction.dual_field, rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("depth", [1, 3])
def test_linear_mean_is_that_of_the_non_lazy_network(task, depth):
    network = nl.Network(40, depth, "linear")
    gaussian, learned = gaussian_process(network, task), nl.theory.solve(network, task)
    np.testing.assert_allclose(gaussian.predict(task.X_test), learned.predict(task.X_test), atol=1e-10)


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_linear_process_is_the_lazy_limit(task, temperature):
    posterior = nl.Posterior(nl.Network(40, 2, "linear", "lazy"), task, temperature, 0.7, (0.9, 1.4))
    gaussian, limit = gaussian_process(posterior), nl.theory.solve(posterior, finite_size=False)
    np.testing.assert_allclose(gaussian.predict(task.X_test), limit.predict(task.X_test), atol=1e-10)
    np.testing.assert_allclose(
        gaussian.predictor_variance(task.X_test), limit.predictor_variance(task.X_test), atol=1e-10
    )


def test_wide_random_networks_with_exact_readouts_are_the_process():
    """Hidden weights from the prior, weighted by the evidence of their kernel: the lazy posterior by brute force.

    A layer's neurons are independent Gaussians given the kernel below, so that no weights of size N x N are needed.
    N = 10000, 400 networks. Tolerance: 5 Monte Carlo errors of weighted means plus 20/N, for corrections that vanish
    with the width. False alarms below 1e-4.
    """
    N, T, sigma_a2 = 10_000, 0.05, 0.8
    task = random_task(P=4, N0=3, m=1, P_test=3, seed=4)
    network = nl.Network(N, 2, "tanh", "lazy")
    prediction = gaussian_process(nl.Posterior(network, task, T, sigma_a2, (1.5, 2.0)))
    inputs, generator = np.concatenate([task.X, task.X_test]), np.random.default_rng(5)
    log_weight, means, variances = [], [], []
    for _ in range(400):
        kernel = inputs @ inputs.T / 3
        for variance in (1.5, 2.0):
            values, vectors = np.linalg.eigh(variance * kernel)
            root = vectors * np.sqrt(np.maximum(values, 0.0))
            phi = np.tanh(generator.standard_normal((N, 7)) @ root.T)
            kernel = phi.T @ phi / N
        K = sigma_a2 * kernel
        noisy, k = K[:4, :4] + T * np.eye(4), K[4:, :4]
        log_weight.append(scipy.stats.multivariate_normal(np.zeros(4), noisy).logpdf(task.Y[:, 0]))
        means.append(k @ np.linalg.solve(noisy, task.Y[:, 0]))
        variances.append(np.diag(K)[4:] - np.sum(k * np.linalg.solve(noisy, k.T).T, axis=1))
    weight = np.exp(np.array(log_weight) - max(log_weight))
    weight /= weight.sum()
    expected = (prediction.predict(task.X_test)[:, 0], prediction.predictor_variance(task.X_test)[:, 0])
    for values, theory in zip((np.array(means), np.array(variances)), expected, strict=True):
        mean = weight @ values
        error = np.sqrt(weight**2 @ (values - mean) ** 2)
        assert np.all(np.abs(mean - theory) < 5 * error + 20 / N)
        # Without this the comparison would mean little.
        assert np.all(error < 0.005)


@pytest.mark.parametrize("temperature", [0.0, 0.4])
def test_free_energy_is_the_log_density_of_the_targets(task, temperature):
    prediction = gaussian_process(nl.Network(7, 1, "relu"), task, 0.6, temperature)
    normal = scipy.stats.multivariate_normal(cov=0.6 * prediction.kernel(task.X) + temperature * np.eye(task.P))
    expected = -sum(normal.logpdf(task.Y[:, r]) for r in range(3)) / task.P
    assert prediction.free_energy == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("temperature", [0.0, 0.4])
def test_evidence_variance_makes_the_targets_most_probable(task, temperature):
    network = nl.Network(7, 2, "sigmoid")
    best = gaussian_process(network, task, "evidence", temperature)
    assert best.readout_variance_from == "evidence"
    sigma_a2 = best.posterior.sigma_a2
    for factor in (0.01, 0.5, 0.999, 1.001, 2.0, 100.0):
        assert gaussian_process(network, task, factor * sigma_a2, temperature).free_energy > best.free_energy
    if temperature == 0:
        K = best.kernel(task.X)
        assert sigma_a2 == pytest.approx(np.trace(task.Y.T @ np.linalg.solve(K, task.Y)) / (3 * task.P), rel=1e-8)


def test_evidence_that_prefers_noise_is_refused(task):
    quiet = nl.tasks.from_arrays(task.X, 0.01 * task.Y, task.labels)
    with pytest.raises(InvalidInput, match="noise alone explains the targets best"):
        gaussian_process(nl.Network(7), quiet, "evidence", 1.0)


def test_drawn_functions_have_the_posterior_moments(task):
    prediction = gaussian_process(nl.Network(7, 1, "tanh"), task, 0.6, 0.2)
    n = 40_000
    draws = prediction.sample_predictions(task.X_test, n, seed=1)
    assert draws.shape == (n, 9, 3)
    covariance = prediction.predictor_covariance(task.X_test)
    variance = np.diag(covariance)
    # 27 means and 81 covariances, each within five standard errors: false alarms below 1e-4.
    allowed = 5 * np.sqrt(variance / n)[:, None]
    assert np.all(np.abs(draws.mean(axis=0) - prediction.predict(task.X_test)) < allowed)
    centred = draws[:, :, 1] - prediction.predict(task.X_test)[:, 1]
    error = np.sqrt((np.outer(variance, variance) + covariance**2) / n)
    assert np.all(np.abs(centred.T @ centred / n - covariance) < 5 * error)
    np.testing.assert_allclose(draws[:3], prediction.sample_predictions(task.X_test, n, seed=1)[:3], atol=1e-12)


def test_equal_inputs_with_different_targets_are_averaged_and_said(task):
    X, Y = np.concatenate([task.X, task.X[:1]]), np.concatenate([task.Y, -task.Y[:1]])
    twice = nl.tasks.from_arrays(X, Y, np.append(task.labels, 1))
    prediction = gaussian_process(nl.Network(7, 2, "relu"), twice)
    assert prediction.modes.rank == task.P
    np.testing.assert_allclose(prediction.predict(X)[[0, -1]], 0, atol=1e-9)
    np.testing.assert_allclose(prediction.predict(X)[1:-1], Y[1:-1], atol=1e-9)
    assert prediction.residual < 1e-9
    assert prediction.unreachable == pytest.approx(np.max(np.abs(Y[0])) / np.max(np.abs(Y)))
    assert "rank 20 of P = 21" in str(prediction) and "misses the targets" in str(prediction)
    warm = gaussian_process(nl.Network(7, 2, "relu"), twice, temperature=0.1)
    K = warm.kernel(X) + 0.1 * np.eye(21)
    expected = warm.kernel(task.X_test, X) @ np.linalg.solve(K, Y)
    np.testing.assert_allclose(warm.predict(task.X_test), expected, atol=1e-9)
    normal = scipy.stats.multivariate_normal(cov=K)
    assert warm.free_energy == pytest.approx(-sum(normal.logpdf(Y[:, r]) for r in range(3)) / 21, rel=1e-9)
    assert warm.residual < 1e-9 and warm.unreachable == 0


def test_more_inputs_than_dimensions_of_a_linear_network_agree_with_its_theory():
    task = random_task(P=25, N0=10)
    network = nl.Network(40, 1, "linear")
    prediction = gaussian_process(network, task)
    assert prediction.modes.rank == 10
    np.testing.assert_allclose(
        prediction.predict(task.X_test), nl.theory.solve(network, task).predict(task.X_test), atol=1e-9
    )


def test_neurons_keep_their_prior(task):
    prediction = gaussian_process(nl.Network(7, 2, "sigmoid"), task, 0.6, 0.2, (1.5, 0.5))
    grid = np.linspace(-12, 12, 4001)
    for layer, variances in (
        (1, 1.5 * np.sum(task.X**2, axis=1) / task.N0),
        (2, 0.5 * np.diag(prediction.kernel(task.X, layer=1))),
    ):
        density = prediction.preactivation_density(grid, None, 1, layer)
        assert np.trapezoid(density, grid) == pytest.approx(1)
        assert np.trapezoid(density * grid**2, grid) == pytest.approx(np.mean(variances[task.labels == 1]))
    density = prediction.readout_density(np.array([0.0, 1.0, 2.0]), grid)
    assert np.trapezoid(density * grid**2, grid) == pytest.approx(0.6)
    draws = prediction.sample_readouts(50_000, seed=0)
    # Six numbers within five standard errors.
    assert np.all(np.abs(draws.T @ draws / 50_000 - 0.6 * np.eye(3)) < 5 * 0.6 * np.sqrt(2 / 50_000))


def test_posterior_and_network_are_two_ways_to_ask(task):
    lazy = nl.Posterior(nl.Network(7, 2, "tanh", "lazy"), task, 0.1, 0.4, (1.0, 2.0))
    one = gaussian_process(lazy)
    two = gaussian_process(nl.Network(9, 2, "tanh"), task, 0.4, 0.1, (1.0, 2.0))
    np.testing.assert_allclose(one.predict(task.X_test), two.predict(task.X_test), atol=1e-12)
    assert gaussian_process(lazy, readout_variance=0.9).posterior.sigma_a2 == 0.9
    non_lazy = nl.Posterior(nl.Network(7, 2, "tanh"), task, 0.1)
    assert gaussian_process(non_lazy).posterior.sigma_a2 == 1.0
    assert gaussian_process(non_lazy).posterior.network.readout == "lazy"
    with pytest.raises(InvalidInput, match="temperature given next to a posterior"):
        gaussian_process(lazy, temperature=0.3)
    with pytest.raises(InvalidInput, match="pass a posterior, or the network and a task"):
        gaussian_process(nl.Network(7))
    with pytest.raises(InvalidInput, match="'best'"):
        gaussian_process(nl.Network(7), task, "best")
    with pytest.raises(InvalidInput, match="no codes"):
        one.preactivation_density(np.zeros(1), 0, 1)


def test_it_prints_and_converts(task):
    prediction = gaussian_process(nl.Network(7, 2, "softplus"), task, "evidence", 0.1)
    text = str(prediction)
    for part in ("softplus", "L = 2", "maximises the evidence", "residual", "closed form", "rank 20 of P = 20"):
        assert part in text
    assert all(len(line) <= 100 for line in text.splitlines()[1:])
    dataset = prediction.to_xarray()
    assert dataset["dual_field"].shape == (20, 3) and dataset.attrs["certified"] == 1
    assert isinstance(prediction, GaussianProcessPrediction)
    assert prediction.predict(task.X[:0]).shape == (0, 3)


def test_training_inputs_are_recognised_in_deep_networks_with_kinks(task):
    """At s = 3 pairs of almost equal variables are out of reach for this function; equal ones are not."""
    hard = nl.activations.Activation("hard", "sigmoidal", lambda z, xp: xp.maximum(z, -1.0) - xp.maximum(z - 1.0, 0.0))
    prediction = gaussian_process(nl.Network(7, 3, hard), task, weight_variance=9.0)
    np.testing.assert_allclose(prediction.predict(task.X), task.Y, atol=1e-6)
    np.testing.assert_allclose(prediction.predictor_variance(task.X), 0, atol=1e-6)
    near = task.X + 1e-6 * task.X[::-1]
    with pytest.raises(InvalidInput, match="nearly alike"):
        prediction.predict(near)
