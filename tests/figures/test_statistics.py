"""Numbers that figures read from layers, on arrays for which they are known."""

import numpy as np
import pytest
from scipy.stats import norm

from nonlazy.figures import _statistics as statistics


LABELS = np.repeat([0, 1], 4)


def test_block_contrast_counts_no_input_with_itself():
    same = LABELS[:, None] == LABELS[None, :]
    kernel = np.where(same, 0.7, 0.2) + 5.0 * np.eye(8)
    assert statistics.block_contrast(kernel, LABELS) == pytest.approx(0.5 / 5.7)
    assert statistics.block_contrast(np.eye(8), LABELS) == 0


def test_contrast_of_a_layer_is_that_of_its_kernel():
    layer = np.random.default_rng(0).standard_normal((5, len(LABELS)))
    assert statistics.layer_contrast(layer, LABELS) == pytest.approx(
        statistics.block_contrast(layer.T @ layer, LABELS), rel=1e-12
    )


def test_correlation_of_kernels_leaves_the_diagonal_out():
    one = np.random.default_rng(0).standard_normal((8, 8))
    assert statistics.off_diagonal_correlation(one, 3 * one + np.diag(np.arange(8.0))) == pytest.approx(1)
    assert statistics.least_correlation({"a": one, "b": one, "c": -one}) == pytest.approx(-1)


def test_levels_and_fluctuations():
    generator = np.random.default_rng(1)
    levels = generator.integers(0, 2, (2000, 2)).astype(float)
    activations = levels[:, LABELS] + 0.1 * generator.standard_normal((2000, 8))
    assert statistics.fluctuation(activations, LABELS) == pytest.approx(0.1, rel=0.02)
    assert statistics.level_gap(activations, LABELS) == pytest.approx(np.sqrt(0.25 + 0.01 / 4) / 0.1, rel=0.03)
    np.testing.assert_allclose(statistics.class_means(activations, LABELS), levels, atol=0.3)


def test_kurtosis_of_known_laws():
    generator = np.random.default_rng(2)
    assert statistics.excess_kurtosis(generator.uniform(size=200_000)) == pytest.approx(-1.2, abs=0.02)
    # Standard error of a Gaussian's: (24/n)^(1/2) = .011.
    assert abs(statistics.excess_kurtosis(generator.standard_normal(200_000))) < 0.055


def test_kolmogorov_distance_of_known_laws():
    grid = np.linspace(-8, 8, 4001)
    samples = norm.ppf((np.arange(10_000) + 0.5) / 10_000)
    assert statistics.kolmogorov_distance(samples, grid, norm.pdf(grid)) < 1e-3
    # Two Gaussians a distance d apart differ most in the middle, by 2 Phi(d/2) - 1.
    distance = statistics.kolmogorov_distance(samples + 1.0, grid, norm.pdf(grid))
    assert distance == pytest.approx(2 * norm.cdf(0.5) - 1, abs=1e-3)


def test_outliers_are_those_above_a_share_of_the_norm():
    readouts = np.zeros((3, 100, 2))
    readouts[1, 7] = (2.1, 0)
    readouts[2, 3] = (0, 1.9)
    assert statistics.outliers(readouts).sum(axis=1).tolist() == [0, 1, 0]
