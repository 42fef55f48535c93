"""Rectified activation functions other than ReLU code sparsely, too; and how many outliers a ReLU network has."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from nonlazy.codes import detect
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import comparison_rows, layer_dataset, unconverged
from nonlazy.figures._statistics import layer_scheme
from nonlazy.network import Network
from nonlazy.posterior import Posterior
from nonlazy.sampling import Run
from nonlazy.tasks import toy
from nonlazy.theory import solve


ACTIVATIONS = ("softplus", "requ")
_WORDS = {"softplus": "softplus", "requ": "squared ReLU"}
# Tasks for the number of outliers in the theory: classes with equal shares, and targets of the other classes.
OUTPUTS, TARGETS = (2, 3, 4, 5), (-1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 0.8)
# The bulk is task-agnostic where its mean activation differs between classes by less than this share of its mean.
AGNOSTIC = 0.05


def experiments(quick: bool) -> dict[str, Experiment]:
    loaded = {phi: load(f"s-rectified-{phi}") for phi in ACTIVATIONS}
    return {phi: one.quick() if quick else one for phi, one in loaded.items()}


def read(runs: Mapping[str, Run]) -> FigureData:
    table, measured, panels = [], {}, {}
    for name, run in runs.items():
        schemes = [layer_scheme(run, chain=chain) for chain in range(run.chains)]
        sparse = float(np.mean([scheme.kind == "sparse" for scheme in schemes]))
        measured[f"21.{name}"] = sparse
        table.append(FigureRow(name, "chains that read sparse, as a share", None, sparse, paper="sparse"))
        table += comparison_rows(name, run)
        panels[name] = layer_dataset(run)
    counts, spread = outliers_of_the_theory()
    rows = [(m, y) for m in OUTPUTS for y in TARGETS]
    table += [
        FigureRow("theory", f"outliers, m = {m}, y- = {y:g}", float(counts[m][y]), paper=f"at least {m - 1}")
        for m, y in rows
    ]
    excess = [counts[m][y] - (m - 1) for m, y in rows]
    agnostic = [counts[m][y] == m for m, y in rows if spread[m][y] < AGNOSTIC]
    measured["27.least"] = float(min(excess))
    measured["27.agnostic"] = float(np.mean(agnostic)) if agnostic else float("nan")
    panels["theory"] = xarray.Dataset(
        {
            "outliers": (("m", "y_minus"), np.array([[counts[m][y] for y in TARGETS] for m in OUTPUTS])),
            "bulk_spread": (("m", "y_minus"), np.array([[spread[m][y] for y in TARGETS] for m in OUTPUTS])),
        },
        coords={"m": list(OUTPUTS), "y_minus": list(TARGETS)},
    )
    notes = (
        "theory of ReLU networks, classes of equal size, large N and P; the bulk counts as task-agnostic where its "
        f"mean activation differs between classes by less than {AGNOSTIC:.0%}: {len(agnostic)} of {len(rows)} do",
    )
    return FigureData(xarray.DataTree.from_dict(panels), tuple(table), measured, notes, unconverged(runs))


def outliers_of_the_theory() -> tuple[dict[int, dict[float, float]], dict[int, dict[float, float]]]:
    """Number of outliers, and relative spread of the bulk's mean activation over classes; NaN where unsolved."""
    counts: dict[int, dict[float, float]] = {m: {} for m in OUTPUTS}
    spread: dict[int, dict[float, float]] = {m: {} for m in OUTPUTS}
    for m in OUTPUTS:
        for y in TARGETS:
            task = toy(P=24 * m, N0=24 * m, class_ratios=(1 / m,) * m, y_minus=y, seed=0)
            posterior = Posterior(Network(24 * m, 1, "relu"), task, temperature=1e-2)
            try:
                prediction: Any = solve(posterior, finite_size=False)
            except (InvalidInput, TheoryError):
                counts[m][y] = spread[m][y] = float("nan")
                continue
            counts[m][y] = float(len(prediction.outliers.readout))
            bulk = prediction.bulk_model.mean(task.X)
            means = np.array([bulk[task.labels == c].mean() for c in range(m)])
            spread[m][y] = float(np.ptp(means) / means.mean())
    return counts, spread


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    figure = Figure(figsize=(7.0, 2.9), dpi=200, facecolor="white")
    for k, name in enumerate(ACTIVATIONS):
        data = panels[name].to_dataset()
        axes = figure.add_axes((0.11 + 0.345 * k, 0.24, 0.15, 0.55))
        labels = data["label"].values
        scheme = detect(data["activation"].values, labels, reference=data["untrained"].values)
        plots.activation_raster(axes, data["activation"].values, labels, scheme, at_most=20)
        axes.set_title(f"{_WORDS[name]}: reads {scheme.kind}", fontsize=7)
        plots.letter(axes, "ab"[k])
    theory = panels["theory"].to_dataset()
    axes = figure.add_axes((0.8, 0.24, 0.18, 0.55))
    curves = {
        f"m = {int(m)}": (theory["y_minus"].values, theory["outliers"].sel(m=m).values) for m in theory["m"].values
    }
    plots.histories(axes, curves, x="target $y_-$", y="outliers in the theory, ReLU")
    axes.set_ylim(0, 1.8 * max(OUTPUTS))
    plots.letter(axes, "c")
    plots.caption(figure, "Sparse coding in other rectified networks", str(panels[ACTIVATIONS[0]].attrs["posterior"]))
    return figure


S_RECTIFIED = FigureDefinition(
    name="s-rectified",
    title="Other rectified networks",
    summary="softplus and squared ReLU code sparsely, too; the theory's number of outliers for ReLU, m = 2 to 5.",
    seconds=60.0,
    quick_seconds=30.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
