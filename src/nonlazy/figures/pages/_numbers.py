"""What a figure's JSON must hold for its page to be made."""

from collections.abc import Mapping
from typing import Any


_PLAIN = (str, int, float, type(None))
_ROW: dict[str, Any] = dict.fromkeys(
    ("experiment", "quantity", "theory", "samples", "error", "deviation", "paper"), _PLAIN
)
_KINDS = {
    "figure": str,
    "title": str,
    "quick": bool,
    "command": str,
    "table": list,
    "claims": list,
    "notes": list,
    "warnings": list,
    "posteriors": dict,
    "provenance": dict,
}
_CLAIM: dict[str, Any] = {
    "claim": int,
    "statistic": str,
    "criterion": str,
    "value": _PLAIN,
    "holds": (bool, type(None)),
}


def figure_fault(numbers: Mapping[str, Any]) -> str | None:
    """What is wrong with the numbers of a figure, in words; None where a page can be made of them."""
    fault = _kinds_fault(numbers, _KINDS, "it")
    if fault:
        return fault
    for name in ("notes", "warnings"):
        if not all(isinstance(one, str) for one in numbers[name]):
            return f"{name} are to be texts"
    for name, kinds in (("table", _ROW), ("claims", _CLAIM)):
        for place, row in enumerate(numbers[name]):
            where = f"row {place + 1} of {name}"
            fault = _kinds_fault(row, kinds, where) if isinstance(row, dict) else f"{where} is {type(row).__name__}"
            if fault:
                return fault
    for name, said in numbers["posteriors"].items():
        # The names are folders beside the file, and lead nowhere else.
        if not name or name in (".", "..") or any(sign in name for sign in "/\\\0"):
            return f"{name!r} is no name of an experiment"
        if not isinstance(said, str) or not isinstance(numbers["provenance"].get(name, {}), dict):
            return f"the posterior or the provenance of {name} is of another kind"
    return None


def _kinds_fault(held: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> str | None:
    for name, kind in kinds.items():
        if name not in held:
            return f"{where} has no {name!r}"
        if not isinstance(held[name], kind):
            return f"{name!r} of {where} is {type(held[name]).__name__}"
    return None
