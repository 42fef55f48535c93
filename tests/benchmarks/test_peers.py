"""The loop that all peers run in, and equipartition."""

import math

import numpy as np
import pytest
from _sampling.equipartition import Equipartition
from _sampling.peers import PEERS
from _sampling.peers.measurement import Iteration, Row, iterate, summary
from _sampling.weight_space import WeightSpace

from tests.benchmarks.made_up import CASE


class Counting:
    """A sampler whose iterations take a second of a clock that it moves itself, and that begins again at some."""

    settings: dict = {}  # noqa: RUF012

    def __init__(self, warmup, again=()):
        self.warmup, self.again, self.done, self.now = warmup, again, 0, 0.0

    def clock(self):
        return self.now

    def iterate(self):
        self.done += 1
        self.now += 1.0
        return Iteration({"number": self.done}, 10 * self.done, None, 0.1, self.done in self.again)


def run(sampler, draws, budget):
    def look(weights, draw):
        # Looking takes long, and is outside the clock.
        sampler.now += 100.0
        return {"number": weights["number"], "draw": draw}, weights["number"] > 4, str(weights["number"])

    return iterate(sampler, look, draws, budget, sampler.clock)


def test_draws_follow_the_warmup():
    rows, before, kept = run(Counting(3), 5, 1e9)
    assert (len(rows), before) == (8, 3)
    assert [draw["number"] for draw in kept] == [4, 5, 6, 7, 8]
    assert [draw["draw"] for draw in kept] == [0, 1, 2, 3, 4]
    assert rows[-1].seconds == 8.0


def test_draws_before_a_new_beginning_do_not_count():
    # Iteration 6, the third draw, begins again: it is the first of a new warm-up of 3, and 5 draws follow.
    rows, before, kept = run(Counting(3, again=(6,)), 5, 1e9)
    assert (len(rows), before) == (13, 8)
    assert [draw["number"] for draw in kept] == [9, 10, 11, 12, 13]
    assert [draw["draw"] for draw in kept] == [0, 1, 2, 3, 4]


def test_a_new_beginning_in_the_warmup_begins_it_anew():
    rows, before, kept = run(Counting(3, again=(2,)), 5, 1e9)
    assert (len(rows), before) == (9, 4)
    assert len(kept) == 5


def test_the_budget_ends_a_chain_and_is_of_iterations_alone():
    rows, before, kept = run(Counting(3), 50, 6.5)
    assert (len(rows), before, len(kept)) == (7, 3, 4)
    rows, before, kept = run(Counting(3, again=(6,)), 50, 6.5)
    assert (len(rows), before, kept) == (7, 8, [])


def test_the_summary_is_of_the_draws_that_count():
    rows = [Row(s, g, a, 0.1, s > 5, "x") for s, g, a in [(1, 7, 0.1), (3, 7, 0.1), (4, 2, 0.5), (8, 4, 0.7)]]
    found = summary(rows, 2, 10.0)
    assert (found["draws"], found["warmup"]) == (2, 2)
    assert found["seconds_per_draw"] == pytest.approx((8 - 3) / 2)
    assert found["gradients_per_draw"] == 3 and found["acceptance"] == pytest.approx(0.6)
    assert found["gradients"] == [7, 14, 16, 20]
    assert found["first_draw_seconds"] == 14.0 and found["seconds"] == 8.0
    assert found["seen"] == [False, False, False, True] and found["reached"]


def test_the_summary_of_a_chain_without_draws():
    found = summary([Row(1.0, 7, None, 0.1, False, "x")], 5, 10.0)
    assert (found["warmup"], found["draws"], found["acceptance"]) == (1, 0, None)
    assert found["seconds_per_draw"] is found["gradients_per_draw"] is found["first_draw_seconds"] is None


def test_langevin_says_when_it_begins_again(monkeypatch):
    torch_langevin = pytest.importorskip("_sampling.peers.torch_langevin")
    sampler = torch_langevin.Sampler("torch-sgld", WeightSpace(CASE.posterior()), 100, 0)
    first = sampler.iterate()
    assert not first.restarted and sampler.settings["restarts"] == 0
    step, lengths, true_run = first.step_size, [], sampler._run

    def bursts_twice(steps):
        lengths.append(steps)
        return math.inf if len(lengths) in (1, 3) else true_run(steps)

    monkeypatch.setattr(sampler, "_run", bursts_twice)
    second = sampler.iterate()
    assert second.restarted and sampler.settings["restarts"] == 1
    assert second.step_size <= step / 4
    # Two runs that burst, a trial after each, and the run that counts.
    assert lengths == [50, 200, 50, 200, 50] and second.gradients == 3 * 50 + 2 * 201


def equipartition_of(scale, draws=600):
    """Of draws from N(0, scale^2) where there are no data, whose potential is |w|^2 / 2."""
    space = WeightSpace(CASE.posterior())
    space.inverse_noise = 0.0
    measure = Equipartition(space, draws)
    rows = [measure({name: np.float32(scale) * w for name, w in space.prior_draw(k).items()}, k) for k in range(draws)]
    begin = 2 * (draws // 3)
    assert rows[:begin] == [None] * begin
    return {name: np.mean([row[name] for row in rows[begin:] if row is not None]) for name in space.shapes}


@pytest.mark.parametrize("scale", [1.0, 1.1])
def test_equipartition_of_gaussian_draws(scale):
    # E[w . dU/dw] = scale^2 a weight; 5 errors of 200 draws of 180 or more weights: 6e-7 each.
    found = equipartition_of(scale)
    for name, size in (("layer1", 60 * 66), ("readout", 3 * 60)):
        error = scale**2 * math.sqrt(2.02 / (200 * size))
        assert abs(found[name] - scale**2) < 5 * error


def test_a_draw_or_two_have_no_equipartition():
    space = WeightSpace(CASE.posterior())
    for draws in (1, 2):
        measure = Equipartition(space, draws)
        assert [measure(space.prior_draw(k), k) for k in range(draws)] == [None] * draws


def test_draw_zero_begins_equipartition_anew():
    space = WeightSpace(CASE.posterior())
    space.inverse_noise = 0.0
    measure, weights = Equipartition(space, 3), space.prior_draw(0)
    measure({name: 1e6 * w for name, w in weights.items()}, 0)
    assert measure(weights, 0) is None
    twice = {name: 2 * w for name, w in weights.items()}
    assert measure(twice, 1) is None
    found = measure(twice, 2)
    # (2 w - w) . 2 w.
    assert found == pytest.approx({name: 2 * np.sum(w * w) / w.size for name, w in weights.items()}, rel=1e-5)


def test_only_samplers_without_a_metropolis_test_may_be_biased():
    assert {name for name, peer in PEERS.items() if not peer.exact} == {"blackjax-mclmc", "torch-sgld"}


def test_equipartition_finds_the_bias_of_langevin_steps():
    torch_langevin = pytest.importorskip("_sampling.peers.torch_langevin")
    space = WeightSpace(CASE.posterior())
    space.inverse_noise = 0.0
    sampler = torch_langevin.Sampler("torch-sgld", space, 100, 0)
    # w -> (1 - h) w + sqrt(2 h) noise has the variance 1 / (1 - h / 2).
    sampler._step, draws = 0.25, 120
    sampler._weights = {name: w.clone().requires_grad_() for name, w in sampler._start.items()}
    measure = Equipartition(space, draws)
    rows = [measure(sampler.iterate().weights, draw) for draw in range(draws)]
    for name, size in (("layer1", 60 * 66), ("readout", 3 * 60)):
        found = np.mean([row[name] for row in rows if row is not None])
        # 5 errors of 60 draws, which 50 steps make independent; c is the mean of 60 others.
        assert abs(found - 8 / 7) < 5 * 8 / 7 * math.sqrt(2.05 / (60 * size))
