"""The `Sweep`: an experiment, what changes in it, and the points that this makes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nonlazy.errors import InvalidInput
from nonlazy.experiments import Experiment


@dataclass(frozen=True)
class Axis:
    """Values that one key takes, or several keys together.

    **Fields:** `name`: the dimension's; `keys`: as `("posterior.temperature",)`, more than one where they are linked;
    `values`: for each position along the axis, a value for each of the keys.
    """

    name: str
    keys: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Point:
    """One experiment of a sweep.

    **Fields:** `name`: of its folder, from its values, as "temperature=0.01,y_minus=0.1"; `values`: by key;
    `experiment`: what is sampled there.
    """

    name: str
    values: Mapping[str, Any]
    experiment: Experiment


@dataclass(frozen=True)
class Sweep:
    """Many experiments that differ in some keys. Made by `nonlazy.sweeps.load`.

    **Fields:**

    - `name`, `title`, `description`: of the sweep.
    - `base`: the experiment that the points change.
    - `keys`: what is swept, as "posterior.temperature". `labels`: a short name for each, as "temperature".
    - `axes`: of a grid, in the order of the dimensions; empty for a list of points.
    - `points`: in the order of their numbers: the last axis of a grid varies fastest.
    - `theory`: whether the theory is solved at each point, beside the samples.
    - `show`: the quantities that are drawn; empty: chosen from what there is.
    """

    name: str
    title: str
    description: str
    base: Experiment
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    theory: bool = False
    show: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, or the number of points of a list."""
        return tuple(len(axis.values) for axis in self.axes) or (len(self.points),)

    def select(self, text: str) -> tuple[int, ...]:
        """The numbers of the points that `text` names, counted from 0: "3", "0:10", "0:10,15", "::4".

        **Raises:** `nonlazy.errors.InvalidInput` for anything else, and for numbers that no point has.
        """
        total, chosen = len(self.points), []
        for part in text.split(","):
            piece = part.strip()
            if not re.fullmatch(r"\d+|\d*:\d*(:\d+)?", piece) or piece.endswith(":0"):
                raise InvalidInput(f"--points is {text!r}: write numbers and ranges, as 3 or 0:10 or 0:10,15")
            if ":" not in piece:
                if int(piece) >= total:
                    raise InvalidInput(f"there is no point {piece}: sweep {self.name!r} has {total}, 0 to {total - 1}")
                chosen.append(int(piece))
            else:
                chosen += range(total)[slice(*(int(end) if end else None for end in piece.split(":")))]
        if not chosen:
            raise InvalidInput(f"--points {text} names no point: sweep {self.name!r} has {total}, 0 to {total - 1}")
        return tuple(sorted(set(chosen)))

    def to_toml(self) -> str:
        """The sweep as a file for `nonlazy.sweeps.load`; its experiment is to lie beside as experiment.toml.

        Axes of one key stand below `[grid]`; from the first one of linked keys on, below `[[linked]]`, in this order.
        """
        import tomli_w

        document: dict[str, Any] = {"experiment": "experiment.toml", "theory": self.theory}
        if self.show:
            document["show"] = list(self.show)
        about = {"name": self.name, "title": self.title, "description": self.description}
        document["about"] = {key: value for key, value in about.items() if value}
        if self.axes:
            tables = [
                {key: [values[k] for values in axis.values] for k, key in enumerate(axis.keys)} for axis in self.axes
            ]
            alone = next((k for k, table in enumerate(tables) if len(table) > 1), len(tables))
            document["grid"] = {key: values for table in tables[:alone] for key, values in table.items()}
            document["linked"] = tables[alone:]
            document = {key: value for key, value in document.items() if value or key not in ("grid", "linked")}
        else:
            document["points"] = [dict(point.values) for point in self.points]
        return tomli_w.dumps(document)

    def heading(self) -> str:
        """The sweep without its points: their number, and the values of each key of a grid."""
        size = " x ".join(map(str, self.shape)) if self.axes else str(len(self.points))
        points = "point" if len(self.points) == 1 else "points"
        lines = [f"{self.name}: {size} {points} of experiment {self.base.name!r}"]
        for axis in self.axes:
            for k, key in enumerate(axis.keys):
                lines.append(f"  {key}: {', '.join(value_text(values[k]) for values in axis.values)}")
        return "\n".join(lines)

    def __str__(self) -> str:
        points = [] if self.axes else [f"  {number}: {point.name}" for number, point in enumerate(self.points)]
        return "\n".join([self.heading(), *points])


def value_text(value: Any) -> str:
    """A swept value in few characters, exact for numbers; a table by its kind."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, list | tuple):
        return "-".join(value_text(part) for part in value)
    if isinstance(value, dict):
        rest = [f"{key}={value_text(part)}" for key, part in value.items() if key != "kind"]
        return "-".join([str(value.get("kind", "")), *rest]).strip("-")
    return str(value)
