"""The statistics below `detect`: class signal, the layer's test, two levels."""

import numpy as np
import pytest
import scipy.stats

from nonlazy.codes._signal import class_signal
from nonlazy.codes._two_levels import two_levels


def test_class_means_spread_and_f_test_agree_with_scipy():
    rng = np.random.default_rng(3000)
    classes = rng.permutation(np.repeat([0, 1, 2], [20, 7, 3]))
    F = rng.gamma(2.0, size=(5, 30)) + np.array([0.0, 0.5, 1.0])[classes]
    signal = class_signal(F, classes)
    groups = [F[:, classes == c] for c in range(3)]
    np.testing.assert_allclose(signal.means, np.stack([g.mean(axis=1) for g in groups], axis=1))
    np.testing.assert_allclose(
        signal.p_values, [scipy.stats.f_oneway(*(g[i] for g in groups)).pvalue for i in range(5)]
    )
    within = sum(((g - g.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) for g in groups) / 27
    np.testing.assert_allclose(signal.within, within)
    np.testing.assert_allclose(signal.mean_squares, np.mean(F**2, axis=1))


def test_class_signal_is_unbiased():
    rng = np.random.default_rng(3001)
    classes = np.arange(12) % 3
    means = np.array([0.0, 0.3, -0.6])
    F = means[classes] + rng.normal(size=(40_000, 12))
    signal = class_signal(F, classes).signal
    # Four standard errors: a false alarm in 6 of 100,000.
    assert abs(signal.mean() - means.var()) < 4 * signal.std() / np.sqrt(signal.size)


@pytest.mark.parametrize("shared", [0.0, 0.9, 1.0])
def test_layer_test_keeps_its_level_when_neurons_share_their_fluctuations(shared):
    rng = np.random.default_rng(3002)
    classes, trials = np.arange(40) % 4, 1500
    p_values = []
    for _ in range(trials):
        common = rng.normal(size=(2, 40))
        F = np.sqrt(shared) * rng.normal(size=(30, 2)) @ common + np.sqrt(1 - shared) * rng.normal(size=(30, 40))
        p_values.append(class_signal(F, classes).p_value)
    # Satterthwaite's match of two moments: the level is held within a factor two in the tails, checked at
    # 4.5 binomial standard errors (a false alarm in 1 of 100,000).
    for level in (0.05, 0.01):
        limit = 2 * level * trials
        assert np.sum(np.array(p_values) < level) < limit + 4.5 * np.sqrt(limit)
    assert np.mean(np.array(p_values) < 0.5) > 0.4


def test_two_levels_are_recovered_with_the_noise_removed():
    rng = np.random.default_rng(3003)
    upper = rng.random((4000, 2)) < (0.3, 0.05)
    values = np.where(upper, 0.9, 0.1) + rng.normal(size=(4000, 2)) * np.hypot(0.05, 0.1)
    levels = two_levels(values, np.full(2, 0.01))
    np.testing.assert_allclose(levels.lower, 0.1, atol=0.01)
    np.testing.assert_allclose(levels.upper, 0.9, atol=0.03)
    np.testing.assert_allclose(levels.minority, [0.3, 0.05], atol=0.03)
    np.testing.assert_allclose(levels.separation, 16, rtol=0.15)
    assert (levels.evidence > 100).all()


def test_one_level_has_no_evidence_for_two():
    values = np.random.default_rng(3004).normal(size=(500, 50))
    levels = two_levels(values, np.full(50, 0.0))
    assert np.median(levels.evidence) < 6 and levels.evidence.max() < 25
    flat = two_levels(np.ones((10, 1)), np.zeros(1))
    assert flat.separation[0] == 0 and flat.evidence[0] == 0
