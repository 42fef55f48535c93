"""The picture of figure 4: a row a network; posterior and course of readouts, then of preactivations."""

from typing import Any

import xarray


_TITLES = {"linear": "linear", "sigmoid": "sigmoidal", "relu": "ReLU"}
# Inches: the figure, one row of it, and its panels: left edges and widths.
_WIDTH, _ROW, _PANEL, _TOP, _BOTTOM = 7.0, 1.86, 1.22, 0.38, 0.78
_PLACES = ((0.3, 1.4), (2.12, 1.35), (4.06, 1.15), (5.62, 1.3))
_HEADS = ("readout posterior", "readouts over time", "preactivation posterior", "preactivations over time")


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    tall = _TOP + len(_TITLES) * _ROW + _BOTTOM - 0.42
    figure = Figure(figsize=(_WIDTH, tall), dpi=200, facecolor="white")
    for row, (name, title) in enumerate(_TITLES.items()):
        data = panels[name].to_dataset()
        bottom = tall - _TOP - 0.3 - _PANEL - row * _ROW
        axes = [
            figure.add_axes((left / _WIDTH, bottom / tall, width / _WIDTH, _PANEL / tall))
            for left, width in (_PLACES[0], _PLACES[1], _PLACES[3])
        ]
        spikes = data.sizes["theory_spike"] > 0
        plots.stacked_densities(
            axes[0], data["edge"].values, data["histogram"].values, data["grid"].values, data["density"].values,
            [f"$r$ = {out}" for out in data["out"].values], x="readout $a_i^r$",
            marks=(data["sampled_spike"].values, data["spike"].values) if spikes else None,
        )  # fmt: skip
        lines = [str(line) for line in data["line"].values]
        times = {"x": "HMC iterations"}
        first = data["out"].values[0]
        plots.values_over_time(
            axes[1], data["iteration"].values, data["readout_line"].values, lines, y=f"readout $a_i^r$, $r$ = {first}",
            **times,
        )  # fmt: skip
        plots.values_over_time(
            axes[2], data["z_iteration"].values, data["z_line"].values, lines, y="preactivation $z_i(x_\\mu)$", **times
        )
        _preactivations(figure, data, bottom, tall)
        text = {"rotation": 90, "va": "center", "ha": "left", "fontsize": 8}
        figure.text(0.006, (bottom + _PANEL / 2) / tall, title, **text)
        for place, (left, _) in enumerate(_PLACES):
            y = (bottom + _PANEL + 0.3) / tall
            letter = "abcdefghijkl"[4 * row + place]
            figure.text((left - 0.16) / _WIDTH, y, letter, fontsize=8, weight="bold", va="top")
    for head, (left, width) in zip(_HEADS, _PLACES, strict=True):
        figure.text((left + width / 2) / _WIDTH, 1 - 0.24 / tall, head, fontsize=7.5, va="top", ha="center")
    small = (
        f"L = 1, m = 3, {panels.attrs['sizes']}.\nDashed and ticks below: theory (sigmoidal: at each chain's own "
        "shares of the codes). d, h, l: on an input of the first class of the neuron's code"
    )
    figure.text(0.006, 0.04 / tall, small, fontsize=6, color="0.3", linespacing=1.25)
    return figure


def _preactivations(figure: Any, data: xarray.Dataset, bottom: float, tall: float) -> None:
    from nonlazy import plots

    left, width = _PLACES[2]
    rows = [str(row) for row in data["row"].values]
    # Rows of one range share the numbers below the last of them.
    ends = [(edges[0], edges[-1]) for edges in data["z_edge"].values]
    numbered = [k + 1 == len(rows) or ends[k + 1] != ends[k] for k in range(len(rows))]
    gaps = [0.19 if below else 0.05 for below in numbered[:-1]]
    each = (_PANEL - sum(gaps)) / len(rows)
    axes, y = None, bottom + _PANEL
    for k, name in enumerate(rows):
        y -= each + (gaps[k - 1] if k else 0.0)
        axes = figure.add_axes((left / _WIDTH, y / tall, width / _WIDTH, each / tall))
        part = data.isel(row=k)
        plots.densities_by_class(
            axes, part["z_edge"].values, part["z_histogram"].values, part["z_grid"].values, part["z_density"].values,
            [str(one) for one in data["class"].values], row="" if name == "all neurons" else name,
        )  # fmt: skip
        axes.tick_params(labelbottom=numbered[k])
        if k == 0:
            axes.legend(
                fontsize=6, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 0.97), handlelength=0.8,
                columnspacing=0.6, handletextpad=0.3, borderaxespad=0.1,
            )  # fmt: skip
    if axes is not None:
        axes.set_xlabel("preactivation $z_i(x)$, by class", fontsize=7, labelpad=2)
