"""What may change nothing but the order, and what may change nothing but the scale."""

import numpy as np
from hypothesis import given, settings, strategies as st

from nonlazy import codes
from tests.codes import synthetic_layers as layers


SEEDS = st.integers(1000, 100_000)
MAKERS = st.sampled_from([layers.sigmoidal, layers.linear, layers.relu, lambda rng, N, P: noisy(rng)])


def examples(test):
    return settings(max_examples=12, deadline=None, derandomize=True)(test)


def same(one, other):
    assert one.kind == other.kind
    np.testing.assert_allclose(one.confidence, other.confidence, rtol=1e-4)
    np.testing.assert_allclose(one.effective_codes, other.effective_codes)
    np.testing.assert_allclose(one.kernel_share, other.kernel_share, atol=1e-9)
    same_geometry(one, other)


def same_geometry(one, other):
    for name in ("value", "chance"):
        np.testing.assert_allclose(getattr(one.alignment, name), getattr(other.alignment, name), rtol=1e-6)
    for name in ("nc1", "nc1_trace", "nc2_norms", "nc2_angles", "nc4"):
        found, expected = getattr(one.collapse, name), getattr(other.collapse, name)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def noisy(rng, N=60):
    """Two levels within the errors of the class means: codes are read together."""
    F, labels, _ = layers.binary_codes(rng, N, 60, 3, gap=0.3, within=0.3, distinct=4)
    return F, labels


@examples
@given(SEEDS, MAKERS)
def test_order_of_neurons(seed, make):
    rng = np.random.default_rng(seed)
    F, labels, *_ = make(rng, 60, 50)
    before, order = codes.detect(F, labels), rng.permutation(60)
    after = codes.detect(F[order], labels)
    same(before, after)
    np.testing.assert_array_equal(before.codes, after.codes)
    np.testing.assert_array_equal(before.neuron_codes[order], after.neuron_codes)
    np.testing.assert_allclose(before.code_confidences[order], after.code_confidences, atol=1e-6)
    np.testing.assert_array_equal(F[before.order()], F[order][after.order()])


@examples
@given(SEEDS, MAKERS)
def test_order_of_inputs(seed, make):
    rng = np.random.default_rng(seed)
    F, labels, *_ = make(rng, 60, 50)
    before, order = codes.detect(F, labels), rng.permutation(labels.size)
    after = codes.detect(F[:, order], labels[order])
    same(before, after)
    np.testing.assert_array_equal(before.codes, after.codes)
    np.testing.assert_array_equal(before.neuron_codes, after.neuron_codes)
    np.testing.assert_allclose(before.class_means, after.class_means, atol=1e-12)


@examples
@given(SEEDS, MAKERS, st.permutations([0, 1, 2]))
def test_names_of_classes(seed, make, names):
    F, labels, *_ = make(np.random.default_rng(seed), 60, 50)
    before, after = codes.detect(F, labels), codes.detect(F, np.array(names)[labels])
    same(before, after)
    for neuron in range(60):
        i, j = before.neuron_codes[neuron], after.neuron_codes[neuron]
        assert (i == -1) == (j == -1)
        if i >= 0:
            np.testing.assert_array_equal(before.codes[i], after.codes[j][list(names)])


@examples
@given(SEEDS, MAKERS, st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_one_scale_and_offset_for_the_whole_layer(seed, make, scale, offset):
    F, labels, *_ = make(np.random.default_rng(seed), 60, 50)
    before, after = codes.detect(F, labels), codes.detect(scale * (F + offset), labels)
    same(before, after)
    np.testing.assert_array_equal(before.neuron_codes, after.neuron_codes)
    np.testing.assert_allclose(scale**2 * before.signal, after.signal, rtol=1e-6, atol=1e-9 * scale**2)


@examples
@given(SEEDS, st.sampled_from([layers.sigmoidal, layers.relu]))
def test_rotation_of_neuron_space_hides_the_codes(seed, make):
    rng = np.random.default_rng(seed)
    F, labels, *_ = make(rng, 80, 80)
    before, after = codes.detect(F, labels), codes.detect(layers.rotated(rng, F), labels)
    assert before.kind in ("redundant", "sparse") and after.kind == "analog"
    # The kernel is the same, and all that depends on it alone.
    same_geometry(before, after)


@examples
@given(SEEDS, MAKERS)
def test_constant_added_to_each_neuron(seed, make):
    rng = np.random.default_rng(seed)
    F, labels, *_ = make(rng, 60, 50)
    before, after = codes.detect(F, labels), codes.detect(F + rng.normal(size=(60, 1)), labels)
    same_geometry(before, after)
    np.testing.assert_allclose(before.signal, after.signal, atol=1e-9 * before.signal.max())
    for number in ("selective_neurons", "signal_to_noise", "participation_ratio"):
        np.testing.assert_allclose(before.evidence[number], after.evidence[number], rtol=1e-6)


@examples
@given(SEEDS)
def test_scale_of_each_neuron(seed):
    rng = np.random.default_rng(seed)
    F, labels, *_ = layers.sigmoidal(rng, 60, 50)
    scales = np.exp(0.05 * rng.normal(size=60))
    before, after = codes.detect(F, labels, "relu"), codes.detect(scales[:, None] * F, labels, "relu")
    np.testing.assert_allclose(scales**2 * before.signal, after.signal, rtol=1e-6, atol=1e-9)
    assert before.evidence["selective_neurons"] == after.evidence["selective_neurons"]
    # Half the largest class mean scales with the neuron. Gains that differ much would hide that levels are shared.
    assert before.kind == after.kind == "redundant"
    both = (before.neuron_codes >= 0) & (after.neuron_codes >= 0)
    assert both.sum() > 40
    np.testing.assert_array_equal(before.codes[before.neuron_codes[both]], after.codes[after.neuron_codes[both]])
