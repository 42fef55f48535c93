"""Sweeps by name, from those that nonlazy ships, or from a file or a folder of results."""

import difflib
from importlib import resources
from pathlib import Path
from typing import Any

from nonlazy._regular_files import LARGEST_TOML, check_regular, expanded, is_folder, is_regular, shown
from nonlazy.errors import DataError, InvalidInput
from nonlazy.experiments import read_toml
from nonlazy.sweeps._parse import parse
from nonlazy.sweeps._sweep import Sweep


SWEEP = "sweep.toml"


def names() -> tuple[str, ...]:
    """The sweeps that nonlazy ships, in alphabetical order."""
    return tuple(
        sorted(path.name.removesuffix(".toml") for path in _shipped().iterdir() if path.name.endswith(".toml"))
    )


def text(name: str) -> str:
    """The TOML of a shipped sweep, comments included, to copy and change.

    **Raises:** `nonlazy.errors.InvalidInput` for an unknown name.
    """
    if name not in names():
        raise InvalidInput(_unknown(name))
    return (_shipped() / f"{name}.toml").read_text(encoding="utf-8")


def load(name_or_path: str | Path, quick: bool = False) -> Sweep:
    """A shipped sweep by its name, or the sweep of a file or of a folder of results.

    **Arguments:** `name_or_path`: a name of `nonlazy.sweeps.names()`, a path that ends in `.toml`, or a folder that
    `nonlazy sweep` wrote; a name is that of the shipped sweep even where a folder of that name lies here, which is
    `./NAME`; `quick`: take the experiment's quick size, with "-quick" added to the sweep's name.

    **Returns:** a `Sweep`, the sections and keys of all its points checked; that they can be sampled is checked by
    `nonlazy.sweeps.sweep`.

    **Raises:** `nonlazy.errors.InvalidInput` for an unknown name, malformed TOML, unknown keys and impossible values,
    all of them in one message; `nonlazy.errors.DataError` for a file that cannot be read.
    """
    if isinstance(name_or_path, str) and name_or_path in names():
        return _sweep(text(name_or_path), f"sweep {name_or_path!r}", None, name_or_path, quick)
    path = expanded(name_or_path)
    if is_folder(path):
        if not (path / SWEEP).exists():
            raise InvalidInput(f"{path} is a folder without {SWEEP}: give a sweep file, or a folder of results")
        path = path / SWEEP
    if path.suffix != ".toml":
        raise InvalidInput(_unknown(str(name_or_path)))
    try:
        check_regular(path, most=LARGEST_TOML)
        content = path.read_text(encoding="utf-8")
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(
            f"there is no file {shown(path)}; a shipped sweep is named without .toml: {_listed()}"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8 (byte {error.start}): TOML must be") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return _sweep(content, str(path), path.resolve().parent, path.stem, quick)


def results_of(source: str | Path) -> Path | None:
    """The folder of results that `load` reads `source` from; None for a shipped sweep and for a file."""
    if isinstance(source, str) and source in names():
        return None
    path = expanded(source)
    return path if is_folder(path) else None


def _sweep(content: str, where: str, folder: Path | None, name: str, quick: bool) -> Sweep:
    document = read_toml(content, where)
    if isinstance(document.get("experiment"), dict):
        raise InvalidInput(f"{where} is an experiment, not a sweep: give it to nonlazy run, or name it in a sweep file")
    return parse(document, where, folder, name, quick)


def _unknown(name: str) -> str:
    if is_regular(Path(f"{name}.toml")):
        return f"sweep {name!r} is not one that nonlazy ships; for the file of that name write {name}.toml"
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
    advice = f"did you mean {' or '.join(repr(choice) for choice in near)}? " if near else ""
    return f"sweep {name!r} is not known: {advice}nonlazy ships {_listed()}; a sweep of your own is a file in .toml"


def _listed() -> str:
    return ", ".join(names())


def _shipped() -> Any:
    return resources.files("nonlazy.sweeps") / "shipped"
