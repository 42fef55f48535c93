"""Pictures of a quantity along one swept parameter, or over a list of points."""

from typing import Any

import numpy as np
import xarray
from jaxtyping import Bool, Float

from nonlazy.plots import _style, shares_along
from nonlazy.sweeps._canvas import (
    AT_THE_FOOT,
    DECADES,
    NOT_CERTIFIED,
    NOT_CONVERGED,
    PANEL,
    converged,
    done,
    figure_of,
    title,
    uncertified,
)
from nonlazy.sweeps._gather import quantity
from nonlazy.sweeps._places import abscissa, set_abscissa
from nonlazy.sweeps._quantities import FRACTIONS, TEXTS
from nonlazy.sweeps._sweep import Sweep
from nonlazy.sweeps._words import quantity_words


def curve(sweep: Sweep, data: xarray.DataTree, name: str, values: xarray.DataArray) -> Any:
    """A quantity along one parameter: the samples' points with their errors, the theory as a line."""
    dim = str(values.dims[0])
    places, label, texts = abscissa(sweep, data, dim)
    order = np.argsort(places, kind="stable")
    figure = figure_of(PANEL * 1.4, PANEL)
    axes = figure.add_subplot()
    notes: list[str] = []
    if name.removeprefix("theory.") in TEXTS:
        words = sorted({str(word) for word in values.values} - {""})
        heights = np.array([words.index(word) if word in words else np.nan for word in values.values], dtype=float)
        notes = _marks(axes, places, heights, None, _trusted(data, name)) + _foot(axes, data, name, places, heights)
        axes.set_yticks(range(len(words)), words)
        axes.set_ylim(-0.5, len(words) - 0.5)
    else:
        # Between the points of a list of settings there is nothing.
        joined = not (texts and label == "point")
        theory = None if name.startswith("theory.") else quantity(data, f"theory.{name}")
        heights = values.values.astype(float)
        if theory is not None:
            axes.plot(
                places[order], theory.values[order], ".-" if joined else "_", color=_style.THEORY, linewidth=1,
                markersize=4, label="theory",
            )  # fmt: skip
        elif joined:
            axes.plot(places[order], heights[order], "-", color=_style.PALETTE[0], linewidth=0.8)
        notes = _marks(axes, places, heights, _bars(data, name), _trusted(data, name))
        notes += _foot(axes, data, name, places, heights)
        notes += _crosses(axes, data, name, places, heights if theory is None else theory.values)
        if theory is not None or NOT_CONVERGED in notes:
            axes.legend(fontsize=_style.SMALL, frameon=False)
        _decades(axes, "y", [heights] + ([] if theory is None else [theory.values]))
    set_abscissa(axes, places, label, texts)
    _style.label(axes, y=quantity_words(name))
    title(sweep, figure, name, "; ".join(notes))
    return figure


def rows(sweep: Sweep, data: xarray.DataTree, name: str, values: xarray.DataArray) -> Any:
    """A quantity of the points of a list: a row a point, with its name."""
    names = [point.name for point in sweep.points]
    theory = None if name.startswith("theory.") else quantity(data, f"theory.{name}")
    figure = figure_of(PANEL + 0.07 * max(map(len, names)), 1.1 + 0.2 * len(names))
    axes = figure.add_subplot()
    places, numbers = np.arange(len(names), dtype=float), values.values.astype(float)
    if theory is not None:
        axes.plot(theory.values, places, "|", color=_style.THEORY, markersize=8, label="theory")
    notes = _marks(axes, places, numbers, _bars(data, name), _trusted(data, name), along="y")
    notes += _foot(axes, data, name, places, numbers, along="y")
    notes += _crosses(axes, data, name, places, numbers if theory is None else theory.values, along="y")
    if theory is not None or NOT_CONVERGED in notes:
        # Few rows leave no room within.
        axes.legend(fontsize=_style.SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.03))
    _decades(axes, "x", [numbers] + ([] if theory is None else [theory.values]))
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    _style.dress(axes)
    _style.label(axes, quantity_words(name))
    title(sweep, figure, name, "; ".join(notes))
    return figure


def fractions(sweep: Sweep, data: xarray.DataTree) -> Any:
    """The shares of all codes along one parameter."""
    places, label, texts = abscissa(sweep, data, str(data["points/state"].dims[0]))
    order = np.argsort(places, kind="stable")
    codes = [str(code) for code in np.asarray(data["codes/code"])]
    shares, spread, theory = (np.asarray(data[f"codes/{key}"])[order] for key in ("fraction", "spread", "theory"))
    spread = _positive(spread)
    solved = bool(np.isfinite(theory).any())
    figure = figure_of(PANEL * 1.6, PANEL)
    axes = figure.add_subplot()
    points = (places[order], np.nan_to_num(shares))
    shares_along(axes, codes, points=points, errors=spread, lines=(places[order], theory) if solved else None)
    # A line through one value alone would not show.
    present = np.pad(theory > 0, ((1, 1), (0, 0)))
    alone = np.where(present[1:-1] & ~present[:-2] & ~present[2:], theory, np.nan)
    for heights, colour in zip(alone.T, _style.code_colours(len(codes)), strict=True):
        if np.isfinite(heights).any():
            axes.plot(places[order], heights, "_", color=colour, markersize=7, markeredgewidth=1.0)
    notes = ["bars: standard deviation over chains"] if bool(np.isfinite(spread).any()) else []
    notes += ["lines: theory"] if solved else []
    unsure = ~converged(data).reshape(-1)[order]
    doubtful = np.where(unsure[:, None] & (shares > 0), shares, np.nan)
    if np.isfinite(doubtful).any():
        # White within the marks that are there already.
        axes.plot(places[order], doubtful, "o", color="white", markersize=1.6, markeredgewidth=0, zorder=4)
        notes.append(NOT_CONVERGED)
    highest = np.where(np.isfinite(shares).any(axis=1), np.nan_to_num(shares).max(axis=1), np.nan)
    notes += _foot(axes, data, FRACTIONS, places, highest[np.argsort(order, kind="stable")])
    unproved = uncertified(data, FRACTIONS).reshape(-1)[order]
    doubted = np.where(unproved[:, None] & (theory > 0), theory, np.nan)
    for heights, colour in zip(doubted.T, _style.code_colours(len(codes)), strict=True):
        if np.isfinite(heights).any():
            axes.plot(places[order], heights, "x", color=colour, markersize=4.5, markeredgewidth=0.7, zorder=4)
    notes += [NOT_CERTIFIED] if np.isfinite(doubted).any() else []
    set_abscissa(axes, places, label, texts)
    title(sweep, figure, FRACTIONS, "; ".join(notes))
    return figure


def _marks(
    axes: Any,
    places: Float[np.ndarray, " points"],
    numbers: Float[np.ndarray, " points"],
    bars: tuple[Float[np.ndarray, " points"], str] | None,
    trusted: Bool[np.ndarray, " points"] | None,
    along: str = "x",
) -> list[str]:
    """The samples' points, open where chains have not converged; what there is to say of them.

    **Arguments:** `bars`: errors, NaN where there is none, and what they are; `trusted`: None for numbers that are not
    the chains'; `along`: the axis of the places.
    """
    colour = _style.PALETTE[0]
    notes: list[str] = []
    sure = np.ones(len(places), dtype=bool) if trusted is None else trusted
    there = np.isfinite(numbers)
    for chosen, face, label in (
        (sure, colour, "theory" if trusted is None else "samples"),
        (~sure, "white", "samples, not converged"),
    ):
        shown = chosen & there
        if not shown.any():
            continue
        errors = None if bars is None else bars[0][shown]
        if errors is not None and bars is not None and np.isfinite(errors).any() and bars[1] not in notes:
            notes.append(bars[1])
        where = (places[shown], numbers[shown]) if along == "x" else (numbers[shown], places[shown])
        axes.errorbar(
            *where, **{("yerr" if along == "x" else "xerr"): errors}, linestyle="", marker="o", color=colour,
            markerfacecolor=face, markersize=3.5, markeredgewidth=0.8, elinewidth=0.8, capsize=1.5, label=label,
        )  # fmt: skip
    if (~sure & there).any():
        notes.append(NOT_CONVERGED)
    return notes


def _foot(
    axes: Any,
    data: xarray.DataTree,
    name: str,
    places: Float[np.ndarray, " points"],
    numbers: Float[np.ndarray, " points"],
    along: str = "x",
) -> list[str]:
    """Marks on the axis the points whose chains have not converged, and which have no number; what to say of them."""
    if name.startswith("theory."):
        return []
    lacking = places[(done(data) & ~converged(data)).reshape(-1) & ~np.isfinite(numbers)]
    if not lacking.size:
        return []
    zeros = np.zeros(lacking.size)
    where = (lacking, zeros) if along == "x" else (zeros, lacking)
    transform = axes.get_xaxis_transform() if along == "x" else axes.get_yaxis_transform()
    from matplotlib.markers import CARETRIGHT, CARETUP

    # A circle there would be taken for a number; these point at the axis from outside.
    marker = CARETUP if along == "x" else CARETRIGHT
    axes.plot(
        *where, linestyle="", marker=marker, color="0.45", markersize=4.5, transform=transform, clip_on=False, zorder=5,
    )  # fmt: skip
    return [AT_THE_FOOT]


def _crosses(
    axes: Any,
    data: xarray.DataTree,
    name: str,
    places: Float[np.ndarray, " points"],
    numbers: Float[np.ndarray, " points"],
    along: str = "x",
) -> list[str]:
    """Crosses on the theory's numbers that are not certified; what to say of them."""
    chosen = uncertified(data, name).reshape(-1) & np.isfinite(numbers)
    if not chosen.any() or not (name.startswith("theory.") or quantity(data, f"theory.{name}") is not None):
        return []
    where = (places[chosen], numbers[chosen]) if along == "x" else (numbers[chosen], places[chosen])
    axes.plot(
        *where, "x", color=_style.THEORY, markersize=5.5, markeredgewidth=0.7, zorder=4, label="theory, not certified"
    )
    return [NOT_CERTIFIED]


def _bars(data: xarray.DataTree, name: str) -> tuple[Float[np.ndarray, " points"], str] | None:
    """The errors of a quantity, and what they are; None where it has none. An error of 0 has no bar."""
    if name.startswith("fraction["):
        spread = data["codes/spread"].sel(code=name[9:-1])
        return _positive(np.asarray(spread)), "bars: standard deviation over chains"
    found = quantity(data, f"{name}_mcse")
    return None if found is None else (_positive(found.values.astype(float)), "bars: Monte Carlo error")


def _positive(errors: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.where(np.isfinite(errors) & (errors > 0), errors, np.nan)


def _trusted(data: xarray.DataTree, name: str) -> Bool[np.ndarray, " points"] | None:
    return None if name.startswith("theory.") else converged(data).reshape(-1)


def _decades(axes: Any, which: str, numbers: list[Any]) -> None:
    """A logarithmic axis where numbers are decades apart."""
    found = np.concatenate([np.ravel(np.asarray(part, float)) for part in numbers])
    found = found[np.isfinite(found)]
    if found.size and found.min() > 0 and found.max() > DECADES * found.min():
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
