"""What a rectified prediction answers: densities, predictor, kernel, units and refusals."""

import dataclasses

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput
from nonlazy.theory import Prediction
from nonlazy.theory.rectified import solve_rectified


def posterior(activation="relu", P=100, N=100, T=1e-2, **settings):
    task = nl.tasks.toy(P=P, N0=P + 10, y_minus=-0.5)
    return nl.Posterior(nl.Network(N, activation=activation), task, T, **settings)


@pytest.fixture(scope="module")
def relu():
    return solve_rectified(posterior())


@pytest.mark.parametrize("activation", ["relu", "softplus", "requ"])
def test_a_prediction_in_every_respect(activation):
    prediction = solve_rectified(posterior(activation))
    task = prediction.posterior.task
    assert isinstance(prediction, Prediction)
    assert prediction.ensemble == "equilibrium"
    assert prediction.residual < 1e-9
    assert len(prediction.outliers) == 3
    remainder = task.Y - prediction.predict(task.X)
    decay = 100 ** (-1 / 3) if activation == "requ" else 1.0
    np.testing.assert_allclose(remainder, 1e-2 * decay * prediction.field, atol=1e-9)
    grid = np.linspace(-60, 60, 240_001)
    step = grid[1] - grid[0]
    for density in (
        prediction.readout_density(np.array([1.0, 0.0, 0.0]), grid),
        prediction.preactivation_density(grid, None, 0),
        prediction.preactivation_density(grid, 0, 0),
        prediction.preactivation_density(grid, 1, 0),
    ):
        assert step * density.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(prediction.predictor_variance(task.X), 0)
    kernel = prediction.kernel(task.X)
    assert np.linalg.eigvalsh(kernel)[0] > 0
    np.testing.assert_allclose(prediction.kernel(task.X, layer=0), np.eye(100), atol=1e-9)
    assert str(prediction).count("outlier ") == 3
    assert prediction.to_xarray()["outlier_readout"].shape == (3, 3)


def test_an_outlier_is_active_on_its_own_class_alone(relu):
    """Rounding must not decide on which side of 0 a silent class lies."""
    grid = np.linspace(-60, 60, 60_001)
    above = grid > 0
    for outlier in range(3):
        mass = [
            np.trapezoid(np.where(above, relu.preactivation_density(grid, outlier, label), 0), grid)
            for label in range(3)
        ]
        active = relu.outliers.preactivation[outlier] > 1e-9
        np.testing.assert_allclose(mass, active, atol=1e-3)
        assert active.sum() == 1


def test_training_kernel_is_bulk_and_outliers(relu):
    task = relu.posterior.task
    z, phi = relu.outliers.preactivation, relu.bulk.activation
    kernel = relu.kernel(task.X)
    share = 1 - 3 / 100
    for c, d, i, j in ((0, 0, 0, 1), (0, 1, 0, 60), (2, 2, 90, 91)):
        assert kernel[i, j] == pytest.approx(share * phi[c] * phi[d] + z[:, c] @ z[:, d], abs=1e-9)


def test_readouts_are_drawn_from_their_density(relu):
    """Mean and second moment of 200,000 draws within 4 standard errors: a false alarm in 2,600 runs."""
    draws = relu.sample_readouts(200_000, seed=0)
    grid = np.linspace(-30, 30, 120_001)
    for direction in np.eye(3):
        density = relu.readout_density(direction, grid) * (grid[1] - grid[0])
        along = draws @ direction
        for power in (1, 2):
            values = along**power
            assert abs(values.mean() - density @ grid**power) < 4 * values.std() / np.sqrt(len(values))


def test_second_moment_of_readouts_is_that_of_the_energy(relu):
    """sum a^2 / N: bulk plus outliers; the outliers' part is their share of the energy."""
    share = 1 - len(relu.outliers) / 100
    bulk = np.trace(relu.bulk.covariance) + relu.bulk.readout @ relu.bulk.readout
    total = share * bulk + np.sum(relu.outliers.readout**2)
    assert np.mean(np.sum(relu.sample_readouts(400_000, 1) ** 2, axis=1)) == pytest.approx(total, rel=0.05)


def test_inputs_that_were_not_seen(relu):
    """Orthogonal to all training inputs: no outlier answers, the bulk's phi is the prior's mean."""
    X = relu.posterior.task.X
    new = np.linalg.svd(X)[2][-1][None] * np.sqrt(X.shape[1])
    share = 1 - 3 / 100
    expected = share * relu.bulk.readout / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(relu.predict(new)[0], expected, atol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "softplus"])
def test_units(activation):
    """Twice the readouts' deviation with targets twice as large changes nothing but the readouts' scale.

    And for the homogeneous ReLU, a hidden variance of 4 doubles the preactivations.
    """
    base = solve_rectified(posterior(activation), finite_size=False)
    task = base.posterior.task
    double = nl.tasks.from_arrays(task.X, 2 * task.Y, task.labels)
    scaled = solve_rectified(
        nl.Posterior(base.posterior.network, double, 4e-2, readout_variance=4 * base.posterior.sigma_a2),
        finite_size=False,
    )
    np.testing.assert_allclose(scaled.outliers.readout, 2 * base.outliers.readout, atol=1e-9)
    np.testing.assert_allclose(scaled.outliers.preactivation, base.outliers.preactivation, atol=1e-9)
    assert scaled.free_energy == pytest.approx(base.free_energy, abs=1e-9)
    if activation == "relu":
        wide = solve_rectified(
            nl.Posterior(base.posterior.network, double, 4e-2, weight_variance=4.0), finite_size=False
        )
        np.testing.assert_allclose(wide.outliers.readout, base.outliers.readout, atol=1e-9)
        np.testing.assert_allclose(wide.outliers.preactivation, 2 * base.outliers.preactivation, atol=1e-9)
        np.testing.assert_allclose(wide.predict(task.X), 2 * base.predict(task.X), atol=1e-9)


def test_finite_size_approaches_the_limit():
    deviations = []
    for size in (100, 400):
        finite = solve_rectified(posterior(P=size, N=size))
        limit = solve_rectified(posterior(P=size, N=size), finite_size=False)
        deviations.append(np.max(np.abs(finite.outliers.readout - limit.outliers.readout)))
    assert 3 < deviations[0] / deviations[1] < 5


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"depth": 2}, "gaussian_process"),
        ({"readout": "lazy"}, "gaussian_process"),
        ({"activation": "sigmoid"}, "relu, softplus, requ"),
    ],
)
def test_networks_without_a_theory_are_refused(change, text):
    given = posterior()
    network = dataclasses.replace(given.network, **change)
    with pytest.raises(InvalidInput, match=text):
        solve_rectified(nl.Posterior(network, given.task, 1e-2))


def test_requests_that_cannot_be_served_are_refused(relu):
    with pytest.raises(InvalidInput, match="decided by the solution"):
        solve_rectified(posterior(), fractions={(1, 0, 0): 1.0})
    with pytest.raises(InvalidInput, match="leaves no bulk"):
        solve_rectified(posterior(N=3))
    with pytest.raises(InvalidInput, match="grows without bound as T -> 0"):
        labels = np.arange(16) % 2
        silent = nl.tasks.from_arrays(np.random.default_rng(3).standard_normal((16, 24)), np.eye(2)[labels], labels)
        solve_rectified(nl.Posterior(nl.Network(30, activation="requ"), silent, 0.0))
    with pytest.raises(InvalidInput, match="up to 8000"):
        many = nl.tasks.from_arrays(np.ones((1700, 3)), np.eye(2)[np.arange(1700) % 2])
        solve_rectified(nl.Posterior(nl.Network(30, activation="requ"), many, 1e-2))
    mnist = nl.tasks.mnist(12, P_test=0, source="embedded")
    with pytest.raises(InvalidInput, match="all targets are 0"):
        zero = nl.tasks.from_arrays(mnist.X, 0 * mnist.Y, mnist.labels)
        solve_rectified(nl.Posterior(nl.Network(30, activation="relu"), zero, 1e-2))
    with pytest.raises(InvalidInput, match=r"outliers 0 \.\. 2"):
        relu.preactivation_density(np.zeros(1), 3, 0)
    with pytest.raises(InvalidInput, match="finite_size=True"):
        solve_rectified(posterior(), finite_size=False).sample_readouts(3, 0)
