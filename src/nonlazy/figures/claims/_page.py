"""All claims with their verdicts, as a page of Markdown."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nonlazy._regular_files import LARGEST_JSON, check_regular
from nonlazy.errors import StoreError
from nonlazy.figures.claims._claim import Claim, Evidence, judge, verdict
from nonlazy.figures.claims._registry import CLAIMS


def gather(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The numbers that figures wrote below a folder, by figure; full size before quick size.

    **Raises:** `nonlazy.errors.StoreError` for a file that cannot be read.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted(folder.glob("**/figure-*.json")):
        try:
            check_regular(file, StoreError, most=LARGEST_JSON)
            numbers = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            raise StoreError(f"{file} cannot be read: make the figure again") from None
        if not (isinstance(numbers, dict) and {"figure", "claims", "quick"} <= numbers.keys()):
            continue
        if not (isinstance(numbers["claims"], list) and all(map(_sound, numbers["claims"]))):
            raise StoreError(f"{file} is damaged: its claims are not what was written. Make the figure again")
        name = str(numbers["figure"])
        if name not in found or (found[name]["quick"] and not numbers["quick"]):
            found[name] = numbers
    return found


def _sound(one: Any) -> bool:
    """Whether a number of a claim can be judged."""
    value = one.get("value", "") if isinstance(one, dict) else ""
    # Whole numbers may be too large for a float.
    number = value is None or (isinstance(value, int | float) and not abs(value) > sys.float_info.max)
    return number and isinstance(one.get("key"), str)


def claims_page(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """A page of Markdown: each claim of the paper, its verdict, and the numbers that decide it.

    **Arguments:** `figures`: what `gather` returns.
    """
    evidence = {claim.number: _evidence(claim, figures.get(claim.figure)) for claim in CLAIMS}
    verdicts = {claim.number: verdict(claim, evidence[claim.number]) for claim in CLAIMS}
    counts = {word: sum(one == word for one in verdicts.values()) for word in dict.fromkeys(verdicts.values())}
    lines = [
        "# The paper's claims",
        "",
        "Claims of van Meegen & Sompolinsky (2025), in our words. What is measured, and the limits within which a",
        "claim holds, were fixed in `nonlazy.figures.claims` before the samples were drawn that they judge; it holds",
        "where every number is within its limits. Made by `nonlazy figure all`.",
        "",
        ", ".join(f"{count} {_of_several(word) if count > 1 else word}" for word, count in counts.items()) + ".",
        "",
    ]
    for claim in CLAIMS:
        lines += _claim_lines(claim, verdicts[claim.number], evidence[claim.number], figures.get(claim.figure))
    return "\n".join(lines)


def _of_several(word: str) -> str:
    return word.replace("holds", "hold").replace("does not", "do not")


def _evidence(claim: Claim, numbers: Mapping[str, Any] | None) -> tuple[Evidence, ...]:
    if numbers is None:
        return ()
    keys = {criterion.key for criterion in claim.criteria}
    measured = {
        one["key"]: float("nan") if one["value"] is None else float(one["value"])
        for one in numbers["claims"]
        if one["key"] in keys
    }
    return judge((claim,), measured, bool(numbers["quick"]))


def _claim_lines(claim: Claim, word: str, evidence: Iterable[Evidence], numbers: Mapping[str, Any] | None) -> list[str]:
    by_key = {one.criterion.key: one for one in evidence}
    size = ", quick size" if numbers is not None and numbers["quick"] else ""
    lines = [f"## {claim.number}. {word} (figure {claim.figure}{size})", "", claim.statement, ""]
    lines += ["| statistic | found | holds where | |", "| --- | ---: | --- | --- |"]
    for criterion in claim.criteria:
        one = by_key.get(criterion.key)
        value = "" if one is None or one.holds is None else f"{one.value:.4g}"
        said = {True: "holds", False: "does not hold", None: "not measured"}[None if one is None else one.holds]
        lines.append(f"| {_plain(criterion.statistic)} | {value} | {criterion} | {said} |")
    return [*lines, ""]


def _plain(text: str) -> str:
    return text.replace("|", "\\|")
