"""Claims and their verdicts: the registry is whole, and numbers are judged by the limits that stand in it."""

import math

import pytest

from nonlazy.errors import InvalidInput
from nonlazy.figures.claims import CLAIMS, Claim, Criterion, claims_of, judge, verdict


def test_every_claim_of_the_paper_is_there_once():
    assert [claim.number for claim in CLAIMS] == list(range(1, 34))
    keys = [criterion.key for claim in CLAIMS for criterion in claim.criteria]
    assert len(set(keys)) == len(keys)
    for claim in CLAIMS:
        assert claim.criteria
        for criterion in claim.criteria:
            assert criterion.key.split(".")[0] == str(claim.number)
            # A criterion that nothing could miss would decide nothing.
            assert math.isfinite(criterion.low) or math.isfinite(criterion.high)
            assert criterion.low <= criterion.high


CLAIM = Claim(
    1, "two numbers", "1", (Criterion("1.a", "first", high=2.0), Criterion("1.b", "second", 1.0, 3.0, full_size=True))
)


def found(quick=False, **measured):
    evidence = judge((CLAIM,), {f"1.{key}": value for key, value in measured.items()}, quick)
    return [one.holds for one in evidence], verdict(CLAIM, evidence)


def test_a_claim_holds_where_every_number_is_within_its_limits():
    assert found(a=2.0, b=1.0) == ([True, True], "holds")
    assert found(a=2.1, b=1.0) == ([False, True], "in part")
    assert found(a=2.1, b=0.9) == ([False, False], "does not hold")


def test_what_was_not_measured_decides_nothing():
    assert found() == ([], "not measured")
    assert found(a=math.nan) == ([None], "not measured")
    assert found(a=1.0) == ([True], "in part")
    assert found(a=1.0, b=math.nan) == ([True, None], "in part")
    assert found(quick=True, a=1.0, b=9.0) == ([True], "in part")


def test_a_number_of_no_claim_is_refused():
    with pytest.raises(InvalidInput, match=r"no claim is decided by 1\.c"):
        found(c=1.0)


def test_limits_are_said_in_words():
    assert [str(one) for one in CLAIM.criteria] == ["at most 2", "1 to 3"]
    assert str(Criterion("k", "s", low=3.0)) == "at least 3"
    assert str(Criterion("k", "s", 3.0, 3.0)) == "3"


def test_claims_of_a_figure():
    assert {claim.number for claim in claims_of("1")} == {1, 2}
    assert not claims_of("none")
