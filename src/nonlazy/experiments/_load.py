"""Experiments by name, from those that nonlazy ships, or from a file of one's own."""

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from nonlazy._regular_files import LARGEST_TOML, check_regular, expanded, is_regular, shown
from nonlazy.errors import DataError, InvalidInput
from nonlazy.experiments._experiment import Experiment
from nonlazy.experiments._parse import parse


def names() -> tuple[str, ...]:
    """The experiments that nonlazy ships, in alphabetical order."""
    return tuple(
        sorted(path.name.removesuffix(".toml") for path in _shipped().iterdir() if path.name.endswith(".toml"))
    )


def text(name: str) -> str:
    """The TOML of a shipped experiment, comments included, to copy and change.

    **Raises:** `nonlazy.errors.InvalidInput` for an unknown name.
    """
    if name not in names():
        raise InvalidInput(_unknown(name))
    return (_shipped() / f"{name}.toml").read_text(encoding="utf-8")


def load(name_or_path: str | Path) -> Experiment:
    """A shipped experiment by its name, or the experiment of a TOML file.

    **Arguments:** `name_or_path`: a name of `nonlazy.experiments.names()`, or a path that ends in `.toml`. Relative
    paths inside the file are relative to the file.

    **Returns:** a checked `Experiment`.

    **Raises:** `nonlazy.errors.InvalidInput` for an unknown name, malformed TOML (with line and column), unknown keys
    and impossible values, all of them in one message; `nonlazy.errors.DataError` for a file that cannot be read.
    """
    if isinstance(name_or_path, str) and name_or_path in names():
        return _experiment(text(name_or_path), where=f"experiment {name_or_path!r}", folder=None)
    path = expanded(name_or_path)
    if path.suffix != ".toml":
        raise InvalidInput(_unknown(str(name_or_path)))
    try:
        check_regular(path, most=LARGEST_TOML)
        content = path.read_text(encoding="utf-8")
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(
            f"there is no file {shown(path)}; a shipped experiment is named without .toml: {_listed()}"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8 (byte {error.start}): TOML must be") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{shown(path)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return _experiment(content, where=str(path), folder=path.resolve().parent)


def read_toml(content: str, where: str) -> dict[str, Any]:
    """The document of a TOML text; `where` names it in errors.

    **Raises:** `nonlazy.errors.InvalidInput` for malformed TOML, with line and column.
    """
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{where}{_position(str(error), content)}") from None
    except RecursionError:
        raise InvalidInput(f"{where}: brackets are nested too deeply") from None
    except ValueError as error:
        # Python reads no whole number of more than some thousand digits, and no date such as 2025-02-30.
        raise InvalidInput(f"{where}: a value cannot be read ({error})") from None


def _experiment(content: str, where: str, folder: Path | None) -> Experiment:
    document = read_toml(content, where)
    if isinstance(document.get("experiment"), str):
        raise InvalidInput(f"{where} is a sweep, not an experiment: give it to nonlazy sweep")
    if folder is not None:
        _resolve_path(document.get("task"), folder)
        quick = document.get("quick")
        _resolve_path(quick.get("task") if isinstance(quick, dict) else None, folder)
    return Experiment(**parse(document, where))


def _resolve_path(table: Any, folder: Path) -> None:
    if isinstance(table, dict) and isinstance(table.get("path"), str) and table["path"]:
        table["path"] = str(folder / expanded(table["path"]))


def _position(message: str, content: str) -> str:
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if found is None:
        return (
            f", line {content.count(chr(10)) + 1}: {message.removesuffix(' (at end of document)')} where the file ends"
        )
    line, column = int(found[1]), int(found[2])
    source = content.splitlines()[line - 1] if line <= len(content.splitlines()) else ""
    reason = message[: found.start()]
    return f", line {line}, column {column}: {reason}\n  {source}\n  {' ' * (column - 1)}^"


def _unknown(name: str) -> str:
    if is_regular(Path(f"{name}.toml")):
        return f"experiment {name!r} is not one that nonlazy ships; for the file of that name write {name}.toml"
    if is_regular(Path(name)):
        return f"{name} is a file, but not one that ends in .toml: experiments are TOML files"
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
    advice = f"did you mean {' or '.join(repr(choice) for choice in near)}? " if near else ""
    return (
        f"experiment {name!r} is not known: {advice}nonlazy ships {_listed()}; "
        "an experiment of your own is a file that ends in .toml"
    )


def _listed() -> str:
    return ", ".join(names())


def _shipped() -> Any:
    return resources.files("nonlazy.experiments") / "shipped"
