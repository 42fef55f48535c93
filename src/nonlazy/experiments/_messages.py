"""What pydantic finds wrong with a section, said in the words of the experiment file."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError


def problems(section: str, model: type[BaseModel], table: Mapping[str, Any], error: ValidationError) -> list[str]:
    """One line for each fault of a section's table: the key, its value, and what would be right."""
    faults = error.errors()
    in_entries = {fault["loc"][0] for fault in faults if len(fault["loc"]) > 1}
    # pydantic counts the entries that it could read: too few of them says nothing new where an entry is at fault.
    counted = [fault for fault in faults if fault["type"] != "too_short" or fault["loc"][0] not in in_entries]
    return [_problem(section, model, table, fault) for fault in counted]


def unknown(what: str, name: str, choices: Iterable[str]) -> str:
    """Says that `name` is unknown, with the nearest of `choices`, or all of them where none is near."""
    choices = list(choices)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    advice = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}"
    return f"{what} {name!r} is not known: {advice}"


def _problem(section: str, model: type[BaseModel], table: Mapping[str, Any], fault: Mapping[str, Any]) -> str:
    key = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        return f"[{section}] {unknown('key', key, model.model_fields)}"
    if fault["type"] == "missing":
        description = model.model_fields[key].description
        return f"[{section}] {key} is missing" + (f": it is {description}" if description else "")
    place, value = key, fault["input"]
    if len(fault["loc"]) > 1 and isinstance(table[key], list | tuple):
        place = f"{key}, entry {int(fault['loc'][1]) + 1},"
    if fault["type"] == "choice":
        return f"[{section}] {place} is {_shown(value)}: {_choice(value, fault['ctx']['choices'])}"
    return f"[{section}] {place} is {_shown(value)}: {_requirement(fault['type'], fault.get('ctx', {}), fault)}"


def _choice(value: str, choices: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(value, choices, n=1, cutoff=0.6)
    listed = ", ".join(repr(choice) for choice in choices)
    return (f"did you mean {near[0]!r}? " if near else "") + f"It can be {listed}"


def _requirement(kind: str, limits: Mapping[str, Any], fault: Mapping[str, Any]) -> str:
    if kind == "greater_than":
        return f"it must be above {limits['gt']:g}"
    if kind == "greater_than_equal":
        return f"it must be {limits['ge']:g} or more"
    if kind == "requirement":
        return limits["requirement"]
    if kind == "too_short":
        return f"it must have {limits['min_length']} entries or more"
    if kind == "too_long":
        return f"it must have {limits['max_length']} entries or fewer"
    if kind in _REQUIREMENTS:
        return _REQUIREMENTS[kind]
    return f"it cannot be used ({fault['msg']})"


_REQUIREMENTS = {
    "int_type": "it must be a whole number",
    "float_type": "it must be a number",
    "bool_type": "it must be true or false",
    "string_type": 'it must be text in quotation marks, "like this"',
    "tuple_type": "it must be a list, [like, this]",
    "finite_number": "it must be a finite number",
    "string_too_short": "it must not be empty",
    "string_pattern_mismatch": "use letters, digits, '-', '_' and '.' only, so that it can name a folder",
}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
