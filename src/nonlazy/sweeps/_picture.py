"""The picture of a quantity over the swept parameters: a curve along one, a map over two, several over more."""

import re
from typing import Any

import numpy as np
import xarray

from nonlazy.errors import InvalidInput
from nonlazy.sweeps._absence import absent
from nonlazy.sweeps._curves import curve, fractions, rows
from nonlazy.sweeps._gather import quantities, quantity
from nonlazy.sweeps._maps import maps
from nonlazy.sweeps._places import abscissa
from nonlazy.sweeps._quantities import FRACTIONS, TEXTS
from nonlazy.sweeps._sweep import Sweep


def chosen(sweep: Sweep, data: xarray.DataTree) -> str:
    """The quantity that is drawn where none is asked for: where codes change, what they change by."""
    found = quantities(data)
    kinds = set() if "kind" not in found else {str(kind) for kind in np.ravel(np.asarray(data["samples/kind"]))} - {""}
    if len(kinds) > 1:
        return "kind"
    if kinds == {"redundant"}:
        return FRACTIONS if len(data["points/state"].dims) == 1 else "classes_per_neuron"
    return "outliers" if kinds == {"sparse"} else "train_error"


def file_name(name: str) -> str:
    """The name of a quantity's picture, without its ending."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def draw(sweep: Sweep, data: xarray.DataTree, name: str) -> Any:
    """Draws a quantity; a matplotlib figure.

    Points whose chains have not converged are open, and a bar is the error of a quantity that has one. Where the theory
    has the same quantity, it is a line beside the samples' points, or a map beside theirs, with a cross where it is not
    certified. Of more than two parameters,
    the first two span the maps, the third goes from map to map, and the others stay at their first value, which the
    picture says.

    **Raises:** `nonlazy.errors.InvalidInput` where no point has the quantity.
    """
    if name == FRACTIONS:
        if "codes" not in data.children:
            raise InvalidInput("no point has codes: there are no fractions to draw")
        if len(sweep.axes) > 1:
            raise InvalidInput("fractions is drawn along one parameter: of a map, show one code, as fraction[1-1-0]")
        return fractions(sweep, data)
    values = quantity(data, name)
    if values is None:
        raise InvalidInput(absent(name, sweep, data))
    dims = [str(dim) for dim in data["points/state"].dims]
    if len(dims) > 1:
        return maps(sweep, data, name, values, dims, quantity(data, f"theory.{name}"))
    _, label, texts = abscissa(sweep, data, dims[0])
    named = label == "point" and bool(texts) and name.removeprefix("theory.") not in TEXTS
    return (rows if named else curve)(sweep, data, name, values)
