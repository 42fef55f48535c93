"""Do neurons reach the codes of equilibrium? Posteriors from three starts, with neurons that may change code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray
from jaxtyping import Float

from nonlazy.diagnostics import Equilibrium, Fractions, equilibrium, fractions
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._definition import FigureData, FigureDefinition, FigureRow
from nonlazy.sampling import Run
from nonlazy.theory import Prediction, solve


STARTS = ("quench", "annealed", "planted")
# N = P and T of the settings, one a row of the figure.
SETTINGS = ((200, 1e-2), (500, 1e-2), (200, 1e-3), (500, 1e-3))
_COLD = 5e-3
_MOST_CODES = 5
_PANEL = 0.95  # inches, the height of a row of panels


@dataclass(frozen=True, eq=False)
class SharesFromStarts:
    """The shares of the codes in runs of one posterior from different starts.

    **Fields:**

    - `codes`: their names, the most frequent first. `times`: of each draw, in iterations after the warm-up over those
      between two sweeps, `(draw,)`. `shares`: of each start, `(chain, draw, code)`. `theory`: `(code,)`, or None.
    - `equilibrium`: the verdict on the second half of all chains together.
    """

    codes: tuple[str, ...]
    times: Float[np.ndarray, " draw"]
    shares: Mapping[str, Float[np.ndarray, "chain draw code"]]
    theory: Float[np.ndarray, " code"] | None
    equilibrium: Equilibrium


def experiments(quick: bool) -> dict[str, Experiment]:
    base = load("equilibrium")
    found = {}
    for setting in [base.quick()] if quick else [_at(base, size, T) for size, T in SETTINGS]:
        name = f"N{setting.network.width}-T{setting.posterior.temperature:g}"
        found |= {f"{name}-{start}": one for start, one in from_starts(setting).items()}
    return found


def _at(base: Experiment, size: int, temperature: float) -> Experiment:
    return base.changed(
        {
            "task": {"P": size, "N0": size + size // 25},
            "network": {"width": size},
            "posterior": {"temperature": temperature},
            # In the cold few proposed changes are accepted: the starts meet after fifty sweeps or more.
            "sampling": {"draws": base.sampling.draws * (3 if temperature < _COLD else 1)},
        }
    )


def from_starts(experiment: Experiment) -> dict[str, Experiment]:
    """The experiment from each start: a quench from the prior; annealed; planted without the theory's rarest code (of
    the four of the paper, 1-1-1), the neurons in the others alike.

    **Raises:** `nonlazy.errors.InvalidInput` where the theory has fewer than two codes, or no moves are asked for.
    """
    if experiment.sampling.moves is None or experiment.sampling.moves.kind != "jump":
        raise InvalidInput('the figure needs moves = { kind = "jump" }: without them no share changes')
    known = getattr(_theory(experiment), "codes", None)
    if known is None or len(known) < 2:
        raise InvalidInput(
            "the figure needs two codes or more that the theory knows: change y_minus or the temperature"
        )
    codes = np.asarray(known.active)[np.argsort(-np.asarray(known.fraction), kind="stable")][:-1]
    kinds = {
        "quench": {"kind": "prior"},
        "annealed": {"kind": "annealed"},
        "planted": {"kind": "planted", "codes": [[int(on) for on in code] for code in codes]},
    }
    return {name: experiment.changed({"sampling": {"start": kinds[name]}}) for name in STARTS}


def _theory(experiment: Experiment) -> Prediction:
    return solve(experiment.build())


def read_shares(runs: Mapping[str, Run]) -> SharesFromStarts:
    """The shares of the codes in runs of one posterior from different starts, by the start's name."""
    first = next(iter(runs.values()))
    prediction: Prediction | None
    try:
        prediction = solve(first.posterior)
    except (InvalidInput, TheoryError):
        prediction = None
    each = {name: fractions(run) for name, run in runs.items()}
    theory = getattr(prediction, "codes", None)
    expected = {} if theory is None else dict(zip(theory.names, map(float, theory.fraction), strict=True))
    totals = {code: np.mean([_share(one, code).mean() for one in each.values()]) for one in each.values()
              for code in one.names}  # fmt: skip
    codes = tuple(sorted(totals, key=lambda code: -totals[code]))
    every = int((first.configuration["moves"] or {}).get("every", 1))
    thin = int(first.configuration["thin"])
    draws = next(iter(each.values())).draws
    return SharesFromStarts(
        codes=codes,
        times=(draws + 1) * thin / every,
        shares={name: np.stack([_share(one, code) for code in codes], axis=2) for name, one in each.items()},
        theory=np.array([expected.get(code, np.nan) for code in codes]) if expected else None,
        equilibrium=equilibrium(*runs.values(), prediction=prediction, discard=first.draws // 2),
    )


def _share(found: Fractions, code: str) -> Float[np.ndarray, "chain draw"]:
    if code in found.names:
        return found.by_draw[:, :, found.names.index(code)]
    return np.zeros(found.by_draw.shape[:2])


def read(runs: Mapping[str, Run]) -> FigureData:
    groups: dict[str, dict[str, Run]] = {}
    for name, run in runs.items():
        setting, start = name.rsplit("-", 1)
        groups.setdefault(setting, {})[start] = run
    panels, table, notes, warnings = {}, [], [], []
    for setting, group in groups.items():
        found, first = read_shares(group), next(iter(group.values()))
        verdict, neurons = found.equilibrium, first.posterior.network.width
        halves = {start: values[:, values.shape[1] // 2 :].mean(axis=1) for start, values in found.shares.items()}
        means = np.concatenate(list(halves.values()))
        for k in _shown(found, neurons):
            theory = None if found.theory is None or not np.isfinite(found.theory[k]) else float(found.theory[k])
            error = float(means[:, k].std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else None
            table.append(FigureRow(setting, f"share of {found.codes[k]}", theory, float(means[:, k].mean()), error))
        notes.append(f"{setting}: {verdict.verdict}; {verdict.reason}")
        if verdict.verdict != "equilibrated":
            warnings.append(f"{setting}: the shares are {verdict.verdict}")
        panels[setting] = _panel(found, first, _shown(found, neurons))
    return FigureData(xarray.DataTree.from_dict(panels), tuple(table), {}, tuple(notes), tuple(warnings))


def _shown(found: SharesFromStarts, neurons: int) -> list[int]:
    """Codes of the theory, and others that hold a neuron on average in some chain."""
    in_theory = np.zeros(len(found.codes), dtype=bool) if found.theory is None else np.isfinite(found.theory)
    most = np.max([values.mean(axis=1).max(axis=0) for values in found.shares.values()], axis=0)
    return [int(k) for k in np.flatnonzero(in_theory | (most * neurons >= 1))]


def _panel(found: SharesFromStarts, run: Run, shown: list[int]) -> xarray.Dataset:
    network, task, posterior = run.posterior.network, run.task, run.posterior
    theory = np.full(len(found.codes), np.nan) if found.theory is None else found.theory
    return xarray.Dataset(
        {
            "share": (("start", "chain", "draw", "code"), np.stack(list(found.shares.values()))[..., shown]),
            "theory": (("code",), theory[shown]),
            "time": (("draw",), found.times),
        },
        coords={"start": list(found.shares), "code": [found.codes[k] for k in shown]},
        attrs={
            "N": network.width,
            "P": task.P,
            "temperature": posterior.temperature,
            "verdict": found.equilibrium.verdict,
            "every": int((run.configuration["moves"] or {}).get("every", 1)),
            "task": task.name,
        },
    )


def draw(panels: xarray.DataTree) -> Any:
    from matplotlib.figure import Figure

    from nonlazy import plots

    settings = {name: node.to_dataset() for name, node in panels.children.items()}
    # Panels come back from disk by name: warm rows first, small networks before large ones.
    settings = dict(sorted(settings.items(), key=lambda one: (-one[1].attrs["temperature"], one[1].attrs["N"])))
    codes = list(dict.fromkeys(str(code) for data in settings.values() for code in data["code"].values))[:_MOST_CODES]
    top, bottom, between = 0.62, 0.62, 0.3
    tall = top + bottom + len(settings) * _PANEL + (len(settings) - 1) * between
    figure = Figure(figsize=(7.0, tall), dpi=200, facecolor="white")
    lines: dict[str, Any] = {}
    for row, data in enumerate(settings.values()):
        low = bottom + (len(settings) - 1 - row) * (_PANEL + between)
        last = row == len(settings) - 1
        N, P, T, verdict = (data.attrs[name] for name in ("N", "P", "temperature", "verdict"))
        said = f"N = {N}, P = {P}, T = {T:g}: {verdict}"
        figure.text(0.05, (low + _PANEL + 0.06) / tall, said, fontsize=6.5, va="bottom")
        for column, code in enumerate(codes):
            if code not in data["code"].values:
                continue
            axes = figure.add_axes((0.05 + 0.95 / len(codes) * column, low / tall, 0.95 / len(codes) - 0.045,
                                    _PANEL / tall))  # fmt: skip
            one = data.sel(code=code)
            shares = {str(start): one["share"].sel(start=start).values for start in data["start"].values}
            lines |= plots.share_history(axes, data["time"].values, shares, float(one["theory"]))
            axes.text(0.97, 0.95, code, transform=axes.transAxes, fontsize=7, weight="bold", ha="right", va="top")
            if column == 0:
                axes.set_ylabel("share (%)", fontsize=7, labelpad=2)
            if last:
                axes.set_xlabel("time (sweeps of jumps)", fontsize=7, labelpad=2)
    figure.legend(
        lines.values(), lines.keys(), loc="upper left", bbox_to_anchor=(0.04, 1 - 0.2 / tall), ncols=len(lines),
        fontsize=6.5, frameon=False, handlelength=1.6, columnspacing=1.2, borderaxespad=0.1,
    )  # fmt: skip
    every = next(iter(settings.values())).attrs["every"]
    plots.caption(
        figure, "Shares of the codes from three starts",
        f"A line a chain. Sweep: one try a neuron, every {every} iterations. Planted: none in the theory's rarest "
        "code. Verdicts are of the second half of all chains of a row",
    )  # fmt: skip
    return figure


EQUILIBRIUM = FigureDefinition(
    name="equilibrium",
    title="Shares of the codes from three starts",
    summary="Neurons that may change their code reach the theory's shares, from too many or too few in a code.",
    seconds=900.0,
    quick_seconds=30.0,
    experiments=experiments,
    read=read,
    draw=draw,
)
