"""The table of figure 3, row by row, and the notes below it."""

from collections.abc import Mapping

import numpy as np

from nonlazy.codes import CodingScheme
from nonlazy.figures._comparison import class_blocks
from nonlazy.figures._definition import FigureRow
from nonlazy.figures._reading import unconverged
from nonlazy.figures._statistics import block_contrast, mean_shares, outliers, outlying, shares_above_half
from nonlazy.sampling import Run
from nonlazy.theory import LinearPrediction, Prediction, deep_limit


NETWORKS = ("linear", "sigmoid", "relu")
LAYERS = (0, 1, 2)
# Their chains keep what they begin with: codes of neurons, or how many outliers there are.
START_DEPENDENT = ("sigmoid", "relu", "sigmoid-one-layer")
LEAST = 0.01  # share below which a code does not count
_CODES = {0: "5", 1: "6", 2: "6"}
_OUTLIERS = {0: "2", 1: "more, redundant", 2: "3, one a class"}


def contrast_rows(name: str, run: Run, contrasts: np.ndarray, prediction: Prediction | None) -> list[FigureRow]:
    errors = _errors(contrasts)
    words = ("", "", "the task shows")
    return [
        FigureRow(
            name, f"block contrast, layer {layer + 1}", theory_contrast(run, prediction, layer),
            float(contrasts[:, layer].mean()), errors[layer], words[layer],
        )
        for layer in LAYERS
    ]  # fmt: skip


def kernel_rows(run: Run, prediction: LinearPrediction) -> list[FigureRow]:
    rows = []
    for layer in LAYERS[:-1]:
        pairs = _blocks(run, prediction, layer)
        for (c, d), (samples, theory) in pairs.items():
            rows.append(FigureRow("linear", f"K_{layer + 1}, classes {c} and {d}", theory, samples))
    return rows


def code_rows(layers: list[list[CodingScheme]], run: Run, prediction: Prediction | None) -> list[FigureRow]:
    rows = []
    for layer in LAYERS:
        number = [sum(share > LEAST for share in mean_shares([scheme]).values()) for scheme in layers[layer]]
        pooled = sum(share > LEAST for share in mean_shares(layers[layer]).values())
        words = f"codes of layer {layer + 1} (chains {min(number)} to {max(number)})"
        rows.append(FigureRow("sigmoid", words, None, float(pooled), paper=_CODES[layer]))
        # A layer may have none by the test for two levels, and still more neurons on one side of 1/2 than on the other.
        halves = sum(share > LEAST for share in shares_above_half([one.class_means for one in layers[layer]]).values())
        words = f"codes of layer {layer + 1} by class means above 1/2, whatever its scheme"
        rows.append(FigureRow("sigmoid", words, None, float(halves), paper=_CODES[layer]))
    codes = getattr(prediction, "codes", None)
    # The theory's own shares where it is solved, those of large P where it is not.
    if codes is not None:
        expected, words = dict(zip(codes.names, map(float, codes.fraction), strict=True)), ""
    else:
        expected = limit_shares(run)
        words = " (theory: large P)" if expected else ""
    for name, share in mean_shares(layers[-1]).items():
        error = _errors(np.array([[mean_shares([scheme]).get(name, 0.0)] for scheme in layers[-1]]))[0]
        rows.append(FigureRow("sigmoid", f"layer 3, share of {name}{words}", expected.get(name), share, error))
    return rows


def outlier_rows(run: Run, layers: list[list[CodingScheme]]) -> list[FigureRow]:
    rows = []
    for layer in LAYERS:
        number = [len(outlying(scheme)) for scheme in layers[layer]]
        words = f"neurons that read as outliers, layer {layer + 1} (chains {min(number)} to {max(number)})"
        rows.append(FigureRow("relu", words, None, float(np.mean(number)), paper=_OUTLIERS[layer]))
    large = outliers(run.readouts()).sum(axis=2).mean(axis=1)
    words = f"neurons with |a|^2 > 0.04 N, layer 3 (chains {large.min():.3g} to {large.max():.3g})"
    return [*rows, FigureRow("relu", words, None, float(large.mean()), paper=_OUTLIERS[2])]


def notes(
    runs: Mapping[str, Run],
    layers: Mapping[str, list[list[CodingScheme]]],
    single: Mapping[str, list[CodingScheme]],
    why_not: str,
) -> tuple[str, ...]:
    found = []
    sigmoid, relu = layers["sigmoid"][-1], layers["relu"]
    spread = ", ".join(
        f"{name} {100 * min(values):.0f} to {100 * max(values):.0f} %"
        for name in mean_shares(sigmoid)
        for values in [[mean_shares([scheme]).get(name, 0.0) for scheme in sigmoid]]
    )
    found.append(
        f"Sigmoidal: neurons of the last layer keep the code that they begin with, so that its shares depend on the "
        f"start; over {len(sigmoid)} chains: {spread}."
    )
    if why_not:
        found.append(f"Sigmoidal, theory: {why_not}.".replace("..", "."))
    numbers = [len(outlying(scheme)) for scheme in relu[-1]]
    found.append(
        f"ReLU: how many neurons of the last layer are outliers goes up and down along chains, and differs; "
        f"in the last draws of {len(numbers)} chains: {', '.join(map(str, numbers))} (figure deep-relu measures it)."
    )
    found += [
        f"{sentence}, as their starts differ."
        for sentence in unconverged({name: runs[name] for name in START_DEPENDENT})
    ]
    if runs["sigmoid-one-layer"].configuration["moves"] is None:
        found.append(
            "Sigmoidal, one hidden layer: without moves its chains, too, keep nearly all codes they begin with; the "
            "table has equilibrium's shares beside theirs."
        )
    for name in NETWORKS:
        deep, one = ({scheme.kind for scheme in schemes} for schemes in (layers[name][-1], single[name]))
        if deep != one or len(deep) > 1:
            found.append(
                f"{name}: the last of three layers reads {' or '.join(sorted(deep))}, one hidden layer "
                f"{' or '.join(sorted(one))}."
            )
    return tuple(found)


def theory_contrast(run: Run, prediction: Prediction | None, layer: int) -> float | None:
    if prediction is None:
        return None
    kernel = np.asarray(prediction.kernel(run.task.X, layer=layer + 1), dtype=np.float64)
    return block_contrast(kernel, run.task.labels)


def limit_shares(run: Run) -> dict[str, float]:
    """Shares of the last layer's codes for P to infinity, of a sigmoidal network; none where they are not unique."""
    if run.posterior.network.phi.kind != "sigmoidal":
        return {}
    limit = deep_limit(run.posterior)
    names = ("-".join(str(int(on)) for on in code) for code in limit.codes)
    return dict(zip(names, map(float, limit.fractions), strict=True)) if limit.unique else {}


def _blocks(run: Run, prediction: LinearPrediction, layer: int) -> dict[tuple[str, str], tuple[float, float]]:
    names, labels = run.task.class_names, run.task.labels
    samples = class_blocks(np.asarray(run.kernel(layer), dtype=np.float64), labels, len(names))
    theory = class_blocks(np.asarray(prediction.kernel(run.task.X, layer=layer + 1)), labels, len(names))
    return {
        (names[c], names[d]): (float(samples[c, d]), float(theory[c, d]))
        for c in range(len(names))
        for d in range(c, len(names))
    }


def _errors(by_chain: np.ndarray) -> list[float | None]:
    """Standard errors of means over chains, `(chain, quantity)`; None for a single chain."""
    if len(by_chain) < 2:
        return [None] * by_chain.shape[1]
    return [float(error) for error in by_chain.std(axis=0, ddof=1) / np.sqrt(len(by_chain))]
