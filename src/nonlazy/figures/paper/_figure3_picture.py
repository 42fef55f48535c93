"""The picture of figure 3: a column a network, a row a layer, and below them how chains differ."""

from typing import Any

import numpy as np
import xarray

from nonlazy.codes import detect
from nonlazy.figures._report import rule_of


_TITLES = {"linear": "linear", "sigmoid": "sigmoidal", "relu": "ReLU"}
_WIDTH, _BELOW = 7.0, 1.5  # inches


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    layers = panels["linear"].sizes["layer"]
    tall = plots.layer_stack_height(layers) + _BELOW
    figure = Figure(figsize=(_WIDTH, tall), dpi=200, facecolor="white")
    parts = np.ravel(np.asarray(figure.subfigures(1, len(_TITLES)), dtype=object))
    for place, (part, name) in enumerate(zip(parts, _TITLES, strict=True)):
        data = panels[name].to_dataset()
        labels = data["label"].values
        schemes = [
            detect(activation, labels, activation=rule_of(name), reference=untrained)
            for activation, untrained in zip(data["activation"].values, data["untrained"].values, strict=True)
        ]
        plots.layer_stack(
            part, list(data["activation"].values), list(data["kernel"].values), labels, schemes,
            title=_TITLES[name], letter="abc"[place], at_most=20 if name == "relu" else None,
        )  # fmt: skip
        axes = part.add_axes((0.2, 0.6 / tall, 0.74, (_BELOW - 0.88) / tall))
        _BELOW_PANELS[name](axes, data)
        part.text(0.013, (_BELOW - 0.14) / tall, "def"[place], fontsize=8, weight="bold", va="top")
    small = (
        f"L = {layers}, m = 3, {panels.attrs['sizes']}.\nActivations: the last draw of a chain (ReLU: the 20 most "
        "active neurons of a layer); kernels: its means. d-f: a dot a chain; dashed: theory"
    )
    figure.text(0.006, 0.04 / tall, small, fontsize=6, color="0.3", linespacing=1.25)
    return figure


def _contrast(axes: Any, data: xarray.Dataset) -> None:
    from nonlazy import plots

    numbers = range(1, data.sizes["layer"] + 1)
    plots.dots_by_chain(
        axes, numbers, data["contrast"].values, theory=data["contrast_theory"].values, x="layer", y="block contrast"
    )


def _shares(axes: Any, data: xarray.Dataset) -> None:
    from nonlazy import plots

    plots.dots_by_chain(
        axes, [str(name) for name in data["code"].values], 100 * data["share"].values,
        theory=100 * data["share_theory"].values, x="code, layer 3", y="share (%)",
    )  # fmt: skip


def _outliers(axes: Any, data: xarray.Dataset) -> None:
    from nonlazy import plots

    numbers = range(1, data.sizes["layer"] + 1)
    plots.dots_by_chain(axes, numbers, data["outliers"].values, x="layer", y="outliers")


_BELOW_PANELS = {"linear": _contrast, "sigmoid": _shares, "relu": _outliers}
