"""Figure 7: ten classes of photographs and two hidden layers; codes on training images and on test images."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray

from nonlazy.codes import detect
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import accuracy, held_out, sampled_error, unconverged
from nonlazy.figures._report import rule_of, untrained_layer
from nonlazy.figures._statistics import layer_contrast, layer_scheme, level_gap
from nonlazy.figures.paper._figure7_size import check_device
from nonlazy.sampling import Run


LAYERS = {"feature": -1, "first": 0}
_INPUTS, _NEURONS = 1000, 100
_HEIGHT = 4.6  # inches
_WORDS = {"feature": "feature layer", "first": "first layer"}


def experiments(quick: bool) -> dict[str, Experiment]:
    experiment = load("figure7")
    return {"cifar": experiment.quick() if quick else experiment}


def full_experiments(quick: bool) -> dict[str, Experiment]:
    experiment = load("figure7-full")
    if quick:
        return {"cifar": experiment.quick()}
    check_device(experiment)
    return {"cifar": experiment}


def read(runs: Mapping[str, Run]) -> FigureData:
    """At sizes for CPUs: what the paper's own size decides is left out of what was measured."""
    return _read(runs, full=False)


def read_full(runs: Mapping[str, Run]) -> FigureData:
    return _read(runs, full=True)


def _read(runs: Mapping[str, Run], full: bool) -> FigureData:
    run = runs["cifar"]
    task = run.task
    labels_test = held_out(task)[2]
    kinds = [layer_scheme(run, draw=draw, chain=c).kind for c in range(run.chains) for draw in run.kept_draws]
    redundant = float(np.mean([kind == "redundant" for kind in kinds]))
    gaps = {layer: _over_draws(run, k, level_gap) for layer, k in LAYERS.items()}
    contrasts = {layer: _over_draws(run, k, layer_contrast) for layer, k in LAYERS.items()}
    right = accuracy(run.mean_outputs(test=True).mean(axis=0), labels_test)
    measured = {"18.redundant": redundant, "18.test-gap": gaps["feature"][1] / gaps["feature"][0]}
    if full:
        measured |= {"18.accuracy": right, "33.redundant": redundant}
    error, scheme = sampled_error(run), layer_scheme(run)
    loss = np.asarray(run.statistics()["loss"].values, dtype=np.float64) / task.P
    at = f"at P = {task.P:,}, N = {run.posterior.network.width:,}"
    table = [
        FigureRow("cifar", "draws whose feature layer reads redundant, as a share", None, redundant, None, "redundant"),
        *(FigureRow("cifar", f"{_WORDS[layer]}: level gap on {which} inputs", None, gaps[layer][k], None,
                    "carries over to varying degree" if (layer, k) == ("feature", 1) else "")
          for layer in LAYERS for k, which in enumerate(("training", "test"))),
        *(FigureRow("cifar", f"{_WORDS[layer]}: block contrast of the kernel on {which} inputs", None,
                    contrasts[layer][k])
          for layer in LAYERS for k, which in enumerate(("training", "test"))),
        FigureRow("cifar", "feature layer: different codes in the last draw", None, float(len(scheme.codes))),
        FigureRow("cifar", "feature layer: effective number of codes", None, float(scheme.effective_codes)),
        FigureRow("cifar", f"training accuracy {at}", None,
                  accuracy(run.mean_outputs().mean(axis=0), task.labels)),
        FigureRow("cifar", f"test accuracy {at}", None, right, None, "0.45 at P = 50,000, N = 1,000"),
        FigureRow("cifar", "training loss over P", None, float(loss.mean())),
        FigureRow("cifar", "test error, mean over outputs", None, float(error.total.mean())),
    ]  # fmt: skip
    notes = () if full else (
        f"this is {at}: the paper has P = 50,000, N = 1,000, which needs a GPU (experiment figure7-full); its test "
        "accuracy and the claims that need that size are not judged here",
    )  # fmt: skip
    panels = {"cifar": _panel(run)}
    return FigureData(xarray.DataTree.from_dict(panels), tuple(table), measured, notes, unconverged(runs))


def _over_draws(run: Run, layer: int, statistic: Callable[..., float]) -> tuple[float, float]:
    """A statistic of a layer's activations and labels, on training and on test inputs: mean over the draws kept in
    full."""
    found = []
    for test, labels in ((False, run.task.labels), (True, held_out(run.task)[2])):
        each = [
            statistic(np.asarray(run.activations(layer, draw, chain, test=test), dtype=np.float64), labels)
            for chain in range(run.chains)
            for draw in run.kept_draws
        ]
        found.append(float(np.mean(each)))
    return found[0], found[1]


def _panel(run: Run) -> xarray.Dataset:
    """Both layers of the last draw of chain 0, on as many inputs as a picture can show."""
    task, kept = run.task, run.kept_draws[-1]
    labels_test = held_out(task)[2]
    shown, test = (
        np.unique(np.linspace(0, n - 1, min(n, _INPUTS)).round().astype(int)) for n in (task.P, len(labels_test))
    )
    parts: dict[str, tuple] = {
        "label": (("input",), task.labels[shown]),
        "test_label": (("test_input",), labels_test[test]),
        "output": (("class", "out"), _by_class(run.mean_outputs().mean(axis=0), task.labels, task.classes)),
        "test_output": (
            ("class", "out"), _by_class(run.mean_outputs(test=True).mean(axis=0), labels_test, task.classes)
        ),
    }  # fmt: skip
    for layer, k in LAYERS.items():
        own = np.asarray(run.activations(k, kept), dtype=np.float32)[:, shown]
        parts[f"{layer}_activation"] = (("neuron", "input"), own)
        parts[f"{layer}_untrained"] = (("neuron", "input"), untrained_layer(run.posterior, k)[:, shown])
        others = np.asarray(run.activations(k, kept, test=True), dtype=np.float32)[:, test]
        parts[f"{layer}_test_activation"] = (("neuron", "test_input"), others)
    return xarray.Dataset(
        parts, attrs={"posterior": str(run.posterior), "classes": list(task.class_names), "P": task.P,
                      "N": run.posterior.network.width}
    )  # fmt: skip


def _by_class(outputs: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Mean outputs on the inputs of each class; NaN for a class without inputs."""
    means = np.full((classes, outputs.shape[1]), np.nan)
    for c in range(classes):
        if (labels == c).any():
            means[c] = outputs[labels == c].mean(axis=0)
    return means


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots
    from nonlazy.plots import class_outputs

    figure = Figure(figsize=(7.0, _HEIGHT), dpi=200, facecolor="white")
    node = panels["cifar"]
    data, names = node.to_dataset(), [str(name) for name in node.attrs["classes"]]
    for row, (layer, words) in enumerate(_WORDS.items()):
        bottom, height = (2.52 - 2.15 * row) / _HEIGHT, 1.6 / _HEIGHT
        N = data.sizes["neuron"]
        # Evenly chosen: the most active neurons would be those whose codes have many classes.
        neurons = np.unique(np.linspace(0, N - 1, min(N, _NEURONS)).round().astype(int))
        activations, test_activations, untrained = (
            data[f"{layer}_{name}"].values.astype(float)[neurons]
            for name in ("activation", "test_activation", "untrained")
        )
        labels = data["label"].values
        scheme = detect(activations, labels, activation=rule_of("sigmoid"), reference=untrained)
        for left, values, which, test in (
            (0.06, activations, labels, False),
            (0.297, test_activations, data["test_label"].values, True),
        ):
            axes = figure.add_axes((left, bottom, 0.218, height))
            plots.activation_raster(axes, values, which, scheme, strip=False, bar=test, test=test)
            if not test:
                axes.set_ylabel(f"{words}: {len(neurons)} neurons, by code", fontsize=7)
        figure.text(0.008, bottom + height + 0.08 / _HEIGHT, "ab"[row], fontsize=8, weight="bold", va="center")
        matrix = figure.add_axes((0.718, bottom + 0.125 / _HEIGHT, 1.35 / 7.0, 1.35 / _HEIGHT))
        class_outputs(matrix, data["test_output" if row else "output"].values, names, test=bool(row))
        figure.text(0.622, bottom + height + 0.08 / _HEIGHT, "cd"[row], fontsize=8, weight="bold", va="center")
    figure.text(
        0.008, 0.985, f"CIFAR-10, all ten classes: P = {node.attrs['P']:,}, N = {node.attrs['N']:,} (the paper: "
        f"P = 50,000, N = 1,000)", fontsize=8, va="top",
    )  # fmt: skip
    figure.text(0.008, 0.02 / _HEIGHT, f"{node.attrs['posterior']}", fontsize=4.9, va="bottom", color="0.35")
    return figure


FIGURE_7 = FigureDefinition(
    name="7",
    title="Ten classes of photographs",
    summary="CIFAR-10 and two hidden layers: codes on training and on test images, at P = 1,000, N = 200.",
    seconds=110.0,
    quick_seconds=20.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
FIGURE_7_FULL = FigureDefinition(
    name="7-full",
    title="Ten classes of photographs, the paper's size",
    summary="CIFAR-10, the whole training set, N = 1,000: needs a GPU; not one of all.",
    seconds=7200.0,
    quick_seconds=20.0,
    experiments=full_experiments,
    read=read_full,
    draw=draw,
    on_request=True,
)
