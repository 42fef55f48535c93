"""A report as tables for the terminal."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from nonlazy.figures import Report
from nonlazy.sampling import Diagnostics


_MOST_ROWS = 12


def print_report(found: Report, console: Console) -> None:
    """Prints the codes, the outputs, the errors on test inputs, theory against samples, and the diagnostics."""
    console.print(str(found.run.posterior), style="dim", soft_wrap=True)
    if found.scheme is not None:
        console.print(f"\nCoding scheme: [bold]{found.scheme.kind}[/bold] (confidence {found.scheme.confidence:.2f})")
        console.print(_codes(found))
        console.print(found.scheme.rule, style="dim", markup=False)
    console.print(_outputs(found))
    if found.dual_field:
        fields = ", ".join(f"{value:.1f}" for value in found.dual_field)
        console.print(f"rms of (y - <f>)/T, by chain: {fields} (of order 10 or below: down at the temperature's loss)")
    if found.test is not None:
        console.print(_test(found))
    if found.comparison:
        console.print(_comparison(found))
    print_diagnostics(found.diagnostics, console)


def print_diagnostics(diagnostics: Diagnostics, console: Console) -> None:
    """Prints the diagnostics of the chains, their warnings and the verdict."""
    table = Table("quantity", title="Diagnostics of the chains", title_justify="left")
    for name in ("mean", "error", "ESS", "R-hat"):
        table.add_column(name, justify="right")
    for row in diagnostics.table:
        table.add_row(row.quantity, _g(row.mean, 6), _g(row.mcse, 2), _f(row.ess, 0), _f(row.rhat, 3))
    console.print(table)
    said = [f"divergences by chain: {', '.join(str(count) for count in diagnostics.divergences)}"]
    if diagnostics.acceptance is not None:
        said.insert(0, f"acceptance by chain: {', '.join(_f(value, 2) for value in diagnostics.acceptance)}")
    console.print("; ".join(said))
    for warning in diagnostics.warnings:
        console.print(f"[yellow]Warning:[/yellow] {warning}", soft_wrap=True)
    if diagnostics.converged:
        console.print("[green]The chains agree[/green]: R-hat is below its limit on every quantity that decides.")
    else:
        console.print("[bold red]The chains have not converged[/bold red]: see the warnings; the results are kept.")


def _codes(found: Report) -> Table:
    names, outputs = found.run.task.class_names, range(found.run.task.m)
    table = Table("code", "active on", title="Codes (chain 0; readouts: mean ± standard deviation)", title_justify="left")
    table.add_column("neurons", justify="right")
    table.add_column("share", justify="right")
    for output in outputs:
        table.add_column(f"readout {output + 1}", justify="right", no_wrap=True)
    for name in names:
        table.add_column(f"φ on {name}", justify="right", no_wrap=True)
    for row in found.codes[:_MOST_ROWS]:
        readouts = [f"{a:.2f} ± {sd:.2f}" for a, sd in zip(row.readout, row.readout_deviation, strict=True)]
        activations = [f"{value:.3g}" for value in row.activation]
        table.add_row(row.code, ", ".join(row.classes), str(row.neurons), f"{row.fraction:.1%}", *readouts, *activations)
    left = found.codes[_MOST_ROWS:]
    if left:
        table.add_row(
            f"{len(left)} more", "", str(sum(row.neurons for row in left)), f"{sum(row.fraction for row in left):.1%}"
        )
    return table


def _outputs(found: Report) -> Table:
    table = Table("class", title="Outputs: posterior mean (target), averaged over the class", title_justify="left")
    table.add_column("inputs", justify="right")
    for output in range(found.run.task.m):
        table.add_column(f"output {output + 1}", justify="right", no_wrap=True)
    for row in found.outputs:
        cells = [f"{f:.3f} ({y:g})" for f, y in zip(row.output, row.target, strict=True)]
        table.add_row(row.name, str(row.inputs), *cells)
    return table


def _test(found: Report) -> Table:
    test = found.test
    assert test is not None
    accuracy = "" if test.accuracy is None else f"; accuracy {test.accuracy:.1%}"
    table = Table("output", title=f"Error on {test.inputs} test inputs{accuracy}", title_justify="left")
    for name in ("<(y - f)^2>", "bias^2", "variance"):
        table.add_column(name, justify="right")
    names: Sequence[str] = found.run.task.class_names
    if len(names) != len(test.total):
        names = [str(output + 1) for output in range(len(test.total))]
    for name, total, bias2, variance in zip(names, test.total, test.bias2, test.variance, strict=True):
        table.add_row(name, _g(total, 3), _g(bias2, 3), _g(variance, 2))
    return table


def _comparison(found: Report) -> Table:
    table = Table("quantity", title="Theory and samples", title_justify="left")
    for name in ("theory", "samples", "error", "deviation"):
        table.add_column(name, justify="right")
    for row in found.comparison:
        error = "" if row.error is None else _g(row.error, 2)
        table.add_row(row.quantity, f"{row.theory:.4f}", f"{row.samples:.4f}", error, f"{row.deviation:+.4f}")
    return table


def _g(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}g}"


def _f(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
