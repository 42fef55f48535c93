"""Codes of neurons over sampling time, and codes' colours that stay the same from panel to panel."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.plots import _style


NO_CODE = -1


def code_times(
    axes: Any,
    codes: Int[np.ndarray, "draws neurons"],
    times: Float[np.ndarray, " draws"],
    colours: Mapping[int, str],
    label: str = "neuron $i$, by its first code",
) -> None:
    """Draw the code of each neuron, a row, in each draw, a column: neurons sorted by their codes over time.

    **Arguments:** `axes`: matplotlib axes to draw on; `codes`: as numbers, -1 for neurons without one; `times`: of the
    draws, at equal distances; `colours`: by number, -1 among them where neurons have none; `label`: of the neurons.
    """
    from matplotlib.colors import to_rgb

    # Codes are sorted as in coding schemes: 1-1-1 on top, neurons without a code at the bottom.
    order = np.lexsort(tuple(-codes[::-1]))
    image = np.array([[to_rgb(colours[int(code)]) for code in codes[:, i]] for i in order])
    step = times[1] - times[0] if len(times) > 1 else 1.0
    # Few draws beside many neurons: blocks as wide as the time between two draws.
    axes.imshow(
        np.repeat(image, 40, axis=1), extent=(times[0] - step / 2, times[-1] + step / 2, codes.shape[1] - 0.5, -0.5),
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    _style.dress(axes, frame=True)
    axes.set_yticks([])
    _style.few_ticks(axes.xaxis, 4)
    _style.label(axes, "sampling time (HMC iterations)", label)


def code_column(axes: Any, codes: Int[np.ndarray, " neurons"], colours: Mapping[int, str]) -> None:
    """Draw the codes of the rows of an image as a strip at its left; `codes` from top to bottom, as in `code_times`."""
    from matplotlib.patches import Rectangle

    wide = 4 / _style.points(axes, "x")
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    for first, last in itertools.pairwise(edges):
        axes.add_patch(
            Rectangle(
                (-1.6 * wide, first - 0.5), wide, last - first, transform=axes.get_yaxis_transform(), clip_on=False,
                linewidth=0, color=colours[int(codes[first])],
            )
        )  # fmt: skip


def colours_of_codes(numbers: Sequence[int], classes: int) -> dict[int, str]:
    """The colour that each code, by its number, has in all pictures, the highest number first; and grey for -1."""
    present = sorted({int(number) for number in numbers} - {NO_CODE}, reverse=True)
    active = np.array(present, dtype=int)[:, None] >> np.arange(classes - 1, -1, -1) & 1
    colours = _style.scheme_colours(active.astype(bool).reshape(-1, classes))
    return {**dict(zip(present, colours, strict=True)), NO_CODE: _style.GREY}
