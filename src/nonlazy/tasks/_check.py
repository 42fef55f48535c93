"""Checks of arguments that every builder of tasks shares."""

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

from nonlazy._machine import memory
from nonlazy.errors import InvalidInput


def whole_number(name: str, value: Any, least: int, hint: str = "") -> int:
    """`value` as an int.

    **Raises:** `nonlazy.errors.InvalidInput` where it is not a whole number of at least `least`.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInput(f"{name} is {value!r}: it must be a whole number, {least} or more" + (hint and f" ({hint})"))
    return int(value)


def fits_in_memory(what: str, numbers: int, bytes_each: int, advice: str) -> None:
    """Refuse arrays that this machine cannot hold, before they are made.

    **Arguments:** `what`: how the message begins; `numbers`, `bytes_each`: of the arrays; `advice`: how it ends.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    held, needed = memory(), numbers * bytes_each
    if held is not None and needed > held:
        said = f"{needed / 1e9:,.1f} GB" if needed < 10**15 else "more than 1,000,000 GB"
        raise InvalidInput(f"{what}: this needs {said} of memory, and this machine has {held / 1e9:,.1f} GB: {advice}")


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    """`value`, which must be among `choices`.

    **Raises:** `nonlazy.errors.InvalidInput` that names the choices, the nearest first.
    """
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.5)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise InvalidInput(f"{name} is {value!r}: choose one of {', '.join(map(repr, choices))}{meant}")


def chosen_classes(classes: Sequence[int | str], names: Sequence[str], what: str) -> tuple[int, ...]:
    """Positions in `names` of the classes that the user chose by position or by name, in the user's order.

    **Raises:** `nonlazy.errors.InvalidInput` for an unknown class, one named twice, or none.
    """
    if isinstance(classes, str) or not isinstance(classes, Sequence | np.ndarray | range):
        raise InvalidInput(f"classes is {classes!r}: give a tuple of {what}'s classes, such as {tuple(names[:3])}")
    positions: list[int] = []
    for chosen in classes:
        if isinstance(chosen, str):
            positions.append(names.index(one_of(f"a class of {what}", chosen, names)))
        elif isinstance(chosen, int | np.integer) and not isinstance(chosen, bool) and 0 <= chosen < len(names):
            positions.append(int(chosen))
        else:
            numbers = [str(position) for position in range(len(names))]
            named = "" if list(names) == numbers else f", or by name {_list(names)}"
            raise InvalidInput(f"{what} has no class {chosen!r}: its classes are 0 .. {len(names) - 1}{named}")
    if not positions:
        raise InvalidInput(f"classes is empty: name at least one of {what}'s classes, {_list(names)}")
    twice = [name for c, name in enumerate(names) if positions.count(c) > 1]
    if twice:
        raise InvalidInput(f"classes names {_list(twice)} more than once")
    return tuple(positions)


def every_class_present(counts: Sequence[int] | np.ndarray, names: Sequence[str], advice: str) -> None:
    """Refuse a training set without inputs of some class: neither its code nor its mean activation is defined.

    **Raises:** `nonlazy.errors.InvalidInput` that names the empty classes and ends with `advice`.
    """
    empty = [name for name, count in zip(names, counts, strict=True) if count == 0]
    if empty:
        which = f"class {empty[0]} has" if len(empty) == 1 else f"classes {_list(empty)} have"
        raise InvalidInput(f"{which} no training input ({listed(counts, names)}): {advice}")


def listed(counts: Sequence[int] | np.ndarray, names: Sequence[str]) -> str:
    """Counts in words: "50 of class 0, 25 of class 1"."""
    return ", ".join(f"{count} of class {name}" for name, count in zip(names, counts, strict=True))


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
