"""What is kept of a point beside its run: one JSON file."""

import json
import math
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nonlazy.errors import StoreError


POINT = "point.json"
State = Literal["done", "failed", "missing"]


@dataclass(frozen=True)
class Record:
    """What became of a point.

    **Fields:** `state`; `error`: why it failed; `seconds`: that the last attempt took; `identity`: of the experiment;
    `theory`: whether the theory was asked for; `found`: the numbers, as `point_numbers` has them.
    """

    state: State
    error: str = ""
    seconds: float = math.nan
    identity: str = ""
    theory: bool = False
    found: dict[str, Any] = field(default_factory=dict)

    def answers(self, identity: str, theory: bool) -> bool:
        """Whether the point is done, and nothing is left to do for this experiment."""
        return self.state == "done" and self.identity == identity and (self.theory or not theory)


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


def replace_text(path: Path, text: str) -> None:
    """Writes a text file in the place of `path`, whole or not at all.

    **Raises:** `OSError`.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_record(folder: Path) -> Record:
    """The record of a point; of a point that has none, or a damaged one, one that says "missing"."""
    try:
        stored = json.loads((folder / POINT).read_text(encoding="utf-8"))
        return Record(**{**stored, "seconds": number(stored["seconds"])})
    except (OSError, ValueError, TypeError, KeyError):
        return Record("missing")


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
