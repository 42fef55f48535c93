"""Which codes do neurons take where there are many classes? The toy task with 10, 20 and 50 outputs.

Fixed before the samples of the figure were drawn (single short chains had been seen, to choose sizes), of the last draw
that was kept, chain by chain: a sigmoidal neuron's code is the set of classes with a mean activation above 1/2; their
number, and how many different codes the neurons have. A ReLU network's outliers have |a|^2 > 0.04 N; an outlier's
classes are those above half its largest class mean. Outputs: share of the training inputs whose largest mean output is
their class's, and the root mean square of y - <f>. Added after a look at the samples: chains stuck far from the targets
are counted, and left out of the rest.
"""

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import xarray
from jaxtyping import Bool, Float

from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import accuracy, sizes, unconverged
from nonlazy.figures._statistics import class_means, layer_scheme, outliers
from nonlazy.figures.ours._many_outputs_picture import draw
from nonlazy.figures.ours._symmetric_scheme import SymmetricScheme, symmetric_scheme
from nonlazy.sampling import Run
from nonlazy.theory import solve


OUTPUTS, QUICK_OUTPUTS = (10, 20, 50), (8,)
PLANTED = "-planted"
# Chains that begin with the theory's codes.
PLANTED_CHAINS = 2
_STUCK = 2.0


def experiments(quick: bool) -> dict[str, Experiment]:
    found = {}
    for name in ("sigmoid", "relu"):
        base = load(f"many-outputs-{name}")
        base = base.quick() if quick else base
        for m in QUICK_OUTPUTS if quick else OUTPUTS:
            one = base.changed({"experiment": {"name": f"{base.name}-{m}"}, "task": {"class_ratios": [1 / m] * m}})
            found[f"{name}-{m}"] = one
            if name == "sigmoid" and not quick:
                found[f"{name}-{m}{PLANTED}"] = planted(one)
    return found


def planted(experiment: Experiment) -> Experiment:
    """The experiment from neurons planted in codes of the theory, drawn at random."""
    posterior = experiment.build()
    codes = codes_of_the_theory(symmetric_scheme(posterior), posterior.network.width)
    start = {"kind": "planted", "codes": codes.astype(int).tolist()}
    title = f"{experiment.about.title}, planted"
    return experiment.changed(
        {
            "experiment": {"name": f"{experiment.name}{PLANTED}", "title": title},
            "sampling": {"start": start, "chains": PLANTED_CHAINS},
        }
    )


def codes_of_the_theory(scheme: SymmetricScheme, neurons: int, seed: int = 0) -> Bool[np.ndarray, "codes C"]:
    """Different codes of the theory's commonest size: all of them, or as many as there are neurons, at random."""
    m, size = scheme.classes, int(scheme.size[scheme.share.argmax()])
    generator = np.random.default_rng(seed)
    if math.comb(m, size) <= neurons:
        chosen = [set(one) for one in combinations(range(m), size)]
    else:
        found: dict[frozenset[int], None] = {}
        while len(found) < neurons:
            found[frozenset(generator.permutation(m)[:size].tolist())] = None
        chosen = [set(one) for one in found]
    return np.array([[c in one for c in range(m)] for one in chosen])


def read(runs: Mapping[str, Run]) -> FigureData:
    table: list[FigureRow] = []
    panels: dict[str, xarray.Dataset] = {}
    notes: list[str] = []
    schemes: dict[int, SymmetricScheme] = {}
    for name, run in runs.items():
        m, settled = run.task.m, arrived(run)
        means = [_last_means(run, chain) for chain in settled]
        if len(settled) < run.chains:
            notes.append(
                f"{name}: {run.chains - len(settled)} of {run.chains} chains are stuck far from the targets, with "
                "trajectories that go nowhere; they are left out of all numbers but the first"
            )
        table.append(
            FigureRow(name, "chains that came down to the targets, as a share", None, len(settled) / run.chains)
        )
        if name.startswith("sigmoid"):
            # The theory is of large P and N: one for each number of classes.
            scheme = schemes[m] = schemes.get(m) or symmetric_scheme(run.posterior)
            table += _sigmoid_rows(name, run, means, scheme)
            panels[name] = _sigmoid_panel(run, means, scheme)
            if name.endswith(PLANTED):
                table.append(_density_row(name, run, runs[name.removesuffix(PLANTED)]))
            else:
                notes.append(
                    f"{name}: the theory has {scheme.codes:.3g} codes; it takes N to be much larger than m^2 = {m**2}, "
                    f"the pairs of classes and outputs, where N = {run.posterior.network.width} here"
                )
        else:
            table += _relu_rows(name, run, means)
            panels[name] = _relu_panel(run, means)
        table += _output_rows(name, run, settled, schemes.get(m) if name.startswith("sigmoid") else None)
    frozen = [name for name in runs if name.startswith("sigmoid")]
    notes += [
        "sigmoidal: neurons keep the codes that they begin with, as jumps between codes are for up to six classes: "
        "what codes there are depends on the start (quench from the prior; planted: the theory's, at random)",
        "sigmoidal theory: large P, many more neurons than pairs of classes; ReLU theory: up to P m = 6,000 unknowns",
        *unconverged({name: runs[name] for name in frozen}),
    ]
    tree = xarray.DataTree.from_dict(panels)
    tree.attrs = {"sizes": sizes(runs)}
    others = {name: run for name, run in runs.items() if name not in frozen}
    return FigureData(tree, tuple(table), {}, tuple(notes), unconverged(others))


def arrived(run: Run) -> list[int]:
    """The chains whose mean outputs miss the targets by at most `_STUCK` times as much as the best chain's."""
    missed = _missed(run)
    return [chain for chain in range(run.chains) if missed[chain] <= _STUCK * missed.min()]


def _missed(run: Run) -> Float[np.ndarray, " chains"]:
    """Root mean square of y - <f> over inputs and outputs."""
    outputs = np.asarray(run.mean_outputs(), dtype=np.float64)
    return np.sqrt(((outputs - run.task.Y) ** 2).mean(axis=(1, 2)))


def _last_means(run: Run, chain: int) -> Float[np.ndarray, "N C"]:
    activations = np.asarray(run.activations(draw=run.kept_draws[-1], chain=chain), dtype=np.float64)
    return class_means(activations, run.task.labels)


def _row(name: str, words: str, values: list[float], theory: float | None = None) -> FigureRow:
    """A row of a mean over the chains that have the value, with their range in its words and their standard error."""
    found = np.array([value for value in values if np.isfinite(value)], dtype=np.float64)
    if not len(found):
        return FigureRow(name, f"{words} (no chain has any)", theory)
    error = float(found.std(ddof=1) / np.sqrt(len(found))) if len(found) > 1 else None
    return FigureRow(
        name, f"{words} (chains {found.min():.4g} to {found.max():.4g})", theory, float(found.mean()), error
    )


def _kinds(name: str, run: Run, kind: str) -> FigureRow:
    reads = [float(layer_scheme(run, chain=chain).kind == kind) for chain in arrived(run)]
    return FigureRow(name, f"chains that read {kind}, as a share", None, float(np.mean(reads)))


def _sigmoid_rows(name: str, run: Run, means: list[np.ndarray], scheme: SymmetricScheme) -> list[FigureRow]:
    codes = [found > 0.5 for found in means]
    active = [found.sum(axis=1) for found in codes]
    different = [_different(found) for found in codes]
    neurons = run.posterior.network.width
    return [
        _kinds(name, run, "redundant"),
        _row(name, "classes in a code, mean over neurons", [float(found.mean()) for found in active], scheme.mean_size),
        _row(name, "classes in a code, standard deviation over neurons", [float(found.std()) for found in active],
             scheme.deviation_of_size),
        _row(name, f"different codes of {neurons} neurons", [float(len(found)) for found in different],
             scheme.distinct(neurons)),
        _pairs_row(name, "codes that two chains share, of those of either",
                   [len(a & b) / len(a | b) for a, b in combinations(different, 2)]),
    ]  # fmt: skip


def _pairs_row(name: str, words: str, values: list[float]) -> FigureRow:
    """A row of a mean over pairs of chains, which have no standard error of their own: pairs share chains."""
    if not values:
        return FigureRow(name, f"{words} (no two chains)")
    return FigureRow(name, f"{words} (pairs {min(values):.4g} to {max(values):.4g})", None, float(np.mean(values)))


def _different(codes: Bool[np.ndarray, "N C"]) -> set[tuple[bool, ...]]:
    return {tuple(code) for code in codes.tolist()}


def _density_row(name: str, run: Run, quench: Run) -> FigureRow:
    """Log density above the quench's: not free energies, as the codes of a start are not counted in it."""
    unit = run.posterior.network.width * run.task.P
    own, other = (one.statistics()["log_density"].values[arrived(one)].mean(axis=1) / unit for one in (run, quench))
    spread = math.hypot(*(found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else 0.0 for found in (own, other)))
    return FigureRow(
        name, "log density over N P, above that of the quench", None, float(own.mean() - other.mean()), spread
    )


def _output_rows(name: str, run: Run, settled: list[int], scheme: SymmetricScheme | None) -> list[FigureRow]:
    outputs = np.asarray(run.mean_outputs(), dtype=np.float64)
    right = [accuracy(outputs[chain], run.task.labels) for chain in settled]
    missed = [float(_missed(run)[chain]) for chain in settled]
    theory = None if scheme is None else scheme.deviation
    return [
        _row(name, "training inputs whose largest output is their class", right),
        _row(name, "rms of y - <f> over inputs and outputs", missed, theory),
    ]


def _relu_rows(name: str, run: Run, means: list[np.ndarray]) -> list[FigureRow]:
    large = _large(run)
    parts = [_active(found[which]) for found, which in zip(means, large, strict=True)]
    by_class = [found.sum(axis=0) for found in parts]
    return [
        _kinds(name, run, "sparse"),
        _row(name, "outliers, |a|^2 > 0.04 N", [float(which.sum()) for which in large], _outliers_of_theory(run)),
        _row(name, "classes of an outlier, mean", [_mean(found.sum(axis=1)) for found in parts]),
        _row(name, "outliers of a class, fewest", [float(found.min()) for found in by_class]),
        _row(name, "outliers of a class, most", [float(found.max()) for found in by_class]),
    ]


def _large(run: Run) -> Bool[np.ndarray, "chains N"]:
    return outliers(np.asarray(run.readouts()[arrived(run), run.kept_draws[-1]], dtype=np.float64))


def _active(means: Float[np.ndarray, "n C"]) -> Bool[np.ndarray, "n C"]:
    """Classes of neurons: above half of the largest class mean of each."""
    return means > 0.5 * means.max(axis=1, keepdims=True, initial=0.0)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _outliers_of_theory(run: Run) -> float | None:
    try:
        prediction: Any = solve(run.posterior)
    except (InvalidInput, TheoryError):
        return None
    return float(len(prediction.outliers.readout))


def _sigmoid_panel(run: Run, means: list[np.ndarray], scheme: SymmetricScheme) -> xarray.Dataset:
    m = run.task.m
    sizes_of = [np.bincount((found > 0.5).sum(axis=1), minlength=m + 1) / len(found) for found in means]
    theory = np.zeros(m + 1)
    theory[scheme.size] = scheme.share
    return xarray.Dataset(
        {
            "class_mean": (("neuron", "class"), means[0]),
            "size_share": (("chain", "size"), np.stack(sizes_of)),
            "size_theory": (("size",), theory),
        },
        attrs={"m": m, "kind": layer_scheme(run, chain=arrived(run)[0]).kind},
    )


def _relu_panel(run: Run, means: list[np.ndarray]) -> xarray.Dataset:
    large = _large(run)
    by_class = [_active(found[which]).sum(axis=0) for found, which in zip(means, large, strict=True)]
    return xarray.Dataset(
        {
            "class_mean": (("outlier", "class"), means[0][large[0]]),
            "outliers_by_class": (("chain", "class"), np.stack(by_class)),
        },
        attrs={"m": run.task.m, "kind": layer_scheme(run, chain=arrived(run)[0]).kind},
    )


MANY_OUTPUTS = FigureDefinition(
    name="many-outputs",
    title="Many outputs",
    summary="Codes of sigmoidal networks and outliers of ReLU ones that learn 10, 20 and 50 classes.",
    seconds=360.0,
    quick_seconds=15.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
