"""Real data beyond figure 6: projected digits with P > N0, and three classes of CIFAR-10 from few images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray
from jaxtyping import Float

from nonlazy.codes import detect
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import (
    accuracy,
    error_variables,
    errors_of_test_error,
    held_out,
    held_out_dataset,
    sampled_error,
    unconverged,
)
from nonlazy.figures._report import rule_of
from nonlazy.figures._statistics import block_contrast, layer_scheme, level_gap, mean_test_kernel
from nonlazy.sampling import Run
from nonlazy.theory import Prediction, gaussian_process, solve


# Images that may be missing come first: the figure is refused before anything is sampled.
DATA = ("cifar", "mnist")
_TITLES = {"cifar": "three classes of CIFAR-10", "mnist": "projected digits, P > N0"}
_PAPER = {"cifar": ("redundant", "lost on test inputs", "high"), "mnist": ("redundant", "", "good")}
_HEIGHT = 4.1  # inches


def experiments(quick: bool) -> dict[str, Experiment]:
    loaded = {name: load(f"s-real-data-{name}") for name in DATA}
    return {name: one.quick() if quick else one for name, one in loaded.items()}


def read(runs: Mapping[str, Run]) -> FigureData:
    table: list[FigureRow] = []
    panels, measured, notes = {}, {}, []
    for name, run in runs.items():
        key = {"mnist": "25.projected", "cifar": "25.cifar"}[name]
        redundant = float(np.mean([layer_scheme(run, chain=c).kind == "redundant" for c in range(run.chains)]))
        right = accuracy(run.mean_outputs(test=True).mean(axis=0), held_out(run.task)[2])
        gap = _gap_ratio(run)
        measured |= {key: redundant, f"{key}-accuracy": right}
        if name == "cifar":
            measured[f"{key}-gap"] = gap
        prediction = _theory(run)
        notes += [] if prediction is not None else [f"{name}: the theory of this network could not be solved"]
        process = gaussian_process(run.posterior)
        kernel = mean_test_kernel(run)
        table += [
            FigureRow(name, "chains that read redundant on training inputs, as a share", None, redundant, None,
                      _PAPER[name][0]),
            FigureRow(name, "level gap on test inputs over that on training inputs", None, gap, None, _PAPER[name][1]),
            FigureRow(name, "block contrast of the test kernel", _contrast(prediction, run),
                      block_contrast(kernel, held_out(run.task)[2])),
            FigureRow(name, "test accuracy", _accuracy(prediction, run), right, None, _PAPER[name][2]),
            FigureRow(name, "test accuracy of the Gaussian process", _accuracy(process, run)),
            *_error_rows(name, run, prediction, process),
        ]  # fmt: skip
        panels[name] = _panel(name, run, prediction, process, kernel)
    return FigureData(xarray.DataTree.from_dict(panels), tuple(table), measured, tuple(notes), unconverged(runs))


def _theory(run: Run) -> Prediction | None:
    try:
        return solve(run.posterior)
    except (InvalidInput, TheoryError):
        return None


def _gap_ratio(run: Run) -> float:
    """Level gap on test inputs over that on training inputs, over all draws that were kept in full."""
    gaps = []
    for test, labels in ((True, held_out(run.task)[2]), (False, run.task.labels)):
        layers = [
            np.asarray(run.activations(draw=draw, chain=chain, test=test), dtype=np.float64)
            for chain in range(run.chains)
            for draw in run.kept_draws
        ]
        gaps.append(np.mean([level_gap(layer, labels) for layer in layers]))
    return float(gaps[0] / gaps[1])


def _contrast(prediction: Prediction | None, run: Run) -> float | None:
    X, _, labels = held_out(run.task)
    return None if prediction is None else block_contrast(prediction.kernel(X), labels)


def _accuracy(prediction: Prediction | None, run: Run) -> float | None:
    X, _, labels = held_out(run.task)
    return None if prediction is None else accuracy(prediction.predict(X), labels)


def _error_rows(name: str, run: Run, prediction: Prediction | None, process: Prediction) -> list[FigureRow]:
    error, errors = sampled_error(run), errors_of_test_error(run)
    theory = None if prediction is None else prediction.generalization_error().total
    beside = process.generalization_error().total
    rows = []
    for k, group in enumerate(error.groups):
        expected = None if theory is None else float(theory[k])
        rows.append(FigureRow(name, f"test error, output {group}", expected, float(error.total[k]), errors[k]))
        rows.append(FigureRow(name, f"test error of the Gaussian process, output {group}", float(beside[k])))
    return rows


def _panel(
    name: str, run: Run, prediction: Prediction | None, process: Prediction, kernel: Float[np.ndarray, "P_test P_test"]
) -> xarray.Dataset:
    dataset, _ = held_out_dataset(run, kernel)
    errors = {
        "samples": sampled_error(run),
        "theory": None if prediction is None else prediction.generalization_error(),
        "Gaussian process": process.generalization_error(),
    }
    return dataset.assign(error_variables(errors, run.task.m)).assign_attrs(title=_TITLES[name], N0=run.task.N0)


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots
    from nonlazy.plots import error_bars

    figure = Figure(figsize=(7.0, _HEIGHT), dpi=200, facecolor="white")
    for row, name in enumerate(one for one in DATA if one in panels.children):
        data = panels[name].to_dataset()
        bottom = (2.4 - 1.98 * row) / _HEIGHT
        height = 1.3 / _HEIGHT
        labels, test_labels = data["label"].values, data["test_label"].values
        scheme = detect(
            data["activation"].values, labels, activation=rule_of("sigmoid"), reference=data["untrained"].values
        )
        training = figure.add_axes((0.1, bottom, 0.165, height))
        plots.activation_raster(training, data["activation"].values, labels, scheme, bar=False)
        test = figure.add_axes((0.285, bottom, 0.165, height))
        plots.activation_raster(test, data["test_activation"].values, test_labels, scheme, strip=False, test=True)
        matrix = figure.add_axes((0.565, bottom, height * _HEIGHT / 7.0, height))
        plots.kernel(matrix, data["test_kernel"].values, test_labels, test=True)
        bars = figure.add_axes((0.865, bottom, 0.13, height))
        kinds = {
            str(kind): (data["bias2"].values[k], data["variance"].values[k])
            for k, kind in enumerate(data["kind"].values)
            if np.isfinite(data["bias2"].values[k]).all()
        }
        error_bars(bars, kinds, [str(c) for c in range(data.sizes["out"])])
        figure.text(0.03, bottom + height + 0.1 / _HEIGHT, f"{data.attrs['title']} ({_words(data)})", fontsize=7)
        figure.text(0.008, bottom + height + 0.1 / _HEIGHT, "ab"[row], fontsize=8, weight="bold")
    _legend(figure)
    return figure


def _words(data: xarray.Dataset) -> str:
    """Sizes, and the names of classes that are not their numbers."""
    sizes = f"P = {data.sizes['input']}, N0 = {data.attrs['N0']}, N = {data.sizes['neuron']}"
    named = [f"{c}: {one}" for c, one in enumerate(data.attrs["classes"]) if str(one) != str(c)]
    return "; ".join([*([", ".join(named)] if named else []), sizes])


def _legend(figure: Any) -> None:
    from matplotlib.patches import Patch

    from nonlazy.plots import error_colour

    kinds = ("samples", "theory", "Gaussian process")
    bars = [Patch(color=error_colour(kind, k), label=kind) for k, kind in enumerate(kinds)]
    figure.legend(
        handles=[*bars, Patch(color="0.5", alpha=0.35, label="variance")], loc="lower right",
        bbox_to_anchor=(0.995, 0.0), fontsize=6, ncols=4, frameon=False, handlelength=1.2, columnspacing=1.0,
        borderaxespad=0.1,
    )  # fmt: skip


S_REAL_DATA = FigureDefinition(
    name="s-real-data",
    title="Real data: projected digits and few photographs",
    summary="Codes with more inputs than input numbers; and codes that three classes of CIFAR-10 lose on test images.",
    seconds=100.0,
    quick_seconds=28.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
