"""How do deep ReLU networks code? Outliers of three layers, over seeds of task and chain, and from two starts.

Fixed before the samples of the figure were drawn (figure 3 had been seen): outliers of a layer are the neurons that
`nonlazy.codes.detect` finds to stand out by their class signal in the last draw that was kept, as in figure 3; an
outlier's classes are those above half its largest class mean; sharpness is the outliers' fluctuation within their
classes over their mean, and the level gap of all neurons. In the last layer |a|^2 > 0.04 N, too, in every draw.
"""

from collections.abc import Mapping

import numpy as np
import xarray
from jaxtyping import Bool, Float

from nonlazy.codes import CodingScheme
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import layer_dataset, sizes, unconverged
from nonlazy.figures._statistics import kept_outliers, layer_scheme, level_gap, outliers, outlying, relative_fluctuation
from nonlazy.figures.ours._deep_relu_picture import draw
from nonlazy.sampling import Run


SEEDS = (0, 1, 2)
ANNEALED = "annealed"
_KINDS = ("sparse", "redundant", "analog", "none")
# A correlation over fewer chains says nothing.
_FEWEST = 8


def experiments(quick: bool) -> dict[str, Experiment]:
    """A task and chains of their own for each seed, from the prior; and the first task's chains annealed."""
    base = load("deep-relu")
    if quick:
        return {"seed-0": base.quick()}
    found = {
        f"seed-{seed}": base.changed(
            {"experiment": {"name": f"{base.name}-{seed}"}, "task": {"seed": seed}, "sampling": {"seed": seed}}
        )
        for seed in SEEDS
    }
    found[ANNEALED] = base.changed(
        {"experiment": {"name": f"{base.name}-{ANNEALED}"}, "sampling": {"start": {"kind": "annealed"}}}
    )
    return found


def read(runs: Mapping[str, Run]) -> FigureData:
    table: list[FigureRow] = []
    quenched = {name: run for name, run in runs.items() if name != ANNEALED}
    groups = {"from the prior": quenched, ANNEALED: {name: run for name, run in runs.items() if name == ANNEALED}}
    panels = {}
    for start, group in groups.items():
        if not group:
            continue
        layers = next(iter(group.values())).posterior.network.depth
        chains = [
            [_layer(run, layer, chain) for layer in range(layers)]
            for run in group.values()
            for chain in range(run.chains)
        ]
        for layer in range(layers):
            table += _layer_rows(start, layer, [chain[layer] for chain in chains])
        table += _readout_rows(start, group)
        panels[start.replace(" ", "-")] = _panel(group, chains)
    table += [_by_seed(quenched)]
    panels |= _examples(quenched)
    tree = xarray.DataTree.from_dict(panels)
    tree.attrs = {"sizes": sizes(runs), "layers": next(iter(runs.values())).posterior.network.depth}
    return FigureData(tree, tuple(table), {}, _notes(runs), ())


def _notes(runs: Mapping[str, Run]) -> tuple[str, ...]:
    return (
        "no theory: that of rectified networks covers one hidden layer",
        "inputs are a random rotation, which the prior does not see: chains of one task and of several differ alike",
        "whether chains agree is what the figure asks: those that do not are a result and no warning",
        *unconverged(runs),
    )


class Layer:
    """What is read of one layer in the last draw of a chain that was kept."""

    def __init__(self, scheme: CodingScheme, activations: Float[np.ndarray, "N P"], labels: np.ndarray):
        which = outlying(scheme)
        means = scheme.class_means[which]
        self.scheme = scheme
        self.outliers = len(which)
        self.active: Bool[np.ndarray, "outliers C"] = means > 0.5 * means.max(axis=1, keepdims=True, initial=0.0)
        self.fluctuation = relative_fluctuation(activations[which], labels)
        self.gap = level_gap(activations, labels)


def _layer(run: Run, layer: int, chain: int) -> Layer:
    activations = np.asarray(run.activations(layer, run.kept_draws[-1], chain), dtype=np.float64)
    return Layer(layer_scheme(run, layer=layer, chain=chain), activations, run.task.labels)


def _layer_rows(start: str, layer: int, chains: list[Layer]) -> list[FigureRow]:
    kinds = [chain.scheme.kind for chain in chains]
    said = ", ".join(f"{kinds.count(kind)} {kind}" for kind in _KINDS if kind in kinds)
    number = f"layer {layer + 1}"
    classes = chains[0].active.shape[1]
    rows = [
        _row(start, f"{number}: outliers", [chain.outliers for chain in chains]),
        _row(start, f"{number}: classes of an outlier", [chain.active.sum(axis=1).mean() for chain in chains
                                                         if chain.outliers]),
    ]  # fmt: skip
    rows += [
        _row(start, f"{number}: outliers of class {c} alone", [_alone(chain.active, c) for chain in chains])
        for c in range(classes)
    ]
    rows += [
        _row(start, f"{number}: outliers' fluctuation over their mean", [chain.fluctuation for chain in chains]),
        _row(start, f"{number}: level gap of all neurons", [chain.gap for chain in chains]),
        FigureRow(
            start, f"{number}: chains that read sparse, as a share ({said})", None, kinds.count("sparse") / len(kinds)
        ),
    ]
    return rows


def _alone(active: Bool[np.ndarray, "outliers C"], c: int) -> int:
    return int((active[:, c] & (active.sum(axis=1) == 1)).sum())


def _row(start: str, words: str, values: list) -> FigureRow:
    """Mean over the chains that have the value, its standard error, and in words their range."""
    found = np.array([value for value in values if np.isfinite(value)], dtype=np.float64)
    if not len(found):
        return FigureRow(start, f"{words} (no chain has any)")
    error = float(found.std(ddof=1) / np.sqrt(len(found))) if len(found) > 1 else None
    return FigureRow(
        start,
        f"{words} ({len(found)} chains, {found.min():.3g} to {found.max():.3g})",
        None,
        float(found.mean()),
        error,
    )


def _large(group: Mapping[str, Run]) -> Float[np.ndarray, "chains draws"]:
    """Neurons of the last layer with |a|^2 > 0.04 N."""
    return np.concatenate([outliers(run.readouts()).sum(axis=2) for run in group.values()]).astype(np.float64)


def _last_layer(group: Mapping[str, Run]) -> str:
    return f"layer {next(iter(group.values())).posterior.network.depth}"


def _densities(group: Mapping[str, Run]) -> Float[np.ndarray, " chains"]:
    """Mean log density of each chain, over N P."""
    parts = [
        run.statistics()["log_density"].values.mean(axis=1) / (run.posterior.network.width * run.task.P)
        for run in group.values()
    ]
    return np.concatenate(parts)


def _readout_rows(start: str, group: Mapping[str, Run]) -> list[FigureRow]:
    large, last = _large(group), _last_layer(group)
    kept = [
        kept_outliers(*(layer_scheme(run, draw=draw, chain=chain) for draw in (run.kept_draws[0], -1)))
        for run in group.values()
        for chain in range(run.chains)
    ]
    half = large.shape[1] // 2
    rows = [
        _row(start, f"{last}: neurons with |a|^2 > 0.04 N, all draws", list(large.mean(axis=1))),
        FigureRow(start, "their number, sd between chains", None, float(large.mean(axis=1).std(ddof=1))),
        FigureRow(start, "their number, sd over a chain's draws", None, float(large.std(axis=1).mean())),
        _row(start, "their change from a chain's first half to its second", list(large[:, half:].mean(axis=1)
                                                                                - large[:, :half].mean(axis=1))),
        _row(start, f"{last}: outliers that keep their code from first to last draw, as a share", kept),
    ]  # fmt: skip
    if len(large) >= _FEWEST and np.ptp(large.mean(axis=1)) > 0:
        found = float(np.corrcoef(large.mean(axis=1), _densities(group))[0, 1])
        rows.append(FigureRow(start, "correlation of their number with the log density, over chains", None, found))
    return rows


def _by_seed(group: Mapping[str, Run]) -> FigureRow:
    means = [float(outliers(run.readouts()).sum(axis=2).mean()) for run in group.values()]
    words = ", ".join(f"{mean:.3g}" for mean in means)
    words = f"{_last_layer(group)}: neurons with |a|^2 > 0.04 N, by seed of the task ({words})"
    return FigureRow("from the prior", words, None, float(np.mean(means)))


def _panel(group: Mapping[str, Run], chains: list[list[Layer]]) -> xarray.Dataset:
    def of(name: str) -> np.ndarray:
        return np.array([[getattr(layer, name) for layer in chain] for chain in chains], dtype=np.float64)

    classes = np.array(
        [[layer.active.sum(axis=1).mean() if layer.outliers else np.nan for layer in chain] for chain in chains]
    )
    return xarray.Dataset(
        {
            "outliers": (("chain", "layer"), of("outliers")),
            "classes": (("chain", "layer"), classes),
            "fluctuation": (("chain", "layer"), of("fluctuation")),
            "gap": (("chain", "layer"), of("gap")),
            "large": (("chain", "draw"), _large(group)),
            "log_density": (("chain",), _densities(group)),
        }
    )


def _examples(group: Mapping[str, Run]) -> dict[str, xarray.Dataset]:
    """All layers of the chains with fewest and most large readouts in the last layer."""
    numbers = [(name, chain) for name, run in group.items() for chain in range(run.chains)]
    order = np.argsort(_large(group).mean(axis=1), kind="stable")
    found = {}
    for words, place in (("fewest", order[0]), ("most", order[-1])):
        name, chain = numbers[place]
        run = group[name]
        shown = [layer_dataset(run, layer=layer, chain=chain) for layer in range(run.posterior.network.depth)]
        found[words] = xarray.Dataset(
            {
                **{
                    one: (("layer", "neuron", "input"), np.stack([data[one].values for data in shown]))
                    for one in ("activation", "untrained")
                },
                "kernel": (
                    ("layer", "input", "other_input"),
                    np.stack([np.asarray(run.kernel(layer, chain), dtype=np.float64) for layer in range(len(shown))]),
                ),
                "label": shown[0]["label"],
            },
            attrs={"run": name, "chain": chain},
        )
    return found


DEEP_RELU = FigureDefinition(
    name="deep-relu",
    title="Deep ReLU networks over seeds",
    summary="Outliers of three layers, their classes and sharpness, over seeds of task and chain and from two starts.",
    seconds=180.0,
    quick_seconds=15.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
