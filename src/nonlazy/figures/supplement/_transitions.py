"""Transitions between coding schemes as y- rises: theory, chains at equilibrium, and chains that froze."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray

from nonlazy.diagnostics import fractions
from nonlazy.errors import TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.figures._reading import unconverged
from nonlazy.posterior import Posterior
from nonlazy.sampling import Run
from nonlazy.theory import alternative_schemes, solve, transitions


TARGETS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
_QUICK_TARGETS = (0.2, 0.5)
_MOVES = {"equilibrium": None, "frozen": "none"}
_POINTS = 201
# A code with a smaller share may be neurons that cross a threshold.
LEAST_SHARE = 0.01


def experiments(quick: bool) -> dict[str, Experiment]:
    base = load("s-transitions")
    base = base.quick() if quick else base
    found = {}
    for kind, moves in _MOVES.items():
        for y in _QUICK_TARGETS if quick else TARGETS:
            changes: dict[str, dict[str, Any]] = {"task": {"y_minus": y}}
            if moves is not None:
                changes["sampling"] = {"moves": moves}
            found[f"{kind}-{y:g}"] = base.changed(changes)
    return found


def read(runs: Mapping[str, Run]) -> FigureData:
    posterior = next(iter(runs.values())).posterior
    curve = transitions(posterior, np.linspace(min(TARGETS), max(TARGETS), _POINTS))
    cold = transitions(replace(posterior, temperature=0.0), np.linspace(min(TARGETS), max(TARGETS), _POINTS))
    shares: dict[str, dict[float, dict[str, tuple[float, float]]]] = {kind: {} for kind in _MOVES}
    for name, run in runs.items():
        kind, y = name.split("-", 1)
        found = fractions(run)
        errors = found.by_chain.std(axis=0, ddof=1) / np.sqrt(run.chains) if run.chains > 1 else found.shares * np.nan
        shares[kind][float(y)] = {
            code: (float(share), float(error))
            for code, share, error in zip(found.names, found.shares, errors, strict=True)
        }
    theory = {y: _predicted(runs[f"equilibrium-{y:g}"].posterior) for y in shares["equilibrium"]}
    names = {code for kind in shares.values() for row in kind.values() for code, (share, _) in row.items()
             if share > LEAST_SHARE}  # fmt: skip
    codes = tuple(sorted(names | set(curve.codes) | set(cold.codes), reverse=True))
    table = []
    for y in sorted(theory):
        for code in codes:
            expected, (found_share, error) = theory[y].get(code, 0.0), shares["equilibrium"][y].get(code, (0.0, 0.0))
            if max(expected, found_share) > LEAST_SHARE:
                table.append(
                    FigureRow(f"equilibrium-{y:g}", f"share of {code}", expected, found_share, error,
                              paper="four schemes from 0.1 to 0.5")
                )  # fmt: skip
    kinds = {kind: {_scheme(row) for row in rows.values()} for kind, rows in shares.items()}
    others = alternative_schemes(replace(_at(posterior, max(TARGETS)), temperature=0.0))[1:]
    measured = {"20.number": float(len(others))}
    if others:
        network, task = posterior.network, posterior.task
        measured["20.energy"] = float(min(one.excess for one in others) * network.width * task.P)
    if set(theory) >= set(TARGETS):
        measured["19.theory"] = float(len(set(map(frozenset, cold.schemes)) | set(map(frozenset, curve.schemes))))
        measured["19.samples"] = float(len(kinds["equilibrium"]))
    notes = [
        f"theory at T = {posterior.temperature:g}, P to infinity: " + _words(curve),
        "theory at T = 0, P to infinity: " + _words(cold),
        f"chains with jumps: {len(kinds['equilibrium'])} different sets of codes; without: {len(kinds['frozen'])}. "
        "Without jumps the shares are those that a quench from the prior leaves, not those of the posterior",
    ]
    # Chains that froze in different shares are what the right panel is there to show.
    moving = {name: run for name, run in runs.items() if name.startswith("equilibrium-")}
    panels = _panels(curve, cold, shares, codes, posterior)
    return FigureData(panels, tuple(table), measured, tuple(notes), unconverged(moving))


def _at(posterior: Posterior, y: float) -> Posterior:
    task = posterior.task
    own = np.zeros_like(task.Y, dtype=bool)
    own[np.arange(task.P), task.labels] = True
    return replace(posterior, task=replace(task, Y=np.where(own, task.Y, y)))


def _predicted(posterior: Posterior) -> dict[str, float]:
    """Shares at the posterior's own P and T; empty where the theory does not solve it."""
    try:
        codes: Any = getattr(solve(posterior), "codes", None)
    except TheoryError:
        return {}
    return dict(zip(codes.names, map(float, codes.fraction), strict=True))


def _scheme(row: Mapping[str, tuple[float, float]]) -> frozenset[str]:
    return frozenset(code for code, (share, _) in row.items() if share > LEAST_SHARE)


def _words(curve: Any) -> str:
    edges = ", ".join(f"{edge:.3f}" for edge in curve.transitions)
    return f"{len(curve.schemes)} set(s) of codes" + (f", changing at y- = {edges}" if edges else ", no transition")


def _panels(curve: Any, cold: Any, shares: Any, codes: tuple[str, ...], posterior: Posterior) -> xarray.DataTree:
    def lines(one: Any) -> np.ndarray:
        filled = np.zeros((len(one.values), len(codes)))
        for k, name in enumerate(one.codes):
            filled[:, codes.index(name)] = one.fraction[:, k]
        return filled

    panels = {
        "theory": xarray.Dataset(
            {"share": (("y_minus", "code"), lines(curve)), "share_cold": (("y_minus", "code"), lines(cold))},
            coords={"y_minus": curve.values, "code": list(codes)},
            attrs={"temperature": posterior.temperature, "posterior": str(posterior)},
        )
    }
    for kind, rows in shares.items():
        targets = sorted(rows)
        values = np.array([[rows[y].get(code, (0.0, 0.0)) for code in codes] for y in targets])
        panels[kind] = xarray.Dataset(
            {"share": (("y_minus", "code"), values[..., 0]), "error": (("y_minus", "code"), values[..., 1])},
            coords={"y_minus": targets, "code": list(codes)},
        )
    return xarray.DataTree.from_dict(panels)


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    figure = Figure(figsize=(7.0, 2.6), dpi=200, facecolor="white")
    theory = panels["theory"].to_dataset()
    codes, targets = [str(code) for code in theory["code"].values], theory["y_minus"].values
    titles = {"equilibrium": "neurons may change code (jumps)", "frozen": "no moves: as the quench left them"}
    for k, (kind, title) in enumerate(titles.items()):
        axes = figure.add_axes((0.065 + 0.43 * k, 0.265, 0.355, 0.53))
        data = panels[kind].to_dataset()
        plots.shares_along(
            axes, codes, lines=(targets, theory["share"].values),
            points=(data["y_minus"].values, data["share"].values), errors=data["error"].values,
            label="target $y_-$ of the other classes", legend=k == 1,
        )  # fmt: skip
        axes.set_title(title, fontsize=7)
        plots.letter(axes, "ab"[k])
    plots.caption(
        figure, "Codes as the target of the other classes rises",
        f"{theory.attrs['posterior']}\nPoints: mean over chains and its error. Lines: theory, P to infinity",
    )  # fmt: skip
    return figure


S_TRANSITIONS = FigureDefinition(
    name="s-transitions",
    title="Transitions between coding schemes",
    summary="Shares of the codes as y- goes from 0.1 to 0.5: theory, chains at equilibrium, and frozen ones.",
    seconds=300.0,
    quick_seconds=60.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
