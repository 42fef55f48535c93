import math

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput


def random_task(P=30, N0=40, m=3, P_test=12, seed=0):
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


def with_targets(task, Y):
    return nl.tasks.from_arrays(task.X, Y, task.labels)


@pytest.fixture
def task():
    return random_task()


@pytest.mark.parametrize("depth", [1, 3])
def test_predictor_at_zero_temperature_is_the_kernel_regression(task, depth):
    K, k = task.input_kernel, task.X_test @ task.X.T / task.N0
    expected = k @ np.linalg.solve(K, task.Y)
    for readout in ("non-lazy", "lazy"):
        prediction = nl.theory.solve(nl.Network(50, depth, "linear", readout), task)
        np.testing.assert_allclose(prediction.predict(task.X_test), expected, atol=1e-10)
        np.testing.assert_allclose(prediction.predictor_variance(task.X), 0, atol=1e-12)
        rest = np.sum(task.X_test**2, axis=1) / task.N0 - np.sum(k * np.linalg.solve(K, k.T).T, axis=1)
        G = prediction.backward_covariance(1)
        scale = 1 if readout == "lazy" else 1 / 50
        variance = scale * rest[:, None] * np.diag(G)
        np.testing.assert_allclose(prediction.predictor_variance(task.X_test), variance, atol=1e-10)


def test_predictor_at_finite_temperature_is_gaussian_regression_in_the_directions_of_g1(task):
    posterior = nl.Posterior(nl.Network(50, 2, "linear"), task, 0.1, 0.3, (0.7, 1.2))
    prediction = nl.theory.solve(posterior)
    w, V = np.linalg.eigh(0.7 * prediction.backward_covariance(1))
    K, k = task.input_kernel, task.X_test @ task.X.T / task.N0
    own = np.sum(task.X_test**2, axis=1) / task.N0
    mean, variance = np.zeros((12, 3)), np.zeros((12, 3))
    for j in range(3):
        solved = np.linalg.solve(w[j] * K + 0.1 * np.eye(task.P), k.T).T
        mean[:, j] = w[j] * solved @ task.Y @ V[:, j]
        variance[:, j] = (w[j] * own - w[j] ** 2 * np.sum(solved * k, axis=1)) / 50
    np.testing.assert_allclose(prediction.predict(task.X_test), mean @ V.T, atol=1e-10)
    np.testing.assert_allclose(prediction.predictor_variance(task.X_test), variance @ (V**2).T, atol=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_limit_is_the_papers_formula(task, depth):
    prediction = nl.theory.solve(nl.Network(50, depth, "linear"), task, finite_size=False)
    U, sigma_a2 = prediction.readout_covariance, prediction.posterior.sigma_a2
    strength = task.Y.T @ np.linalg.solve(task.input_kernel, task.Y)
    np.testing.assert_allclose(np.linalg.matrix_power(U, depth + 1), sigma_a2**depth * strength, rtol=1e-10, atol=1e-12)
    for layer in range(1, depth + 1):
        power = np.linalg.matrix_power(np.linalg.inv(U), depth - layer + 1)
        paper = task.input_kernel + sigma_a2 ** (depth - layer) * task.Y @ power @ task.Y.T
        np.testing.assert_allclose(prediction.kernel(task.X, layer=layer, terms="last"), paper, atol=1e-9)
    learned = sum(
        sigma_a2 ** (depth - l) * np.linalg.matrix_power(np.linalg.inv(U), depth - l + 1) for l in range(1, depth + 1)
    )
    np.testing.assert_allclose(prediction.kernel(task.X), task.input_kernel + task.Y @ learned @ task.Y.T, atol=1e-9)


def test_one_layer_at_zero_temperature_with_as_many_inputs_as_neurons():
    """At L = 1 and P = N the saddle is U^2 = sigma_a^2 Y^T K_0^-1 Y, with no correction."""
    task = nl.tasks.toy(40, 50)
    prediction = nl.theory.solve(nl.Network(40, 1, "linear"), task, readout_variance=0.2)
    U = prediction.readout_covariance
    np.testing.assert_allclose(U @ U, 0.2 * task.Y.T @ task.Y, rtol=1e-10, atol=1e-12)


def test_lazy_is_non_lazy_with_targets_divided_by_sqrt_n(task):
    lazy = nl.theory.solve(nl.Network(50, 2, "linear", "lazy"), task, 0.02, 0.7)
    scaled = nl.theory.solve(nl.Network(50, 2, "linear"), with_targets(task, task.Y / math.sqrt(50)), 0.02, 0.7)
    np.testing.assert_allclose(lazy.readout_covariance, scaled.readout_covariance, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(lazy.kernel(task.X), scaled.kernel(task.X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(lazy.predict(task.X), math.sqrt(50) * scaled.predict(task.X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(lazy.predictor_variance(task.X), 50 * scaled.predictor_variance(task.X), rtol=1e-8)


def test_lazy_limit_keeps_the_prior(task):
    prediction = nl.theory.solve(nl.Network(50, 2, "linear", "lazy"), task, 0.1, finite_size=False)
    np.testing.assert_allclose(prediction.readout_covariance, np.eye(3), atol=1e-12)
    K, k = task.input_kernel, task.X_test @ task.X.T / task.N0
    expected = k @ np.linalg.solve(K + 0.1 * np.eye(task.P), task.Y)
    np.testing.assert_allclose(prediction.predict(task.X_test), expected, atol=1e-10)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("temperature", [0.05, 0.5])
@pytest.mark.parametrize(("depth", "load"), [(1, 0.5), (2, 0.5), (2, 1.0)])
def test_error_of_the_saddle_falls_as_one_over_n(lazy, temperature, depth, load):
    """One output, P = load N orthogonal inputs, |Y|^2 fixed: F is the same for all N. The exact mean of G_L by
    quadrature over log G_1 .. log G_L differs from the saddle by c/N, so doubling N must halve the difference."""
    difference = []
    for N in (100, 200, 400):
        P = int(load * N)
        X = np.eye(P) * math.sqrt(P)
        Y = np.full((P, 1), 2 / math.sqrt(P)) * (math.sqrt(N) if lazy else 1)
        network = nl.Network(N, depth, "linear", "lazy" if lazy else "non-lazy")
        task = nl.tasks.from_arrays(X, Y, np.arange(P) % 2)
        U = nl.theory.solve(network, task, temperature, 0.3).readout_covariance[0, 0]
        # log G_L first: each G is 0.3 or the one above it times chi^2 / N.
        axes = np.meshgrid(*[np.linspace(-6, 4, 40001 if depth == 1 else 1501)] * depth, indexing="ij", sparse=True)
        exponent, above = 0.0, math.log(0.3)
        for log_g in axes:
            exponent = exponent + 0.5 * N * (log_g - above - np.exp(log_g - above))
            above = log_g
        noisy = np.exp(axes[-1]) + temperature
        exponent = exponent - 0.5 * P * np.log(noisy) - 0.5 * N * 4 / noisy
        weight = np.exp(exponent - np.max(exponent))
        difference.append(np.sum(weight * np.exp(axes[0])) / np.sum(weight) - U)
    assert difference[0] / difference[1] == pytest.approx(2, rel=0.1)
    assert difference[1] / difference[2] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("temperature", [0.0, 0.1])
@pytest.mark.parametrize("readout", ["non-lazy", "lazy"])
def test_rotating_the_targets_rotates_everything(task, temperature, readout):
    O = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    network = nl.Network(50, 2, "linear", readout)
    before = nl.theory.solve(network, task, temperature)
    after = nl.theory.solve(network, with_targets(task, task.Y @ O), temperature)
    np.testing.assert_allclose(after.readout_covariance, O.T @ before.readout_covariance @ O, atol=1e-9)
    np.testing.assert_allclose(after.kernel(task.X_test), before.kernel(task.X_test), atol=1e-8)
    np.testing.assert_allclose(after.predict(task.X_test), before.predict(task.X_test) @ O, atol=1e-9)
    assert after.free_energy == pytest.approx(before.free_energy, rel=1e-10)


def test_order_of_inputs_does_not_matter(task):
    order = np.random.default_rng(4).permutation(task.P)
    shuffled = nl.tasks.from_arrays(task.X[order], task.Y[order], task.labels[order])
    network = nl.Network(50, 2, "linear")
    before, after = nl.theory.solve(network, task, 0.1), nl.theory.solve(network, shuffled, 0.1)
    np.testing.assert_allclose(after.readout_covariance, before.readout_covariance, atol=1e-9)
    np.testing.assert_allclose(after.predict(task.X_test), before.predict(task.X_test), atol=1e-9)


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_hidden_variances_fold_into_the_readout_variance(task, temperature):
    """z^l has sigma_1 .. sigma_l times its unit value: outputs know the product of all variances, kernels their own."""
    network = nl.Network(50, 2, "linear")
    general = nl.theory.solve(network, task, temperature, 0.3, (0.6, 1.5))
    folded = nl.theory.solve(network, task, temperature, 0.3 * 0.6 * 1.5, 1.0)
    np.testing.assert_allclose(general.readout_covariance * 0.9, folded.readout_covariance, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(general.predict(task.X_test), folded.predict(task.X_test), atol=1e-9)
    np.testing.assert_allclose(general.predictor_variance(task.X_test), folded.predictor_variance(task.X_test), 1e-8)
    for layer, product in ((0, 1.0), (1, 0.6), (2, 0.9)):
        kernel = product * folded.kernel(task.X_test, layer=layer)
        np.testing.assert_allclose(general.kernel(task.X_test, layer=layer), kernel, atol=1e-8)


@pytest.mark.parametrize("depth", [1, 3])
def test_without_data_the_prior_kernel_comes_back(task, depth):
    prediction = nl.theory.solve(nl.Network(50, depth, "linear"), task, 1e12, 0.3, 1.2)
    np.testing.assert_allclose(prediction.readout_covariance, 0.3 * np.eye(3), rtol=1e-6, atol=1e-9)
    prior = 1.2**depth * task.X_test @ task.X_test.T / task.N0
    np.testing.assert_allclose(prediction.kernel(task.X_test), prior, atol=1e-6)


def test_feature_preactivations_given_the_readout_average_to_the_kernel():
    """The law of z given a, averaged over P(a), has the kernel as second moment (in the limit, where both lack 1/N)."""
    task = random_task()
    prediction = nl.theory.solve(nl.Network(50, 2, "linear"), task, readout_variance=0.3, finite_size=False)
    columns = [prediction.preactivations_given_readout(e)[0] for e in np.eye(3)]
    covariance = prediction.preactivations_given_readout(np.zeros(3))[1]
    means = np.stack(columns, axis=1)
    second = means @ prediction.readout_covariance @ means.T + covariance
    np.testing.assert_allclose(second, prediction.kernel(task.X), atol=1e-9)
    np.testing.assert_allclose(means, task.Y @ np.linalg.inv(prediction.readout_covariance), atol=1e-9)


def test_singular_input_kernel_learns_the_reachable_part():
    task = random_task(P=30, N0=10)
    K = task.input_kernel
    reachable = K @ np.linalg.pinv(K, hermitian=True) @ task.Y
    prediction = nl.theory.solve(nl.Network(50, 2, "linear"), task)
    np.testing.assert_allclose(prediction.predict(task.X), reachable, atol=1e-10)
    cold = nl.theory.solve(nl.Network(50, 2, "linear"), task, 1e-9)
    np.testing.assert_allclose(prediction.readout_covariance, cold.readout_covariance, rtol=1e-6, atol=1e-9)
    assert "rank 10 of P = 30" in str(prediction)


@pytest.mark.parametrize("temperature", [0.0, 1e-3])
@pytest.mark.parametrize("width", [40, 80])
def test_targets_that_sum_to_zero(temperature, width):
    """y- = -1/2 with three equal outputs: U keeps (1 - alpha) sigma_a^2 where the targets vanish, and K is finite."""
    task = nl.tasks.toy(40, 50, y_minus=-0.5)
    prediction = nl.theory.solve(nl.Network(width, 1, "linear"), task, temperature, 0.2)
    null = np.ones(3) / math.sqrt(3)
    left = float(null @ prediction.readout_covariance @ null)
    if temperature == 0:
        assert left == pytest.approx((1 - 40 / width) * 0.2, abs=1e-9)
    assert np.isfinite(prediction.kernel(task.X)).all() and np.isfinite(prediction.predictor_variance(task.X)).all()
    np.testing.assert_allclose(prediction.predict(task.X) @ null, 0, atol=1e-9)
    if left < 1e-12:
        with pytest.raises(InvalidInput, match="no variance"):
            prediction.readout_density(null, np.linspace(-1, 1, 3))


def test_free_energy_differences_are_evidence_ratios():
    """F/P of one layer and output, against log p(Y) by quadrature over G, at two readout variances."""
    N, P, T = 400, 20, 0.1
    generator = np.random.default_rng(0)
    task = nl.tasks.from_arrays(generator.standard_normal((P, 30)), generator.standard_normal((P, 1)), np.arange(P) % 2)
    kappa, u = np.linalg.eigh(task.input_kernel)
    y2 = (u.T @ task.Y)[:, 0] ** 2
    log_g = np.linspace(-5, 4, 20001)
    evidence, theory = [], []
    for variance in (0.1, 0.5):
        noisy = kappa[:, None] * np.exp(log_g) + T
        log_p = 0.5 * N * (log_g - math.log(variance) - np.exp(log_g) / variance)
        log_p = log_p - 0.5 * np.sum(np.log(noisy) + N * y2[:, None] / noisy, axis=0)
        evidence.append(log_p.max() + math.log(np.sum(np.exp(log_p - log_p.max()))))
        theory.append(-N * P * nl.theory.solve(nl.Network(N, 1, "linear"), task, T, variance).free_energy)
    # What is left out is the width of the peak in log G, of order 1 in log p.
    assert theory[1] - theory[0] == pytest.approx(evidence[1] - evidence[0], abs=1.0)
    assert abs(evidence[1] - evidence[0]) > 50


def test_generalization_error_by_output_and_by_input_class(task):
    prediction = nl.theory.solve(nl.Network(50, 2, "linear"), task, 0.1)
    mean, variance = prediction.predict(task.X_test), prediction.predictor_variance(task.X_test)
    error = prediction.generalization_error()
    np.testing.assert_allclose(error.bias2, np.mean((task.Y_test - mean) ** 2, axis=0))
    np.testing.assert_allclose(error.variance, variance.mean(axis=0))
    by_class = prediction.generalization_error(task, by="input_class")
    first = task.labels_test == 0
    assert by_class.bias2[0] == pytest.approx(np.sum((task.Y_test - mean)[first] ** 2, axis=1).mean())
    assert np.sum(by_class.total) / 3 == pytest.approx(np.sum(error.total))
    assert str(error).splitlines()[0].split() == ["output", "error", "bias^2", "variance"]
    with pytest.raises(InvalidInput, match="no test set"):
        prediction.generalization_error(nl.tasks.toy(20, 30))


def test_readout_density_and_draws_have_covariance_u(task):
    prediction = nl.theory.solve(nl.Network(50, 2, "linear"), task, 0.1)
    U, direction = prediction.readout_covariance, np.array([1.0, -2.0, 0.5])
    grid = np.linspace(-30, 30, 20001)
    density = prediction.readout_density(direction, grid)
    assert np.trapezoid(density, grid) == pytest.approx(1)
    unit = direction / np.linalg.norm(direction)
    assert np.trapezoid(density * grid**2, grid) == pytest.approx(unit @ U @ unit)
    draws = prediction.sample_readouts(200_000, seed=0)
    # Six numbers, each within five standard errors: false alarms below 1e-5.
    error = np.sqrt((np.outer(np.diag(U), np.diag(U)) + U**2) / 200_000)
    assert np.all(np.abs(draws.T @ draws / 200_000 - U) < 5 * error)
    np.testing.assert_allclose(draws[:5], prediction.sample_readouts(200_000, seed=0)[:5], rtol=1e-12)


def test_kernel_between_two_sets_of_inputs_is_a_block_of_the_joint_kernel(task):
    prediction = nl.theory.solve(nl.Network(50, 2, "linear"), task, 0.1)
    both = np.concatenate([task.X[:4], task.X_test[:3]])
    for terms in ("all", "last"):
        joint = prediction.kernel(both, terms=terms)
        np.testing.assert_allclose(prediction.kernel(both[:4], both[4:], terms=terms), joint[:4, 4:], atol=1e-12)
    np.testing.assert_allclose(prediction.kernel(task.X, layer=0), task.input_kernel, atol=1e-12)
    np.testing.assert_allclose(prediction.kernel(both, layer=-1), prediction.kernel(both, layer=2), atol=1e-12)


def test_outputs_with_an_outlying_number_of_classes_are_certified():
    generator = np.random.default_rng(1)
    labels = np.arange(120) % 10
    task = nl.tasks.from_arrays(generator.standard_normal((120, 150)), np.eye(10)[labels] - 0.1, labels)
    prediction = nl.theory.solve(nl.Network(200, 2, "linear"), task, 1e-2)
    assert prediction.residual < 1e-10 and prediction.certified


def test_wrong_arguments_are_named(task):
    prediction = nl.theory.solve(nl.Network(50, 2, "linear"), task)
    with pytest.raises(InvalidInput, match="layer is 3"):
        prediction.kernel(task.X, layer=3)
    with pytest.raises(InvalidInput, match="layer is 0"):
        prediction.backward_covariance(0)
    with pytest.raises(InvalidInput, match=r"N0 = 40"):
        prediction.predict(task.X[:, :5])
    with pytest.raises(InvalidInput, match="zero vector"):
        prediction.readout_density(np.zeros(3), np.linspace(-1, 1, 3))
    with pytest.raises(InvalidInput, match="direction has shape"):
        prediction.readout_density(np.ones(2), np.linspace(-1, 1, 3))
