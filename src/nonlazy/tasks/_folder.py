"""The data folder that a user names with the environment variable NONLAZY_DATA."""

import os
from pathlib import Path
from typing import Any

from nonlazy._regular_files import expanded, is_folder
from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks._check import one_of


VARIABLE = "NONLAZY_DATA"


def data_folder(part: str) -> Path | None:
    """The folder `part` of the user's data folder; None where the variable is not set or the folder has no such part.

    **Raises:** `nonlazy.errors.DataError` where the variable names a folder that does not exist.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    folder = expanded(named)
    if not is_folder(folder):
        raise DataError(f"{VARIABLE} is {named!r}, and there is no such folder: correct it, or unset it")
    return folder / part if (folder / part).is_dir() else None


def required_folder(part: str, layout: str) -> Path:
    """As `data_folder`, for `source="folder"`.

    **Raises:** `nonlazy.errors.DataError` where the variable is not set, or the folder has no such part.
    """
    folder = data_folder(part)
    if folder is None:
        named = os.environ.get(VARIABLE)
        state = f"is {named!r}, which has no folder {part!r}" if named else "is not set"
        raise DataError(f"source='folder' reads the folder in {VARIABLE}; it {state}. {layout}")
    return folder


def check_source(source: Any, choices: tuple[str, ...], what: str) -> None:
    """Refuse a source that a data set does not have.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    if source == "embedded" and "embedded" not in choices:
        raise InvalidInput(f"nonlazy ships no part of {what}: choose source={' or '.join(map(repr, choices))}")
    one_of("source", source, choices)
