"""How often a point has been begun and not ended, counted in its folder: a worker that dies can tell nobody."""

import json
from contextlib import suppress
from pathlib import Path

from nonlazy._regular_files import LARGEST_JSON, check_regular
from nonlazy._whole_files import replace_text
from nonlazy.errors import DataError


_FILE = ".attempts"


def unended(folder: Path, call: str) -> int:
    """The attempts at a point that were begun for this `call` of a sweep, on any machine, and never ended."""
    with suppress(DataError, OSError, ValueError, TypeError, KeyError):
        check_regular(folder / _FILE, most=LARGEST_JSON)
        stored = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return int(stored["begun"]) if stored["call"] == call else 0
    return 0


def begin(folder: Path, call: str) -> None:
    """Counts an attempt. Where the folder cannot be written, nothing is counted: the attempt itself will say so."""
    if folder.parent.is_dir():
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            replace_text(folder / _FILE, json.dumps({"call": call, "begun": unended(folder, call) + 1}))


def end(folder: Path) -> None:
    """The attempts have come to an end, good or bad."""
    with suppress(OSError):
        (folder / _FILE).unlink(missing_ok=True)
