"""Without noise, and how late: gradient descent finds a redundant code; codes settle long after the loss has fallen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray
from jaxtyping import Float, Int

from nonlazy.codes import detect
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import layer_dataset
from nonlazy.figures._statistics import class_means, layer_scheme, level_gap
from nonlazy.sampling import Run


# Steps an iteration of the run that shows how the loss falls.
_FIRST_STEPS, _FIRST_DRAWS = 5, 400
_SETTLED, _LOSS_LEFT = 0.9, 0.01


def descent_experiments(quick: bool) -> dict[str, Experiment]:
    base = load("s-descent")
    return {"descent": base.quick() if quick else base}


def read_descent(runs: Mapping[str, Run]) -> FigureData:
    run = runs["descent"]
    schemes = [layer_scheme(run, chain=chain) for chain in range(run.chains)]
    labels = run.task.labels
    last = run.kept_draws[-1]
    gaps = [
        level_gap(np.asarray(run.activations(draw=last, chain=chain), dtype=np.float64), labels)
        for chain in range(run.chains)
    ]
    redundant = float(np.mean([scheme.kind == "redundant" for scheme in schemes]))
    table = (
        FigureRow("descent", "chains that read redundant, as a share", None, redundant, paper="redundant"),
        FigureRow("descent", "confidence of the reading, least", None, float(min(one.confidence for one in schemes))),
        FigureRow("descent", "smallest level gap", None, float(min(gaps))),
        *(
            FigureRow("descent", f"share of {scheme.code_name(k)}, chain {chain + 1}", None, float(scheme.fractions[k]))
            for chain, scheme in enumerate(schemes)
            for k in range(len(scheme.codes))
        ),
    )
    steps = _steps(run)
    panels = {
        "layer": layer_dataset(run),
        "loss": xarray.Dataset(
            {"loss": (("chain", "step"), np.asarray(run.statistics()["loss"].values))}, coords={"step": steps}
        ),
    }
    measured = {"23.descent": redundant, "23.gap": float(min(gaps))}
    notes = (
        "weight decay as of a prior whose variances do not depend on P, at this temperature, without noise: descent "
        "ends at a minimum of loss and norm together",
        "without noise hardly anything fluctuates within a class, so that the level gap says little here",
    )
    return FigureData(xarray.DataTree.from_dict(panels), table, measured, notes)


def draw_descent(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    figure = Figure(figsize=(7.0, 2.6), dpi=200, facecolor="white")
    data, loss = panels["layer"].to_dataset(), panels["loss"].to_dataset()
    axes = figure.add_axes((0.08, 0.25, 0.33, 0.55))
    plots.histories(
        axes, {"loss": (loss["step"].values, loss["loss"].values)}, x="gradient steps", y="loss", logarithmic="xy"
    )
    plots.letter(axes, "a")
    axes = figure.add_axes((0.56, 0.25, 0.3, 0.55))
    labels = data["label"].values
    scheme = detect(data["activation"].values, labels, activation="sigmoid", reference=data["untrained"].values)
    plots.activation_raster(axes, data["activation"].values, labels, scheme)
    axes.set_title(f"at the end: reads {scheme.kind}", fontsize=7)
    plots.letter(axes, "b")
    plots.caption(figure, "Gradient descent without noise", str(data.attrs["posterior"]))
    return figure


def emergence_experiments(quick: bool) -> dict[str, Experiment]:
    base = load("s-emergence")
    base = base.quick() if quick else base
    sampler = {**_langevin(base), "steps": _FIRST_STEPS}
    first = base.changed({"sampling": {"sampler": sampler, "draws": _FIRST_DRAWS, "snapshots": 1}})
    return {"first": first, "whole": base}


def _langevin(experiment: Experiment) -> dict[str, Any]:
    return experiment.sampling.sampler.model_dump(exclude_none=True)  # pyright: ignore[reportOptionalMemberAccess]


def read_emergence(runs: Mapping[str, Run]) -> FigureData:
    first, whole = runs["first"], runs["whole"]
    final = np.asarray(whole.statistics()["loss"].values)[:, -whole.draws // 4 :].mean(axis=1)
    losses = np.asarray(first.statistics()["loss"].values)
    loss_steps = np.array([_falls(losses[c], _steps(first), final[c]) for c in range(first.chains)])
    times = _steps(whole)[list(whole.kept_draws)]
    agreement = np.stack([kept_for_good(_codes(whole, chain)) for chain in range(whole.chains)])
    code_steps = np.array([times[int(np.argmax(row >= _SETTLED))] for row in agreement], dtype=float)
    ratios = code_steps / loss_steps
    table = (
        FigureRow("", "steps until 99 % of the loss is gone, mean", None, float(loss_steps.mean())),
        FigureRow("", "steps until 90 % of the neurons keep their code, mean", None, float(code_steps.mean())),
        FigureRow("", "ratio, smallest chain", None, float(ratios.min()), paper="orders of magnitude"),
    )
    panels = {
        "loss": xarray.Dataset({"loss": (("chain", "step"), losses)}, coords={"step": _steps(first)}),
        "codes": xarray.Dataset(
            {"settled": (("chain", "step"), agreement),
             "whole_loss": (("chain", "step"), whole.statistics()["loss"].values[:, list(whole.kept_draws)])},
            coords={"step": times},
            attrs={"loss_steps": float(loss_steps.mean()), "code_steps": float(code_steps.mean()),
                   "posterior": str(whole.posterior)},
        ),
    }  # fmt: skip
    notes = (
        f"plain Langevin dynamics from the prior, {times[-1]:,} steps: at the end of the run every neuron has its "
        "final code by definition, so that a run that is too short finds too small a number",
    )
    return FigureData(xarray.DataTree.from_dict(panels), table, {"24.ratio": float(ratios.min())}, notes)


def kept_for_good(codes: Int[np.ndarray, "times N"]) -> Float[np.ndarray, " times"]:
    """Share of the neurons that, from each time on, have their last code at all times."""
    final = codes == codes[-1]
    return np.flip(np.logical_and.accumulate(np.flip(final, axis=0), axis=0), axis=0).mean(axis=1)


def _codes(run: Run, chain: int) -> Int[np.ndarray, "times N"]:
    found = []
    for draw in run.kept_draws:
        means = class_means(np.asarray(run.activations(draw=draw, chain=chain), dtype=np.float64), run.task.labels)
        found.append((means > 0.5) @ (1 << np.arange(means.shape[1])))
    return np.stack(found)


def _steps(run: Run) -> Int[np.ndarray, " draw"]:
    each = int(run.configuration["sampler"]["steps"]) * int(run.configuration["thin"])
    return each * np.arange(1, run.draws + 1)


def _falls(loss: Float[np.ndarray, " draw"], steps: Int[np.ndarray, " draw"], final: float) -> float:
    """The first step at which at most 1 % of the excess over the final loss is left; NaN where there is none."""
    left = (loss - final) / (loss[0] - final)
    below = np.flatnonzero(left <= _LOSS_LEFT)
    return float(steps[below[0]]) if below.size else float("nan")


def draw_emergence(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    figure = Figure(figsize=(7.0, 2.6), dpi=200, facecolor="white")
    loss, codes = panels["loss"].to_dataset(), panels["codes"].to_dataset()
    axes = figure.add_axes((0.08, 0.25, 0.38, 0.55))
    plots.histories(
        axes,
        {"every 5 steps": (loss["step"].values, loss["loss"].values),
         "whole run": (codes["step"].values, codes["whole_loss"].values)},
        x="Langevin steps", y="loss", marks={"99 % gone": codes.attrs["loss_steps"]}, logarithmic="xy",
    )  # fmt: skip
    plots.letter(axes, "a")
    axes = figure.add_axes((0.58, 0.25, 0.38, 0.55))
    plots.histories(
        axes, {"codes": (codes["step"].values, codes["settled"].values)}, x="Langevin steps",
        y="share with final code for good", marks={"90 %": codes.attrs["code_steps"]}, logarithmic="x",
    )  # fmt: skip
    plots.letter(axes, "b")
    plots.caption(figure, "The code emerges after the loss has fallen", str(codes.attrs["posterior"]))
    return figure


S_DESCENT = FigureDefinition(
    name="s-descent",
    title="Gradient descent without noise",
    summary="A redundant code emerges without noise and without the regularization that depends on P.",
    seconds=60.0,
    quick_seconds=15.0,
    experiments=descent_experiments,
    read=read_descent,
    draw=draw_descent,
)
S_EMERGENCE = FigureDefinition(
    name="s-emergence",
    title="The code emerges after the loss has fallen",
    summary="Steps until the loss is gone, and until the neurons keep their codes, in Langevin dynamics.",
    seconds=60.0,
    quick_seconds=15.0,
    experiments=emergence_experiments,
    read=read_emergence,
    draw=draw_emergence,
)
