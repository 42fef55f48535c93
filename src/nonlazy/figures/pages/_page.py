"""The page of a run, or of a figure's folder."""

import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nonlazy._regular_files import LARGEST_JSON, check_regular
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.experiments import load
from nonlazy.figures._experiment import EXPERIMENT, RUN
from nonlazy.figures._outputs import output_names
from nonlazy.figures._report import Report, draw, proof_of, report
from nonlazy.figures.claims import CLAIMS
from nonlazy.figures.pages import _html as html
from nonlazy.figures.pages._numbers import figure_fault
from nonlazy.sampling import open_run


_RANKS = 3


def page(path: str | Path) -> str:
    """One self-contained HTML page of a run (or the folder that holds it), or of the folder that a figure wrote.

    Pictures are within the page, and nothing is loaded from elsewhere: it opens without a network.

    **Raises:** `nonlazy.errors.StoreError` for a folder that holds neither and for a damaged run, and as
    `nonlazy.open_run`.
    """
    path = Path(path)
    if path.is_file():
        raise InvalidInput(f"{path} is a file: give a run, or the folder of results that nonlazy wrote")
    numbers = _figure_numbers(path)
    if numbers is not None:
        try:
            return html.document(f"Figure {numbers['figure']}: {numbers['title']}", _figure_parts(path, numbers))
        except RecursionError:
            raise StoreError(f"{path / numbers['stem']}.json is nested too deeply: make the figure again") from None
    run = path / RUN if (path / RUN).is_dir() else path
    if not (run / "zarr.json").is_file():
        raise StoreError(f"{path} holds no run, figure or sweep: give a folder that nonlazy run, figure or sweep wrote")
    opened = open_run(run)
    opened.verify()
    found = report(opened, _title(run))
    return html.document(found.title, _run_parts(found, run.parent))


def write_page(path: str | Path, out: str | Path | None = None) -> Path:
    """Writes the `page` of a run or figure, whole or not at all.

    **Arguments:** `path`: as for `page`; `out`: the HTML file; None: `report.html` in the folder of results, or
    `NAME.html` beside a run that is called `NAME.zarr`.

    **Returns:** the file. **Raises:** as `page`, and `nonlazy.errors.StoreError` where it cannot be written.
    """
    path = Path(path)
    text = page(path)
    # A page does not belong into the store that it is of.
    is_store = (path / "zarr.json").is_file()
    name = f"{path.stem}.html" if is_store and path.name != RUN else "report.html"
    file = (path.parent if is_store else path) / name if out is None else Path(out)
    if file.is_dir():
        raise InvalidInput(f"{file} is a folder: give the name of the page, as {file / 'report.html'}")
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        # JSON can hold halves of characters, which no file can.
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as open_file:
            open_file.write(text)
        os.replace(temporary, file)
        file.chmod(0o644)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}; choose another place") from None
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
    return file


def _figure_numbers(folder: Path) -> dict[str, Any] | None:
    """What a figure wrote of itself into its folder; None where it is no figure's folder."""
    for file in sorted(folder.glob("figure-*.json")):
        try:
            check_regular(file, StoreError, most=LARGEST_JSON)
            numbers = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            raise StoreError(f"{file} cannot be read: make the figure again") from None
        if isinstance(numbers, dict) and {"figure", "table", "claims", "provenance"} <= numbers.keys():
            fault = figure_fault(numbers)
            if fault:
                raise StoreError(f"{file} is damaged: {fault}. Make the figure again")
            return numbers | {"stem": file.stem}
    return None


def _figure_parts(folder: Path, numbers: dict[str, Any]) -> Iterator[str]:
    yield html.heading(f"Figure {numbers['figure']}: {numbers['title']}", 1)
    if numbers["quick"]:
        yield html.paragraph("QUICK SIZE: smaller than the paper's", "badge")
    file = folder / f"{numbers['stem']}.png"
    if file.is_file():
        yield html.picture(_smaller(file), numbers["title"])
    for warning in numbers["warnings"]:
        yield html.paragraph(f"Warning: {warning}", "bad")
    for note in numbers["notes"]:
        yield html.paragraph(note, "note")
    yield html.heading("Theory and samples")
    columns = ("experiment", "quantity", "theory", "samples", "error", "deviation", "paper")
    rows = [[row[name] for name in columns] for row in numbers["table"]]
    yield html.table((*columns[:-1], "the paper"), rows, (2, 3, 4, 5))
    if numbers["claims"]:
        yield html.heading("The paper's claims")
        statements = {claim.number: claim.statement for claim in CLAIMS}
        for number in dict.fromkeys(one["claim"] for one in numbers["claims"]):
            yield html.paragraph(f"{number}. {statements.get(number, '')}")
            words = {True: "holds", False: "does not hold", None: "not measured"}
            yield html.table(
                ("statistic", "found", "holds where", ""),
                [
                    (one["statistic"], one["value"], one["criterion"], words[one["holds"]])
                    for one in numbers["claims"]
                    if one["claim"] == number
                ],
                (1, 2),
            )
    yield html.heading("To make it again")
    yield html.preformatted(numbers["command"])
    for name, posterior in numbers["posteriors"].items():
        experiment = folder / name / EXPERIMENT
        text = experiment.read_text(encoding="utf-8", errors="replace") if experiment.is_file() else ""
        inner = html.paragraph(posterior, "note") + html.pairs(numbers["provenance"].get(name, {}))
        yield html.folded(name, inner + (html.preformatted(text) if text else ""))


def _run_parts(found: Report, folder: Path) -> Iterator[str]:
    run, task = found.run, found.run.task
    yield html.heading(found.title, 1)
    if str(run.provenance.get("experiment") or "").endswith("-quick"):
        yield html.paragraph("QUICK SIZE: smaller than the paper's", "badge")
    yield html.paragraph(str(run.posterior), "note")
    if not run.complete:
        yield html.paragraph(f"Interrupted: {run.draws} draws so far", "bad")
    if found.scheme is not None:
        yield html.drawing(draw(found), found.title)
        yield html.heading(f"Coding scheme: {found.scheme.kind}")
        names = output_names(task)
        head = (
            "code",
            "neurons",
            "share",
            *(f"a({name})" for name in names),
            *(f"phi on {c}" for c in task.class_names),
        )
        rows = [(row.code, row.neurons, row.fraction, *row.readout, *row.activation) for row in found.codes]
        yield html.table(head, rows, range(1, len(head)))
        yield html.paragraph(found.scheme.rule, "note")
    if found.equilibrium is not None:
        good = found.equilibrium.verdict == "equilibrated"
        yield html.paragraph(
            f"The shares of the codes are {found.equilibrium.verdict}: {found.equilibrium.reason}",
            "good" if good else "bad",
        )
    yield html.heading("Outputs")
    outputs = output_names(task)
    head = ("class", "inputs", *(f"target {name}" for name in outputs), *(f"mean output {name}" for name in outputs))
    yield html.table(head, [(r.name, r.inputs, *r.target, *r.output) for r in found.outputs], range(1, len(head)))
    if found.test is not None:
        yield html.heading("Errors on test inputs")
        rows = zip(outputs, found.test.bias2, found.test.variance, found.test.total, strict=True)
        yield html.table(("output", "squared bias", "variance", "total"), list(rows), (1, 2, 3))
        if found.test.accuracy is not None:
            yield html.paragraph(f"{100 * found.test.accuracy:.1f} % of {found.test.inputs} test inputs right")
    yield from _comparison(found)
    yield from _diagnostics(found)
    experiment = folder / EXPERIMENT
    yield html.heading("To make it again" if experiment.is_file() else "Where it comes from")
    if experiment.is_file():
        yield html.preformatted(f"nonlazy run {EXPERIMENT}")
        yield html.folded(EXPERIMENT, html.preformatted(experiment.read_text(encoding="utf-8", errors="replace")))
    yield html.pairs(run.provenance)
    yield html.folded("where the data come from", html.pairs(dict(task.provenance)))


def _comparison(found: Report) -> Iterator[str]:
    yield html.heading("Theory and samples")
    if found.no_prediction:
        yield html.paragraph(f"No theory beside the samples: {found.no_prediction}", "note")
    if not found.comparison:
        return
    frozen = any(row.quenched is not None for row in found.comparison)
    head = ("quantity", "theory", *(("theory at the run's shares",) if frozen else ()), "samples", "error", "deviation")
    rows = [
        (row.quantity, row.theory, *((row.quenched,) if frozen else ()), row.samples, row.error, row.deviation)
        for row in found.comparison
    ]
    yield html.table(head, rows, range(1, len(head)))
    if found.prediction is not None:
        yield html.paragraph(f"{found.prediction.ensemble}; {proof_of(found.prediction)}", "note")


def _diagnostics(found: Report) -> Iterator[str]:
    yield html.heading("Diagnostics of the chains")
    diagnostics = found.diagnostics
    ranks = [row for row in diagnostics.table if row.quantity.startswith("|a_i|^2")]
    rows = [
        (row.quantity + (" *" if row.decisive else ""), row.mean, row.mcse, round(row.ess), row.rhat)
        for row in diagnostics.table
        if row not in ranks[_RANKS:] and row.ess == row.ess
    ]
    yield html.table(("quantity", "mean", "error", "ESS", "R-hat"), rows, (1, 2, 3, 4))
    yield html.paragraph("* decides whether the chains have converged: R-hat below 1.05", "note")
    for warning in diagnostics.warnings:
        yield html.paragraph(f"Warning: {warning}", "bad")
    said = "The chains agree." if diagnostics.converged else "The chains have not converged."
    yield html.paragraph(said, "good" if diagnostics.converged else "bad")


def _smaller(file: Path) -> bytes:
    """A picture at the size of a screen."""
    from PIL import Image

    try:
        with Image.open(file, formats=("PNG",)) as image:
            # Pictures are written with 300 dots an inch.
            size = (image.width * html.RESOLUTION // 300, image.height * html.RESOLUTION // 300)
            small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    # A damaged picture raises almost anything: OSError, SyntaxError, ValueError, struct.error.
    except Exception as error:
        raise StoreError(f"{file} cannot be read as a picture ({error}): make the figure again") from None
    found = io.BytesIO()
    small.save(found, format="PNG", optimize=True)
    return found.getvalue()


def _title(run: Path) -> str:
    """The title of the experiment that lies beside a run, or the folder's name."""
    experiment = run.parent / EXPERIMENT
    name = run.parent.resolve().name if run.name == RUN else run.stem
    title = load(experiment).about.title if experiment.is_file() else ""
    return title or name.removeprefix("nonlazy-")
