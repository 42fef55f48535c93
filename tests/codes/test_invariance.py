"""What may change nothing but the order, and what may change nothing but the scale."""

import numpy as np
import synthetic_layers as layers
from hypothesis import given, settings, strategies as st

from nonlazy import codes


SEEDS = st.integers(1000, 100_000)
MAKERS = st.sampled_from([layers.sigmoidal, layers.linear, layers.relu])


def examples(test):
    return settings(max_examples=12, deadline=None, derandomize=True)(test)


def same(one, other):
    assert one.kind == other.kind
    np.testing.assert_allclose(one.confidence, other.confidence, rtol=1e-4)


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
    np.testing.assert_array_equal(F[before.order()], F[order][after.order()])


@examples
@given(SEEDS, MAKERS)
def test_order_of_inputs(seed, make):
    rng = np.random.default_rng(seed)
    F, labels, *_ = make(rng, 60, 50)
    before, order = codes.detect(F, labels), rng.permutation(50)
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
    assert codes.detect(F, labels).kind in ("redundant", "sparse")
    assert codes.detect(layers.rotated(rng, F), labels).kind == "analog"
