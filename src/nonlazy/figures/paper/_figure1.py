"""Figure 1: kernels and activations of lazy and of non-lazy networks, three activation functions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from nonlazy.codes import detect
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import layer_dataset, sizes, unconverged, without_rounding
from nonlazy.figures._report import rule_of
from nonlazy.figures._statistics import block_contrast, layer_scheme, least_correlation
from nonlazy.sampling import Run
from nonlazy.theory import gaussian_process, solve


ACTIVATIONS = ("linear", "sigmoid", "relu")
_SCHEMES = {"linear": "analog", "sigmoid": "redundant", "relu": "sparse"}
_WORDS = {"linear": "linear", "sigmoid": "sigmoidal", "relu": "ReLU"}
_KINDS = {"lazy": "lazy", "nonlazy": "non-lazy"}
# Inches: the figure, one row of it, its panels, and the places of lazy and non-lazy ones from the left.
_WIDTH, _HEIGHT = 7.0, 4.68
_ROW, _TOP = 1.3, 0.42
_SIDE, _WIDE = 1.12, 1.16
_KERNELS = (0.45, 1.65)
_RASTERS = (3.68, 5.24)


def experiments(quick: bool) -> dict[str, Experiment]:
    names = [f"{activation}-{kind}" for kind in ("lazy", "nonlazy") for activation in ACTIVATIONS]
    loaded = {name: load(f"figure1-{name}") for name in names}
    return {name: one.quick() if quick else one for name, one in loaded.items()}


def read(runs: Mapping[str, Run]) -> FigureData:
    panels, table, contrasts, kinds = {}, [], {}, {}
    for name, run in runs.items():
        K, labels = np.asarray(run.kernel(), dtype=np.float64), run.task.labels
        schemes = [layer_scheme(run, chain=chain) for chain in range(run.chains)]
        kinds[name] = [scheme.kind for scheme in schemes]
        contrasts[name] = block_contrast(K, labels)
        panels[name] = layer_dataset(run).assign(kernel=(("input", "other_input"), K))
        expected = "none" if name.endswith("-lazy") else _SCHEMES[name.split("-")[0]]
        table += [
            FigureRow(name, "block contrast of the kernel", _theory(run), contrasts[name],
                      paper="nearly unstructured" if name.endswith("-lazy") else "two blocks"),
            FigureRow(name, f"chains that read {expected}, as a share", None,
                      float(np.mean([kind == expected for kind in kinds[name]])), paper=expected),
        ]  # fmt: skip
    lazy = [name for name in runs if name.endswith("-lazy")]
    other = [name for name in runs if name not in lazy]
    kernels = {name: np.asarray(runs[name].kernel(), dtype=np.float64) for name in other}
    measured = {
        "1.lazy-contrast": max(abs(contrasts[name]) for name in lazy),
        "1.lazy-schemes": float(sum(set(kinds[name]) == {"none"} for name in lazy)),
        "1.contrast": min(contrasts[name] for name in other),
        "1.alike": least_correlation(kernels),
        "2.schemes": float(sum(set(kinds[name]) == {_SCHEMES[name.split("-")[0]]} for name in other)),
    }
    tree = xarray.DataTree.from_dict(panels)
    tree.attrs = {"sizes": sizes(runs)}
    return FigureData(tree, tuple(table), measured, warnings=unconverged(runs))


def _theory(run: Run) -> float | None:
    """The theory's block contrast: of the posterior where it is solved, of infinite width for lazy networks."""
    try:
        prediction = (
            gaussian_process(run.posterior) if run.posterior.network.readout == "lazy" else solve(run.posterior)
        )
    except (InvalidInput, TheoryError):
        return None
    contrast = block_contrast(np.asarray(prediction.kernel(run.task.X), dtype=np.float64), run.task.labels)
    return without_rounding(contrast)


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=200, facecolor="white")
    titles = list(_KINDS.values())
    for row, activation in enumerate(ACTIVATIONS):
        data = [panels[f"{activation}-{kind}"].to_dataset() for kind in _KINDS]
        bottom = _HEIGHT - _TOP - _SIDE - row * _ROW
        kernels = np.stack([one["kernel"].values for one in data])
        activations = np.concatenate([one["activation"].values for one in data])
        for column, one in enumerate(data):
            last = column + 1 == len(data)
            labels = one["label"].values
            matrix = _axes(figure, _KERNELS[column], bottom, _SIDE)
            plots.kernel(matrix, one["kernel"].values, labels, span=kernels, bar=last)
            scheme = detect(
                one["activation"].values, labels, activation=rule_of(activation), reference=one["untrained"].values
            )
            raster = _axes(figure, _RASTERS[column], bottom, _WIDE)
            plots.activation_raster(
                raster, one["activation"].values, labels, scheme, at_most=_shown(scheme.kind), names=False,
                span=activations, bar=last,
            )  # fmt: skip
            if column:
                matrix.set_ylabel("")
                matrix.set_yticks([])
            if row + 1 < len(ACTIVATIONS):
                matrix.set_xlabel("")
                raster.set_xlabel("")
            if row == 0:
                for axes in (matrix, raster):
                    axes.set_title(titles[column], fontsize=7.5, pad=4)
        text = {"rotation": 90, "va": "center", "ha": "left", "fontsize": 8}
        figure.text(0.006, (bottom + _SIDE / 2) / _HEIGHT, _WORDS[activation], **text)
    for letter, left, text in (("a", _KERNELS[0], "kernels"), ("b", _RASTERS[0], "activations")):
        y = 1 - 0.06 / _HEIGHT
        figure.text((left - 0.3) / _WIDTH, y, letter, fontsize=8, weight="bold", va="top")
        figure.text((left - 0.16) / _WIDTH, y, text, fontsize=8, va="top")
    small = f"{panels.attrs['sizes']}. Kernels: posterior means; activations: the last draw of one chain"
    figure.text(0.006, 0.04 / _HEIGHT, small, fontsize=6, color="0.3")
    return figure


def _axes(figure: Any, left: float, bottom: float, width: float) -> Any:
    return figure.add_axes((left / _WIDTH, bottom / _HEIGHT, width / _WIDTH, _SIDE / _HEIGHT))


def _shown(kind: str) -> int:
    return 20 if kind == "sparse" else 100


FIGURE_1 = FigureDefinition(
    name="1",
    title="Kernels and activations, lazy and non-lazy",
    summary="Kernels are alike in three non-lazy networks and activations are not; lazy ones show neither.",
    seconds=300.0,
    quick_seconds=60.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
