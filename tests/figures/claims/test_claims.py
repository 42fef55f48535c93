"""Claims and their verdicts: the registry is whole, and numbers are judged by the limits that stand in it."""

import json
import math

import pytest

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.figures.claims import CLAIMS, Claim, Criterion, claims_of, claims_page, gather, judge, verdict


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


def test_the_page_has_every_claim_with_its_numbers(tmp_path):
    def figure(name, quick, value):
        claims = [{"key": "2.schemes", "value": value}, {"key": "1.contrast", "value": None}]
        return json.dumps({"figure": name, "quick": quick, "claims": claims})

    (tmp_path / "a").mkdir()
    (tmp_path / "figure-1-quick.json").write_text(figure("1", True, 1.0), encoding="utf-8")
    (tmp_path / "a" / "figure-1.json").write_text(figure("1", False, 3.0), encoding="utf-8")
    text = claims_page(gather(tmp_path))
    assert "## 2. holds (figure 1)" in text and "| 3 | 3 | holds |" in text
    assert "## 1. not measured (figure 1)" in text and "## 33. not measured (figure 7)" in text
    assert all(claim.statement in text for claim in CLAIMS)
    (tmp_path / "figure-2.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"figure-2\.json cannot be read"):
        gather(tmp_path)


def test_claims_of_a_figure():
    assert {claim.number for claim in claims_of("1")} == {1, 2}
    assert not claims_of("none")
