"""Figure 4: readouts and preactivations of single neurons, their posterior and their course over sampling time."""

from collections.abc import Mapping

import numpy as np
import xarray
from jaxtyping import Float

from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import comparison_rows, sizes, unconverged
from nonlazy.figures._statistics import (
    deviation_over_draws,
    excess_kurtosis,
    first_and_last,
    kept_codes,
    kolmogorov_distance,
    lasting_outliers,
    outliers,
)
from nonlazy.figures.paper._figure4_laws import Law, law_of, neurons_by_row
from nonlazy.figures.paper._figure4_picture import draw
from nonlazy.sampling import Run


NETWORKS = ("linear", "sigmoid", "relu")
_BINS, _POINTS = 80, 1201
_WIDE = np.linspace(-8.0, 8.0, 3201)  # a grid for preactivations of order 1
_PAPER = {"outliers": "3, one a class"}


def experiments(quick: bool) -> dict[str, Experiment]:
    loaded = {name: load(f"figure4-{name}") for name in NETWORKS}
    return {name: one.quick() if quick else one for name, one in loaded.items()}


def read(runs: Mapping[str, Run]) -> FigureData:
    laws = {name: law_of(run) for name, run in runs.items()}
    curves = {name: _readout_curves(run, laws[name]) for name, run in runs.items()}
    distances = {name: _readout_distances(run, curves[name]) for name, run in runs.items()}
    preactivations = {name: _preactivations(run, laws[name]) for name, run in runs.items()}
    measured = {f"11.{name}": max(found) for name, found in distances.items()}
    measured |= _linear(runs["linear"], preactivations["linear"])
    measured |= _sigmoid(runs["sigmoid"], laws["sigmoid"], preactivations["sigmoid"])
    measured |= _relu(runs["relu"], laws["relu"], preactivations["relu"])
    table: list[FigureRow] = []
    for name, run in runs.items():
        shown = _frozen_rows(run, laws[name]) if laws[name].quenched else comparison_rows(
            name, run, laws[name].prediction, _PAPER
        )  # fmt: skip
        table += [row for row in shown if not row.quantity.startswith("K, ")]
        names = run.task.class_names
        table += [
            FigureRow(name, f"Kolmogorov distance to theory, a({names[r]})", None, distance, paper="agree")
            for r, distance in enumerate(distances[name])
        ]
    tree = xarray.DataTree.from_dict(
        {name: _panels(run, laws[name], curves[name], preactivations[name]) for name, run in runs.items()}
    )
    tree.attrs = {"sizes": sizes(runs)}
    settled = {"linear": runs["linear"]}
    return FigureData(tree, tuple(table), measured, _notes(runs, laws), unconverged(settled))


def _readout_curves(run: Run, law: Law) -> list[tuple[np.ndarray, np.ndarray]]:
    """The theory's density of each readout component, and the points it is on."""
    readouts = np.asarray(run.readouts(), dtype=np.float64).reshape(-1, run.task.m)
    grids = [_readout_grid(readouts[:, r], law, r) for r in range(run.task.m)]
    return [(grid, law.readout(r, grid)) for r, grid in enumerate(grids)]


def _readout_distances(run: Run, curves: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    readouts = np.asarray(run.readouts(), dtype=np.float64)
    return [kolmogorov_distance(readouts[..., r].ravel(), *curve) for r, curve in enumerate(curves)]


def _readout_grid(samples: Float[np.ndarray, " n"], law: Law, r: int) -> Float[np.ndarray, " points"]:
    """Points that cover the samples, dense where the density is sharp."""
    # Where single neurons lie far out, the others decide how dense the grid must be.
    low, high = np.quantile(samples, (0.005, 0.995)) if len(law.spikes) else (samples.min(), samples.max())
    margin = 0.15 * (high - low)
    parts = [np.linspace(low - margin, high + margin, 4 * _POINTS)]
    if len(law.spikes):
        reach = np.abs(np.concatenate([samples, law.spikes[:, r]])).max() + 5 * law.widths[:, r].max()
        parts.append(np.linspace(-reach, reach, _POINTS))
        parts += [
            spike + width * np.linspace(-8, 8, 161)
            for spike, width in zip(law.spikes[:, r], law.widths[:, r], strict=True)
        ]
    return np.unique(np.concatenate(parts))


def _preactivations(run: Run, law: Law) -> list[list[Float[np.ndarray, "kept neurons P"]]]:
    """z of each chain and row over the kept draws; neurons belong to the row of the first of these."""
    kept = run.kept_draws
    readouts = run.readouts()
    found = []
    for chain in range(run.chains):
        z = np.stack([np.asarray(run.preactivations(-1, draw, chain), dtype=np.float64) for draw in kept])
        first = np.asarray(readouts[chain, kept[0]], dtype=np.float64)
        found.append([z[:, neurons] for neurons in neurons_by_row(law, first)])
    return found


def _linear(run: Run, preactivations: list[list[np.ndarray]]) -> dict[str, float]:
    labels = run.task.labels
    correlations = [first_and_last(readouts) for readouts in np.asarray(run.readouts(), dtype=np.float64)]
    z = np.concatenate([chain[0] for chain in preactivations])
    return {
        "12.linear": float(max(map(abs, correlations))),
        # Classes apart, as their variances differ.
        "13.linear": max(abs(excess_kurtosis(z[..., labels == c].ravel())) for c in np.unique(labels)),
    }


def _sigmoid(run: Run, law: Law, preactivations: list[list[np.ndarray]]) -> dict[str, float]:
    labels = run.task.labels
    distances = []
    for row in range(len(law.rows)):
        z = np.concatenate([chain[row] for chain in preactivations], axis=1)
        for c in np.unique(labels):
            if z.shape[1]:
                density = law.preactivation(row, int(c), _WIDE)
                distances.append(kolmogorov_distance(z[..., labels == c].ravel(), _WIDE, density))
    everything = [rows for chain in preactivations for rows in chain if rows.shape[1]]
    return {
        "12.sigmoid": float(np.mean([kept_codes(run, chain=chain) for chain in range(run.chains)])),
        "13.sigmoid": max(distances),
        "13.sigmoid-time": deviation_over_draws(np.concatenate(everything, axis=1)),
    }


def _relu(run: Run, law: Law, preactivations: list[list[np.ndarray]]) -> dict[str, float]:
    bulk = np.concatenate([chain[-1] for chain in preactivations], axis=1)
    large = [rows for chain in preactivations for rows in chain[:-1] if rows.shape[1]]
    frozen = float("nan")
    if large:
        z = np.concatenate(large, axis=1)
        frozen = deviation_over_draws(z) / float(np.sqrt((z**2).mean()))
    return {
        "12.relu": lasting_outliers(outliers(run.readouts())),
        "13.relu-bulk-time": deviation_over_draws(bulk),
        "13.relu-outlier-time": frozen,
    }


def _frozen_rows(run: Run, law: Law) -> list[FigureRow]:
    """Shares against equilibrium's, and mean readouts against the theory at each chain's own shares."""
    readouts = np.asarray(run.readouts(), dtype=np.float64)
    rows = law.assign(readouts.reshape(-1, run.task.m)).reshape(readouts.shape[:3])
    equilibrium = dict(zip(law.prediction.codes.names, law.prediction.codes.fraction, strict=True))  # type: ignore[attr-defined]
    table = []
    for index, name in enumerate(law.rows):
        by_chain = (rows == index).mean(axis=(1, 2))
        error = float(by_chain.std(ddof=1) / np.sqrt(len(by_chain))) if len(by_chain) > 1 else None
        words = f"share of {name} (theory: equilibrium; chains {by_chain.min():.3f} to {by_chain.max():.3f})"
        table.append(FigureRow("sigmoid", words, float(equilibrium.get(name, 0.0)), float(by_chain.mean()), error))
    for index, name in enumerate(law.rows):
        chosen = rows == index
        if not chosen.any():
            continue
        parts = [(one.codes, one.codes.names.index(name)) for one in law.quenched if name in one.codes.names]
        weights = np.array([codes.fraction[k] for codes, k in parts])
        theory = (weights / weights.sum()) @ np.array([codes.readout[k] for codes, k in parts])
        for r, output in enumerate(run.task.class_names):
            samples = float(readouts[..., r][chosen].mean())
            table.append(FigureRow("sigmoid", f"a({output}) of {name}, at these shares", float(theory[r]), samples))
    return table


def _panels(
    run: Run,
    law: Law,
    curves: list[tuple[np.ndarray, np.ndarray]],
    preactivations: list[list[np.ndarray]],
) -> xarray.Dataset:
    m, labels, kept = run.task.m, run.task.labels, np.asarray(run.kept_draws)
    thin = int(run.configuration["thin"])
    readouts = np.asarray(run.readouts(), dtype=np.float64)
    values = readouts.reshape(-1, m)
    inside = values[~outliers(readouts).reshape(-1)] if len(law.spikes) else values
    low, high = 1.3 * np.quantile(inside, (3e-3, 1 - 3e-3))
    edges, grid = np.linspace(low, high, 2 * _BINS + 1), np.linspace(low, high, 2 * _POINTS)
    heights = [np.histogram(inside[:, r], edges)[0] / (len(values) * (edges[1] - edges[0])) for r in range(m)]
    classes, z_edges, z_heights, z_grids, z_curves = np.unique(labels), [], [], [], []
    everything = [np.concatenate([chain[row] for chain in preactivations], axis=1) for row in range(len(law.rows))]
    for row, z in enumerate(everything):
        # Codes share a range; the bulk has its own where single neurons lie far out.
        like = [
            other
            for k, other in enumerate(everything)
            if other.size and (law.rows[k] == "bulk") == (law.rows[row] == "bulk")
        ]
        ends = (min(o.min() for o in like) - 0.3, max(o.max() for o in like) + 0.3) if like else (-4.0, 4.0)
        z_edges.append(np.linspace(*ends, _BINS + 1))
        z_grids.append(np.linspace(*ends, _POINTS))
        z_heights.append(
            [
                np.histogram(z[..., labels == c], z_edges[-1], density=True)[0] if z.size else np.zeros(_BINS)
                for c in classes
            ]
        )
        z_curves.append([law.preactivation(row, int(c), z_grids[-1]) for c in classes])
    lines = _lines(law, readouts[0, kept[0]], labels)
    names = [name for name, _, _ in lines]
    z = np.stack([np.asarray(run.preactivations(-1, int(draw), 0), dtype=np.float64) for draw in kept])
    large = outliers(readouts[:, -1]) if len(law.spikes) else np.zeros(readouts.shape[:1] + readouts.shape[2:3], bool)
    return xarray.Dataset(
        {
            "edge": (("edges",), edges),
            "histogram": (("out", "bin"), np.array(heights)),
            "grid": (("point",), grid),
            "density": (("out", "point"), np.array([np.interp(grid, *curve) for curve in curves])),
            "spike": (("out", "theory_spike"), law.spikes.T),
            "sampled_spike": (("out", "sample_spike"), readouts[:, -1][large].T),
            "iteration": (("draw",), thin * (1.0 + np.arange(run.draws))),
            "readout_line": (("line", "draw"), np.stack([readouts[0, :, neuron, 0] for _, neuron, _ in lines])),
            "z_edge": (("row", "z_edges"), np.array(z_edges)),
            "z_histogram": (("row", "class", "z_bin"), np.array(z_heights)),
            "z_grid": (("row", "z_point"), np.array(z_grids)),
            "z_density": (("row", "class", "z_point"), np.array(z_curves)),
            "z_iteration": (("snapshot",), thin * (1.0 + kept)),
            "z_line": (("line", "snapshot"), np.stack([z[:, neuron, x] for _, neuron, x in lines])),
        },
        coords={
            "out": np.array(run.task.class_names, dtype=object),
            "class": np.array([run.task.class_names[c] for c in classes], dtype=object),
            "row": np.array(law.rows, dtype=object),
            "line": np.array(names, dtype=object),
        },
    )


def _lines(law: Law, readouts: Float[np.ndarray, "N m"], labels: np.ndarray) -> list[tuple[str, int, int]]:
    """Name, neuron and input of each line over time: a neuron a row, three where there is one row."""
    first = int(np.flatnonzero(labels == labels.min())[0])
    if len(law.rows) == 1:
        return [(f"$i$ = {k + 1}", k, first) for k in range(min(3, len(readouts)))]
    lines = []
    for name, neurons in zip(law.rows, neurons_by_row(law, readouts), strict=True):
        if len(neurons):
            active = [c for c, bit in zip(np.unique(labels), name.split("-"), strict=False) if bit == "1"]
            x = int(np.flatnonzero(labels == active[0])[0]) if active else first
            lines.append((name, int(neurons[0]), x))
    return lines


def _notes(runs: Mapping[str, Run], laws: Mapping[str, Law]) -> tuple[str, ...]:
    sentences = [
        "Sampling time is Hamiltonian Monte Carlo's: iterations, each a trajectory of fixed mean length; no moves "
        "between neurons. The paper's is that of Langevin dynamics."
    ]
    if laws["sigmoid"].quenched:
        sentences.append(
            "Sigmoidal: the shares of the codes freeze as a chain starts; the theory beside it is that at each chain's "
            "own shares. The table has equilibrium's shares, which chains with jumps reach (figure 2)."
        )
    else:
        sentences.append(
            "Sigmoidal: there is no theory at the chains' own shares of the codes; beside it stands equilibrium's."
        )
    found = [
        f"{sentence}, as its neurons are frozen." for sentence in unconverged({n: runs[n] for n in ("sigmoid", "relu")})
    ]
    return (*sentences, *found)


FIGURE_4 = FigureDefinition(
    name="4",
    title="Posterior and dynamics of single neurons",
    summary="Readouts and preactivations against theory and over sampling time: one peak, frozen codes, outliers.",
    seconds=150.0,
    quick_seconds=25.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
