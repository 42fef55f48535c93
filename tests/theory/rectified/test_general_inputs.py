"""The solver for general inputs: against the class level, its own equations, and what is known of MNIST."""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.theory.rectified import solve_rectified
from nonlazy.theory.rectified._active_sets import response, sources_of
from nonlazy.theory.rectified._data_descent import descend, rounded_relu
from nonlazy.theory.rectified._data_problem import DataState, data_problem
from nonlazy.theory.rectified._data_solver import solve_data
from nonlazy.theory.rectified._prior import prior_covariance, prior_mean
from nonlazy.theory.rectified._requ_data import SquaredData, solve_squared_data


@pytest.fixture(scope="module")
def mnist():
    task = nl.tasks.mnist(60, P_test=300, source="embedded")
    posterior = nl.Posterior(nl.Network(60, activation="relu"), task, temperature=1e-2)
    return solve_rectified(posterior)


def problem_of(K, Y, T):
    variance = np.diag(K)
    return data_problem(K, Y, T, prior_mean("relu", variance), prior_covariance("relu", variance, variance, K))


def test_orthogonal_inputs_agree_with_the_class_level():
    """The bulk differs: general inputs take it to second order in its field, which is 0 in balanced classes."""
    task = nl.tasks.toy(P=24, N0=24, class_ratios=(1 / 3, 1 / 3, 1 / 3), y_minus=-0.5)
    posterior = nl.Posterior(nl.Network(24, activation="relu"), task, temperature=0.05)
    exact = solve_rectified(posterior, finite_size=False)
    basis = np.linalg.svd(task.Y)[2][:2]
    solved = solve_data(problem_of(np.eye(24), task.Y @ basis.T, 0.05), None)
    assert solved.solution.residual < 1e-6
    assert solved.energy == pytest.approx(exact.free_energy, abs=1e-6)
    assert len(solved.solution.outliers) == len(exact.outliers) == 3
    np.testing.assert_allclose(solved.solution.field @ basis, exact.field, atol=1e-5)


def test_mnist_has_three_dominant_outliers_one_a_class(mnist):
    readout, weight = mnist.outliers.readout, mnist.outliers.weight
    assert sorted(np.argmax(readout[:3], axis=1)) == [0, 1, 2]
    assert len(weight) == 3 or weight[3] < 0.4 * weight[2]


def test_mnist_solves_its_equations(mnist):
    """Written out again from the prediction's public parts, in the network's own units (s2 = 1 here)."""
    task, t, q = mnist.posterior.task, mnist.field, mnist.sources
    K = task.input_kernel
    assert mnist.residual < 1e-6
    z = q @ K
    np.testing.assert_allclose(mnist.outliers.preactivation, z, atol=1e-8)
    h = mnist.outliers.readout @ t.T
    above = z > 1e-7
    np.testing.assert_allclose(q[above], h[above], atol=1e-6)
    assert np.all(q[z < -1e-7] == 0)
    kink = ~above & (z >= -1e-7)
    assert np.all((q[kink] <= 1e-6) & (q[kink] >= h[kink] - 1e-6))
    np.testing.assert_allclose(mnist.outliers.readout, np.maximum(z, 0) @ t / task.P, atol=1e-6)
    np.testing.assert_allclose(mnist.predict(task.X), task.Y - 1e-2 * t, atol=1e-6)
    assert not mnist.certified
    assert "not proved" in mnist.certificate


def test_mnist_predicts_and_prints(mnist):
    error = mnist.generalization_error()
    guess = np.mean((mnist.posterior.task.Y_test - mnist.posterior.task.Y.mean(axis=0)) ** 2, axis=0)
    assert np.all(error.total < 0.4 * guess)
    assert "outlier 0" in str(mnist)
    assert max(len(line) for line in str(mnist).splitlines()) <= 120
    assert mnist.to_xarray()["outlier_preactivation"].dims == ("outlier", "input")


def test_more_outliers_pay_in_the_limit(mnist):
    limit = solve_rectified(mnist.posterior, finite_size=False)
    assert len(limit.outliers) > len(mnist.outliers)
    assert limit.gap < mnist.gap


def test_descent_has_the_gradient_of_its_objective():
    """A converged descent with a wide kink is stationary: no coordinate step lowers what it minimises."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((8, 12))
    problem = problem_of(X @ X.T / 12, generator.standard_normal((8, 2)), 0.3)
    start = DataState(
        np.zeros((8, 2)),
        np.zeros(2),
        np.zeros(8),
        0.3 * generator.standard_normal((3, 2)),
        generator.standard_normal((3, problem.root.shape[1])),
    )
    spread = np.sqrt(np.mean((start.whitened @ problem.root.T) ** 2, axis=1, keepdims=True))
    kink = 0.5 * spread / np.linalg.norm(start.whitened, axis=1, keepdims=True)

    def objective(outliers, whitened, state):
        width = kink * np.linalg.norm(whitened, axis=1, keepdims=True)
        phi = rounded_relu(whitened @ problem.root.T, width)[0]
        s = problem.mean + problem.covariance_root @ state.latent
        rest = problem.targets - phi.T @ outliers - np.outer(s, state.bulk)
        own = 8 * (np.sum(outliers**2) + np.sum(state.bulk**2)) + np.sum(whitened**2) + np.sum(state.latent**2)
        return 0.5 * own + 0.5 * np.sum(rest**2) / 0.3

    end = descend(problem, start, 0.0, 0.5, 5000)
    lowest = objective(end.outliers, end.whitened, end)
    for _ in range(200):
        da, dxi = 1e-3 * generator.standard_normal((3, 2)), 1e-3 * generator.standard_normal(end.whitened.shape)
        assert objective(end.outliers + da, end.whitened + dxi, end) > lowest


def test_response_keeps_the_kink_at_zero():
    generator = np.random.default_rng(1)
    X = generator.standard_normal((6, 9))
    problem = problem_of(X @ X.T / 9, generator.standard_normal((6, 1)), 0.1)
    sets, h = np.array([1, 1, 0, 0, -1, 1]), generator.standard_normal(6)
    q = sources_of(problem, sets, h)
    z = q @ problem.kernel
    np.testing.assert_allclose(z[sets == 0], 0, atol=1e-12)
    np.testing.assert_allclose((response(problem, sets) @ h)[sets == 1], z[sets == 1], atol=1e-12)


@pytest.mark.parametrize("name", ["relu", "softplus"])
def test_prior_moments_by_monte_carlo(name):
    """4 standard errors for each of 12 numbers: a false alarm in 1,300 runs."""
    K = np.array([[1.0, 0.6, -0.3], [0.6, 2.0, 0.2], [-0.3, 0.2, 0.5]])
    z = np.random.default_rng(0).multivariate_normal(np.zeros(3), K, 400_000)
    phi = nl.activations.get(name)(z)
    variance = np.diag(K)
    assert np.all(np.abs(phi.mean(axis=0) - prior_mean(name, variance)) < 4 * phi.std(axis=0) / 632)
    product = (phi - phi.mean(axis=0))[:, :, None] * (phi - phi.mean(axis=0))[:, None, :]
    error = product.std(axis=0) / 632
    assert np.all(np.abs(product.mean(axis=0) - prior_covariance(name, variance, variance, K)) < 4 * error)


def small_posterior(activation, T, X, N=50):
    labels = np.arange(len(X)) % 2
    task = nl.tasks.from_arrays(X, np.eye(2)[labels], labels=labels)
    return nl.Posterior(nl.Network(N, activation=activation), task, T)


@pytest.mark.parametrize("activation", ["relu", "softplus"])
@pytest.mark.parametrize("finite_size", [True, False])
def test_targets_are_met_at_zero_temperature(activation, finite_size):
    X = np.random.default_rng(3).standard_normal((16, 24))
    prediction = solve_rectified(small_posterior(activation, 0.0, X), finite_size)
    assert prediction.residual < 1e-6
    np.testing.assert_allclose(prediction.predict(X), prediction.posterior.task.Y, atol=1e-6)
    assert not prediction.certified


def test_low_temperatures_tend_to_zero_temperature():
    """E(T) is concave with slope |t|^2 / 2P: at T = 1e-5 it lies at most that slope times T below E(0)."""
    X = np.random.default_rng(4).standard_normal((16, 24))
    zero, low = (solve_rectified(small_posterior("relu", T, X), False) for T in (0.0, 1e-5))
    slope = 0.5 * np.sum(zero.field**2) / 16
    assert zero.free_energy - slope * 1e-5 - max(zero.gap, low.gap) <= low.free_energy + 1e-9
    assert low.free_energy <= zero.free_energy + max(zero.gap, low.gap) + 1e-9


def test_squared_relu_on_orthogonal_inputs_agrees_with_the_class_level():
    task = nl.tasks.toy(P=24, N0=24, class_ratios=(0.5, 0.25, 0.25), y_minus=-0.5)
    posterior = nl.Posterior(nl.Network(24, activation="requ"), task, temperature=0.05)
    exact = solve_rectified(posterior)
    basis = np.linalg.svd(task.Y)[2][:2]
    found = solve_squared_data(SquaredData(np.eye(24), task.Y @ basis.T, 0.05 * 24 ** (-1 / 3)))
    assert found is not None and found.residual < 1e-9
    assert found.energy == pytest.approx(exact.free_energy, abs=1e-9)
    np.testing.assert_allclose(found.field @ basis, exact.field, atol=1e-6)


def test_squared_relu_solves_its_equations_on_images():
    """Written out again from the prediction's public parts: Y - T t = phi a, a = phi t / P, q = 2 [z]_+ (t a)."""
    task = nl.tasks.mnist(40, P_test=50, source="embedded")
    N = 40
    prediction = solve_rectified(nl.Posterior(nl.Network(N, activation="requ"), task, temperature=0.05))
    t, a, z = prediction.field, prediction.outliers.readout, prediction.outliers.preactivation
    phi = np.maximum(z, 0) ** 2
    np.testing.assert_allclose(z, prediction.sources @ task.input_kernel, atol=1e-8)
    np.testing.assert_allclose(task.Y - 0.05 * N ** (-1 / 3) * t, phi.T @ a, atol=1e-8)
    np.testing.assert_allclose(a, phi @ t / task.P, atol=1e-8)
    np.testing.assert_allclose(prediction.sources, 2 * np.maximum(z, 0) * (a @ t.T), atol=1e-8)
    np.testing.assert_allclose(prediction.predict(task.X), phi.T @ a, atol=1e-8)
    assert "starts" in prediction.certificate and np.isinf(prediction.gap)


def test_an_input_of_zeros_next_to_others():
    X = np.random.default_rng(5).standard_normal((12, 20))
    X[3] = 0
    for activation in ("relu", "softplus"):
        prediction = solve_rectified(small_posterior(activation, 1e-2, X))
        assert prediction.residual < 1e-6
        assert np.all(np.isfinite(prediction.preactivation_density(np.linspace(-3, 3, 5), None, 0)))
        with pytest.raises(InvalidInput, match="no density"):
            prediction.preactivation_density(np.linspace(-3, 3, 5), None, 1)
        np.testing.assert_allclose(
            prediction.predict(X), prediction.posterior.task.Y - 1e-2 * prediction.field, atol=1e-6
        )


@pytest.mark.parametrize("activation", ["relu", "softplus", "requ"])
def test_inputs_of_zeros_alone_are_refused(activation):
    with pytest.raises(InvalidInput, match="numbers of all training inputs are 0"):
        solve_rectified(small_posterior(activation, 1e-2, np.zeros((4, 6))))
