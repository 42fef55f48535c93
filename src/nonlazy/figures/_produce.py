"""A figure from its definition: sampled, read, judged, drawn and written into a folder."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nonlazy._whole_files import write_text
from nonlazy.errors import InvalidInput
from nonlazy.experiments import Experiment
from nonlazy.figures._definition import FigureData, FigureDefinition
from nonlazy.figures._experiment import RUN, results_folder, sample_experiment
from nonlazy.figures._panels import write_panels
from nonlazy.figures._plain import plain
from nonlazy.figures._report import Report, report, write
from nonlazy.figures.claims import CLAIMS, Evidence, judge
from nonlazy.sampling import Run


@dataclass(frozen=True, eq=False)
class FigureResult:
    """A figure that was made.

    **Fields:** `definition`; `quick`: whether at the quick size; `runs`: by experiment; `data`: what they were read to
    say; `evidence`: for the paper's claims; `folder`: where its files are.
    """

    definition: FigureDefinition
    quick: bool
    runs: Mapping[str, Run]
    data: FigureData
    evidence: tuple[Evidence, ...]
    folder: Path

    @property
    def converged(self) -> bool:
        """Whether the chains of every experiment agree."""
        return not self.data.warnings

    def to_dict(self) -> dict[str, Any]:
        """Table, claims, notes and provenance as plain values that fit in JSON."""
        return plain(
            {
                "figure": self.definition.name,
                "title": self.definition.title,
                "quick": self.quick,
                "command": f"nonlazy figure {self.definition.name}" + (" --quick" if self.quick else ""),
                "table": [{**asdict(row), "deviation": row.deviation} for row in self.data.table],
                "claims": [
                    {
                        "claim": one.claim,
                        "key": one.criterion.key,
                        "statistic": one.criterion.statistic,
                        "criterion": str(one.criterion),
                        "value": one.value,
                        "holds": one.holds,
                    }
                    for one in self.evidence
                ],
                "notes": self.data.notes,
                "warnings": self.data.warnings,
                "posteriors": {name: str(run.posterior) for name, run in self.runs.items()},
                "provenance": {name: run.provenance for name, run in self.runs.items()},
            }
        )


def produce(
    definition: FigureDefinition,
    quick: bool = False,
    out: str | Path | None = None,
    *,
    resume: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    announce: Callable[[str], object] = lambda _: None,
    inspect: Callable[[Report], object] = lambda _: None,
) -> FigureResult:
    """Samples the experiments of a figure, reads them, and writes picture, table, panels and runs into a folder.

    Experiments that are complete are not sampled again; one that was interrupted goes on where it stopped.

    **Arguments:**

    - `definition`: of the figure, from `nonlazy.figures.FIGURES`.
    - `quick`: a smaller size, labelled as such.
    - `out`: the folder; None: `nonlazy-figure-NAME` in the current one.
    - `resume`, `overwrite`, `progress`: as in `nonlazy.sample`, for each experiment.
    - `changes`: other values for keys of the experiments, by section, as `{"sampling": {"draws": 400}}`.
    - `announce`: called with the name of each experiment before it is sampled.
    - `inspect`: called with the report of each run, where the figure has these.

    **Returns:** a `FigureResult`.

    **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.StoreError`, `nonlazy.errors.SamplingError`,
    `nonlazy.errors.TheoryError`.
    """
    folder = results_folder(definition.file_name(quick), out)
    experiments = {name: one.changed(changes or {}) for name, one in definition.experiments(quick).items()}
    _check_resume(folder, experiments, resume)
    runs: dict[str, Run] = {}
    # Pictures of one experiment are drawn while the chains of the next, in processes of their own, are at work.
    background, written = ThreadPoolExecutor(1), list[Future]()
    try:
        for name, experiment in experiments.items():
            announce(name)
            there = (folder / name / RUN).exists()
            # Whatever experiment an interrupted figure had not come to yet begins now.
            runs[name] = sample_experiment(
                experiment,
                folder / name,
                name=name,
                resume=resume if there else None,
                overwrite=overwrite,
                progress=progress,
            )
            if definition.reports:
                found = report(runs[name], experiment.about.title)
                inspect(found)
                written.append(background.submit(write, found, folder / name, name))
            for one in written:
                if one.done():
                    one.result()
        for one in written:
            one.result()
    finally:
        background.shutdown(wait=False, cancel_futures=True)
    data = definition.read(runs)
    result = FigureResult(definition, quick, runs, data, judge(CLAIMS, data.measured, quick), folder)
    write_figure(result)
    return result


def write_figure(result: FigureResult) -> tuple[Path, ...]:
    """Writes the picture (PNG, PDF), the panels' numbers (Zarr), the table (CSV) and all numbers (JSON).

    **Returns:** the paths written. **Raises:** `nonlazy.errors.StoreError` where the folder cannot be written.
    """
    from nonlazy import plots

    name, folder = result.definition.file_name(result.quick), result.folder
    picture = result.definition.draw(result.data.panels)
    if result.quick:
        plots.badge(picture, "QUICK SIZE")
    paths = [*plots.save(picture, folder / name), write_panels(result.data.panels, folder / f"{name}-panels.zarr")]
    for suffix, text in (("csv", _table(result.data)), ("json", json.dumps(result.to_dict(), indent=2) + "\n")):
        paths.append(write_text(folder / f"{name}.{suffix}", text))
    return tuple(paths)


def _check_resume(folder: Path, experiments: Mapping[str, Experiment], resume: bool | None) -> None:
    if resume and experiments and not any((folder / name / RUN).exists() for name in experiments):
        raise InvalidInput(f"{folder} holds no run of this figure to go on with: leave --resume out to begin")


def _table(data: FigureData) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["experiment", "quantity", "theory", "samples", "error", "deviation", "paper"])
    for row in data.table:
        numbers = (row.theory, row.samples, row.error, row.deviation)
        cells = ["" if value is None else f"{value:.6g}" for value in numbers]
        writer.writerow([row.experiment, row.quantity, *cells, row.paper])
    return text.getvalue()
