"""Figure 3: activations and kernels of three layers, three activation functions."""

from collections.abc import Mapping

import numpy as np
import xarray

from nonlazy.codes import CodingScheme
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition
from nonlazy.figures._reading import comparison_rows, layer_dataset, sizes, unconverged
from nonlazy.figures._statistics import (
    block_contrast,
    block_deviation,
    excess_kurtosis,
    fluctuation,
    layer_scheme,
    level_gap,
    mean_shares,
    outliers,
    outlying,
    relative_fluctuation,
    shared_codes,
)
from nonlazy.figures.paper._figure3_picture import draw
from nonlazy.figures.paper._figure3_rows import (
    LAYERS,
    LEAST,
    NETWORKS,
    START_DEPENDENT,
    code_rows,
    contrast_rows,
    kernel_rows,
    limit_shares,
    notes,
    outlier_rows,
    theory_contrast,
)
from nonlazy.sampling import Run
from nonlazy.theory import LinearPrediction, Prediction, solve


ONE_LAYER = "-one-layer"


def experiments(quick: bool) -> dict[str, Experiment]:
    names = [*NETWORKS, *(name + ONE_LAYER for name in NETWORKS)]
    loaded = {name: load(f"figure3-{name}") for name in names}
    return {name: one.quick() if quick else one for name, one in loaded.items()}


def read(runs: Mapping[str, Run]) -> FigureData:
    schemes = {name: [_schemes(runs[name], layer) for layer in LAYERS] for name in NETWORKS}
    single = {name: _schemes(runs[name + ONE_LAYER], 0) for name in NETWORKS}
    contrasts = {name: _contrasts(runs[name]) for name in NETWORKS}
    linear = solve(runs["linear"].posterior)
    assert isinstance(linear, LinearPrediction)
    deep, why_not = _deep_theory(runs["sigmoid"])
    theory = {"linear": linear, "sigmoid": deep, "relu": None}
    table = [row for name in NETWORKS for row in contrast_rows(name, runs[name], contrasts[name], theory[name])]
    table += comparison_rows("linear", runs["linear"], linear)
    table += kernel_rows(runs["linear"], linear)
    table += code_rows(schemes["sigmoid"], runs["sigmoid"], deep)
    single_rows = comparison_rows("sigmoid" + ONE_LAYER, runs["sigmoid" + ONE_LAYER])
    table += [row for row in single_rows if row.quantity.startswith("share of ")]
    table += outlier_rows(runs["relu"], schemes["relu"])
    measured = _kernels(contrasts) | _linear(runs["linear"], linear)
    measured |= _sigmoid(runs["sigmoid"], schemes["sigmoid"], runs["sigmoid" + ONE_LAYER])
    measured |= _relu(runs["relu"], schemes["relu"])
    measured["31.sigmoid"] = shared_codes(mean_shares(schemes["sigmoid"][-1]), mean_shares(single["sigmoid"]), LEAST)
    measured["31.kinds"] = float(sum(_alike(schemes[name][-1], single[name]) for name in NETWORKS))
    panels = {
        name: _panels(runs[name], schemes[name], contrasts[name], theory[name], deep_shares=limit_shares(runs[name]))
        for name in NETWORKS
    }
    tree = xarray.DataTree.from_dict(panels)
    tree.attrs = {"sizes": sizes({name: runs[name] for name in NETWORKS})}
    said = notes(runs, schemes, single, why_not)
    # Chains that depend on their start do not agree: that is a result, told in the notes.
    settled = {name: run for name, run in runs.items() if name not in START_DEPENDENT}
    return FigureData(tree, tuple(table), measured, said, unconverged(settled))


def _schemes(run: Run, layer: int) -> list[CodingScheme]:
    return [layer_scheme(run, layer=layer, chain=chain) for chain in range(run.chains)]


def _contrasts(run: Run) -> np.ndarray:
    """Block contrast of the mean kernel of each chain and layer, `(chain, layer)`."""
    labels = run.task.labels
    return np.array(
        [
            [block_contrast(np.asarray(run.kernel(layer, chain), dtype=np.float64), labels) for layer in LAYERS]
            for chain in range(run.chains)
        ]
    )


def _deep_theory(run: Run) -> tuple[Prediction | None, str]:
    """The theory of the deep sigmoidal network, or why there is none; not at the quick size, where it takes longer."""
    if str(run.provenance.get("experiment") or "").endswith("-quick"):
        return None, "the theory of three sigmoidal layers takes a minute or two: it is left to the full size"
    try:
        return solve(run.posterior), ""
    except (InvalidInput, TheoryError) as error:
        return None, str(error)


def _kernels(contrasts: Mapping[str, np.ndarray]) -> dict[str, float]:
    means = {name: found.mean(axis=0) for name, found in contrasts.items()}
    return {
        "7.grows": float(sum((np.diff(found) > 0).all() for found in means.values())),
        "7.last": float(min(found[-1] for found in means.values())),
        "7.linear-first": float(means["linear"][0] / means["linear"][-1]),
    }


def _linear(run: Run, prediction: LinearPrediction) -> dict[str, float]:
    readouts, labels = np.asarray(run.readouts(), dtype=np.float64), run.task.labels
    covariance = np.einsum("cdir,cdis->rs", readouts, readouts) / np.prod(readouts.shape[:3])
    expected = np.asarray(prediction.readout_covariance)
    kurtoses = []
    for layer in LAYERS[:-1]:
        z = np.stack(
            [
                np.asarray(run.preactivations(layer, draw, chain), dtype=np.float64)
                for chain in range(run.chains)
                for draw in run.kept_draws
            ]
        )
        # Classes apart, as their variances differ.
        kurtoses += [excess_kurtosis(z[..., labels == c].ravel()) for c in np.unique(labels)]
    return {
        "10.covariance": float(np.abs(covariance - expected).max() / np.abs(expected).max()),
        "10.kernels": max(
            block_deviation(
                np.asarray(run.kernel(layer), dtype=np.float64),
                np.asarray(prediction.kernel(run.task.X, layer=layer + 1)),
                labels,
                run.task.classes,
            )
            for layer in LAYERS
        ),
        "30.linear": max(map(abs, kurtoses)),
    }


def _sigmoid(run: Run, layers: list[list[CodingScheme]], single: Run) -> dict[str, float]:
    labels = run.task.labels
    gaps = [np.mean([level_gap(_last(run, layer, chain), labels) for chain in range(run.chains)]) for layer in LAYERS]
    redundant = [all(scheme.kind == "redundant" for scheme in found) for found in layers]
    number = [sum(share > LEAST for share in mean_shares(found).values()) for found in layers]
    deep, shallow = (
        np.mean([fluctuation(_last(one, -1, chain), labels) for chain in range(one.chains)]) for one in (run, single)
    )
    return {
        "8.layers": float(sum(redundant)),
        "8.sharpening": float(min(gaps[1] / gaps[0], gaps[2] / gaps[1])),
        "8.first": float(number[0]),
        "8.second": float(number[1]),
        "8.third": float(number[2]),
        "8.depth": float(deep / shallow),
        "30.sigmoid": float(sum(redundant[:-1])),
    }


def _relu(run: Run, layers: list[list[CodingScheme]]) -> dict[str, float]:
    labels, readouts = run.task.labels, run.readouts()
    first, last = (
        np.nanmean(
            [
                relative_fluctuation(_last(run, layer, chain)[outlying(layers[layer][chain])], labels)
                for chain in range(run.chains)
            ]
            or [np.nan]
        )
        for layer in (LAYERS[0], LAYERS[-1])
    )
    return {
        "9.first": float(np.mean([len(outlying(scheme)) for scheme in layers[0]])),
        "9.second": float(np.mean([len(outlying(scheme)) for scheme in layers[1]])),
        "9.third": float(outliers(readouts).sum(axis=2).mean()),
        "9.sharpening": float(last / first),
    }


def _last(run: Run, layer: int, chain: int) -> np.ndarray:
    """Activations of a layer in the last draw that was kept."""
    return np.asarray(run.activations(layer, run.kept_draws[-1], chain), dtype=np.float64)


def _alike(deep: list[CodingScheme], single: list[CodingScheme]) -> bool:
    kinds = {scheme.kind for scheme in deep} | {scheme.kind for scheme in single}
    return len(kinds) == 1


def _panels(
    run: Run,
    layers: list[list[CodingScheme]],
    contrasts: np.ndarray,
    prediction: Prediction | None,
    deep_shares: Mapping[str, float],
) -> xarray.Dataset:
    shown = [layer_dataset(run, layer=layer) for layer in LAYERS]
    stacked = {
        name: (("layer", "neuron", "input"), np.stack([one[name].values for one in shown]))
        for name in ("activation", "untrained")
    }
    names = list(mean_shares(layers[-1]))
    codes = getattr(prediction, "codes", None)
    theory = deep_shares if codes is None else dict(zip(codes.names, map(float, codes.fraction), strict=True))
    contrast_theory = [theory_contrast(run, prediction, layer) for layer in LAYERS]
    shares = [[mean_shares([scheme]).get(name, 0.0) for name in names] for scheme in layers[-1]]
    return xarray.Dataset(
        {
            **stacked,
            "kernel": (
                ("layer", "input", "other_input"),
                np.stack([np.asarray(run.kernel(layer, 0), dtype=np.float64) for layer in LAYERS]),
            ),
            "label": shown[0]["label"],
            "contrast": (("chain", "layer"), contrasts),
            "contrast_theory": (("layer",), np.array([np.nan if v is None else v for v in contrast_theory])),
            "outliers": (
                ("chain", "layer"),
                np.array([[len(outlying(scheme[chain])) for scheme in layers] for chain in range(run.chains)]),
            ),
            "share": (("chain", "code"), np.array(shares).reshape(run.chains, len(names))),
            "share_theory": (("code",), np.array([theory.get(name, np.nan) for name in names])),
        },
        coords={"code": np.array(names, dtype=object)},
        attrs={"theory": "large P" if codes is None else "theory"},
    )


FIGURE_3 = FigureDefinition(
    name="3",
    title="Three layers: activations and kernels",
    summary="What is learned grows from layer to layer in linear, sigmoidal and ReLU networks.",
    seconds=450.0,
    quick_seconds=50.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
