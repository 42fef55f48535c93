"""`nonlazy.codes.detect` on layers of known scheme. Seeds here are 1000 and above; lower ones set the thresholds."""

import numpy as np
import pytest

from nonlazy import codes
from nonlazy.errors import InvalidInput
from tests.codes import synthetic_layers as layers


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_sigmoidal_layer_of_figure_2_is_redundant_with_its_four_codes(activation):
    F, labels, _, truth = layers.sigmoidal(np.random.default_rng(1000), 500, 500)
    scheme = codes.detect(F, labels, activation)
    assert scheme.kind == "redundant"
    assert [scheme.code_name(i) for i in range(4)] == ["1-1-1", "1-1-0", "1-0-1", "0-1-1"]
    np.testing.assert_array_equal(scheme.codes[scheme.neuron_codes], truth)
    np.testing.assert_array_equal(scheme.counts, [48, 152, 153, 147])
    np.testing.assert_allclose(scheme.fractions.sum(), 1.0)
    # 147 neurons x 125 inputs of spread below .3 a code and class.
    np.testing.assert_allclose(scheme.activations[1], [0.902, 0.929, 0.093], atol=0.01)
    assert scheme.evidence["separation"] > 12
    assert "1/2" in scheme.rule or "between the two modes" in scheme.rule


def test_uniform_code_is_a_code_though_it_has_no_class_signal():
    table = {(1, 1, 0): (70, (0,), (0.9, 0.9, 0.1)), (0, 1, 1): (70, (0,), (0.1, 0.9, 0.9))}
    table |= {(1, 1, 1): (40, (0,), (0.9, 0.9, 0.9)), (0, 0, 0): (20, (0,), (0.1, 0.1, 0.1))}
    F, labels, _, truth = layers.sigmoidal(np.random.default_rng(1001), codes=table)
    scheme = codes.detect(F, labels, "sigmoid")
    np.testing.assert_array_equal(scheme.codes[scheme.neuron_codes], truth)
    np.testing.assert_array_equal(scheme.counts, [40, 70, 70, 20])


def test_neurons_at_the_threshold_are_left_out_of_a_redundant_layer():
    rng = np.random.default_rng(1002)
    F, labels, _, truth = layers.sigmoidal(rng, 160, 400)
    untuned = layers.sigmoid(rng.normal(size=(40, 400)))
    scheme = codes.detect(np.concatenate([F, untuned]), labels, "sigmoid")
    np.testing.assert_array_equal(scheme.codes[scheme.neuron_codes[:160]], truth)
    assert list(scheme.neuron_codes[160:]) == [-1] * 40
    np.testing.assert_array_equal(scheme.without_code["no class signal"], np.arange(160, 200))


def test_relu_layer_is_sparse_and_only_its_outliers_have_codes():
    F, labels, _, places = layers.relu(np.random.default_rng(1003), 500, 500)
    for activation in ("relu", None):
        scheme = codes.detect(F, labels, activation)
        assert scheme.kind == "sparse"
        assert [scheme.code_name(i) for i in range(3)] == ["1-0-0", "0-1-0", "0-0-1"]
        np.testing.assert_array_equal(scheme.neuron_codes[places], [0, 1, 2])
        assert np.sum(scheme.neuron_codes >= 0) == 3
        assert sum(neurons.size for neurons in scheme.without_code.values()) == 497


def test_linear_layer_is_analog_without_codes():
    F, labels, *_ = layers.linear(np.random.default_rng(1004))
    scheme = codes.detect(F, labels, "linear")
    assert scheme.kind == "analog"
    assert scheme.codes.shape == (0, 3) and (scheme.neuron_codes == -1).all()
    # The paper's order: from strong to weak.
    assert (np.diff(np.mean(F**2, axis=1)[scheme.order()]) <= 0).all()


@pytest.mark.parametrize("C", [2, 3, 5, 10, 20])
def test_codes_of_two_to_twenty_classes(C):
    rng = np.random.default_rng(1010 + C)
    F, labels, truth = layers.binary_codes(rng, 120, 30 * C, C)
    scheme = codes.detect(F, labels)
    assert scheme.kind == "redundant"
    # A random code may be uniform, with too many ways to be unsure; all others must be right.
    mixed = truth.any(axis=1) & ~truth.all(axis=1)
    np.testing.assert_array_equal(scheme.codes[scheme.neuron_codes[mixed]], truth[mixed])


def test_more_than_a_hundred_codes_of_ten_classes():
    F, labels, truth = layers.binary_codes(np.random.default_rng(1030), 200, 1000, 10, active=0.3, distinct=150)
    scheme = codes.detect(F, labels)
    assert scheme.kind == "redundant" and len(scheme.codes) == 150
    np.testing.assert_array_equal(scheme.codes[scheme.neuron_codes], truth)
    assert "rarer codes" in str(scheme)


def test_single_output_task_of_two_classes():
    table = {(1, 0): (50, (1,), (0.9, 0.1)), (0, 1): (50, (-1,), (0.1, 0.9))}
    F, labels, _, truth = layers.sigmoidal(np.random.default_rng(1031), 100, 100, (0.5, 0.5), table)
    scheme = codes.detect(F, np.where(labels == 0, 1, -1), "sigmoid")
    assert scheme.classes == (-1, 1)
    np.testing.assert_array_equal(scheme.codes[scheme.neuron_codes], truth[:, ::-1])


@pytest.mark.parametrize("make", [layers.sigmoidal, layers.relu])
@pytest.mark.parametrize("N", [60, 200])
def test_rotated_layers_lose_their_codes(make, N):
    rng = np.random.default_rng(1032 + N)
    F, labels, *_ = make(rng, N, N)
    scheme = codes.detect(layers.rotated(rng, F), labels)
    assert scheme.kind == "analog" and scheme.codes.shape[0] == 0


@pytest.mark.parametrize("distribution", ["normal", "uniform", "laplace", "t"])
def test_graded_class_means_are_analog_whatever_their_distribution(distribution):
    rng = np.random.default_rng(1040)
    draw = {
        "normal": lambda size: rng.normal(size=size),
        "uniform": lambda size: rng.uniform(-1.7, 1.7, size),
        "laplace": lambda size: rng.laplace(size=size),
        "t": lambda size: rng.standard_t(4, size),
    }[distribution]
    for C, P in ((2, 100), (3, 300), (10, 500)):
        labels = rng.permutation(np.arange(P) % C)
        assert codes.detect(draw((200, C))[:, labels] + rng.normal(size=(200, P)), labels).kind == "analog"


def test_null_layers_have_no_scheme():
    # 250 layers: noise, heavy tails, untrained networks, clustered inputs with a reference, shuffled labels, rare
    # events, constants. At a false-positive rate of 1e-3 a layer, two or more come up in 2.6 % of such tests.
    found = []
    for seed in range(2000, 2250):
        kind, F, labels, reference = layers.null_layer(np.random.default_rng(seed))
        if codes.detect(F, labels, reference=reference).kind != "none":
            found.append((seed, kind))
    assert len(found) <= 1, found


def test_inherited_structure_is_named_without_a_reference_and_removed_with_one():
    rng = np.random.default_rng(1050)
    F, labels, X = layers.random_features(rng, 200, 150, 3, layers.sigmoid, clustered=1.5)
    alone = codes.detect(F, labels)
    assert alone.kind == "analog" and "Not compared with an untrained network" in alone.rule
    untrained = layers.sigmoid(rng.normal(size=(200, X.shape[1])) @ X.T / np.sqrt(X.shape[1]))
    scheme = codes.detect(F, labels, reference=untrained)
    assert scheme.kind == "none" and "untrained" in scheme.rule
    F, labels, *_ = layers.sigmoidal(rng, 200, 150)
    noise = layers.sigmoid(rng.normal(size=(50, 150)))
    assert codes.detect(F, labels, reference=noise).kind == "redundant"


def test_three_outliers_among_a_thousand_neurons_that_tell_nothing():
    rng = np.random.default_rng(1060)
    labels = np.arange(90) % 3
    F = np.maximum(rng.normal(size=(1000, 90)), 0)
    for c in range(3):
        F[100 * c] = np.where(labels == c, 6 + rng.normal(size=90), 0)
    for reference in (None, np.maximum(rng.normal(size=(500, 90)), 0)):
        scheme = codes.detect(F, labels, "relu", reference=reference)
        assert scheme.kind == "sparse" and scheme.evidence["outliers"] == 3
        np.testing.assert_array_equal(np.flatnonzero(scheme.neuron_codes >= 0), [0, 100, 200])


def test_narrow_layers_are_not_told_from_their_reference_by_chance():
    # Twenty neurons on grouped inputs: ratios of two untrained layers differ by a factor two now and then.
    found = 0
    for seed in range(1100, 1180):
        rng = np.random.default_rng(seed)
        F, labels, X = layers.random_features(rng, 20, 60, 3, layers.sigmoid, clustered=0.5)
        untrained = layers.sigmoid(rng.normal(size=(20, X.shape[1])) @ X.T / np.sqrt(X.shape[1]))
        found += codes.detect(F, labels, reference=untrained).kind != "none"
    # At a rate of 1e-3, two or more among 80 come up in 0.3 % of such tests.
    assert found <= 1


def test_threshold_takes_the_place_of_the_rule():
    F, labels, _, _ = layers.sigmoidal(np.random.default_rng(1051))
    scheme = codes.detect(F, labels, "sigmoid", threshold=0.82)
    # Class 0 of 1-1-1 has mean .757: above 1/2, below .82.
    assert [scheme.code_name(i) for i in range(3)] == ["1-1-0", "1-0-1", "0-1-1"]
    assert "0.82 (given)" in scheme.rule


@pytest.mark.parametrize("outside", [-0.1, 5.0])
def test_a_threshold_outside_of_all_class_means_is_refused(outside):
    F, labels, _, _ = layers.sigmoidal(np.random.default_rng(1051))
    with pytest.raises(InvalidInput, match=f"threshold is {outside:g}, and the mean activations by class lie from"):
        codes.detect(F, labels, "sigmoid", threshold=outside)


def test_constant_neurons_are_excluded_and_listed():
    F, labels, *_ = layers.sigmoidal(np.random.default_rng(1052))
    F[3], F[7] = 1.0, 0.0
    scheme = codes.detect(F, labels, "sigmoid")
    np.testing.assert_array_equal(scheme.without_code["constant over all inputs"], [3, 7])
    assert scheme.kind == "redundant" and (scheme.neuron_codes[[3, 7]] == -1).all()
    assert "constant over all inputs" in str(scheme)
    everything = codes.detect(np.ones((20, 12)), np.arange(12) % 2)
    assert everything.kind == "none" and "0 of 20 neurons vary" in everything.rule


def test_activations_that_do_not_fluctuate_within_a_class():
    rng = np.random.default_rng(1053)
    labels = np.arange(60) % 3
    truth = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]])[np.arange(90) % 3].astype(bool)
    scheme = codes.detect(truth[rng.permutation(90)][:, labels].astype(float), labels)
    assert scheme.kind == "redundant" and len(scheme.codes) == 3


def test_few_neurons_show_no_scheme():
    F, labels, *_ = layers.sigmoidal(np.random.default_rng(1054))
    scheme = codes.detect(F[:5], labels)
    assert scheme.kind == "none" and scheme.confidence == 0 and "5 of 5 neurons" in scheme.rule


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda F, y: (F[0], y), r"shape \(40,\)"),
        (lambda F, y: (F[:0], y), "empty: 0 neurons"),
        (lambda F, y: (np.where(np.arange(40) == 3, np.nan, F), y), "20 values that are not finite.*neuron 0, input 3"),
        (lambda F, y: (F, np.zeros(40, int)), "all labels are 0"),
        (lambda F, y: (F, y[:-1]), "39 labels do not fit activations of 40 inputs"),
        (lambda F, y: (F, np.eye(2)[y]), "one-hot"),
        (lambda F, y: (F, y + 0.5), "not whole numbers"),
        (lambda F, y: (F, np.where(y == 0, np.nan, 1.0)), "not whole numbers"),
        (lambda F, y: (F, np.arange(40)), "class of its own"),
        (lambda F, y: (F * 1j, y), "complex"),
        (lambda F, y: ([["a", "b"]], ["x", "y"]), "cannot be read"),
        (lambda F, y: (F, y, "tanh"), "'tanh' is not known: choose one of sigmoid, relu, linear"),
        (lambda F, y: (F, y, None, np.inf), "threshold is inf"),
        (lambda F, y: (F, y, None, None, F[:, :5]), "reference has 5 inputs, activations 40"),
    ],
)
def test_input_that_cannot_be_used_is_refused(change, message):
    F = np.random.default_rng(1055).normal(size=(20, 40))
    with pytest.raises(InvalidInput, match=message):
        codes.detect(*change(F, np.arange(40) % 2))


def test_array_likes_and_names_of_classes():
    F, labels, *_ = layers.sigmoidal(np.random.default_rng(1056), 60, 60)
    names = np.array(["cat", "dog", "eel"])[labels]
    scheme = codes.detect(F.tolist(), names.tolist())
    assert scheme.classes == ("cat", "dog", "eel")
    same = codes.detect(F.astype(np.float32), labels.astype(float))
    np.testing.assert_array_equal(scheme.neuron_codes, same.neuron_codes)
