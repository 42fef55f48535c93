"""From the tables of a TOML file to checked sections, with every fault of the file in one message."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from nonlazy.errors import InvalidInput
from nonlazy.experiments._messages import problems, unknown
from nonlazy.experiments._schema import (
    CHOICES,
    TASKS,
    Description,
    NetworkSection,
    PosteriorSection,
    SamplingSection,
)


_FIELDS = {
    "experiment": "about",
    "task": "task",
    "network": "network",
    "posterior": "posterior",
    "sampling": "sampling",
}
_MODELS: dict[str, type[BaseModel]] = {
    "experiment": Description,
    "network": NetworkSection,
    "posterior": PosteriorSection,
    "sampling": SamplingSection,
}


def parse(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of an `Experiment` from the tables of its file.

    **Arguments:** `document`: the parsed TOML; `where`: how messages call it.

    **Raises:** `nonlazy.errors.InvalidInput` with all faults, one a line.
    """
    sections, faults = _check(document)
    quick = document.get("quick", {})
    if not isinstance(quick, dict):
        faults.append("quick must be a table of sections, such as [quick.network]")
    elif quick and not faults:
        faults += _check_quick(document, quick)
    if faults:
        raise InvalidInput(f"{where} cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    return {**{_FIELDS[name]: section for name, section in sections.items()}, "quick_changes": quick}


def _check(document: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, BaseModel], list[str]]:
    sections: dict[str, BaseModel] = {}
    faults = [unknown("section", name, (*_FIELDS, "quick")) for name in document if name not in (*_FIELDS, "quick")]
    for name in _FIELDS:
        table = document.get(name)
        if table is None and name == "sampling":
            table = {}
        if table is None:
            faults.append(f"section [{name}] is missing")
            continue
        if not isinstance(table, dict):
            faults.append(f"{name} must be a section, [{name}] with keys below it, and not a value")
            continue
        model = _MODELS.get(name)
        if name == "task":
            model, fault = _by_kind(table, prefix + name, TASKS)
            faults += fault
        if name == "sampling":
            table, fault = _check_choices(table, prefix + name)
            faults += fault
        section, fault = _validated(model, table, prefix + name)
        faults += fault
        if section is not None:
            sections[name] = section
    return sections, faults


def _validated(
    model: type[BaseModel] | None, table: Mapping[str, Any], section: str
) -> tuple[BaseModel | None, list[str]]:
    if model is None:
        return None, []
    try:
        return model.model_validate(table), []
    except ValidationError as error:
        return None, problems(section, model, table, error)


def _by_kind(
    table: Mapping[str, Any], section: str, models: Mapping[str, type[BaseModel]]
) -> tuple[type[BaseModel] | None, list[str]]:
    kind = table.get("kind")
    if kind is None:
        return None, [f"[{section}] kind is missing: it can be {', '.join(repr(name) for name in models)}"]
    if not isinstance(kind, str) or kind not in models:
        return None, [f"[{section}] {unknown('kind', str(kind), models)}"]
    return models[kind], []


def _check_choices(table: Mapping[str, Any], section: str) -> tuple[dict[str, Any], list[str]]:
    """`table` with the keys of `CHOICES`, names or tables, replaced by their checked sections."""
    checked, faults = dict(table), []
    for key in [key for key in CHOICES if key in table]:
        value = checked.pop(key)
        if isinstance(value, str):
            if value not in CHOICES[key]:
                faults.append(f"[{section}] {unknown(key, value, CHOICES[key])}")
                continue
            value = {"kind": value}
        if not isinstance(value, dict):
            names = ", ".join(repr(name) for name in CHOICES[key])
            faults.append(
                f"[{section}] {key} is {value!r}: it must be one of {names}, or a table with that as its kind"
            )
            continue
        model, fault = _by_kind(value, f"{section}.{key}", CHOICES[key])
        choice, more = _validated(model, value, f"{section}.{key}")
        faults += fault + more
        if choice is not None:
            checked[key] = choice
    return checked, faults


def _check_quick(document: Mapping[str, Any], quick: Mapping[str, Any]) -> list[str]:
    merged = {name: table for name, table in document.items() if name != "quick"}
    for name, changes in quick.items():
        if name not in _FIELDS or name == "experiment":
            choices = [section for section in _FIELDS if section != "experiment"]
            return [f"[quick] {unknown('section', name, choices)}"]
        if not isinstance(changes, dict):
            return [f"quick.{name} must be a section, [quick.{name}] with keys below it, and not a value"]
        merged[name] = {**merged.get(name, {}), **changes}
    return _check(merged, prefix="quick.")[1]


def tables(sections: Mapping[str, BaseModel], quick: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tables of a file from its sections: tuples as lists, keys without a value left out."""
    document: dict[str, dict[str, Any]] = {}
    for name, section in sections.items():
        dumped = section.model_dump(mode="json", exclude_none=True)
        values = {key: dumped[key] for key in sorted(dumped, key=lambda key: key != "kind") if dumped[key] != ""}
        # One variance for all hidden layers is written as a number, as people write it.
        if name == "posterior" and len(values["weight_variance"]) == 1:
            values["weight_variance"] = values["weight_variance"][0]
        for key in [key for key in CHOICES if key in values]:
            if values[key].keys() == {"kind"}:
                values[key] = values[key]["kind"]
        document[name] = values
    if quick:
        document["quick"] = {name: dict(changes) for name, changes in quick.items()}
    return document
