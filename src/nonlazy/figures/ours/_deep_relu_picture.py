"""How the figure of deep ReLU networks is drawn: the layers of two chains, and what all chains have."""

from typing import Any

import numpy as np
import xarray

from nonlazy.codes import detect


_BELOW, _UNDER = 1.55, 0.62  # inches
_STARTS = {"from-the-prior": ("from the prior", 0, "o"), "annealed": ("annealed", 1, "s")}


def draw(panels: xarray.DataTree) -> Any:
    """The figure from its panels, 7 inches wide."""
    from matplotlib.figure import Figure

    from nonlazy import plots
    from nonlazy.plots import _style

    layers = int(panels.attrs["layers"])
    stack = plots.layer_stack_height(layers)
    tall = stack + _BELOW + _UNDER
    figure = Figure(figsize=(_style.WIDTH, tall), dpi=200, facecolor="white")
    for k, words in enumerate(("fewest", "most")):
        part = figure.add_subfigure(figure.add_gridspec(1, 2)[k])
        data = panels[words].to_dataset()
        labels = data["label"].values
        schemes = [
            detect(activation, labels, activation="relu", reference=untrained)
            for activation, untrained in zip(data["activation"].values, data["untrained"].values, strict=True)
        ]
        plots.layer_stack(
            part, list(data["activation"].values), list(data["kernel"].values), labels, schemes,
            title=f"{words} large readouts", letter="ab"[k], at_most=20, top=tall - 0.02,
        )  # fmt: skip
    starts = {name: panels[name].to_dataset() for name in _STARTS if name in panels.children}
    boxes = [(0.07 + 0.25 * k, _UNDER / tall, 0.165, (_BELOW - 0.45) / tall) for k in range(4)]
    shown = (("outliers", "outliers"), ("classes", "classes of an outlier"), ("fluctuation", "fluctuation / mean"))
    handles: dict[str, Any] = {}
    for k, (variable, words) in enumerate(shown):
        axes = figure.add_axes(boxes[k])
        for name, data in starts.items():
            handles[_STARTS[name][0]] = _by_layer(axes, data[variable].values, name, len(starts))
        axes.set_xlim(0.5, layers + 0.5)
        axes.set_xticks(range(1, layers + 1))
        axes.set_ylim(bottom=0)
        _style.dress(axes)
        _style.few_ticks(axes.yaxis, 4)
        _style.label(axes, "layer", words)
        plots.letter(axes, "cde"[k])
    axes = figure.add_axes(boxes[3])
    for name, data in starts.items():
        _, colour, marker = _STARTS[name]
        axes.plot(data["large"].values.mean(axis=1), data["log_density"].values, marker, color=_style.PALETTE[colour],
                  markersize=2.8, markeredgewidth=0, alpha=0.85)  # fmt: skip
    _style.dress(axes)
    _style.few_ticks(axes.xaxis, 4)
    _style.few_ticks(axes.yaxis, 4)
    _style.label(axes, f"large readouts, layer {layers}", "log density / $NP$")
    plots.letter(axes, "f")
    figure.legend(
        handles.values(), handles.keys(), loc="lower left", bbox_to_anchor=(0.06, (_UNDER + _BELOW - 0.31) / tall),
        ncols=2, fontsize=6, frameon=False, handlelength=0.8, handletextpad=0.2, columnspacing=0.8, borderaxespad=0.1,
    )  # fmt: skip
    small = (
        f"L = {layers}, m = 3, {panels.attrs['sizes']}. a, b: last draw of two chains from the prior (the 20 most "
        "active neurons of a layer), kernels: means. c-f: a dot a chain; a readout is large where |a|^2 > 0.04 N"
    )
    plots.caption(figure, "", small)
    return figure


def _by_layer(axes: Any, values: np.ndarray, name: str, starts: int) -> Any:
    from nonlazy.plots import _style

    _, colour, marker = _STARTS[name]
    shift = 0.3 * (list(_STARTS).index(name) - 0.5) if starts > 1 else 0.0
    places = np.arange(1, values.shape[1] + 1) + shift
    apart = 0.22 * (np.arange(len(values)) / max(len(values) - 1, 1) - 0.5)
    drawn = None
    for chain, offset in zip(values, apart, strict=True):
        (drawn,) = axes.plot(places + offset, chain, marker, color=_style.PALETTE[colour], markersize=2.6,
                             markeredgewidth=0, alpha=0.8)  # fmt: skip
    return drawn
