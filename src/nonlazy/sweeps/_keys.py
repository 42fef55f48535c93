"""What can be swept: the keys of an experiment's sections."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from nonlazy.experiments import Experiment


SECTIONS = ("task", "network", "posterior", "sampling")
# What results are called must not be what they are swept over.
_TAKEN = ("kind", "point", "code", "quantity", "name", "state")


def flatten(table: dict[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """A table's values by "section.key", however it is written, and what is wrong with it.

    `"task.P" = ..`, `task.P = ..` and `[grid.task] P = ..` are the same to a reader.
    """
    flat: dict[str, Any] = {}
    faults = []
    for key, value in table.items():
        named = {key: value}
        if key in SECTIONS and isinstance(value, dict):
            named = {f"{key}.{part}": inner for part, inner in value.items()}
        for name, inner in named.items():
            if name in flat:
                faults.append(f"[{where}] {name} is there twice")
            flat[name] = inner
    return flat, faults


def key_fault(key: str, base: Experiment, any_task: bool) -> str | None:
    """What is wrong with a key, and which one may be meant; None where it is one of the experiment's.

    **Arguments:** `any_task`: the sweep changes the kind of the task, so that its keys are not known yet.
    """
    known = known_keys(base)
    if key in known or (any_task and key.startswith("task.")):
        return None
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    endings = [name for name in known if name.split(".")[1] == key.rpartition(".")[2]]
    near = endings[:1] or near or difflib.get_close_matches(f"task.{key}", known, n=1, cutoff=0.75)
    if not near and "." not in key:
        close = difflib.get_close_matches(key, [name.split(".")[1] for name in known], n=1, cutoff=0.6)
        near = [name for name in known if close and name.split(".")[1] == close[0]]
    section, _, rest = key.partition(".")
    if near:
        advice = f"did you mean {near[0]!r}?"
    elif section in SECTIONS and rest:
        advice = f"[{section}] has {', '.join(name.split('.')[1] for name in known if name.startswith(section + '.'))}"
    else:
        advice = "write section.key, as posterior.temperature or task.P"
    return f"key {key!r} is not known: {advice}"


def known_keys(base: Experiment) -> list[str]:
    """Every key of the experiment's sections, as "posterior.temperature"."""
    return [f"{section}.{key}" for section in SECTIONS for key in type(getattr(base, section)).model_fields]


def labels(keys: Sequence[str]) -> tuple[str, ...]:
    """A short name for each key: its last part, with the section before it where that alone would not tell."""
    counts = Counter(key.rpartition(".")[2] for key in keys)
    return tuple(_label(key, counts[key.rpartition(".")[2]] > 1) for key in keys)


def _label(key: str, ambiguous: bool) -> str:
    short = key.rpartition(".")[2]
    return key.replace(".", "_") if ambiguous or short in _TAKEN else short


def nested(values: Iterable[tuple[str, Any]]) -> dict[str, dict[str, Any]]:
    """Values by "section.key" as `Experiment.changed` takes them."""
    changes: dict[str, dict[str, Any]] = {}
    for key, value in values:
        section, _, name = key.partition(".")
        changes.setdefault(section, {})[name] = value
    return changes
