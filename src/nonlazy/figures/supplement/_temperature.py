"""The critical temperature above which sigmoidal neurons have one and the same code."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import xarray

from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import layer_dataset, unconverged
from nonlazy.figures._statistics import layer_scheme, level_gap
from nonlazy.sampling import Run
from nonlazy.theory import critical_temperature, fractions_by_temperature


FACTORS = (0.125, 0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0)
_QUICK_FACTORS = (0.5, 2.0)
_POINTS = 161


def experiments(quick: bool) -> dict[str, Experiment]:
    base = load("s-temperature")
    base = base.quick() if quick else base
    critical = _critical()
    return {
        f"{factor:g}": base.changed({"posterior": {"temperature": float(f"{factor * critical:.4g}")}})
        for factor in (_QUICK_FACTORS if quick else FACTORS)
    }


@lru_cache(maxsize=1)
def _critical() -> float:
    """T_c for P to infinity, which depends on the class ratios and the targets alone."""
    return critical_temperature(load("s-temperature").build())


def read(runs: Mapping[str, Run]) -> FigureData:
    critical, first = _critical(), next(iter(runs.values()))
    temperatures = np.linspace(0.05, 4.5, _POINTS) * critical
    curve = fractions_by_temperature(first.posterior, temperatures)
    table, gaps, kinds = [], {}, {}
    for name, run in runs.items():
        schemes = [layer_scheme(run, chain=chain) for chain in range(run.chains)]
        labels = run.task.labels
        gaps[name] = np.array([
            [level_gap(np.asarray(run.activations(draw=draw, chain=chain), dtype=np.float64), labels)
             for draw in run.kept_draws]
            for chain in range(run.chains)
        ])  # fmt: skip
        kinds[name] = float(np.mean([scheme.kind == "redundant" for scheme in schemes]))
        paper = "redundant" if float(name) < 1 else "no redundant code" if float(name) > 1 else ""
        table += [
            FigureRow(name, "chains that read redundant, as a share", None, kinds[name], paper=paper),
            FigureRow(name, "level gap", None, float(gaps[name].mean())),
        ]
    measured = {"22.theory": critical}
    for key, factor in (("22.below", "0.5"), ("22.above", "2")):
        if factor in kinds:
            measured[key] = kinds[factor]
    notes = (
        f"critical temperature T_c = {critical:.5f} for P to infinity; experiments are named by T / T_c",
        "level gap: standard deviation of class means over neurons and classes, over the fluctuations within a class",
    )
    panels = {
        "theory": xarray.Dataset(
            {"share": (("temperature", "code"), curve.fraction)},
            coords={"temperature": curve.values, "code": list(curve.codes)},
            attrs={"critical": critical, "network": _network(first)},
        ),
        "gap": xarray.Dataset(
            {"gap": (("factor", "chain"), np.stack([gaps[name].mean(axis=1) for name in runs])),
             "redundant": (("factor",), [kinds[name] for name in runs])},
            coords={"factor": [float(name) for name in runs]},
        ),
    }  # fmt: skip
    panels |= {f"layer-{name}": layer_dataset(runs[name]) for name in ("0.5", "2") if name in runs}
    return FigureData(xarray.DataTree.from_dict(panels), tuple(table), measured, notes, unconverged(runs))


def _network(run: Run) -> str:
    network, task = run.posterior.network, run.task
    return f"{network.phi.name}, L = {network.depth}, N = {network.width}; {task.name}: P = {task.P}, N0 = {task.N0}"


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots
    from nonlazy.codes import detect

    figure = Figure(figsize=(7.0, 4.4), dpi=200, facecolor="white")
    theory, gap = panels["theory"].to_dataset(), panels["gap"].to_dataset()
    critical = float(theory.attrs["critical"])
    axes = figure.add_axes((0.065, 0.6, 0.335, 0.3))
    codes = [str(code) for code in theory["code"].values]
    plots.shares_along(
        axes, codes, lines=(theory["temperature"].values / critical, theory["share"].values), label="$T / T_c$"
    )
    plots.letter(axes, "a")
    axes = figure.add_axes((0.63, 0.6, 0.34, 0.3))
    plots.histories(
        axes, {"samples": (gap["factor"].values, gap["gap"].values.T)}, x="$T / T_c$", y="level gap",
        marks={"$T_c$, theory": 1.0}, logarithmic="x",
    )  # fmt: skip
    plots.letter(axes, "b")
    for k, name in enumerate(("0.5", "2")):
        if f"layer-{name}" not in panels.children:
            continue
        data = panels[f"layer-{name}"].to_dataset()
        axes = figure.add_axes((0.11 + 0.49 * k, 0.12, 0.28, 0.32))
        labels = data["label"].values
        scheme = detect(data["activation"].values, labels, activation="sigmoid", reference=data["untrained"].values)
        plots.activation_raster(axes, data["activation"].values, labels, scheme, names=scheme.kind == "redundant")
        axes.set_title(f"$T = {name}\\,T_c$: reads {scheme.kind}", fontsize=7)
        plots.letter(axes, "cd"[k])
    plots.caption(figure, "Coding ends at a critical temperature", f"$T_c$ = {critical:.4f}. {theory.attrs['network']}")
    return figure


S_TEMPERATURE = FigureDefinition(
    name="s-temperature",
    title="A critical temperature of coding",
    summary="Sigmoidal networks have redundant codes below a temperature that the theory knows, and none above.",
    seconds=90.0,
    quick_seconds=25.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
