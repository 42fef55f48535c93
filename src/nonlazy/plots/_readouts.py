"""Readout weights of a layer, coloured by code."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.codes import CodingScheme
from nonlazy.errors import InvalidInput
from nonlazy.plots import _style, _theory
from nonlazy.plots._rows import Rows, rows_of


def readout_scatter(
    axes: Any,
    readouts: Any,
    scheme: CodingScheme,
    *,
    plane: tuple[int, int] | None = None,
    names: Sequence[Any] | None = None,
    theory: Any = None,
    legend: bool = True,
) -> None:
    """Draw every neuron's readout weights, coloured by its code.

    One output: a histogram, stacked by code. Two: a scatter in their plane. More: a strip for each output, in which the
    codes stand side by side; or one plane, if `plane` says which.

    **Arguments:**

    - `axes`: matplotlib axes to draw on.
    - `readouts`: a_i^r, `(N, m)`.
    - `scheme`: of the same layer; neurons without code are grey.
    - `plane`: the two outputs to show against each other, by index.
    - `names`: of the outputs; None takes the scheme's classes where there are as many, else 1 .. m.
    - `theory`: laid over in black: a readout covariance `(m, m)` or a prediction with `readout_covariance` (Gaussian
      densities; ellipses of 1 and 2 standard deviations), or with `codes` (crosses at the centres).
    - `legend`: name the codes.

    **Raises:** `nonlazy.errors.InvalidInput` where readouts, scheme, plane and theory do not fit.
    """
    readouts, names = checked(readouts, scheme, names)
    m = readouts.shape[1]
    if plane is not None and not (0 <= min(plane) and max(plane) < m and plane[0] != plane[1]):
        raise InvalidInput(f"plane {plane} does not name two different outputs of 0 .. {m - 1}")
    covariance, centres = _theory.readout_covariance(theory, m), _theory.readout_centres(theory, m)
    groups = _groups(scheme)
    if m == 1:
        _histogram(axes, readouts[:, 0], groups, covariance, centres)
    elif m == 2 or plane is not None:
        _plane(axes, readouts, scheme, groups, plane or (0, 1), names, covariance, centres)
    else:
        _strips(axes, readouts, scheme, groups, names, covariance, centres)
    _style.dress(axes)
    if legend and len(groups) > 1 and len(groups) <= 9:
        axes.legend(
            handles=[_handle(colour, text) for _, colour, text, _ in groups],
            fontsize=_style.SMALL,
            frameon=False,
            handletextpad=0.1,
            borderaxespad=0.2,
            labelspacing=0.25,
        )


def readout_map(
    axes: Any,
    readouts: Any,
    scheme: CodingScheme,
    *,
    rows: Rows | None = None,
    names: Sequence[Any] | None = None,
) -> None:
    """Draw the readout weights as a heat map, a row a neuron in the order of `activation_raster`, a column an output.

    **Arguments:** as in `readout_scatter`; `rows`: the neurons to show, by default those of the activation raster.

    **Raises:** `nonlazy.errors.InvalidInput` where readouts and scheme do not fit.
    """
    readouts, names = checked(readouts, scheme, names)
    rows = rows_of(scheme) if rows is None else rows
    shown = readouts[rows.neurons]
    limit = float(np.abs(shown).max()) or 1.0
    image = _style.draw_image(axes, shown, cmap=_style.DIVERGING, vmin=-limit, vmax=limit)
    for edge in rows.edges[1:-1] if rows.separated else ():
        axes.axhline(edge - 0.5, color="black", linewidth=_style.LINE)
    _style.dress(axes, frame=True)
    axes.set_yticks([])
    if len(names) <= 6:
        axes.set_xticks(range(len(names)), [str(name) for name in names])
    else:
        axes.set_xticks([])
    axes.tick_params(axis="x", length=0, labelsize=_style.TICK)
    _style.label(axes, "output $r$")
    place = axes.inset_axes([0.0, 1.02, 1.0, 0.025])
    bar = axes.figure.colorbar(image, cax=place, orientation="horizontal", ticks=[-limit, limit])
    bar.outline.set_linewidth(_style.LINE)
    place.xaxis.set_ticks_position("top")
    place.set_xticks([-limit, limit], [f"−{limit:.2g}", f"{limit:.2g}"])
    place.tick_params(labelsize=_style.SMALL, length=1.5, width=_style.LINE, pad=0.8)
    place.set_title("readout $a_i^r$", fontsize=_style.LABEL, pad=2)


def checked(readouts: Any, scheme: CodingScheme, names: Sequence[Any] | None) -> tuple[np.ndarray, list[Any]]:
    """Readouts as a finite float array that fits the scheme, and a name for each output."""
    array = np.asarray(readouts, dtype=float)
    neurons = scheme.neuron_codes.size
    if array.ndim != 2 or array.shape[0] != neurons or array.shape[1] == 0:
        raise InvalidInput(f"readouts have shape {array.shape}: a scheme of {neurons} neurons needs ({neurons}, m)")
    if not np.isfinite(array).all():
        raise InvalidInput(f"readouts hold {int((~np.isfinite(array)).sum())} values that are not finite")
    m = array.shape[1]
    if names is None:
        names = list(scheme.classes) if len(scheme.classes) == m else list(range(1, m + 1))
    if len(names) != m:
        raise InvalidInput(f"{len(names)} names for {m} outputs")
    return array, list(names)


def _groups(scheme: CodingScheme) -> list[tuple[Int[np.ndarray, " neurons"], str, str, bool]]:
    """Neurons, colour, name and whether they have a code, of each code and of the neurons without one (first)."""
    colours = _style.scheme_colours(scheme.codes)
    rest = np.flatnonzero(scheme.neuron_codes < 0)
    name = {"sparse": "bulk", "redundant": "no code"}.get(scheme.kind, "all neurons")
    colour = _style.PALETTE[0] if scheme.kind == "analog" else _style.GREY
    groups = [(rest, colour, name, False)] if rest.size else []
    if len(colours) > 2 * len(_style.PALETTE):
        # Too many to tell apart: one colour for all of them.
        coded = np.flatnonzero(scheme.neuron_codes >= 0)
        return [*groups, (coded, _style.PALETTE[0], f"{len(colours)} codes", True)]
    for i, colour in enumerate(colours):
        groups.append((np.flatnonzero(scheme.neuron_codes == i), colour, scheme.code_name(i), True))
    return groups


def _handle(colour: str, text: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="", marker="o", markersize=3, color=colour, label=text)


def _dots(scheme: CodingScheme, coded: bool, number: int) -> dict[str, Any]:
    outlier = coded and scheme.kind == "sparse"
    return {
        "s": 20.0 if outlier else float(np.clip(1200.0 / max(number, 1), 1.5, 6.0)),
        "linewidths": 0.5 if outlier else 0.0,
        "edgecolors": "black" if outlier else "none",
        "alpha": 1.0 if outlier else 0.7,
        "zorder": 3 if outlier else 2,
        "rasterized": number > 3000,
    }


def _histogram(axes, values, groups, covariance, centres) -> None:
    edges = np.histogram_bin_edges(values, bins=min(60, max(10, int(2 * np.sqrt(values.size)))))
    axes.hist(
        [values[neurons] for neurons, *_ in groups],
        bins=edges,
        stacked=True,
        color=[colour for _, colour, *_ in groups],
    )
    if covariance is not None:
        grid = np.linspace(edges[0], edges[-1], 300)
        density = np.exp(-(grid**2) / (2 * covariance[0, 0])) / np.sqrt(2 * np.pi * covariance[0, 0])
        axes.plot(grid, values.size * (edges[1] - edges[0]) * density, "--", color=_style.THEORY, linewidth=1)
    if centres is not None:
        for centre in centres[:, 0]:
            axes.axvline(centre, linestyle="--", color=_style.THEORY, linewidth=_style.LINE)
    _style.few_ticks(axes.xaxis, 4)
    _style.few_ticks(axes.yaxis, 4)
    _style.label(axes, "readout $a_i$", "neurons")


def _plane(axes, readouts, scheme, groups, plane, names, covariance, centres) -> None:
    r, s = plane
    axes.axhline(0, color="0.85", linewidth=_style.LINE, zorder=0)
    axes.axvline(0, color="0.85", linewidth=_style.LINE, zorder=0)
    for neurons, colour, _, coded in groups:
        points = readouts[neurons]
        axes.scatter(points[:, r], points[:, s], color=colour, **_dots(scheme, coded, readouts.shape[0]))
        if scheme.kind == "sparse" and not coded:
            x, y = points[:, [r, s]].mean(axis=0)
            axes.annotate(
                f"bulk ({neurons.size})",
                (x, y),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=_style.SMALL,
                color="0.35",
            )
    if covariance is not None:
        _ellipses(axes, covariance[np.ix_(plane, plane)])
    if centres is not None:
        axes.plot(centres[:, r], centres[:, s], "+", color=_style.THEORY, markersize=5, markeredgewidth=0.8, zorder=6)
    _style.label(axes, f"readout $a_i^r$, $r$ = {names[r]}", f"$a_i^r$, $r$ = {names[s]}")
    axes.margins(0.08)
    _style.few_ticks(axes.xaxis)
    _style.few_ticks(axes.yaxis)


def _ellipses(axes, covariance) -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    values, vectors = np.linalg.eigh(covariance)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    for deviations in (1, 2):
        x, y = deviations * (vectors * np.sqrt(np.maximum(values, 0))) @ circle
        axes.plot(x, y, "--", color=_style.THEORY, linewidth=0.9, zorder=4)


def _strips(axes, readouts, scheme, groups, names, covariance, centres) -> None:
    N, m = readouts.shape
    axes.axhline(0, color="0.85", linewidth=_style.LINE, zorder=0)
    width = 0.8 / len(groups)
    # Low-discrepancy jitter instead of random numbers: the same picture every time.
    jitter = (np.arange(N) * 0.6180339887498949) % 1 - 0.5
    for r in range(m):
        for k, (neurons, colour, _, coded) in enumerate(groups):
            wide = _relative_density(readouts[neurons, r])
            x = r + width * (k - (len(groups) - 1) / 2 + 0.9 * wide * jitter[neurons])
            axes.scatter(x, readouts[neurons, r], color=colour, **_dots(scheme, coded, N))
        if covariance is not None:
            deviation = np.sqrt(covariance[r, r])
            grid = np.linspace(-3.5, 3.5, 200)
            bell = 0.45 * np.exp(-(grid**2) / 2)
            axes.plot(r + bell, deviation * grid, "--", color=_style.THEORY, linewidth=0.9, zorder=4)
            axes.plot(r - bell, deviation * grid, "--", color=_style.THEORY, linewidth=0.9, zorder=4)
        if centres is not None:
            axes.hlines(centres[:, r], r - 0.42, r + 0.42, color=_style.THEORY, linewidth=_style.LINE, zorder=1)
    axes.set_xticks(range(m), [str(name) for name in names])
    _style.label(axes, "output $r$", "readout $a_i^r$")


def _relative_density(values: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    """Density of the points at each of them, the highest set to 1: how wide a strip of dots is there."""
    if values.size < 10 or np.ptp(values) == 0:
        return np.ones(values.size)
    counts, edges = np.histogram(values, bins=max(5, int(np.sqrt(values.size))))
    smooth = np.convolve(np.pad(counts, 1), (0.25, 0.5, 0.25), mode="valid")
    return np.interp(values, (edges[:-1] + edges[1:]) / 2, smooth) / smooth.max()
