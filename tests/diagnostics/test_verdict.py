"""The rule on made-up chains, and lasting changes of code."""

import numpy as np
import pytest

from nonlazy.diagnostics._exchanges import exchanges, groups
from nonlazy.diagnostics._history import CodeHistory
from nonlazy.diagnostics._verdict import decide


NAMES = ("1-1-0", "1-0-1")


def counts(means, draws=100, noise=0.0, seed=0):
    """Neurons of two codes among 200, the first with these means in each chain."""
    generator = np.random.default_rng(seed)
    first = np.asarray(means, float)[:, None] + noise * generator.standard_normal((len(means), draws))
    return np.stack([first, 200 - first], axis=2)


def verdict(means, moves, expected=None, **options):
    return decide(NAMES, counts(means, **options), np.full((len(means), 2), moves, dtype=int), 200, expected)


def test_chains_that_move_and_agree_are_equilibrated():
    assert verdict([100, 100], 10, noise=3)[0] == "equilibrated"


def test_chains_that_agree_without_moving_are_frozen():
    found, why = verdict([100, 100], 0)
    assert found == "frozen" and "the shares are those that the chains began with" in why


def test_chains_that_stand_apart_are_frozen():
    found, why = verdict([100, 120], 2)
    assert found == "frozen" and "20.0 neurons apart" in why


def test_chains_that_move_and_stand_apart_are_under_way():
    found, why = verdict([100, 120], 40, noise=3)
    assert found == "undecided" and "do not agree yet" in why


def test_few_changes_in_chains_that_agree_decide_nothing():
    found, why = verdict([100, 100], [3, 30])
    assert found == "undecided" and "not moving enough to tell" in why


@pytest.mark.parametrize(("chains", "draws", "why"), [(1, 100, "one chain"), (2, 19, "too few")])
def test_too_little_to_tell(chains, draws, why):
    found, reason = verdict([100] * chains, 10, noise=3, draws=draws)
    assert found == "undecided" and why in reason


def test_a_rigid_difference_below_the_tolerance_is_agreement():
    # R-hat is infinite here; half a per cent of 200 neurons is one.
    assert verdict([100, 100.9], 10)[0] == "equilibrated"
    assert verdict([100, 101.1], 10)[0] == "undecided"


def pinned(theory, jumped=True, means=(100, 100), excess=""):
    return decide(NAMES, counts(means), np.zeros((2, 2), int), 200, theory, excess, jumped)


def test_chains_that_jumped_to_the_theory_and_stay_are_equilibrated():
    found, why = pinned(np.array([100.5, 99.5]))
    assert found == "equilibrated" and "theory's shares, within 1 neuron;" in why


def test_chains_that_jumped_elsewhere_and_stay_are_frozen():
    assert pinned(np.array([103.0, 97.0]))[0] == "frozen"
    assert pinned(np.array([100.5, 99.5]), means=(100, 102))[0] == "frozen"
    found, why = pinned(np.array([100.5, 99.5]), excess="a chain has too many neurons")
    assert found == "frozen" and "too many" in why


def test_without_theory_chains_that_stay_decide_nothing_if_they_jumped():
    assert pinned(None)[0] == "undecided"
    assert pinned(None, jumped=False)[0] == "frozen"


def test_without_jumps_the_theory_does_not_make_equilibrium():
    assert pinned(np.array([100.0, 100.0]), jumped=False)[0] == "frozen"


def test_a_code_of_the_theory_must_be_visited():
    numbers = np.concatenate([counts([100, 100], noise=3), np.zeros((2, 100, 1))], axis=2)
    moves = np.array([[30, 30, 0], [30, 30, 0]])
    names = (*NAMES, "1-1-1")
    assert decide(names, numbers, moves, 200, np.array([90.0, 90.0, 20.0]))[0] != "equilibrated"
    assert decide(names, numbers, moves, 200, np.array([100.0, 99.9, 0.1]))[0] == "equilibrated"


def test_one_code_needs_no_changes_where_the_theory_has_no_other():
    numbers = np.full((2, 50, 1), 200.0)
    moves = np.zeros((2, 1), int)
    assert decide(("1-1-1",), numbers, moves, 200, np.array([200.0]))[0] == "equilibrated"
    assert decide(("1-1-1",), numbers, moves, 200, None)[0] == "undecided"


def history(index, codes=((True, True, False), (True, False, True))):
    return CodeHistory(np.array(codes), np.asarray(index)[None], np.arange(len(index)), 1.0)


def test_crossing_a_threshold_for_a_moment_is_no_lasting_change():
    index = np.zeros((100, 4), int)
    index[::5, 0] = 1
    assert exchanges(history(index), np.arange(2)).total.tolist() == [0]


def test_lasting_changes_are_counted_where_they_go():
    index = np.zeros((100, 4), int)
    index[31:, 0] = 1
    index[52:, 1] = 1
    index[73:, 1] = 0
    found = exchanges(history(index), np.arange(2))
    assert found.arrivals.tolist() == [[1, 2]] and found.departures.tolist() == [[2, 1]]


def test_changes_within_a_pair_are_none():
    index = np.zeros((40, 4), int)
    index[20:] = 1
    assert exchanges(history(index), np.zeros(2, int)).total.tolist() == [0]


def codes(*names):
    return np.array([[digit == "1" for digit in name] for name in names])


def test_mirror_images_are_judged_together():
    found = groups(codes("110", "101", "100", "011", "010", "001"), np.full(6, 1 / 6))
    assert found.mirrored and found.names == ("1-1-0 + 0-0-1", "1-0-1 + 0-1-0", "1-0-0 + 0-1-1")
    np.testing.assert_allclose(found.sums(np.arange(6.0)), [5, 5, 5])


@pytest.mark.parametrize(
    ("names", "shares"),
    [
        (("111", "110", "101", "011"), (0.1, 0.3, 0.3, 0.3)),
        (("110", "101", "011", "001"), (0.3, 0.3, 0.3, 0.1)),
        # Targets +-1: the only two codes are mirror images, and their shares are what is to be judged.
        (("10", "01"), (0.5, 0.5)),
    ],
)
def test_codes_without_mirror_images_are_judged_alone(names, shares):
    assert not groups(codes(*names), np.array(shares)).mirrored
