"""Confidence of a neuron's code, and codes read together."""

import numpy as np
from scipy.stats import binomtest

from nonlazy import codes
from nonlazy.codes._fractions import effective_number, proportion_intervals
from nonlazy.codes._sharing import alone, together


TABLE = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]], bool)


def measured(seed, N=800, error=0.06):
    rng = np.random.default_rng(seed)
    truth = TABLE[rng.choice(3, N, p=(0.5, 0.4, 0.1))]
    distances = 0.2 * (truth - 0.5) + error * rng.normal(size=truth.shape)
    return truth, distances, np.full(truth.shape, error)


def test_confidence_alone_is_the_chance_of_the_same_signs():
    # 0.1 at an error of 0.06: each class right with 0.9522.
    np.testing.assert_allclose(alone(np.full((1, 3), 0.1), np.full((1, 3), 0.06)), 0.9522**3, atol=1e-3)
    np.testing.assert_allclose(alone(np.array([[0.1, -0.2]]), np.zeros((1, 2))), 1.0)


def test_shared_codes_correct_each_other_and_the_confidence_is_what_comes_true():
    truth, distances, errors = measured(5200)
    signs = np.mean(((distances > 0) == truth).all(axis=1))
    active, certain = together(distances, errors, 0.2)
    right = (active == truth).all(axis=1)
    # Alone 0.9522^4 = 0.82; together the codes differ in two classes or more: 1 - Phi(-2.36) or better.
    assert signs < 0.85 and right.mean() > 0.97
    for low, high in ((0.5, 0.9), (0.9, 0.99), (0.99, 1.0)):
        some = (certain > low) & (certain <= high)
        # Four standard errors, and a share of .02 for what estimating the shares of codes costs.
        error = np.sqrt(np.mean(certain[some] * (1 - certain[some])) / some.sum())
        assert abs(right[some].mean() - certain[some].mean()) < 0.02 + 4 * error


def test_small_errors_leave_rare_codes_alone():
    truth, distances, errors = measured(5201, N=200, error=0.01)
    distances[0] = [0.1, 0.1, 0.1, 0.1]  # the only neuron of its code
    active, certain = together(distances, errors, 0.2)
    np.testing.assert_array_equal(active[1:], truth[1:])
    assert active[0].all() and certain[0] > 0.999


def test_errors_of_zero_are_no_trouble():
    _, distances, errors = measured(5202, N=50)
    active, certain = together(distances, 0 * errors, 0.2)
    np.testing.assert_array_equal(active, distances > 0)
    assert (certain > 0.999).all()


def test_intervals_hold_the_true_share():
    intervals = proportion_intervals(np.array([0, 3, 100]), 100)
    for count, (low, high) in zip((0, 3, 100), intervals, strict=True):
        exact = binomtest(count, 100).proportion_ci(0.95)
        np.testing.assert_allclose((low, high), (exact.low, exact.high))


def test_effective_number_of_codes():
    np.testing.assert_allclose(effective_number(np.array([5, 5, 5, 0])), 3)
    assert effective_number(np.array([], int)) == 0
    assert 1 < effective_number(np.array([99, 1])) < 1.1


def test_detect_reports_confidences_of_neurons_that_have_codes():
    right, sure = [], []
    for seed in range(5210, 5216):
        rng = np.random.default_rng(seed)
        labels = np.arange(80) % 4
        truth = TABLE[rng.integers(0, 3, 120)]
        F = 0.5 + 0.2 * (truth[:, labels] - 0.5) + 0.3 * rng.normal(size=(120, 80))
        scheme = codes.detect(F, labels)
        assert scheme.kind == "redundant"
        coded = scheme.neuron_codes >= 0
        np.testing.assert_array_equal(np.isnan(scheme.code_confidences), ~coded)
        right.append((scheme.codes[scheme.neuron_codes] == truth).all(axis=1)[coded].mean())
        sure.append(np.nanmean(scheme.code_confidences))
        assert coded.mean() > 0.9 and "have codes" in scheme.rule
    # By themselves neurons get .93^4 = .75 right (.1 at an error of .3/sqrt(20)); shared codes of distance two 0.96 at
    # best. 720 neurons: a standard error below .01.
    assert np.mean(right) > 0.9 and abs(np.mean(right) - np.mean(sure)) < 0.05
