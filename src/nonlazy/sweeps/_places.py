"""Where the points of a sweep lie along an axis of a picture, and what the axis says."""

from typing import Any

import numpy as np
import xarray
from jaxtyping import Float

from nonlazy.plots import _style
from nonlazy.sweeps._sweep import Sweep
from nonlazy.sweeps._words import key_symbol, linked_words


# Beyond a factor of this an axis is logarithmic, whatever lies between.
_WIDE = 20.0
# Up to so many values each has a tick.
_MOST_TICKS = 8
_MOST_NAMES = 16


def abscissa(sweep: Sweep, data: xarray.DataTree, dim: str) -> tuple[Float[np.ndarray, " points"], str, list[str]]:
    """Places along the axis of a dimension, its label, and names of the places where they are not numbers."""
    if dim == "point" and not sweep.axes and len(sweep.keys) > 1:
        texts = [point.name for point in sweep.points]
        return np.arange(len(texts), dtype=float), "point", texts if len(texts) <= _MOST_NAMES else []
    values = np.asarray(data[sweep.labels[0] if not sweep.axes else dim])
    if values.dtype.kind in "if":
        return values.astype(float), dimension_words(sweep, dim), []
    return np.arange(len(values), dtype=float), dimension_words(sweep, dim), [str(value) for value in values]


def keys_of(sweep: Sweep, dim: str) -> tuple[str, ...]:
    """The keys that vary along a dimension."""
    return next((axis.keys for axis in sweep.axes if axis.name == dim), sweep.keys)


def dimension_words(sweep: Sweep, dim: str) -> str:
    """The label of a dimension's axis."""
    return linked_words(keys_of(sweep, dim))


def at(sweep: Sweep, dim: str, value: Any) -> str:
    """A place along a dimension, as "$T$ = 0.01"."""
    return f"{key_symbol(keys_of(sweep, dim)[0])} = {said(value)}"


def logarithmic(values: Float[np.ndarray, " values"]) -> bool:
    """Whether values belong on a logarithmic axis: all above 0, and equal ratios apart or far apart."""
    found = np.unique(values[np.isfinite(values)])
    if found.size < 2 or found[0] <= 0:
        return False
    if found[-1] >= _WIDE * found[0]:
        return True
    steps = np.diff(np.log(found))
    # Whole numbers that double, and six digits of a range, are equal ratios to a reader.
    return found.size > 2 and float(np.ptp(steps)) < 0.05 * float(steps.mean())


def set_abscissa(axes: Any, places: Float[np.ndarray, " points"], label: str, texts: list[str]) -> None:
    """Scale, ticks and label of the horizontal axis."""
    if texts:
        long = max(map(len, texts)) * len(texts) > 60
        axes.set_xticks(places, texts, rotation=60 if long else 0, ha="right" if long else "center")
    else:
        if logarithmic(places):
            axes.set_xscale("log")
        found = np.unique(places)
        if found.size <= _MOST_TICKS:
            axes.set_xticks(found, [tick(value) for value in found])
            axes.set_xticks([], minor=True)
    _style.dress(axes)
    _style.label(axes, label)


def said(value: Any) -> str:
    """A value in few signs."""
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def tick(value: Any) -> str:
    """A value at an axis: three digits tell it from its neighbours."""
    return f"{value:.3g}" if isinstance(value, float | np.floating) and abs(value) < 1000 else said(value)
