"""From the tables of a sweep file to a checked `Sweep`, with every fault of the file in one message."""

import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nonlazy.errors import InvalidInput
from nonlazy.experiments import Experiment
from nonlazy.sweeps._base import base_experiment
from nonlazy.sweeps._keys import flatten, key_fault, labels, nested
from nonlazy.sweeps._quantities import show_fault
from nonlazy.sweeps._sweep import Axis, Point, Sweep, value_text
from nonlazy.sweeps._values import MOST_POINTS, values_of


_TOP = ("experiment", "quick", "theory", "show", "about", "set", "grid", "linked", "points", "axes")
_ABOUT = ("name", "title", "description")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_POINT_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._=,+-]*$")
_LONGEST_NAME = 100
_MOST_FAULTS = 8
# A list of the codes of a start has three levels.
_DEEPEST = 20


def parse(document: Mapping[str, Any], where: str, folder: Path | None, name: str, quick: bool = False) -> Sweep:
    """The `Sweep` of a file's tables, every point of it checked.

    **Arguments:** `where`: how messages call the file; `folder`: what a path in it is relative to; `name`: of the
    sweep, where the file has none; `quick`: take the experiment's quick size.

    **Raises:** `nonlazy.errors.InvalidInput` with all faults, one a line; `nonlazy.errors.DataError`.
    """
    faults = _shape_faults(document)
    _raise(where, faults)
    about = document.get("about", {})
    name = about.get("name", name)
    base = base_experiment(document, where, folder, quick)
    if quick:
        name = f"{name}-quick"
    fixed, faults = flatten(document.get("set", {}), "set")
    axes, rows, named_keys, more = _axes(document)
    faults += more
    keys = [key for axis in axes for key in axis.keys] or list(dict.fromkeys(key for row in rows for key in row))
    any_task = "task.kind" in keys or "task.kind" in fixed
    faults += [fault for key in dict.fromkeys((*fixed, *named_keys)) if (fault := key_fault(key, base, any_task))]
    faults += [f"{key} is in [set] and swept as well: leave it out of one" for key in keys if key in fixed]
    faults += [f"{key} is swept twice" for key in dict.fromkeys(keys) if axes and keys.count(key) > 1]
    _raise(where, faults)
    try:
        base = base.changed(nested(fixed.items())) if fixed else base
    except InvalidInput as error:
        raise InvalidInput(f"{where}: [set] cannot be used:\n" + _faults_of(error)) from None
    rows = rows or [
        {key: value for axis, part in zip(axes, row, strict=True) for key, value in zip(axis.keys, part, strict=True)}
        for row in itertools.product(*(axis.values for axis in axes))
    ]
    named = labels(keys)
    points = _points(where, base, rows, keys, named)
    axes = tuple(Axis(named[keys.index(axis.keys[0])], axis.keys, axis.values) for axis in axes)
    show = document.get("show", [])
    return Sweep(
        name=name,
        title=about.get("title", ""),
        description=about.get("description", ""),
        base=base,
        keys=tuple(keys),
        labels=named,
        axes=axes,
        points=points,
        theory=document.get("theory", False),
        show=(show,) if isinstance(show, str) else tuple(show),
    )


def _shape_faults(document: Mapping[str, Any]) -> list[str]:
    faults = []
    for key in document:
        if key not in _TOP:
            near = difflib.get_close_matches(key, _TOP, n=1, cutoff=0.6)
            said = f"did you mean {near[0]!r}?" if near else f"a sweep has {', '.join(_TOP[:-1])}"
            faults.append(f"{key!r} is not known: {said}")
    if not isinstance(document.get("experiment"), str) or not document["experiment"]:
        faults.append('experiment is missing: it names what is swept, as experiment = "figure2-sigmoid" or "mine.toml"')
    for key in ("quick", "theory"):
        if not isinstance(document.get(key, False), bool):
            faults.append(f"{key} is {document[key]!r}: it must be true or false")
    show = document.get("show", [])
    for one in show if isinstance(show, list) else [show]:
        fault = show_fault(one)
        faults += [f"show: {fault}"] if fault else []
    for key in ("about", "set", "grid"):
        if not isinstance(document.get(key, {}), dict):
            faults.append(f"{key} must be a section, [{key}] with keys below it, and not a value")
    for key in ("points", "axes"):
        value = document.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            faults.append(f"{key} must be tables, [[{key}]] with keys below each")
    linked = document.get("linked", [])
    if not isinstance(linked, dict) and not (isinstance(linked, list) and all(isinstance(one, dict) for one in linked)):
        faults.append("linked must be a section, [linked] with keys below it, or several, [[linked]]")
    about = document.get("about", {})
    if isinstance(about, dict):
        for key, value in about.items():
            if key not in _ABOUT:
                faults.append(f"[about] key {key!r} is not known: it can have {', '.join(_ABOUT)}")
            elif not isinstance(value, str):
                faults.append(f'[about] {key} is {value!r}: it must be text in quotation marks, "like this"')
            elif key == "name" and not _NAME.match(value):
                faults.append(f"[about] name is {value!r}: use letters, digits, '-', '_' and '.' only")
    for key in ("set", "grid", "linked", "points", "axes"):
        levels = _levels(document.get(key))
        if levels > _DEEPEST:
            faults.append(f"{key} has values nested in {levels} levels of brackets: at most {_DEEPEST} make sense")
    swept = [key for key in ("grid", "linked", "points", "axes") if document.get(key)]
    if not swept:
        faults.append('nothing is swept: give [grid], as "posterior.temperature" = [0.01, 0.1], or [[points]]')
    if "points" in swept and len(swept) > 1:
        faults.append("[[points]] lists the points one by one: leave it out, or leave out [grid] and [linked]")
    return faults


def _levels(value: Any) -> int:
    """How many lists and tables lie within each other, counted without going down into them one in the other."""
    levels, inner = 0, [value]
    while inner := [one for one in inner if isinstance(one, list | dict)]:
        levels += 1
        inner = [part for one in inner for part in (one.values() if isinstance(one, dict) else one)]
    return levels


def _axes(document: Mapping[str, Any]) -> tuple[list[Axis], list[dict[str, Any]], list[str], list[str]]:
    """The axes of a grid or the rows of a list of points, all keys that they name, and what is wrong with them."""
    axes: list[Axis] = []
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    grid, more = flatten(document.get("grid", {}), "grid")
    faults += more
    linked = document.get("linked", [])
    groups = [{key: values} for key, values in grid.items()]
    for table in [linked] if isinstance(linked, dict) else linked:
        group, more = flatten(table, "linked")
        faults += more
        groups.append(group)
    groups += [dict(table) for table in document.get("axes", [])]
    for group in groups:
        columns = []
        for key, given in group.items():
            # Of keys that are linked, one may stay where another changes.
            values, fault = values_of(key, given) if len(group) == 1 or isinstance(given, dict) else _column(key, given)
            faults += [fault] if fault else []
            columns.append(values)
        lengths = {key: len(values) for key, values in zip(group, columns, strict=True)}
        if len(set(lengths.values())) > 1 and all(lengths.values()):
            said = ", ".join(f"{key} {length}" for key, length in lengths.items())
            faults.append(f"linked keys change together and need lists of one length: {said}")
        elif group and all(lengths.values()):
            axes.append(Axis("", tuple(group), tuple(zip(*columns, strict=True))))
    for table in document.get("points", []):
        row, more = flatten(table, "points")
        faults += more
        rows.append(row)
    total = 1
    for axis in axes:
        total *= len(axis.values)
    if total > MOST_POINTS:
        faults.append(f"the grid has {total} points: more than {MOST_POINTS}, which no folder should hold")
    return axes, rows, [key for table in (*groups, *rows) for key in table], faults


def _column(key: str, given: Any) -> tuple[list[Any], str | None]:
    if isinstance(given, list) and given:
        return given, None
    return values_of(key, given)


def _points(
    where: str, base: Experiment, rows: Sequence[dict[str, Any]], keys: Sequence[str], named: Sequence[str]
) -> tuple[Point, ...]:
    own = base.to_tables()
    points: list[Point] = []
    faults: dict[str, list[str]] = {}
    seen: dict[str, int] = {}
    for number, row in enumerate(rows):
        # A point that does not name a key has the experiment's own value.
        values = {key: row[key] if key in row else own[key.split(".")[0]].get(key.split(".")[1]) for key in keys}
        name = point_name(values, named)
        try:
            experiment = base.changed(nested((key, value) for key, value in row.items()))
        except InvalidInput as error:
            for fault in _faults_of(error).splitlines():
                faults.setdefault(fault.strip(), []).append(name)
            continue
        same = identity(experiment)
        if same in seen:
            faults.setdefault(
                f"points {seen[same]} and {number} are the same experiment: every point is run once", []
            ).append(name)
            continue
        seen[same] = number
        points.append(Point(name, {key: value for key, value in values.items() if value is not None}, experiment))
    _raise(where, point_faults(faults))
    names = [point.name for point in points]
    if len(set(names)) < len(names):
        points = [
            Point(_short_name(point.values), point.values, point.experiment) if names.count(point.name) > 1 else point
            for point in points
        ]
    return tuple(points)


def point_name(values: Mapping[str, Any], named: Sequence[str]) -> str:
    """The name of a point's folder, from its values; from a hash of them where that is long or odd."""
    parts = [f"{label}={value_text(value)}" for label, value in zip(named, values.values(), strict=True)]
    name = ",".join(parts)
    return name if len(name) <= _LONGEST_NAME and _POINT_NAME.match(name) else _short_name(values)


def _short_name(values: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(dict(values), sort_keys=True, default=str).encode()).hexdigest()
    # Without a number, so that a sweep may grow.
    return f"point-{digest[:12]}"


def identity(experiment: Experiment) -> str:
    """What decides an experiment's samples, as a short text: equal for experiments that differ in their names alone."""
    tables = {name: table for name, table in experiment.to_tables().items() if name not in ("experiment", "quick")}
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()[:16]


def point_faults(faults: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with points, one line a fault, from the names of the points by fault."""
    lines = [f"point {_listed(names)}: {fault}" for fault, names in list(faults.items())[:_MOST_FAULTS]]
    return lines + ([f"and {len(faults) - len(lines)} more faults"] if len(faults) > len(lines) else [])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def _faults_of(error: InvalidInput) -> str:
    """The faults that `Experiment.changed` found, without its first line."""
    first, _, rest = str(error).partition("\n")
    return rest or first


def _raise(where: str, faults: Sequence[str]) -> None:
    if faults:
        raise InvalidInput(f"{where} cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
