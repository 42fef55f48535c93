"""What is kept of a point beside its run: one JSON file."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from nonlazy._regular_files import LARGEST_JSON, check_regular
from nonlazy._whole_files import replace_text
from nonlazy.errors import DataError, StoreError
from nonlazy.sweeps._quantities import TEXTS


POINT = "point.json"
# Of the numbers. Those of a complete run are read again where they are of an earlier one, which takes a moment.
FORMAT = 3
State = Literal["done", "failed", "missing"]


@dataclass(frozen=True)
class Record:
    """What became of a point.

    **Fields:** `state`; `error`: why it failed; `seconds`: that the last attempt took; `identity`: of the experiment;
    `theory`: whether the theory was asked for; `found`: the numbers, as `point_numbers` has them; `format`: of these.
    """

    state: State
    error: str = ""
    seconds: float = math.nan
    identity: str = ""
    theory: bool = False
    found: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def answers(self, identity: str, theory: bool) -> bool:
        """Whether the point is done, and nothing is left to do for this experiment."""
        asked = self.identity == identity and (self.theory or not theory)
        # Formats 2 and 3 differ in the theory alone.
        known = self.format == FORMAT or (self.format == 2 and not self.theory)
        return self.state == "done" and known and asked


def write_record(folder: Path, record: Record) -> None:
    """Writes the record of a point, whole or not at all.

    **Raises:** `nonlazy.errors.StoreError`.
    """
    text = json.dumps(_plain(vars(record)), indent=2, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / POINT, text)
    except OSError as error:
        raise StoreError(f"{folder / POINT} cannot be written: {error.strerror}") from None


def read_record(folder: Path) -> Record:
    """The record of a point; of a point that has none, or a damaged one, one that says "missing"."""
    try:
        check_regular(folder / POINT, most=LARGEST_JSON)
        stored = json.loads((folder / POINT).read_text(encoding="utf-8"))
        # Errors may quote names of files that are no text: halves of characters, which no other file can hold.
        stored = json.loads(json.dumps(stored, ensure_ascii=False).encode("utf-8", "replace"))
        record = Record(**{"format": 1, **stored, "seconds": number(stored["seconds"])})
        return record if _sound(record) else Record("missing")
    except (DataError, OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return Record("missing")


def _sound(record: Record) -> bool:
    """Whether everything is of the kind that is written; raises one of what `read_record` catches otherwise."""
    found = record.found
    texts = [
        record.error,
        record.identity,
        found.get("no_theory", ""),
        found.get("certificate", ""),
        *found.get("warnings", []),
        *found.get("codes", {}),
    ]
    numbers = [value for code in found.get("codes", {}).values() for value in (code.get("fraction") or ())]
    numbers += [code.get("theory") for code in found.get("codes", {}).values()]
    for group in ("samples", "diagnostics", "theory"):
        for name, value in found.get(group, {}).items():
            if name in TEXTS:
                texts.append("" if value is None else value)
            else:
                numbers.append(value)
    for row in found.get("comparison", []):
        texts.append(row["quantity"])
        numbers += [row.get(name) for name in ("theory", "samples", "error")]
    for value in numbers:
        number(value)
    whole = record.state != "done" or {"samples", "diagnostics", "codes"} <= found.keys()
    return whole and record.state in get_args(State) and all(isinstance(text, str) for text in texts)


def number(value: Any) -> float:
    """A stored number: None is NaN, and infinities are texts."""
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    """`value` as JSON knows it."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
