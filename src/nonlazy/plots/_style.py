"""Sizes, colours and dress that all pictures share. Nothing here or elsewhere in `plots` touches pyplot."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int


WIDTH = 7.0  # inches: two columns of a journal
LABEL = 7.0  # points
TICK = 6.5
SMALL = 6.0
LINE = 0.6
_PIXELS = 600

# Okabe & Ito's colours, told apart with any common colour vision; black is left to theory and text.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#A6761D")
GREY = "#8A8A8A"
THEORY = "black"

# Perceptually uniform, and safe for colour-blind readers: from 0 upwards, and around 0.
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"


def code_colours(number: int) -> list[str]:
    """A colour for each of `number` codes, in the order of the scheme.

    Eight codes have colours of their own, the next eight lighter ones; more than that no reader can tell apart, and
    two greys alternate.
    """
    if number > 2 * len(PALETTE):
        return [("#444444", "#B5B5B5")[i % 2] for i in range(number)]
    return [*PALETTE, *(_lighter(colour) for colour in PALETTE)][:number]


def scheme_colours(codes: Bool[np.ndarray, "n classes"]) -> list[str]:
    """A colour for each code of a scheme; of up to three classes each code has its own, in every layer and picture."""
    classes = codes.shape[1]
    if not 2**classes <= len(PALETTE):
        return code_colours(len(codes))
    return [PALETTE[int((~code) @ 2 ** np.arange(classes)[::-1])] for code in codes]


def named_colours(names: Sequence[str]) -> list[str]:
    """Colours of lines that are named by their neuron's code, as "1-1-0"; "bulk" is grey, other words go in turn."""
    colours, others = [], 0
    for name in names:
        bits = name.split("-")
        if set(bits) <= {"0", "1"} and len(bits) > 1:
            colours += scheme_colours(np.array([[bit == "1" for bit in bits]]))
        elif name == "bulk":
            colours.append(GREY)
        else:
            colours.append(PALETTE[others % len(PALETTE)])
            others += 1
    return colours


def _lighter(colour: str) -> str:
    parts = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return "#" + "".join(f"{(part + 255) // 2:02X}" for part in parts)


def few_ticks(axis: Any, number: int = 3) -> None:
    """At most about `number` round ticks, so that their labels stay short."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(number, steps=[1, 2, 5, 10]))


def dress(axes: Any, frame: bool = False) -> None:
    """The house's ticks and spines; `frame` keeps the upper and right ones."""
    axes.tick_params(labelsize=TICK, length=2.2, width=LINE, pad=1.8)
    for name, spine in axes.spines.items():
        spine.set_linewidth(LINE)
        spine.set_visible(frame or name in ("left", "bottom"))


def label(axes: Any, x: str | None = None, y: str | None = None) -> None:
    """Axis labels in the house's size."""
    if x is not None:
        axes.set_xlabel(x, fontsize=LABEL, labelpad=2)
    if y is not None:
        axes.set_ylabel(y, fontsize=LABEL, labelpad=2)


def by_class(labels: Any) -> tuple[Int[np.ndarray, " inputs"], list[Any], Int[np.ndarray, " edges"]]:
    """Inputs sorted by class (stable), the classes' labels, and where each class begins and the last one ends."""
    names, classes = np.unique(np.asarray(labels), return_inverse=True)
    edges = np.concatenate([[0], np.cumsum(np.bincount(classes, minlength=names.size))])
    return np.argsort(classes, kind="stable"), names.tolist(), edges


def class_ticks(axes: Any, which: str, names: Sequence[Any], edges: Int[np.ndarray, " edges"]) -> None:
    """Names of the classes in the middle of their blocks, without tick marks; none where they would not fit."""
    texts = [str(name) for name in names]
    room = np.diff(edges).min() / edges[-1] * points(axes, which)
    needed = 0.75 * TICK * max(len(text) for text in texts) if which == "x" else 1.1 * TICK
    axis = axes.xaxis if which == "x" else axes.yaxis
    if needed <= room:
        axis.set_ticks((edges[:-1] + edges[1:]) / 2 - 0.5, texts)
    else:
        axis.set_ticks([])
    axis.set_tick_params(length=0, labelsize=TICK)


def inches(figure: Any) -> tuple[float, float]:
    """Width and height of a figure, or of a part of one."""
    return figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi


def points(axes: Any, which: str) -> float:
    """Width ("x") or height ("y") of `axes` on paper, in points."""
    box, (width, height) = axes.get_position(), inches(axes.figure)
    return 72 * (box.width * width if which == "x" else box.height * height)


def fitted(text: str, room: float, size: float = LABEL) -> str:
    """`text` on one line where it fits into `room` points, else broken at the space nearest to its middle."""
    # Letters are about .56 of the font size wide; signs of the mathematics' markup are not drawn.
    width = 0.56 * size * sum(sign not in "$\\{}_^" for sign in text)
    spaces = [k for k, sign in enumerate(text) if sign == " " and text[:k].count("$") % 2 == 0]
    if width <= room or not spaces:
        return text
    middle = min(spaces, key=lambda k: abs(k - len(text) / 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


def colour_scale(values: Float[np.ndarray, "..."]) -> tuple[dict[str, Any], str, str]:
    """Colour map and limits for `values`, what to say of the scale, and which ends of the bar are open.

    Values in [0, 1] are shown from 0 to 1; signed ones around 0, up to the 99.5th percentile of their size; others from
    0 on a square-root scale, so that strong outliers do not hide the rest.
    """
    from matplotlib.colors import PowerNorm

    lowest, highest = float(values.min()), float(values.max())
    # Rounding may leave a rectified value a hair below 0.
    if lowest >= -1e-6 * max(abs(highest), 1.0):
        if highest <= 1.0 + 1e-6:
            return {"cmap": SEQUENTIAL, "vmin": 0.0, "vmax": 1.0}, "", "neither"
        if highest > 8 * float(np.mean(np.abs(values))):
            return (
                {"cmap": SEQUENTIAL, "norm": PowerNorm(0.5, vmin=0.0, vmax=highest)},
                " (square-root scale)",
                "neither",
            )
        return {"cmap": SEQUENTIAL, "vmin": 0.0, "vmax": highest}, "", "neither"
    size = np.abs(values)
    limit = float(np.quantile(size, 0.995)) or 1.0
    return {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}, "", "both" if size.max() > limit else "neither"


def draw_image(axes: Any, values: Float[np.ndarray, "rows columns"], **scale: Any) -> Any:
    """An image that stays crisp in print: few rows or columns are enlarged first, as resampling blurs edges."""
    rows, columns = values.shape
    tall, wide = max(1, -(-_PIXELS // rows)), max(1, -(-_PIXELS // columns))
    enlarged = np.repeat(np.repeat(values, tall, axis=0), wide, axis=1)
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    aspect = scale.pop("aspect", "auto")
    return axes.imshow(enlarged, extent=extent, aspect=aspect, interpolation="antialiased", **scale)


def colour_bar(axes: Any, image: Any, text: str, extend: str = "neither") -> Any:
    """A slim bar at the right of `axes` that leaves the panel's place as it is."""
    place = axes.inset_axes([1.03, 0.0, 0.035, 1.0])
    bar = axes.figure.colorbar(image, cax=place, extend=extend, extendfrac=0.03)
    bar.outline.set_linewidth(LINE)
    place.tick_params(labelsize=TICK, length=2, width=LINE, pad=1.5)
    place.set_ylabel(fitted(text, points(axes, "y")), fontsize=LABEL, labelpad=2, linespacing=1.0)
    return bar


def spread_out(positions: Sequence[float], gap: float) -> list[float]:
    """`positions` in their order, moved as little as need be so that neighbours are `gap` apart."""
    if not len(positions):
        return []
    # Groups of touching labels share the mean displacement; merging neighbours until none overlap keeps the order.
    groups: list[list[float]] = []
    for k in np.argsort(positions, kind="stable"):
        groups.append([float(positions[k]), 1.0])
        while len(groups) > 1:
            (c1, n1), (c2, n2) = groups[-2:]
            if c2 - c1 >= gap * (n1 + n2) / 2:
                break
            groups[-2:] = [[(c1 * n1 + c2 * n2) / (n1 + n2), n1 + n2]]
    moved = [centre + gap * (j - (n - 1) / 2) for centre, n in groups for j in range(int(n))]
    result = [0.0] * len(moved)
    for place, k in zip(moved, np.argsort(positions, kind="stable"), strict=True):
        result[int(k)] = place
    return result


def unbroken(text: str) -> str:
    """The text with its equations kept in one line each where it is folded."""
    return text.replace(" = ", "\u00a0=\u00a0")
