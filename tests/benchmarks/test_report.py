"""What is printed of chains that are made up."""

import io

import pytest
from _sampling.report import print_comparison
from _sampling.weight_space import QUANTITIES
from rich.console import Console

from tests.benchmarks.made_up import chain, comparison


@pytest.fixture
def printed():
    def of(*arguments):
        page = io.StringIO()
        print_comparison(Console(width=160, file=page), comparison(*arguments))
        return " ".join(page.getvalue().split())

    return of


def test_few_effective_draws_stand_beside_the_ratio_and_in_their_column(printed):
    text = printed([chain()], {"blackjax-hmc": [chain(sampler="HMC", ess=dict.fromkeys(QUANTITIES, 12.0))]})
    assert "4.17 (4.17 to 4.17), ESS 12" in text
    assert "│ HMC │ 4 │ 0.25 │ 120 │ 120 │ 120 │ 12 │" in text


def test_chains_with_fewer_draws_than_twenty_have_no_rates(printed):
    short = chain(sampler="HMC", draws=7, ess=None, means=(), mcse=())
    text = printed([chain()], {"blackjax-hmc": [short]})
    assert "│ HMC │ 4 │ 0.25 │ - │ - │ - │ - │ 7 draws in 12 s │" in text
    assert "│ HMC │ - │ - │ - │" in text


def test_equipartition_of_each_layer_is_in_per_cent(printed):
    peer = chain(sampler="MCLMC", equipartition={"layer1": (1.001, 0.002), "readout": (0.9, 0.01)})
    text = printed([chain()], {"blackjax-mclmc": [peer]})
    assert "│ MCLMC │ 0.0 │ +0.10 ± 0.20 │ -10.00 ± 1.00 │" in text
    assert "biased: readout -10.0%, 10 errors" in text
    assert "BlackJAX MCLMC: readout is -10.0% from equipartition, 10 errors: it is biased, or has not settled." in text


def test_an_exact_sampler_off_equipartition_has_not_settled(printed):
    peer = chain(sampler="HMC", equipartition={"layer1": (1.0, 0.01), "readout": (0.9, 0.01)})
    text = printed([chain()], {"blackjax-hmc": [peer]})
    assert "10 errors: it has not settled." in text and "biased" not in text


def test_means_apart_are_no_accusation(printed):
    text = printed([chain()], {"blackjax-hmc": [chain(sampler="HMC", means=(99.0,) * 5)]})
    assert "Means apart by more than 4 errors: BlackJAX HMC. Shares of codes that freeze do that" in text
    assert "biased" not in text


def test_without_peers_there_is_nothing_to_agree_with(printed):
    text = printed([chain(sampler="nonlazy")], {})
    assert "effective samples a second" in text
    assert "the same posterior?" not in text and "Apart" not in text
