"""What the pictures of a sweep have in common: size, title, and which points are to be trusted."""

import textwrap
from typing import Any

import numpy as np
import xarray
from jaxtyping import Bool

from nonlazy.plots import caption
from nonlazy.sweeps._gather import quantity
from nonlazy.sweeps._quantities import meaning
from nonlazy.sweeps._sweep import Sweep


PANEL = 3.0  # inches
# Numbers that are a factor of this apart are drawn on a logarithmic scale.
DECADES = 100.0
NOT_CONVERGED = "open: chains have not converged (R-hat of 1.05 or more, or one chain alone)"
AT_THE_FOOT = "triangle at the axis: not converged, and without this number"
NOT_CERTIFIED = "cross: the theory's solution is not certified, no bound proves that it is the optimum"
_CHARACTERS = 15  # of a title, in an inch
_SMALL_CHARACTERS = 22  # of the small print, as `plots.caption` breaks it


def figure_of(width: float, height: float) -> Any:
    """An empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def title(sweep: Sweep, figure: Any, name: str, foot: str = "") -> None:
    """Writes what is drawn above a figure, and small print below it."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(f"{sweep.title or sweep.name}: {meaning(name)}", int(_CHARACTERS * width))
    small = textwrap.wrap(foot, int(_SMALL_CHARACTERS * width))
    above, below = 0.1 + 0.16 * len(lines), 0.1 + 0.12 * len(small) if small else 0.0
    figure.get_layout_engine().set(rect=(0, below / height, 1, 1 - (above + below) / height))
    caption(figure, "\n".join(lines), foot)


def converged(data: xarray.DataTree) -> Bool[np.ndarray, "..."]:
    """Which points are done and have chains that agree, over the swept parameters."""
    if "diagnostics" not in data.children or "converged" not in data["diagnostics"].data_vars:
        return np.zeros(data["points/state"].shape, dtype=bool)
    return np.asarray(data["diagnostics/converged"]) == 1.0


def done(data: xarray.DataTree) -> Bool[np.ndarray, "..."]:
    """Which points are done, over the swept parameters."""
    return np.asarray(data["points/state"]) == "done"


def uncertified(data: xarray.DataTree, name: str) -> Bool[np.ndarray, "..."]:
    """Where the theory is solved but not proved to be the optimum, over the swept parameters.

    Nowhere for `theory.certified`, which is drawn to say so itself.
    """
    found = quantity(data, "theory.certified")
    if found is None or name == "theory.certified":
        return np.zeros(data["points/state"].shape, dtype=bool)
    return np.asarray(found) == 0.0
