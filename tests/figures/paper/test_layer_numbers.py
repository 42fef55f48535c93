"""Numbers that figures read from layers, on layers whose answer is known."""

import numpy as np
import pytest
from scipy.special import erf

from nonlazy import codes
from nonlazy.figures import _statistics as statistics
from nonlazy.figures._reading import sizes, without_rounding
from tests.figures.paper.made_runs import MadeRun, coded, rectified, toy


LABELS = np.repeat([0, 1, 2], [20, 10, 10])


def sigmoidal(sets, shares, seed=0):
    z = coded(sets, shares, LABELS, 40, 0.02, np.random.default_rng(seed))
    phi = 0.5 * (1 + erf(np.sqrt(np.pi) * z / 2))
    return codes.detect(phi, LABELS, activation="sigmoid")


def test_shares_are_means_over_chains_and_absent_codes_count_as_none():
    one, other = sigmoidal([[1, 1, 0], [1, 0, 1]], [0.5, 0.5]), sigmoidal([[1, 1, 0], [0, 1, 1]], [0.75, 0.25])
    assert statistics.mean_shares([one, other]) == pytest.approx({"1-1-0": 0.625, "1-0-1": 0.25, "0-1-1": 0.125})
    assert list(statistics.mean_shares([one, other])) == ["1-1-0", "1-0-1", "0-1-1"]


def test_shared_codes_leave_rare_ones_out():
    assert statistics.shared_codes({"1-0": 0.5, "0-1": 0.5}, {"1-0": 0.99, "0-1": 0.01}) == 0.5
    assert statistics.shared_codes({"1-0": 0.5, "0-1": 0.5}, {"0-1": 0.2, "1-0": 0.8}) == 1.0
    assert np.isnan(statistics.shared_codes({}, {"1-0": 0.001}))


def test_shares_above_half_need_no_scheme():
    means = np.array([[0.6, 0.4], [0.9, 0.1], [0.4, 0.7], [0.51, 0.52]])
    assert statistics.shares_above_half([means, means[:2]]) == {"1-1": 0.125, "1-0": 0.75, "0-1": 0.125}


def test_outlying_neurons_are_those_that_were_planted():
    z = rectified([[0], [1, 2]], LABELS, 60, np.random.default_rng(1))
    scheme = codes.detect(np.maximum(z, 0), LABELS, activation="relu")
    assert set(statistics.outlying(scheme).tolist()) == {0, 1}


def test_relative_fluctuation_is_within_the_active_classes():
    generator = np.random.default_rng(2)
    # 10,000 inputs a class know a standard deviation to 1 in 140; four times that is the tolerance.
    labels = np.repeat([0, 1], 10_000)
    active = np.where(labels == 0, 10 + 0.5 * generator.standard_normal(20_000), 0.0)
    both = np.where(labels == 0, 10.0, 8.0) + 0.9 * generator.standard_normal(20_000)
    assert statistics.relative_fluctuation(active[None], labels) == pytest.approx(0.05, rel=0.03)
    assert statistics.relative_fluctuation(both[None], labels) == pytest.approx(0.1, rel=0.03)
    assert statistics.relative_fluctuation(np.stack([active, both]), labels) == pytest.approx(0.075, rel=0.03)
    assert np.isnan(statistics.relative_fluctuation(np.zeros((1, 20_000)), labels))


def test_block_deviation_is_that_of_the_worst_block():
    labels = np.array([0, 0, 1, 1])
    theory = np.where(labels[:, None] == labels, 2.0, 0.5)
    samples = theory * np.where(labels[:, None] == labels, 1.1, 0.8)
    assert statistics.block_deviation(samples, theory, labels, 2) == pytest.approx(0.2)


def test_numbers_along_chains():
    draws = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]])
    assert statistics.deviation_over_draws(draws) == pytest.approx(np.sqrt((4.0 + 0.0) / 2))
    readouts = np.array([[[1.0], [2.0], [3.0]], [[9.0], [0.0], [9.0]], [[-1.0], [-2.0], [-3.0]]])
    assert statistics.first_and_last(readouts) == pytest.approx(-1)
    large = np.array([[[1, 1, 0], [1, 1, 1]], [[1, 0, 1], [1, 0, 0]]], dtype=bool)
    assert statistics.lasting_outliers(large) == pytest.approx(3 / 4)
    assert np.isnan(statistics.lasting_outliers(np.zeros((1, 2, 3), dtype=bool)))


def test_sizes_name_the_runs_that_differ():
    import nonlazy as nl

    def run(N, P, T):
        posterior = nl.Posterior(nl.Network(N, 1, "linear"), toy(P, 0.0), temperature=T)
        return MadeRun(posterior, np.zeros((1, 1, 1, N, P)), np.zeros((1, 1, N, 3)))

    alike = {"a": run(8, 12, 0.1), "b": run(8, 12, 0.1)}
    assert sizes(alike) == "N = 8, P = 12, N0 = 16, T = 0.1"
    assert sizes({**alike, "c": run(6, 12, 0.01)}) == "N = 8 (c: 6), P = 12, N0 = 16, T = 0.1 (c: 0.01)"


def test_rounding_is_not_shown():
    assert without_rounding(-1.6e-18) == 0.0 and without_rounding(-1e-3) == -1e-3
