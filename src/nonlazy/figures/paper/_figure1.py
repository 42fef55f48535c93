"""Figure 1: kernels and activations of lazy and of non-lazy networks, three activation functions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from nonlazy.codes import detect
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import layer_dataset, unconverged
from nonlazy.figures._report import rule_of
from nonlazy.figures._statistics import block_contrast, layer_scheme, least_correlation
from nonlazy.sampling import Run
from nonlazy.theory import gaussian_process, solve


ACTIVATIONS = ("linear", "sigmoid", "relu")
_SCHEMES = {"linear": "analog", "sigmoid": "redundant", "relu": "sparse"}
_HEIGHT = 5.2  # inches


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
    return FigureData(
        xarray.DataTree.from_dict(panels), tuple(table), measured, warnings=unconverged(runs)
    )  # fmt: skip


def _theory(run: Run) -> float | None:
    """The theory's block contrast: of the posterior where it is solved, of infinite width for lazy networks."""
    try:
        prediction = (
            gaussian_process(run.posterior) if run.posterior.network.readout == "lazy" else solve(run.posterior)
        )
    except (InvalidInput, TheoryError):
        return None
    return block_contrast(np.asarray(prediction.kernel(run.task.X), dtype=np.float64), run.task.labels)


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    figure = Figure(figsize=(7.0, _HEIGHT), dpi=200, facecolor="white")
    titles = {"lazy": "lazy", "nonlazy": "non-lazy"}
    words = {"linear": "linear", "sigmoid": "sigmoidal", "relu": "ReLU"}
    for column, activation in enumerate(ACTIVATIONS):
        left = 0.055 + 0.325 * column
        figure.text(left + 0.1, 0.985, words[activation], fontsize=8, va="top", ha="center")
        for row, kind in enumerate(("lazy", "nonlazy")):
            data = panels[f"{activation}-{kind}"].to_dataset()
            labels = data["label"].values
            bottom = 0.76 - 0.485 * row
            square = 1.0 / _HEIGHT
            matrix = figure.add_axes((left, bottom, 1.0 / 7, square))
            plots.kernel(matrix, data["kernel"].values, labels)
            matrix.set_xlabel("")
            raster = figure.add_axes((left, bottom - 0.225, 0.2, 0.16))
            activations = data["activation"].values
            scheme = detect(activations, labels, activation=rule_of(activation), reference=data["untrained"].values)
            plots.activation_raster(raster, activations, labels, scheme, at_most=_shown(scheme.kind), names=False)
            if column == 0:
                figure.text(0.005, bottom + square, titles[kind], fontsize=8, rotation=90, va="top")
    return figure


def _shown(kind: str) -> int:
    return 20 if kind == "sparse" else 100


FIGURE_1 = FigureDefinition(
    name="1",
    title="Kernels and activations, lazy and non-lazy",
    summary="Kernels are alike in three non-lazy networks and activations are not; lazy ones show neither.",
    seconds=300,
    quick_seconds=60,
    experiments=experiments,
    read=read,
    draw=draw,
)
