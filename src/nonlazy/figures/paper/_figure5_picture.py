"""How figure 5 is drawn: a row a layer, from the beginning of a chain to its end, and shares of the codes below."""

from typing import Any

import numpy as np
import xarray


_HEIGHT = 6.35  # inches
_STARTS = ("continuation", "quench", "planted")
_WORDS = {"feature": "feature layer", "first": "first layer"}
_RASTERS = ("first draw kept", "last one, same order", "last one, sorted anew")
# Of a ReLU layer: the outliers and as many neurons of the bulk as make this many rows.
_RELU_ROWS = 20


def draw(panels: xarray.DataTree) -> Any:
    """The figure from its panels, 7 inches wide."""
    from matplotlib.figure import Figure

    from nonlazy.plots import by_code, code_times, colours_of_codes, ordered_raster, share_dots

    figure = Figure(figsize=(7.0, _HEIGHT), dpi=200, facecolor="white")
    starts = {name: panels[name].to_dataset() for name in _STARTS if name in panels.children}
    shown = next(iter(starts.values()))
    relu = panels["relu"].to_dataset()
    names = [str(name) for name in shown["code"].values]
    drawn = [shown[f"{layer}_code"].values for layer in _WORDS] + [relu["first_code"].values]
    frequent = _frequent(starts, len(names))
    present = [*frequent, *np.unique(np.concatenate([codes.ravel() for codes in drawn])).tolist()]
    classes = len(panels[next(iter(starts))].attrs["classes"])
    colours = colours_of_codes(present, classes)
    labels = shown["label"].values
    for row, (layer, words) in enumerate(_WORDS.items()):
        bottom = 4.4 - 2.0 * row
        begin, end = shown[f"{layer}_activation"].values
        codes = shown[f"{layer}_code"].values
        first, last = by_code(codes[0], begin), by_code(codes[-1], end)
        for column, (values, numbers, order) in enumerate(
            ((begin, codes[0], first), (end, codes[-1], first), (end, codes[-1], last))
        ):
            axes = _axes(figure, 0.09 + 0.175 * column, bottom, 0.14, 1.5)
            ordered_raster(axes, values, labels, numbers, colours, order, title=_RASTERS[column], bar=column == 2)
            if column == 0:
                axes.set_ylabel(f"{words}: neuron $i$, by code", fontsize=7, labelpad=9)
                _letter(figure, "ab"[row], bottom + 1.62)
        axes = _axes(figure, 0.725, bottom, 0.26, 1.5)
        code_times(axes, codes, shown["draw"].values, colours)
        axes.set_title("codes over sampling time", fontsize=6, pad=2, loc="left")
    for column, (layer, words) in enumerate(_WORDS.items()):
        axes = _axes(figure, 0.075 + 0.335 * column, 0.52, 0.275, 1.2)
        theory = shown[f"{layer}_theory"].values
        chosen = [code for code in frequent if _matters(starts, layer, code)]
        share_dots(
            axes, {name: data[f"{layer}_share"].values[:, chosen] for name, data in starts.items()},
            [names[code] for code in chosen], theory[chosen] if np.isfinite(theory).all() else None, legend=column == 0,
        )  # fmt: skip
        axes.tick_params(axis="x", labelsize=5.2)
        axes.set_title(f"{words}: shares by start, a dot a chain", fontsize=6, pad=2, loc="left")
    _letter(figure, "c", 1.82)
    axes = _axes(figure, 0.76, 0.52, 0.225, 1.2)
    rows = _relu_rows(relu["first_code"].values)
    code_times(axes, relu["first_code"].values[:, rows], relu["draw"].values, colours, f"{len(rows)} neurons")
    axes.set_title("ReLU, first layer", fontsize=6, pad=2, loc="left")
    figure.text(0.725, 1.82 / _HEIGHT, "d", fontsize=8, weight="bold", va="center", ha="left")
    _legend(figure, colours, classes)
    for letters, name, height in (("a, b", next(iter(starts)), 0.13), ("d", "relu", 0.03)):
        figure.text(
            0.008, height / _HEIGHT, f"{letters}: {panels[name].attrs['posterior']}; chain 0 of {name}", fontsize=4.9,
            va="bottom", color="0.35",
        )  # fmt: skip
    return figure


def _axes(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    return figure.add_axes((left, bottom / _HEIGHT, width, height / _HEIGHT))


def _letter(figure: Any, letter: str, height: float) -> None:
    figure.text(0.008, height / _HEIGHT, letter, fontsize=8, weight="bold", va="center", ha="left")


def _frequent(starts: dict[str, xarray.Dataset], codes: int) -> list[int]:
    """Codes with a share above 0.01 in some layer of some chain or in its theory, the highest number first."""
    return [c for c in range(codes - 1, -1, -1) if any(_matters(starts, layer, c) for layer in _WORDS)]


def _matters(starts: dict[str, xarray.Dataset], layer: str, code: int) -> bool:
    found = max(float(data[f"{layer}_share"].values[:, code].max()) for data in starts.values())
    theory = float(next(iter(starts.values()))[f"{layer}_theory"].values[code])
    return max(found, theory if np.isfinite(theory) else 0.0) > 0.01


def _relu_rows(codes: np.ndarray) -> np.ndarray:
    """The neurons that are outliers in some draw, and some of the others to see the bulk."""
    outliers = np.flatnonzero((codes >= 0).any(axis=0))
    others = np.setdiff1d(np.arange(codes.shape[1]), outliers)
    return np.concatenate([outliers, others[: max(_RELU_ROWS - len(outliers), 3)]])


def _legend(figure: Any, colours: dict[int, str], classes: int) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(color=colour, label="bulk (ReLU)" if code < 0 else "-".join(format(code, f"0{classes}b")))
        for code, colour in colours.items()
    ]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.02, 1.0), ncols=len(handles), fontsize=6, frameon=False,
        handlelength=1.0, columnspacing=1.1, title=None, borderaxespad=0.2,
    )  # fmt: skip
