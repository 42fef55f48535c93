"""Verdicts, ratios and distances on chains with numbers known in closed form."""

import math

import pytest
from _sampling.chains import chain_of
from _sampling.comparison import Deviation
from _sampling.weight_space import QUANTITIES

from tests.benchmarks.made_up import chain, comparison


EXACT, MCLMC = "blackjax-hmc", "blackjax-mclmc"


def test_ratio_is_of_effective_samples_a_second():
    verdict = comparison([chain()], {EXACT: [chain(seconds_per_draw=8e-3)]}).verdict(EXACT)
    assert verdict.ratio == pytest.approx(8)
    assert verdict.words == "8 (8 to 8)"


def test_ratio_is_the_geometric_mean_over_quantities_and_each_stands_alone():
    ess = dict(zip(QUANTITIES, (50.0, 25.0, 100.0), strict=True))
    verdict = comparison([chain()], {EXACT: [chain(ess=ess)]}).verdict(EXACT)
    assert verdict.ratio == pytest.approx(1)
    assert verdict.each == pytest.approx(dict(zip(QUANTITIES, (1.0, 2.0, 0.5), strict=True)))


def test_range_is_over_all_pairs_of_chains_and_both_timings():
    ours = [chain(), chain(ess=dict.fromkeys(QUANTITIES, 100.0))]
    peers = {EXACT: [chain(seconds_per_draw=2e-3), chain(seconds_per_draw=32e-3)]}
    verdict = comparison(ours, peers, [[1e-3, 4e-3], [1e-3, 4e-3]]).verdict(EXACT)
    # Rates of ours 500, 125, 1000, 250; of the peer 250 and 15.625.
    assert verdict.low == pytest.approx(125 / 250)
    assert verdict.high == pytest.approx(1000 / 15.625)
    # Of the geometric means 250 sqrt(2) and 62.5.
    assert verdict.ratio == pytest.approx(4 * math.sqrt(2))


def test_few_effective_draws_of_either_side_stand_beside_the_ratio():
    few = chain(ess=dict.fromkeys(QUANTITIES, 19.0))
    assert comparison([few], {EXACT: [chain()]}).verdict(EXACT).words.endswith(", ESS 19")
    assert comparison([chain()], {EXACT: [few]}).verdict(EXACT).words.endswith(", ESS 19")
    assert "ESS" not in comparison([chain()], {EXACT: [chain()]}).verdict(EXACT).words


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_no_ratio_where_one_chain_did_not_reach_the_scheme(side):
    lost = chain(reached=False, seconds=61.4, gradients=9876)
    ours, theirs = ([chain(), lost], [chain()]) if side == "ours" else ([chain()], [chain(), lost])
    verdict = comparison(ours, {EXACT: theirs}).verdict(EXACT)
    assert verdict.ratio is None
    assert verdict.words == ("nonlazy: not reached" if side == "ours" else "not reached in 61 s, 9,876 gradients")


def test_no_ratio_without_draws_enough():
    short = chain(draws=7, ess=None, means=(), mcse=(), seconds=30.2)
    verdict = comparison([chain()], {EXACT: [short]}).verdict(EXACT)
    assert (verdict.ratio, verdict.words) == (None, "7 draws in 30 s")


def test_apart_is_in_monte_carlo_errors_of_both_where_there_is_one_chain_of_each():
    # sqrt(3^2 + 4^2) = 5.
    ours, theirs = chain(mcse=(3.0,) * 5), chain(means=(0.0, 0.0, 30.0, 0.0, -10.0), mcse=(4.0,) * 5)
    assert comparison([ours], {EXACT: [theirs]}).apart(EXACT) == pytest.approx(6)


def test_apart_takes_the_spread_between_our_chains_for_both_sides():
    # Variance between ours 12^2 / 2 = 72: of ours 72 / 2, of one chain of the peer's 72.
    ours = [chain(means=(x,) * 5) for x in (-6.0, 6.0)]
    assert comparison(ours, {EXACT: [chain(means=(36.0,) * 5)]}).apart(EXACT) == pytest.approx(36 / math.sqrt(108))


def test_apart_is_unknown_without_means():
    assert comparison([chain()], {EXACT: [chain(means=(), mcse=())]}).apart(EXACT) is None


def test_an_exact_sampler_gets_its_ratio_however_far_its_means_are():
    far = chain(means=(100.0,) * 5, equipartition={"readout": (1.5, 0.01)})
    assert comparison([chain()], {EXACT: [far]}).verdict(EXACT).ratio == pytest.approx(1)


def test_one_without_metropolis_test_is_biased_where_equipartition_fails():
    peer = chain(equipartition={"layer1": (1.02, 0.001), "readout": (1.3, 0.01)})
    verdict = comparison([chain()], {MCLMC: [peer]}).verdict(MCLMC)
    assert (verdict.ratio, verdict.words) == (None, "biased: readout +30.0%, 30 errors")


@pytest.mark.parametrize(
    ("mean", "error", "found"),
    [(1.05, 0.02, False), (1.009, 1e-4, False), (1.05, 0.01, True), (0.95, 0.01, True), (math.nan, math.nan, True)],
)
def test_a_deviation_is_found_beyond_four_errors_and_one_per_cent(mean, error, found):
    assert Deviation("readout", mean - 1, error).found is found
    peer = chain(equipartition={"readout": (mean, error)})
    assert (comparison([chain()], {MCLMC: [peer]}).verdict(MCLMC).ratio is None) is found


def test_equipartition_of_several_chains_is_their_mean():
    peers = [chain(equipartition={"readout": (mean, 0.3)}) for mean in (1.1, 1.3)]
    (deviation,) = comparison([chain()], {MCLMC: peers}).equipartition(MCLMC)
    assert (deviation.relative, deviation.error) == pytest.approx((0.2, 0.3 / math.sqrt(2)))


def test_means_far_away_are_called_apart_and_never_biased():
    peers = {MCLMC: [chain(means=(10 * math.sqrt(2),) * 5)]}
    verdict = comparison([chain()], peers).verdict(MCLMC)
    assert (verdict.ratio, verdict.words) == (None, "apart by 10 errors (of 1 chains)")


@pytest.mark.parametrize(("exact", "refused"), [(4.9, True), (5.1, False)])
def test_means_may_be_twice_as_far_as_those_of_an_exact_peer(exact, refused):
    root = math.sqrt(2)
    peers = {MCLMC: [chain(means=(10 * root,) * 5)], EXACT: [chain(means=(exact * root,) * 5)]}
    assert (comparison([chain()], peers).verdict(MCLMC).ratio is None) is refused


def test_an_exact_peer_that_did_not_arrive_is_no_yardstick():
    peers = {MCLMC: [chain(means=(10.0,) * 5)], EXACT: [chain(means=(99.0,) * 5, reached=False)]}
    assert comparison([chain()], peers).farthest() == 4


def measured(draws, **changes):
    """What a child returns: values that alternate between 1 and 3."""
    values = [1.0 + 2.0 * (i % 2) for i in range(draws)]
    return {
        "sampler": "made up", "settings": {}, "warmup": 2, "draws": draws, "seconds_per_draw": 1e-3,
        "gradients_per_draw": 4.0, "acceptance": None, "step_size": 0.1, "reached": True, "scheme": "", "seconds": 3.0,
        "first_draw_seconds": 1.0, "peak_megabytes": 1.0, "gradients": [10, 20, 30, 40],
        "values": {"log density": values, "sum a^2": values, "kernel entries": [values] * 3},
        "clock": {"iterations": [1, 2, 3, 4], "seconds": [0.5, 1.0, 2.0, 4.0]},
    } | changes  # fmt: skip


def test_the_scheme_is_there_first_and_settled_later():
    found = chain_of(measured(40), 3, [False, True, False, True])
    assert found.first is not None and found.settled is not None
    assert (found.first.iteration, found.first.gradients, found.first.seconds) == (2, 20, 1.0)
    assert (found.settled.iteration, found.settled.gradients, found.settled.seconds) == (4, 40, 4.0)
    lost = chain_of(measured(40), 3, [False, True, True, False])
    assert lost.first is not None and lost.settled is None


def test_effective_draws_and_means_of_a_chain():
    found = chain_of(measured(40, equipartition={"readout": [1.0, 3.0] * 10}), 0, [True])
    assert found.means == (2.0,) * 5 and found.ess is not None
    # An alternating chain knows its mean better than independent draws would.
    assert min(found.ess.values()) > 40
    assert found.equipartition is not None and found.equipartition["readout"][0] == 2.0


def test_draws_that_are_all_the_same_are_not_effective():
    found = chain_of(measured(40, values=dict.fromkeys(QUANTITIES, [1.0] * 40)), 0, [True])
    assert (found.ess, found.means, found.equipartition) == (None, (), None)
    verdict = comparison([chain()], {EXACT: [found]}).verdict(EXACT)
    assert (verdict.ratio, verdict.words) == (None, "does not move")


def test_fewer_than_twenty_draws_have_no_effective_ones():
    found = chain_of(measured(19, equipartition={"readout": [1.0] * 10}), 0, [True])
    assert (found.ess, found.means, found.equipartition) == (None, (), None)
