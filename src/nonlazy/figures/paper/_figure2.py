"""Figure 2: readouts, activations and outputs of one posterior sample, three activation functions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from nonlazy.codes import CodingScheme, detect
from nonlazy.experiments import Experiment
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import comparison_rows, layer_dataset, sizes, unconverged
from nonlazy.figures._report import rule_of
from nonlazy.figures._statistics import (
    block_contrast,
    class_means,
    excess_kurtosis,
    fluctuation,
    layer_scheme,
    outliers,
)
from nonlazy.figures.paper._figure2_column import figure2_experiment
from nonlazy.sampling import Run


COLUMNS = ("linear", "sigmoid", "relu")
_TITLES = {"linear": "linear: analog", "sigmoid": "sigmoidal: redundant", "relu": "ReLU: sparse"}
_PAPER = {"share of 1-1-1": "a small fraction", "outliers": "3, one a class"}
_HEIGHT = 2.75  # inches, of one row


def experiments(quick: bool) -> dict[str, Experiment]:
    return {activation: figure2_experiment(activation, quick) for activation in COLUMNS}


def read(runs: Mapping[str, Run]) -> FigureData:
    schemes = {name: [layer_scheme(run, chain=chain) for chain in range(run.chains)] for name, run in runs.items()}
    table: list[FigureRow] = []
    for name, run in runs.items():
        table += comparison_rows(name, run, paper=_PAPER)
    measured = _linear(runs["linear"], schemes["linear"])
    measured |= _sigmoid(runs["sigmoid"], schemes["sigmoid"])
    measured |= _relu(runs["relu"], schemes["relu"])
    measured["6.outputs"] = max(_output_error(run) for run in runs.values())
    panels = {name: layer_dataset(run).assign_attrs(sizes=sizes({name: run})) for name, run in runs.items()}
    return FigureData(xarray.DataTree.from_dict(panels), tuple(table), measured, warnings=unconverged(runs))


def _output_error(run: Run) -> float:
    """Root mean square deviation of the mean outputs from the targets, over y+ - y-."""
    Y = run.task.Y
    return float(np.sqrt(((run.mean_outputs().mean(axis=0) - Y) ** 2).mean()) / (Y.max() - Y.min()))


def _linear(run: Run, schemes: list[CodingScheme]) -> dict[str, float]:
    readouts = run.readouts()
    return {
        "3.kurtosis": max(abs(excess_kurtosis(readouts[..., r].ravel())) for r in range(readouts.shape[-1])),
        "3.analog": float(np.mean([scheme.kind == "analog" for scheme in schemes])),
    }


def _sigmoid(run: Run, schemes: list[CodingScheme]) -> dict[str, float]:
    labels, shares = run.task.labels, {}
    signs, fluctuations, collapse, angles = [], [], [], []
    for chain, scheme in enumerate(schemes):
        readouts = run.readouts()[chain, run.kept_draws[-1]]
        activations = np.asarray(run.activations(draw=run.kept_draws[-1], chain=chain), dtype=np.float64)
        for index, code in enumerate(scheme.codes):
            name = scheme.code_name(index)
            shares[name] = shares.get(name, 0.0) + float(scheme.fractions[index]) / len(schemes)
            mean = readouts[scheme.neuron_codes == index].mean(axis=0)
            signs += list((mean > 0) == np.asarray(code, dtype=bool))
        fluctuations.append(fluctuation(activations, labels))
        collapse.append(_scatter_ratio(activations, labels))
        angles.append(_angle_spread(activations, labels))
    major = [shares.get(name, 0.0) for name in ("1-1-0", "1-0-1", "0-1-1")]
    return {
        "4.major": min(major),
        "4.minor": shares.get("1-1-1", 0.0),
        "4.total": sum(major) + shares.get("1-1-1", 0.0),
        "4.signs": float(np.mean(signs)),
        "4.fluctuations": float(np.mean(fluctuations)),
        "26.sigmoid-variability": min(collapse),
        "26.sigmoid-angles": max(angles),
    }


def _relu(run: Run, schemes: list[CodingScheme]) -> dict[str, float]:
    labels, readouts = run.task.labels, run.readouts()
    signs, contrasts, fluctuations, collapse, angles, codes = [], [], [], [], [], []
    for chain, _ in enumerate(schemes):
        activations = np.asarray(run.activations(draw=run.kept_draws[-1], chain=chain), dtype=np.float64)
        weights = readouts[chain, run.kept_draws[-1]]
        large = outliers(weights)
        means = class_means(activations[large], labels)
        own = means.argmax(axis=1)
        signs += [(weights[large][k] > 0) == (np.arange(weights.shape[1]) == c) for k, c in enumerate(own)]
        bulk = activations[~large]
        contrasts.append(abs(block_contrast(bulk.T @ bulk / len(bulk), labels)))
        for k, c in enumerate(own):
            active = activations[large][k, labels == c]
            fluctuations.append(active.std() / active.mean())
        collapse.append(_scatter_ratio(activations, labels))
        angles.append(_angle_spread(activations, labels))
        active = {tuple(row) for row in means > 0.5 * means.max(axis=1, keepdims=True)}
        codes.append(len(active) + 1 - int(large.sum()))
    return {
        "5.outliers": float(outliers(readouts).sum(axis=2).mean()),
        "5.signs": float(np.mean(signs)) if signs else float("nan"),
        "5.bulk": max(contrasts),
        "5.fluctuations": float(max(fluctuations)) if fluctuations else float("nan"),
        "26.relu-variability": min(collapse),
        "26.relu-angles": max(angles),
        "32.codes": float(np.mean(codes)),
    }


def _scatter_ratio(activations: np.ndarray, labels: np.ndarray) -> float:
    """tr S_W / tr S_B: fluctuations within classes over the scatter of the class means, classes of equal weight."""
    means = class_means(activations, labels)
    within = np.mean([activations[:, labels == c].var(axis=1).sum() for c in np.unique(labels)])
    return float(within / means.var(axis=1).sum())


def _angle_spread(activations: np.ndarray, labels: np.ndarray) -> float:
    """Standard deviation of the cosines between the centred class means: 0 for equal angles."""
    centred = class_means(activations, labels)
    centred = centred - centred.mean(axis=1, keepdims=True)
    unit = centred / np.linalg.norm(centred, axis=0)
    return float((unit.T @ unit)[np.triu_indices(unit.shape[1], 1)].std())


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    figure = Figure(figsize=(7.0, _HEIGHT * len(panels.children)), dpi=200, facecolor="white")
    rows = np.ravel(np.asarray(figure.subfigures(len(panels.children), 1), dtype=object))
    for place, (row, (name, node)) in enumerate(zip(rows, panels.children.items(), strict=True)):
        data = node.to_dataset()
        labels = data["label"].values
        scheme = detect(data["activation"].values, labels, activation=rule_of(name), reference=data["untrained"].values)
        plots.layer(
            row,
            data["readout"].values,
            data["activation"].values,
            labels,
            data["output"].values,
            data["target"].values,
            scheme,
            title=_TITLES[name],
            footnote=f"{node.attrs['sizes']}; L = 1, m = {data.sizes['out']}. Draw {node.attrs['draw'] + 1} of chain 0",
            letters="abcdefghi"[3 * place : 3 * place + 3],
        )
    return figure


FIGURE_2 = FigureDefinition(
    name="2",
    title="Three activation functions, three coding schemes",
    summary="Readouts, activations and outputs of one posterior sample of a linear, a sigmoidal and a ReLU network.",
    seconds=100.0,
    quick_seconds=45.0,
    experiments=experiments,
    read=read,
    draw=draw,
    reports=True,
)
