"""A claim of the paper, the numbers that decide it, and what they were found to be."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nonlazy.errors import InvalidInput


@dataclass(frozen=True)
class Criterion:
    """One number that a claim stands or falls with.

    **Fields:** `key`: its name within all claims; `statistic`: what is measured, in words; `low`, `high`: the claim
    holds where low <= number <= high; `full_size`: whether a figure's quick size cannot decide it.
    """

    key: str
    statistic: str
    low: float = -math.inf
    high: float = math.inf
    full_size: bool = False

    def __str__(self) -> str:
        if math.isinf(self.low):
            return f"at most {self.high:g}"
        if math.isinf(self.high):
            return f"at least {self.low:g}"
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Claim:
    """What the paper says, in our words, and how it is put to the test.

    **Fields:** `number`: within `CLAIMS`; `statement`; `figure`: of this library, by name, in which it is measured;
    `criteria`: all of them must hold.
    """

    number: int
    statement: str
    figure: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class Evidence:
    """A criterion with its number.

    **Fields:** `claim`: number of the claim; `criterion`; `value`: what was measured; NaN where it could not be.
    """

    claim: int
    criterion: Criterion
    value: float

    @property
    def holds(self) -> bool | None:
        """Whether the number is within the criterion's limits; None where there is no number."""
        if math.isnan(self.value):
            return None
        return self.criterion.low <= self.value <= self.criterion.high


Verdict = Literal["holds", "does not hold", "in part", "not measured"]


def judge(claims: tuple[Claim, ...], measured: Mapping[str, float], quick: bool = False) -> tuple[Evidence, ...]:
    """Puts measured numbers beside the limits that were fixed before.

    **Arguments:** `claims`: those that are looked for; `measured`: numbers by `Criterion.key`; `quick`: leave out what
    a quick size cannot decide.

    **Returns:** an `Evidence` for each criterion that was measured, in the order of the claims.

    **Raises:** `nonlazy.errors.InvalidInput` for a number that belongs to no criterion.
    """
    known = {criterion.key for claim in claims for criterion in claim.criteria}
    unknown = sorted(set(measured) - known)
    if unknown:
        raise InvalidInput(f"no claim is decided by {', '.join(unknown)}: known are {', '.join(sorted(known))}")
    return tuple(
        Evidence(claim.number, criterion, float(measured[criterion.key]))
        for claim in claims
        for criterion in claim.criteria
        if criterion.key in measured and not (quick and criterion.full_size)
    )


def verdict(claim: Claim, evidence: tuple[Evidence, ...]) -> Verdict:
    """What the evidence says of a claim: it holds where every criterion was measured and holds."""
    found = [one.holds for one in evidence if one.claim == claim.number]
    if not found or all(holds is None for holds in found):
        return "not measured"
    if all(holds is True for holds in found):
        return "holds" if len(found) == len(claim.criteria) else "in part"
    return "in part" if any(holds is True for holds in found) else "does not hold"
