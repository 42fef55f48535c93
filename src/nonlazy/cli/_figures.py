"""Figures at the terminal: listed, made, and their tables printed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from nonlazy.cli._errors import INTERRUPTED, NOT_CONVERGED
from nonlazy.cli._tables import print_report
from nonlazy.figures import FIGURES, FigureResult, FigureRow, produce, results_folder
from nonlazy.figures._duration import duration
from nonlazy.figures.claims import CLAIMS, Evidence


def list_figures() -> None:
    """Prints every figure with what it shows and how long it takes."""
    table = Table("figure", "shows", "takes", "--quick", box=SIMPLE_HEAD, title="Figures", title_justify="left")
    for name, one in FIGURES.items():
        takes = "needs a GPU" if one.on_request else duration(one.seconds)
        table.add_row(name, f"{one.title}. {one.summary}", takes, duration(one.quick_seconds))
    console = Console()
    console.print(table)
    console.print("Times are of two cores, from a cold start. nonlazy figure 2 draws figure 2; all draws them all.")


def make_figure(name: str, quick: bool, out: Path | None, options: Mapping[str, Any]) -> None:
    """Makes one figure and prints its table; exits with 1 where chains did not converge. `options`: of `produce`."""
    definition = FIGURES[name]
    console = Console()
    seconds = definition.quick_seconds if quick else definition.seconds
    size = "quick size" if quick else "full size"
    console.print(f"[bold]Figure {definition.name}: {escape(definition.title)}[/bold]")
    if quick or not definition.on_request:
        size += f", about {duration(seconds)} on two cores"
    console.print(size, style="dim")
    folder = results_folder(definition.file_name(quick), out)
    try:
        result = produce(
            definition,
            quick,
            folder,
            announce=lambda name: console.print(f"\n[bold]{escape(name)}[/bold]"),
            inspect=lambda found: print_report(found, console),
            **options,
        )
    except KeyboardInterrupt:
        Console(stderr=True).print(
            f"\nInterrupted. What was sampled is kept in {folder}: the same command goes on from there.", markup=False
        )
        raise typer.Exit(INTERRUPTED) from None
    _print(result, console)
    if not result.converged:
        raise typer.Exit(NOT_CONVERGED)


def _print(result: FigureResult, console: Console) -> None:
    console.print(_table(result.data.table))
    if result.evidence:
        console.print(_claims(result.evidence))
    for note in result.data.notes:
        console.print(f"Note: {note}", markup=False)
    for warning in result.data.warnings:
        console.print(f"[yellow]Warning:[/yellow] {escape(warning)}")
    console.print(
        f"In {result.folder}: {result.definition.file_name(result.quick)}.png, and beside it everything else\n"
    )


def _table(rows: Sequence[FigureRow]) -> Table:
    table = Table(box=SIMPLE_HEAD, title="Theory and samples", title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("quantity")
    for name in ("theory", "samples", "MC error", "deviation"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("the paper")
    last = ""
    for row in rows:
        if row.experiment != last:
            table.add_row(f"[bold]{escape(row.experiment)}[/bold]")
            last = row.experiment
        numbers = (_number(row.theory), _number(row.samples), _number(row.error, 2), _number(row.deviation, 2))
        table.add_row(Padding(escape(row.quantity), (0, 0, 0, 2)), *numbers, escape(row.paper))
    return table


def _claims(evidence: Sequence[Evidence]) -> Table:
    statements = {claim.number: claim.statement for claim in CLAIMS}
    table = Table(box=SIMPLE_HEAD, title="The paper's claims", title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("claim, and what is measured")
    for name in ("found", "holds where"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    last = None
    for one in evidence:
        if one.claim != last:
            table.add_row(f"[bold]{one.claim}. {escape(statements[one.claim])}[/bold]")
            last = one.claim
        words = {True: "[green]holds[/green]", False: "[bold red]does not hold[/bold red]", None: "not measured"}
        statistic = Padding(escape(one.criterion.statistic), (0, 0, 0, 2))
        table.add_row(statistic, _number(one.value), str(one.criterion), words[one.holds])
    return table


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None or value != value else f"{value:.{digits}g}"
