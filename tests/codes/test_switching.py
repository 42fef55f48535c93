"""Codes along chains: frozen, exchangeable, and in between."""

import numpy as np
import pytest

from nonlazy import codes
from nonlazy.codes._overlaps import code_overlap, vector_overlap
from nonlazy.errors import InvalidInput


def chain(rng, draws=60, neurons=80, rate=0.1, shares=(0.5, 0.3, 0.2)):
    """Every neuron takes a new code with probability `rate` at each draw, from the same shares."""
    found = np.empty((draws, neurons), int)
    found[0] = rng.choice(len(shares), neurons, p=shares)
    for t in range(1, draws):
        new = rng.random(neurons) < rate
        found[t] = np.where(new, rng.choice(len(shares), neurons, p=shares), found[t - 1])
    return found


def test_switching_rate_is_measured_per_neuron():
    rng = np.random.default_rng(6000)
    found = codes.switching(np.stack([chain(rng, 200, 80, 0.1) for _ in range(3)]))
    # A new code differs from the old one with probability 1 - .38.
    truth = 0.1 * 0.62
    low, high = found.interval
    assert low < truth < high and high - low < 0.01
    np.testing.assert_allclose(found.rate, found.switches / found.transitions)
    np.testing.assert_allclose(found.rates.mean(), found.rate)
    # Three chains of 80 neurons: shares within .03, so the chance rate within .02.
    assert abs(found.exchangeable_rate - 0.62) < 0.02
    assert 0.08 < found.relative_rate < 0.12
    assert found.frozen == 0 and found.stable
    assert f"{found.switches} switches in 3 x 200 draws" in str(found)
    assert max(map(len, str(found).splitlines())) <= 100


def test_overlap_decays_as_codes_are_dealt_anew():
    rng = np.random.default_rng(6001)
    found = codes.switching(np.stack([chain(rng, 31, 400, 0.1) for _ in range(10)]))
    assert found.lags[0] == 0 and found.lags[-1] == 30 and found.overlap[0] == 1
    # 4,000 neurons: 4 standard errors of a share are .03.
    np.testing.assert_allclose(found.overlap, 0.9**found.lags, atol=0.03 / 0.62)


def test_frozen_codes_break_the_symmetry_and_give_a_bound():
    start = np.repeat(np.arange(3), 20)
    found = codes.switching(np.broadcast_to(start, (4, 2000, 60)))
    assert found.switches == 0 and found.broken and found.stable and found.frozen == 1
    np.testing.assert_allclose(found.overlap, 1)
    # (1 - rate)^n = .05 with n = 4 x 1,999 x 60.
    np.testing.assert_allclose(found.interval[1], 3.0 / (4 * 1999 * 60), rtol=0.01)
    assert "no switch in 4 x 2000 draws: rate below 6.2e-06" in str(found)


def test_neurons_may_switch_while_the_population_stands_still():
    rng = np.random.default_rng(6002)
    start = np.repeat(np.arange(4), 25)
    shuffled = np.stack([rng.permutation(start) for _ in range(60)])
    found = codes.switching(shuffled)
    assert found.stable and found.drift == 0 and not found.broken
    np.testing.assert_allclose(found.relative_rate, 1, atol=0.05)
    assert "no sign that permutation symmetry is broken" in str(found) and "are stable" in str(found)


def test_a_population_that_moves_is_seen():
    rng = np.random.default_rng(6003)
    early, late = chain(rng, 30, 200, 1.0), chain(rng, 30, 200, 1.0, (0.1, 0.2, 0.7))
    found = codes.switching(np.concatenate([early, late]))
    assert not found.stable and found.drift > 0.3


@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_false_alarms_of_the_test_for_broken_symmetry(rate):
    # Memory is lost within the middle third (0.5^10 = .001 of the neurons keep it). At the stated rate of 5 %, more
    # than 11 alarms in 60 chains have a probability below 1e-4.
    rng = np.random.default_rng(6004)
    alarms = sum(codes.switching(chain(rng, 30, 25, rate), false_alarm_rate=0.05).broken for _ in range(60))
    assert alarms <= 11


def test_slow_switching_is_broken_symmetry_on_the_scale_of_the_chain():
    rng = np.random.default_rng(6005)
    found = codes.switching(chain(rng, 60, 100, 0.01))
    assert found.broken and 0.4 < found.late_overlap < 0.9


def test_class_means_give_codes_and_vector_overlaps():
    rng = np.random.default_rng(6006)
    table = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.9]])
    path = chain(rng, 40, 90, 0.05)
    means = table[path] + 0.02 * rng.normal(size=(40, 90, 2))
    found, expected = codes.switching(means), codes.switching(path)
    assert found.codes == ((1, 1), (1, 0), (0, 1))
    np.testing.assert_allclose(found.rates, expected.rates)
    np.testing.assert_allclose(found.overlap, expected.overlap)
    assert found.p_value == expected.p_value and expected.vector_overlap is None
    assert found.vector_overlap[0] == pytest.approx(1) and found.vector_overlap[-1] < 0.5
    np.testing.assert_allclose(codes.switching(means > 0.5).overlap, found.overlap)
    with_threshold = codes.switching(means, threshold=0.5)
    np.testing.assert_allclose(with_threshold.overlap, found.overlap)


def test_weights_leave_the_bulk_of_a_sparse_layer_out():
    rng = np.random.default_rng(6007)
    path = chain(rng, 60, 100, 1.0)
    path[:, :4] = [0, 1, 2, 0]
    weights = np.where(np.arange(100) < 4, 10.0, 1e-3)
    loose, weighted = codes.switching(path), codes.switching(path, weights)
    assert abs(loose.overlap[1:].mean()) < 0.1
    np.testing.assert_allclose(weighted.overlap[1:], 1, atol=0.02)
    assert weighted.broken


def test_neurons_without_a_code_are_left_out():
    path = np.repeat(np.arange(2), 10)[None] * np.ones((10, 1), int)
    path[:, 3] = -1
    path[5, 4] = -1
    found = codes.switching(path)
    assert np.isnan(found.rates[3]) and found.rates[4] == 0
    assert found.transitions == 9 * 19 - 2 and found.codes == (0, 1)


def test_overlaps_by_hand():
    before, after = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])
    # Two of four match; of the 12 pairs of different neurons 2 x 4 - 2 = 6 match.
    np.testing.assert_allclose(code_overlap(before, after, np.ones(4)), 0, atol=1e-12)
    np.testing.assert_allclose(code_overlap(before, before, np.ones(4)), 1)
    assert np.isnan(code_overlap(np.zeros(4, int), np.zeros(4, int), np.ones(4)))
    assert np.isnan(vector_overlap(np.ones((3, 2)), np.ones((3, 2))))
    np.testing.assert_allclose(vector_overlap(np.eye(2), -np.eye(2)), -1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(5, int),), r"indices of codes of shape \(5,\): give \(\[chains,\] draws, neurons\)"),
        ((np.zeros((5, 4)),), r"class means of shape \(5, 4\)"),
        ((np.zeros((5, 4), int),), "give one chain, 6 draws and two neurons"),
        ((np.full((9, 4), -2),), "code -2 is below -1"),
        ((np.full((9, 4, 2), np.nan),), "72 values that are not finite"),
        ((np.zeros((9, 4), complex),), "of type complex128"),
        ((np.zeros((9, 4), int), np.ones(3)), "weights must be 4 finite numbers"),
        ((np.zeros((9, 4, 2)), None, np.inf), "threshold is inf"),
        ((np.zeros((9, 4), int), None, None, 1e-6), "false_alarm_rate is 1e-06"),
    ],
)
def test_input_that_cannot_be_used(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        codes.switching(*arguments)
