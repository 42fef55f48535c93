"""The page of a sweep: one self-contained HTML file."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nonlazy._whole_files import replace_text
from nonlazy.errors import InvalidInput, NonlazyError, StoreError
from nonlazy.figures.pages import _html as html
from nonlazy.sweeps._folder import EXPERIMENT
from nonlazy.sweeps._gather import quantity
from nonlazy.sweeps._load import SWEEP
from nonlazy.sweeps._picture import chosen, draw, file_name
from nonlazy.sweeps._quantities import FRACTIONS, TEXTS, meaning
from nonlazy.sweeps._result import SweepResult, open_sweep
from nonlazy.sweeps._sweep import value_text


# Beyond that a table of shares cannot be read.
_MOST_CODES = 8


def page(folder: str | Path) -> str:
    """One self-contained HTML page of a sweep, complete or not: pictures, the numbers of its points, and what became of
    those that failed or did not converge.

    The pictures are those that the sweep draws, and all others that were drawn into its folder.

    **Raises:** `nonlazy.errors.StoreError` for a folder that holds no sweep.
    """
    result = open_sweep(folder)
    return html.document(result.sweep.title or result.sweep.name, _parts(result))


def write_page(folder: str | Path, out: str | Path | None = None) -> Path:
    """Writes the `page` of a sweep, whole or not at all.

    **Arguments:** `out`: the HTML file; None: `report.html` in the folder.

    **Returns:** the file. **Raises:** as `page`, and `nonlazy.errors.StoreError` where it cannot be written.
    """
    file = Path(folder).expanduser() / "report.html" if out is None else Path(out)
    if file.is_dir():
        raise InvalidInput(f"{file} is a folder: give the name of the page, as {file / 'report.html'}")
    text = page(folder)
    try:
        replace_text(file, text)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}; choose another place") from None
    return file


def _parts(result: SweepResult) -> Iterator[str]:
    sweep = result.sweep
    yield html.heading(sweep.title or sweep.name, 1)
    if sweep.description:
        yield html.paragraph(sweep.description)
    if sweep.base.name.endswith("-quick"):
        yield html.paragraph("QUICK SIZE: smaller than the full experiment", "badge")
    yield from _state(result)
    drawn = []
    if any(record.state == "done" for record in result.records):
        for name in _drawn_names(result):
            try:
                yield html.drawing(draw(sweep, result.data, name), f"{name}: {meaning(name)}")
                drawn.append(name)
            except InvalidInput as error:
                yield html.paragraph(f"Not drawn: {str(error).partition(chr(10))[0].removesuffix(' There are')}", "bad")
    yield html.heading("What was swept")
    swept: dict[str, list[str]] = {key: [] for key in sweep.keys}
    for point in sweep.points:
        for key, value in point.values.items():
            swept[key] += [value_text(value)] if value_text(value) not in swept[key] else []
    yield html.pairs(swept)
    yield html.paragraph(f"The rest is experiment {sweep.base.name!r}, below.", "note")
    yield html.heading("Points")
    yield _points(result, drawn)
    yield html.paragraph(
        "Chains have converged where R-hat of what decides is below 1.05. The theory is certified where a bound proves "
        "that its solution is the optimum.", "note",
    )  # fmt: skip
    yield from _troubles(result)
    yield html.heading("To make it again")
    yield html.paragraph("With these two files in a folder:", "note")
    yield html.preformatted(f"nonlazy sweep {SWEEP}")
    for name in (SWEEP, EXPERIMENT):
        if (result.folder / name).is_file():
            yield html.folded(name, html.preformatted((result.folder / name).read_text(encoding="utf-8")))
    done = next((k for k, record in enumerate(result.records) if record.state == "done"), None)
    if done is not None:
        try:
            provenance = html.pairs(result.run(done).provenance)
        except NonlazyError as error:
            provenance = html.paragraph(str(error), "bad")
        yield html.folded(f"versions, device and times of {sweep.points[done].name}", provenance)


def _state(result: SweepResult) -> Iterator[str]:
    done = sum(record.state == "done" for record in result.records)
    said = f"{done} of {len(result.records)} points done"
    for names, what in ((result.failed, "failed"), (result.missing, "missing"), (result.unconverged, "not converged")):
        said += f", {len(names)} {what}" if names else ""
    said += f"; the theory of {len(result.uncertified)} not certified" if result.uncertified else ""
    yield html.paragraph(said + ".", "good" if result.complete and not result.unconverged else "bad")


def _drawn_names(result: SweepResult) -> list[str]:
    """The quantities of the sweep's pictures, and of the others that lie in its folder."""
    names = list(result.sweep.show or (chosen(result.sweep, result.data),))
    there = [name for name in (*result.quantities, FRACTIONS) if (result.folder / f"{file_name(name)}.png").is_file()]
    return list(dict.fromkeys([*names, *there]))


def _points(result: SweepResult, drawn: list[str]) -> str:
    """A line a point: its values, whether its chains agree, and the numbers of the pictures."""
    sweep, data = result.sweep, result.data
    names = []
    for name in drawn:
        codes = [str(code) for code in np.asarray(data["codes/code"])] if name == FRACTIONS else []
        for one in [f"fraction[{code}]" for code in codes[:_MOST_CODES]] or [name]:
            beside = [one] if one.startswith("theory.") else [one, f"{one}_mcse", f"theory.{one}"]
            names += [each for each in beside if each not in names and quantity(data, each) is not None]
    columns = [np.asarray(quantity(data, name)).reshape(-1) for name in names]
    proof = quantity(data, "theory.certified")
    proved = None if proof is None else np.asarray(proof).reshape(-1)
    rows = []
    for k, (point, record) in enumerate(zip(sweep.points, result.records, strict=True)):
        found = record.found.get("diagnostics", {}) if record.state == "done" else {}
        converged = bool(found["converged"]) if found.get("converged") is not None else None
        rhat = found.get("rhat_max")
        values = [value_text(point.values[key]) if key in point.values else "" for key in sweep.keys]
        numbers = [column[k] if isinstance(column[k], str) else float(column[k]) for column in columns]
        known = (record.state, converged, None if rhat is None else float(rhat))
        if proved is not None:
            known += (None if np.isnan(proved[k]) else bool(proved[k]),)
        rows.append((k, *values, *known, *numbers))
    certified = () if proved is None else ("theory certified",)
    head = ("point", *sweep.keys, "state", "converged", "R-hat", *certified, *(_words(name) for name in names))
    first = 3 + len(sweep.keys)
    begin = first + 1 + len(certified)
    right = [first] + [begin + k for k, name in enumerate(names) if name.removeprefix("theory.") not in TEXTS]
    return html.table(head, rows, right)


def _words(name: str) -> str:
    if name.endswith("_mcse"):
        return f"Monte Carlo error of {name.removesuffix('_mcse')}"
    return f"theory: {name.removeprefix('theory.')}" if name.startswith("theory.") else name


def _troubles(result: SweepResult) -> Iterator[str]:
    """What failed, is missing, has not converged, has no theory, and what the chains warn of."""
    if result.failed:
        yield html.heading("Points that failed")
        for name, error in result.failed.items():
            yield html.paragraph(name, "bad")
            yield html.preformatted(error)
    if result.missing:
        yield html.heading("Points that are missing")
        yield html.paragraph("; ".join(result.missing))
    if result.unconverged:
        yield html.heading("Points that have not converged")
        rows = [(name, rhat) for name, rhat in result.unconverged.items()]
        yield html.table(("point", "R-hat"), rows, (1,))
        if any(math.isnan(rhat) for rhat in result.unconverged.values()):
            yield html.paragraph("Without R-hat: one chain, which can agree with no other, or too few draws.", "note")
    reasons: dict[str, list[str]] = {}
    for point, record in zip(result.sweep.points, result.records, strict=True):
        if record.found.get("no_theory"):
            reasons.setdefault(record.found["no_theory"], []).append(point.name)
    if reasons:
        yield html.heading("Points without theory")
        yield html.table(("why", "points"), [(why, "; ".join(names)) for why, names in reasons.items()])
    doubts: dict[str, list[str]] = {}
    for point, record in zip(result.sweep.points, result.records, strict=True):
        if point.name in result.uncertified:
            # Records of an earlier format have no words for it.
            known = record.found.get("certificate") or "not recorded: the same sweep, run again, reads it"
            doubts.setdefault(known, []).append(point.name)
    if doubts:
        yield html.heading("Points whose theory is not certified")
        yield html.paragraph(
            "The equations are solved there, but no bound proves that no other solution is better.", "note"
        )
        yield html.table(("what is known", "points"), [(known, "; ".join(names)) for known, names in doubts.items()])
    warnings = [
        (point.name, warning)
        for point, record in zip(result.sweep.points, result.records, strict=True)
        for warning in record.found.get("warnings", [])
    ]
    if warnings:
        yield html.folded(f"{len(warnings)} warnings of the chains", html.table(("point", "warning"), warnings))
