"""Figure 5: two hidden layers; codes that stay in the feature layer, and switch in the first while shares stay."""

from collections.abc import Mapping

import numpy as np
import xarray
from jaxtyping import Float, Int

from nonlazy.codes import switching
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import unconverged
from nonlazy.figures._report import untrained_layer
from nonlazy.figures._statistics import (
    class_means_over_time,
    code_name_of,
    code_numbers,
    code_shares_of,
    drift_of_shares,
    kept_outliers,
    layer_scheme,
    same_code,
)
from nonlazy.figures.paper._figure5_picture import draw
from nonlazy.sampling import Run
from nonlazy.theory import DeepSigmoidalPrediction, solve


STARTS = ("continuation", "quench", "planted")
LAYERS = {"feature": -1, "first": 0}
# Close to the theory's shares at this task.
_PLANTED = {
    "kind": "planted",
    "codes": [[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]],
    "fractions": [0.26, 0.26, 0.25, 0.23],
}


def experiments(quick: bool) -> dict[str, Experiment]:
    sigmoid, relu = load("figure5-sigmoid"), load("figure5-relu")
    if quick:
        sigmoid, relu = sigmoid.quick(), relu.quick()
    return {
        "continuation": sigmoid,
        "quench": _from(sigmoid, "quench", {"start": "prior"}),
        "planted": _from(sigmoid, "planted", {"start": _PLANTED, "chains": 1}),
        "relu": relu,
    }


def _from(experiment: Experiment, start: str, sampling: dict) -> Experiment:
    about = {"name": f"{experiment.name}-{start}", "title": f"{experiment.about.title}, {start}"}
    return experiment.changed({"experiment": about, "sampling": sampling})


def read(runs: Mapping[str, Run]) -> FigureData:
    starts = [name for name in STARTS if name in runs]
    classes = runs[starts[0]].task.classes
    numbers = {
        name: {layer: code_numbers(class_means_over_time(runs[name], k)) for layer, k in LAYERS.items()}
        for name in starts
    }
    prediction = _solved(runs[starts[0]])
    kept = {layer: [same_code(c) for name in starts for c in numbers[name][layer]] for layer in LAYERS}
    drift = [drift_of_shares(c, classes) for name in starts for c in numbers[name]["first"]]
    relu = _relu_kept(runs["relu"])
    measured = {
        "14.feature": min(kept["feature"]),
        "14.first": max(kept["first"]),
        "14.population": max(drift),
        "29.relu": relu,
        "29.sigmoid": max(kept["first"]),
    }
    table: list[FigureRow] = []
    for name in starts:
        table += _rows(name, numbers[name], classes, prediction, runs[name])
    table.append(
        FigureRow("relu", "first layer: outliers with the same code in first and last draw", None, relu, paper="all")
    )
    panels = {name: _panel(runs[name], numbers[name], prediction) for name in starts}
    panels["relu"] = _relu_panel(runs["relu"])
    return FigureData(
        xarray.DataTree.from_dict(panels),
        tuple(table),
        measured,
        # Chains that froze apart are what the figure shows of the sigmoidal network, no failure of it.
        (
            *_notes(prediction, _by_chance(numbers, classes)),
            *unconverged({name: runs[name] for name in starts if runs[name].chains > 1}),
        ),
        unconverged({"relu": runs["relu"]}),
    )


def _solved(run: Run) -> DeepSigmoidalPrediction | None:
    try:
        prediction = solve(run.posterior)
    except (InvalidInput, TheoryError):
        return None
    return prediction if isinstance(prediction, DeepSigmoidalPrediction) else None


def _theory_shares(
    prediction: DeepSigmoidalPrediction | None, layer: int, classes: int
) -> Float[np.ndarray, " codes"] | None:
    if prediction is None:
        return None
    found, shares = prediction.layer_codes(layer if layer < 0 else layer + 1), np.zeros(2**classes)
    for active, fraction in zip(found.active, found.fraction, strict=True):
        shares[int(code_numbers(np.asarray(active, dtype=np.float64)))] += fraction
    return shares


def _rows(
    name: str,
    numbers: Mapping[str, Int[np.ndarray, "chains kept N"]],
    classes: int,
    prediction: DeepSigmoidalPrediction | None,
    run: Run,
) -> list[FigureRow]:
    rows = []
    for layer, k in LAYERS.items():
        codes = numbers[layer]
        found = switching(codes)
        between = int(np.median(np.diff(run.kept_draws)))
        told = "kept" if layer == "feature" else "changed by many"
        rows += [
            FigureRow(name, f"{layer} layer: neurons with the same code in first and last draw", None,
                      float(np.mean([same_code(c) for c in codes])), paper=told),
            FigureRow(name, f"{layer} layer: switches a neuron in {between} iterations", None, found.rate),
            FigureRow(name, f"{layer} layer: total variation of shares, first to last quarter", None,
                      max(drift_of_shares(c, classes) for c in codes), paper="preserved"),
        ]  # fmt: skip
        shares = code_shares_of(codes, classes).mean(axis=1)
        theory = _theory_shares(prediction, k, classes)
        for code in range(2**classes - 1, -1, -1):
            expected = None if theory is None else float(theory[code])
            if shares[:, code].max() > 0.01 or (expected or 0.0) > 0.01:
                # Chains freeze with shares of their own: their spread is no Monte Carlo error.
                spread = float(shares[:, code].std(ddof=1)) if len(shares) > 1 else None
                quantity = f"{layer} layer: share of {code_name_of(code, classes)} (error: spread of chains)"
                rows.append(FigureRow(name, quantity, expected, float(shares[:, code].mean()), spread))
    return rows


def _panel(
    run: Run, numbers: Mapping[str, Int[np.ndarray, "chains kept N"]], prediction: DeepSigmoidalPrediction | None
) -> xarray.Dataset:
    """Both layers of chain 0 at its first and last kept draw, its codes in all of these, and every chain's shares."""
    classes = run.task.classes
    parts: dict[str, tuple] = {"label": (("input",), run.task.labels)}
    for layer, k in LAYERS.items():
        ends = [run.activations(k, draw) for draw in (run.kept_draws[0], run.kept_draws[-1])]
        parts[f"{layer}_activation"] = (("end", "neuron", "input"), np.asarray(ends, dtype=np.float32))
        parts[f"{layer}_code"] = (("draw", "neuron"), numbers[layer][0])
        parts[f"{layer}_share"] = (("chain", "code"), code_shares_of(numbers[layer], classes).mean(axis=1))
        theory = _theory_shares(prediction, k, classes)
        parts[f"{layer}_theory"] = (("code",), np.full(2**classes, np.nan) if theory is None else theory)
    return xarray.Dataset(
        parts,
        coords={"draw": _times(run), "code": [code_name_of(code, classes) for code in range(2**classes)]},
        attrs={"posterior": str(run.posterior), "classes": list(run.task.class_names)},
    )


def _times(run: Run) -> Float[np.ndarray, " kept"]:
    """Iterations of HMC after the warm-up at which draws were kept in full."""
    return (np.asarray(run.kept_draws, dtype=np.float64) + 1) * run.configuration.get("thin", 1)


def _relu_kept(run: Run) -> float:
    """The smallest share of first-layer outliers that keep their code, of any chain."""
    found = []
    for chain in range(run.chains):
        first, last = (layer_scheme(run, layer=0, draw=draw, chain=chain) for draw in (run.kept_draws[0], -1))
        found.append(kept_outliers(first, last))
    return float(np.min(found))


def _relu_panel(run: Run) -> xarray.Dataset:
    """Codes of the first layer's outliers over time, -1 for a neuron that is none, and activations at the end."""
    codes = []
    for kept in run.kept_draws:
        scheme = layer_scheme(run, layer=0, draw=kept)
        active = np.vstack([scheme.codes, np.zeros((1, run.task.classes), dtype=bool)])
        number = code_numbers(active.astype(np.float64))
        codes.append(np.where(scheme.neuron_codes >= 0, number[scheme.neuron_codes], -1))
    return xarray.Dataset(
        {
            "first_code": (("draw", "neuron"), np.array(codes)),
            "first_activation": (("neuron", "input"), np.asarray(run.activations(0), dtype=np.float32)),
            "untrained": (("neuron", "input"), untrained_layer(run.posterior, 0)),
            "label": (("input",), run.task.labels),
        },
        coords={"draw": _times(run)},
        attrs={"posterior": str(run.posterior), "classes": list(run.task.class_names)},
    )


def _by_chance(numbers: Mapping[str, Mapping[str, Int[np.ndarray, "chains kept N"]]], classes: int) -> float:
    """Mean total variation between the first layer's shares in two draws of independent neurons, at most of any start:
    half the sum over codes of the mean size of the difference, a Gaussian of variance 2 p (1 - p) / N."""
    found = []
    for layers in numbers.values():
        p = code_shares_of(layers["first"], classes).mean(axis=(0, 1))
        found.append(np.sqrt(p * (1 - p) / (np.pi * layers["first"].shape[-1])).sum())
    return float(max(found))


def _notes(prediction: DeepSigmoidalPrediction | None, chance: float) -> tuple[str, ...]:
    notes = (
        f"shares in two draws of independent neurons would have a total variation of {chance:.2f} by chance",
        "shares of the codes in the feature layer depend on the start and stay as a chain froze; the planted ones are "
        "put in by hand. Each chain's own are in the table, and in the picture",
        "sampling time is that of Hamiltonian Monte Carlo, in iterations of trajectory length 1 (2 for ReLU), not of "
        "Langevin dynamics",
        "claims are judged on the chain that speaks most against them, of all starts",
    )
    return notes if prediction is not None else (*notes, "no theory of this network could be solved")


FIGURE_5 = FigureDefinition(
    name="5",
    title="Two layers: codes over sampling time",
    summary="Neurons of the feature layer keep their codes; in the first layer they switch and the scheme stays.",
    seconds=300.0,
    quick_seconds=40.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
