"""Do neurons reach the codes of equilibrium? One posterior from three starts, with neurons that may change code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nonlazy.diagnostics import Equilibrium, Fractions, equilibrium, fractions
from nonlazy.errors import InvalidInput, StoreError, TheoryError
from nonlazy.experiments import Experiment, load
from nonlazy.figures._experiment import RUN, results_folder, sample_experiment
from nonlazy.figures._plain import plain
from nonlazy.sampling import Run
from nonlazy.theory import Prediction, solve


STARTS = ("quench", "annealed", "planted")


@dataclass(frozen=True, eq=False)
class EquilibriumFigure:
    """What the figure shows.

    **Fields:**

    - `title`: of the picture. `runs`: by start.
    - `codes`: their names, the most frequent first. `times`: of each draw, in iterations after the warm-up over those
      between two sweeps, `(draw,)`. `shares`: of each start, `(chain, draw, code)`. `theory`: `(code,)`, or None.
    - `equilibrium`: the verdict on the second half of all chains together.
    - `prediction`: the theory of equilibrium, or None.
    """

    title: str
    runs: Mapping[str, Run]
    codes: tuple[str, ...]
    times: Float[np.ndarray, " draw"]
    shares: Mapping[str, Float[np.ndarray, "chain draw code"]]
    theory: Float[np.ndarray, " code"] | None
    equilibrium: Equilibrium
    prediction: Prediction | None

    def to_dict(self) -> dict[str, Any]:
        """The figure's numbers as plain values that fit in JSON."""
        run = self.runs[STARTS[0]]
        return plain(
            {
                "title": self.title,
                "posterior": str(run.posterior),
                "codes": self.codes,
                "time_in_sweeps": self.times,
                "shares": dict(self.shares),
                "theory": self.theory,
                "equilibrium": self.equilibrium.to_dict(),
                "provenance": {name: one.provenance for name, one in self.runs.items()},
            }
        )


def equilibrium_experiment(quick: bool = False) -> Experiment:
    """The shipped experiment behind the figure."""
    experiment = load("equilibrium")
    return experiment.quick() if quick else experiment


def equilibrium_name(quick: bool) -> str:
    """What the figure's files are called, and its folder after "nonlazy-"."""
    return "figure-equilibrium" + ("-quick" if quick else "")


def starts(experiment: Experiment, prediction: Prediction) -> dict[str, Experiment]:
    """The experiment from each start: a quench from the prior; annealed; planted without the theory's rarest code (of
    the four of the paper, 1-1-1), the neurons in the others alike."""
    rarest = None if prediction is None else getattr(prediction, "codes", None)
    if rarest is None or len(rarest) < 2:
        raise InvalidInput(
            "the figure needs two codes or more that the theory knows: change y_minus or the temperature"
        )
    codes = np.asarray(rarest.active)[np.argsort(-np.asarray(rarest.fraction), kind="stable")][:-1]
    kinds = {
        "quench": {"kind": "prior"},
        "annealed": {"kind": "annealed"},
        "planted": {"kind": "planted", "codes": [[int(on) for on in code] for code in codes]},
    }
    return {name: experiment.changed({"sampling": {"start": kinds[name]}}) for name in STARTS}


def figure_equilibrium(
    quick: bool = False,
    out: str | Path | None = None,
    *,
    resume: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
    **sampling: Any,
) -> EquilibriumFigure:
    """Samples one posterior from three starts and shows the share of each code against sampling time, theory dashed.

    The starts hold too many neurons in the code 1-1-1 (annealed), none (planted), and what a quench leaves. Each has a
    folder of its own with its run, beside the picture (PNG and PDF) and the numbers (JSON).

    **Arguments:**

    - `quick`: a smaller size.
    - `out`: the folder; None: `nonlazy-figure-equilibrium` in the current one.
    - `resume`, `overwrite`, `progress`: as in `nonlazy.sample`, for each start.
    - `sampling`: other values for keys of `[sampling]`, as `draws=400`.

    **Returns:** an `EquilibriumFigure`.

    **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.StoreError`, `nonlazy.errors.SamplingError`,
    `nonlazy.errors.TheoryError`.
    """
    experiment = equilibrium_experiment(quick)
    if sampling:
        experiment = experiment.changed({"sampling": sampling})
    folder = results_folder(equilibrium_name(quick), out)
    found = sample_equilibrium(experiment, folder, resume=resume, overwrite=overwrite, progress=progress)
    write_equilibrium(found, folder, equilibrium_name(quick))
    return found


def sample_equilibrium(
    experiment: Experiment,
    folder: Path,
    *,
    resume: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> EquilibriumFigure:
    """Samples the experiment from each start into `folder/START/run.zarr`, and reads the shares of the codes.

    **Raises:** as `figure_equilibrium`.
    """
    if experiment.sampling.moves is None or experiment.sampling.moves.kind != "jump":
        raise InvalidInput('the figure needs moves = { kind = "jump" }: without them no share changes')
    prediction = solve(experiment.build())
    runs: dict[str, Run] = {}
    for name, one in starts(experiment, prediction).items():
        # Whatever start an interrupted figure had not come to yet begins now.
        going_on = resume if name == STARTS[0] or (folder / name / RUN).exists() else None
        runs[name] = sample_experiment(
            one, folder / name, name=name, resume=going_on, overwrite=overwrite, progress=progress
        )
    return read_equilibrium(runs, experiment.about.title or experiment.name, prediction)


def read_equilibrium(runs: Mapping[str, Run], title: str, prediction: Prediction | None = None) -> EquilibriumFigure:
    """The shares of the codes in runs of one posterior from different starts."""
    first = next(iter(runs.values()))
    if prediction is None:
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
    return EquilibriumFigure(
        title=title,
        runs=runs,
        codes=codes,
        times=(draws + 1) * thin / every,
        shares={name: np.stack([_share(one, code) for code in codes], axis=2) for name, one in each.items()},
        theory=np.array([expected.get(code, np.nan) for code in codes]) if expected else None,
        equilibrium=equilibrium(*runs.values(), prediction=prediction, discard=first.draws // 2),
        prediction=prediction,
    )


def draw_equilibrium(found: EquilibriumFigure) -> Any:
    """The picture, a matplotlib `Figure`."""
    from nonlazy import plots

    run = found.runs[STARTS[0]]
    network, task, posterior = run.posterior.network, run.task, run.posterior
    verdict = found.equilibrium
    shown = [k for k in range(len(found.codes)) if _is_shown(found, k)]
    footnote = (
        f"{task.name}, P = {task.P}; {network.phi.name}, N = {network.width}, T = {posterior.temperature:g}. A line a "
        f"chain; planted: none in {found.codes[shown[-1]]}.\nSweep: one try a neuron, every "
        f"{(run.configuration['moves'] or {}).get('every')} iterations. Second half of all chains: {verdict.verdict}"
    )
    quick = str(run.provenance.get("experiment") or "").endswith("-quick")
    return plots.share_curves(
        found.times,
        {name: values[:, :, shown] for name, values in found.shares.items()},
        [found.codes[k] for k in shown],
        None if found.theory is None else found.theory[shown],
        title=("QUICK SIZE. " if quick else "") + "Shares of the codes from three starts",
        footnote=footnote,
    )


def write_equilibrium(found: EquilibriumFigure, folder: Path, name: str) -> tuple[Path, ...]:
    """Writes the picture as PNG and PDF and the numbers as JSON: `folder/name.png` and so on.

    **Returns:** the paths written. **Raises:** `nonlazy.errors.StoreError` where the folder cannot be written.
    """
    from nonlazy import plots

    paths = plots.save(draw_equilibrium(found), folder / name)
    numbers = folder / f"{name}.json"
    try:
        numbers.write_text(json.dumps(found.to_dict(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}; choose another folder") from None
    return (*paths, numbers)


def _is_shown(found: EquilibriumFigure, k: int) -> bool:
    """Codes of the theory, and others that hold a neuron on average in some chain."""
    in_theory = found.theory is not None and bool(np.isfinite(found.theory[k]))
    neurons = found.runs[STARTS[0]].posterior.network.width
    return in_theory or max(values[:, :, k].mean(axis=1).max() for values in found.shares.values()) * neurons >= 1


def _share(found: Fractions, code: str) -> Float[np.ndarray, "chain draw"]:
    if code in found.names:
        return found.by_draw[:, :, found.names.index(code)]
    return np.zeros(found.by_draw.shape[:2])
