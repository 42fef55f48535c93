"""The results of a sweep in one `xarray.DataTree`, and as a table."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray

from nonlazy._version import __version__
from nonlazy.sweeps._quantities import DIAGNOSTICS, SAMPLES, TEXTS, THEORY
from nonlazy.sweeps._record import Record, number
from nonlazy.sweeps._sweep import Sweep, value_text


_GROUPS = {"samples": SAMPLES, "diagnostics": DIAGNOSTICS, "theory": THEORY}
# What the worth of the others depends on.
_FIRST = ("converged", "rhat_max", "theory.certified")
_COMPARED = ("theory", "samples", "error")


def gather(sweep: Sweep, records: Sequence[Record]) -> xarray.DataTree:
    """All numbers of all points, over the swept parameters.

    Of a grid each axis is a dimension with the values as its coordinate; keys that are linked share a dimension, which
    has the first one's name, and are coordinates along it. Of a list, `point` is the dimension, and the keys are
    coordinates along it.

    **Returns:** groups `samples`, `diagnostics`, `theory` (a variable a quantity), `codes` (`fraction`, its standard
    deviation over chains `spread`, and `theory`, over a last dimension `code`), `comparison` (`theory`, `samples`,
    `error`, over a last dimension `quantity`) and `points` (`name`, `state`, `error`, `seconds`, `no_theory`,
    `certificate`). Numbers that a point does not have are NaN, texts empty. Groups that hold nothing are left out.
    """
    dims, coordinates = _coordinates(sweep)
    shape = sweep.shape

    def numbers(values: Sequence[float]) -> tuple[tuple[str, ...], np.ndarray]:
        return dims, np.array(values, dtype=np.float64).reshape(shape)

    def texts(values: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
        return dims, np.array(values, dtype=object).reshape(shape)

    groups = {"/": xarray.Dataset(coords=coordinates)}
    for group, quantities in _GROUPS.items():
        variables: dict[str, Any] = {}
        for name, said in quantities.items():
            values = [record.found.get(group, {}).get(name) for record in records]
            if any(value is not None for value in values):
                stored = texts([value or "" for value in values]) if name in TEXTS else numbers([*map(number, values)])
                variables[name] = (*stored, {"long_name": said})
        if variables:
            groups[group] = xarray.Dataset(variables)
    codes = sorted({code for record in records for code in record.found.get("codes", {})}, reverse=True)
    if codes:
        groups["codes"] = _along("code", codes, dims, shape, {
            "fraction": [[_share(record, code, np.mean) for code in codes] for record in records],
            "spread": [[_share(record, code, np.std) for code in codes] for record in records],
            "theory": [[_theory_share(record, code) for code in codes] for record in records],
        })  # fmt: skip
    rows = [{row["quantity"]: row for row in record.found.get("comparison", [])} for record in records]
    compared = list(dict.fromkeys(name for row in rows for name in row))
    if compared:
        groups["comparison"] = _along("quantity", compared, dims, shape, {
            key: [[number(row.get(name, {}).get(key)) for name in compared] for row in rows] for key in _COMPARED
        })  # fmt: skip
    groups["points"] = xarray.Dataset(
        {
            "name": texts([point.name for point in sweep.points]),
            "state": texts([record.state for record in records]),
            "error": texts([record.error for record in records]),
            "no_theory": texts([record.found.get("no_theory", "") for record in records]),
            "certificate": texts([record.found.get("certificate", "") for record in records]),
            "seconds": numbers([record.seconds for record in records]),
        }
    )
    tree = xarray.DataTree.from_dict(groups)
    tree.attrs = {
        "creator": "nonlazy",
        "version": __version__,
        "sweep": sweep.name,
        "title": sweep.title,
        "experiment": sweep.base.to_toml(),
        "keys": list(sweep.keys),
        "labels": list(sweep.labels),
    }
    return tree


def quantity(data: xarray.DataTree, name: str) -> xarray.DataArray | None:
    """A quantity by its name, as "loss", "theory.train_error" or "fraction[1-1-0]"; None where it is not there."""
    plain = name.removeprefix("theory.")
    if plain.startswith("fraction["):
        code, variable = plain[9:-1], "theory" if name.startswith("theory.") else "fraction"
        if "codes" not in data.children or code not in np.asarray(data["codes/code"]):
            return None
        found = data["codes"][variable].sel(code=code)
    else:
        groups = ("theory",) if name.startswith("theory.") else ("samples", "diagnostics")
        group = next((one for one in groups if one in data.children and plain in data[one].data_vars), None)
        if group is None:
            return None
        found = data[group][plain]
    assert isinstance(found, xarray.DataArray)
    return found


def quantities(data: xarray.DataTree) -> list[str]:
    """The names of all quantities that some point has."""
    found = [
        str(name) for group in ("samples", "diagnostics") if group in data.children for name in data[group].data_vars
    ]
    codes = [f"fraction[{code}]" for code in np.asarray(data["codes/code"])] if "codes" in data.children else []
    theory = [f"theory.{name}" for name in data["theory"].data_vars] if "theory" in data.children else []
    solved = "codes" in data.children and bool(np.isfinite(np.asarray(data["codes/theory"])).any())
    return [*found, *codes, *theory, *(f"theory.{code}" for code in codes if solved)]


def table(sweep: Sweep, data: xarray.DataTree) -> str:
    """The results as CSV: a line a point, a column for each swept key and each quantity.

    Whether chains have converged (1 or 0), their largest R-hat, and whether the theory is certified (1 or 0) stand
    right after the state of the point.
    """
    found = quantities(data)
    first = [name for name in _FIRST if name in found]
    names = [*first, *(name for name in found if name not in _FIRST)]
    columns = [np.asarray(quantity(data, name)).reshape(-1) for name in names]
    about = [np.asarray(data[f"points/{name}"]).reshape(-1) for name in ("state", "seconds", "error")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["point", "name", *sweep.keys, "state", *first, "seconds", *names[len(first) :], "error"])
    for k, point in enumerate(sweep.points):
        state, seconds, error = (column[k] for column in about)
        values = [value_text(point.values[key]) if key in point.values else "" for key in sweep.keys]
        cells = [_cell(column[k]) for column in columns]
        known, others = cells[: len(first)], cells[len(first) :]
        writer.writerow([k, point.name, *values, state, *known, _cell(seconds), *others, error.partition("\n")[0]])
    return text.getvalue()


def _coordinates(sweep: Sweep) -> tuple[tuple[str, ...], dict[str, Any]]:
    if not sweep.axes:
        given = {
            label: ("point", _column([point.values.get(key) for point in sweep.points]), {"key": key})
            for key, label in zip(sweep.keys, sweep.labels, strict=True)
        }
        return ("point",), {"point": np.arange(len(sweep.points)), **given}
    coordinates = {}
    for axis in sweep.axes:
        for k, key in enumerate(axis.keys):
            label = sweep.labels[sweep.keys.index(key)]
            coordinates[label] = (axis.name, _column([values[k] for values in axis.values]), {"key": key})
    return tuple(axis.name for axis in sweep.axes), coordinates


def _column(values: Sequence[Any]) -> np.ndarray:
    """Values as a coordinate: numbers where they all are numbers, else texts."""
    kinds = {type(value) for value in values}
    if kinds <= {int}:
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float}:
        return np.array(values, dtype=np.float64)
    return np.array([("" if value is None else value_text(value)) for value in values], dtype=object)


def _along(
    name: str,
    entries: Sequence[str],
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    values: dict[str, list[list[float]]],
) -> xarray.Dataset:
    return xarray.Dataset(
        {
            key: ((*dims, name), np.array(rows, dtype=np.float64).reshape(*shape, len(entries)))
            for key, rows in values.items()
        },
        coords={name: np.array(entries, dtype=object)},
    )


def _share(record: Record, code: str, summary: Callable[[Any], Any]) -> float:
    # Without any codes there are no shares of them either.
    if record.state != "done" or not any(any(one.get("fraction") or ()) for one in record.found["codes"].values()):
        return np.nan
    shares = record.found["codes"].get(code, {}).get("fraction") or [0.0]
    return float(summary([number(share) for share in shares]))


def _theory_share(record: Record, code: str) -> float:
    if not record.found.get("theory") or "codes" not in record.found["theory"]:
        return np.nan
    return number(record.found["codes"].get(code, {}).get("theory") or 0.0)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else f"{value:.8g}"
