"""The experiment that a sweep changes, by the name or the file that the sweep gives."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nonlazy._regular_files import shown
from nonlazy.errors import DataError, InvalidInput
from nonlazy.experiments import Experiment, load, names


def base_experiment(document: Mapping[str, Any], where: str, folder: Path | None, quick: bool) -> Experiment:
    """The experiment that a sweep file names, at its quick size where that is asked for.

    **Arguments:** as those of `nonlazy.sweeps._parse.parse`.

    **Raises:** `nonlazy.errors.InvalidInput` and `nonlazy.errors.DataError`; the text begins with what is wrong.
    """
    given = document["experiment"]
    path = Path(os.path.expanduser(given))
    if given not in names():
        if path.suffix != ".toml":
            raise InvalidInput(f"{where}: experiment {given!r} is not known: {_advice(given, folder)}")
        path = path if folder is None else folder / path
        if not os.path.exists(path):
            raise DataError(
                f"{where}: there is no experiment file {shown(path)}; a shipped experiment is named without .toml "
                "(nonlazy experiments lists them)"
            )
    base = load(given if given in names() else path)
    return base.quick() if quick or document.get("quick") else base


def _advice(given: str, folder: Path | None) -> str:
    if folder is not None and os.path.isfile(folder / f"{given}.toml"):
        return f"for the file of that name write {given + '.toml'!r}"
    near = difflib.get_close_matches(given, names(), n=3, cutoff=0.5)
    advice = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{advice}nonlazy experiments lists those that it ships; one of your own is a file in .toml"
