"""Neural collapse, alignment and the kernel's share against their definitions, with every matrix formed."""

import numpy as np
import pytest
from scipy.special import erf

from nonlazy import codes
from nonlazy.codes._geometry import alignment, kernel_share, neural_collapse
from nonlazy.codes._signal import class_signal
from nonlazy.errors import InvalidInput
from tests.codes import synthetic_layers as layers


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(5000)
    labels = rng.permutation(np.repeat([0, 1, 2], [20, 9, 11]))
    F = rng.gamma(2.0, size=(30, 40)) + rng.normal(size=(30, 3))[:, labels]
    return F, labels, class_signal(F, labels)


def centred_kernel(F):
    centred = F - F.mean(axis=1, keepdims=True)
    return centred.T @ centred


def test_neural_collapse_follows_its_definitions(case):
    F, labels, signal = case
    A = np.random.default_rng(5001).normal(size=(30, 3))
    means = np.stack([F[:, labels == c].mean(axis=1) for c in range(3)], axis=1)
    residual = F - means[:, labels]
    within = residual @ residual.T / 40
    centred = means - means.mean(axis=1, keepdims=True)
    between = centred @ centred.T / 3
    decisions = np.argmax(A.T @ F, axis=0)
    nearest = np.argmin(np.sum((F[:, :, None] - means[:, None]) ** 2, axis=0), axis=1)
    found = neural_collapse(signal, A, decisions)
    np.testing.assert_allclose(found.nc1, np.trace(within @ np.linalg.pinv(between)) / 3)
    np.testing.assert_allclose(found.nc1_trace, np.trace(within) / np.trace(between))
    norms = np.linalg.norm(centred, axis=0)
    np.testing.assert_allclose(found.nc2_norms, norms.std() / norms.mean())
    cosines = [centred[:, c] @ centred[:, d] / norms[c] / norms[d] for c in range(3) for d in range(3) if c != d]
    np.testing.assert_allclose(found.nc2_angles, np.mean(np.abs(np.array(cosines) + 0.5)))
    dual = A - A.mean(axis=1, keepdims=True)
    dual = dual / np.linalg.norm(dual) - centred / np.linalg.norm(centred)
    np.testing.assert_allclose(found.nc3, np.linalg.norm(dual))
    assert 0 < np.mean(nearest != decisions) < 1
    assert found.nc4 == np.mean(nearest != decisions)
    assert neural_collapse(signal).nc4 == np.mean(nearest != labels)


def test_a_collapsed_layer_has_all_metrics_zero():
    labels = np.arange(60) % 4
    simplex = np.linalg.qr(np.random.default_rng(5002).normal(size=(25, 4)))[0]
    scheme = codes.detect(simplex[:, labels], labels, readouts=simplex)
    found = scheme.collapse
    np.testing.assert_allclose(
        [found.nc1, found.nc1_trace, found.nc2_norms, found.nc2_angles, found.nc3, found.nc4], 0, atol=1e-6
    )
    np.testing.assert_allclose(scheme.alignment.value, 1)


def test_alignment_and_its_mean_over_shuffled_labels(case):
    F, labels, signal = case
    K, hot = centred_kernel(F), np.eye(3)[labels]
    hot = hot - hot.mean(axis=0)
    L = hot @ hot.T
    found = alignment(signal)
    norm = np.linalg.norm(K) * np.linalg.norm(L)
    np.testing.assert_allclose(found.value, np.sum(K * L) / norm)
    rng = np.random.default_rng(5003)
    shuffled = [np.sum(K * L[np.ix_(p, p)]) / norm for p in (rng.permutation(40) for _ in range(3000))]
    # Four standard errors.
    assert abs(found.chance - np.mean(shuffled)) < 4 * np.std(shuffled) / np.sqrt(3000)


def test_share_of_the_kernel_that_codes_explain(case):
    F, labels, signal = case
    of_neuron = np.random.default_rng(5004).integers(-1, 4, 30)
    explained = np.zeros_like(F)
    for k in range(4):
        explained[of_neuron == k] = signal.means[of_neuron == k].mean(axis=0)[labels]
    K = centred_kernel(F)
    expected = 1 - np.linalg.norm(K - centred_kernel(explained)) ** 2 / np.linalg.norm(K) ** 2
    np.testing.assert_allclose(kernel_share(signal, of_neuron, 4), expected)
    assert kernel_share(signal, np.full(30, -1), 0) == 0


def test_codes_explain_the_kernel_of_a_redundant_layer_and_not_of_a_noisy_one():
    F, labels, *_ = layers.sigmoidal(np.random.default_rng(5005))
    assert codes.detect(F, labels).kernel_share > 0.99
    noisy = F + np.random.default_rng(5006).normal(size=F.shape)
    scheme = codes.detect(noisy, labels)
    assert scheme.kind == "redundant" and scheme.kernel_share < 0.97


def test_nc4_asks_the_readouts_and_takes_a_single_output_of_two_classes():
    rng = np.random.default_rng(5007)
    labels = np.repeat([-1, 1], 30)
    a = rng.normal(size=(50, 1))
    F = 0.5 + 0.5 * erf(a * labels + 0.3 * rng.normal(size=(50, 60)))
    F -= F.mean(axis=1, keepdims=True)
    assert codes.detect(F, labels, readouts=a).collapse.nc4 == 0
    assert codes.detect(F, labels, readouts=-a).collapse.nc4 == 1
    assert codes.detect(F, labels, readouts=-a).collapse.nc3 == pytest.approx(2, abs=0.05)
    with pytest.raises(InvalidInput, match=r"\(50, 3\): 50 neurons and 2 classes need \(50, 2\) or \(50, 1\)"):
        codes.detect(F, labels, readouts=np.ones((50, 3)))


def test_a_constant_layer_has_no_geometry():
    scheme = codes.detect(np.ones((10, 20)), np.arange(20) % 2)
    assert np.isnan(scheme.alignment.value) and np.isnan(scheme.collapse.nc1) and scheme.kernel_share == 0
