"""A report as tables for the terminal."""

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from nonlazy.figures import Report, output_names
from nonlazy.sampling import Diagnostics


_MOST_ROWS = 12
# More columns of numbers than this do not fit beside each other on a terminal of 80 characters.
_MOST_NUMBERS = 8
_MOST_OUTPUTS = 4
_MOST_RANKS = 3


def print_report(found: Report, console: Console) -> None:
    """Prints the codes, the outputs, the errors on test inputs, theory against samples, and the diagnostics."""
    console.print(str(found.run.posterior), style="dim")
    if found.scheme is not None:
        console.print(f"\nCoding scheme: [bold]{found.scheme.kind}[/bold] (confidence {found.scheme.confidence:.2f})")
        console.print(_codes(found))
        console.print(found.scheme.rule + "\n", style="dim", markup=False)
    console.print(_outputs(found))
    if found.dual_field:
        fields = ", ".join(f"{value:.1f}" for value in found.dual_field)
        console.print(
            f"rms of (y - <f>)/T by chain: {fields}; about 10 or below is as far down as T lets the loss go\n"
        )
    if found.test is not None:
        console.print(_test(found))
    if found.comparison:
        console.print(_comparison(found))
    print_diagnostics(found.diagnostics, console)
    _explain(found, console)


def print_diagnostics(diagnostics: Diagnostics, console: Console) -> None:
    """Prints the diagnostics of the chains, their warnings and the verdict."""
    table = _table("Diagnostics of the chains", "quantity", "mean", "error", "ESS", "R-hat")
    ranks = [row for row in diagnostics.table if row.quantity.startswith("|a_i|^2")]
    for row in (row for row in diagnostics.table if row not in ranks[_MOST_RANKS:]):
        table.add_row(row.quantity, _g(row.mean, 6), _g(row.mcse, 2), _f(row.ess, 0), _f(row.rhat, 3))
    console.print(table)
    said = [f"divergences by chain: {', '.join(str(count) for count in diagnostics.divergences)}"]
    if diagnostics.acceptance is not None:
        said.insert(0, f"acceptance by chain: {', '.join(_f(value, 2) for value in diagnostics.acceptance)}")
    console.print("; ".join(said))
    for warning in diagnostics.warnings:
        console.print(f"[yellow]Warning:[/yellow] {_escaped(warning)}")
    if diagnostics.converged:
        console.print("[green]The chains agree[/green]: R-hat is below its limit on every quantity that decides.")
    else:
        console.print("[bold red]The chains have not converged[/bold red]: see the warnings; the results are kept.")


def _explain(found: Report, console: Console) -> None:
    """Says where chains that disagree hold their codes in different shares, which no longer run changes."""
    differing = {name: counts for name, counts in found.neurons_by_chain.items() if len(set(counts)) > 1}
    sigmoidal = found.run.posterior.network.phi.kind == "sigmoidal"
    jumps = (found.run.configuration.get("moves") or {}).get("kind") == "Jumps"
    if found.diagnostics.converged or not differing or not sigmoidal or jumps:
        return
    listed = "; ".join(f"{name}: {', '.join(map(str, counts))}" for name, counts in list(differing.items())[:8])
    console.print(
        f"The chains hold their codes in different shares (neurons, chain by chain: {listed}). Without moves that "
        "change codes, a sigmoidal network freezes the shares as a chain starts, and a longer run does not change "
        "them: the codes themselves are what the chains can agree on."
    )


def _codes(found: Report) -> Table:
    names, outputs = found.run.task.class_names, output_names(found.run.task)
    numbers = len(names) + len(outputs) <= _MOST_NUMBERS
    # The digits of a code stand in the order of the classes, which the columns name.
    if numbers:
        headers = (*(f"a({name})" for name in outputs), "sd", *(f"φ({name})" for name in names))
        table = _table(
            "Codes of chain 0: mean readouts a, their standard deviation, mean activations φ by class",
            *("code", "neurons", "share", *headers),
        )
    else:
        table = _table("Codes of chain 0", "code", "neurons", "share")
        table.add_column("classes that activate it")
    for row in found.codes[:_MOST_ROWS]:
        cells = [row.code, str(row.neurons), f"{row.fraction:.1%}"]
        if numbers:
            deviation = math.sqrt(sum(sd**2 for sd in row.readout_deviation) / len(outputs))
            cells += [_short(value) for value in (*row.readout, deviation, *row.activation)]
        else:
            cells.append(", ".join(row.classes))
        table.add_row(*cells)
    left = found.codes[_MOST_ROWS:]
    if left:
        share = sum(row.fraction for row in left)
        table.add_row(f"{len(left)} more", str(sum(row.neurons for row in left)), f"{share:.1%}")
    return table


def _outputs(found: Report) -> Table:
    title = "Outputs: posterior mean (target), averaged over the class"
    names, classes = output_names(found.run.task), found.run.task.class_names
    if len(names) <= _MOST_OUTPUTS or names != classes:
        table = _table(title, "class", "inputs", *(f"output {name}" for name in names))
        for row in found.outputs:
            cells = [f"{f:z.3f} ({y:zg})" for f, y in zip(row.output, row.target, strict=True)]
            table.add_row(row.name, str(row.inputs), *cells)
        return table
    table = _table(title, "class", "inputs", "its own output", "mean of the others")
    for row in found.outputs:
        own = classes.index(row.name)
        others = [(f, y) for r, (f, y) in enumerate(zip(row.output, row.target, strict=True)) if r != own]
        f, y = (sum(values) / len(others) for values in zip(*others, strict=True))
        own_cell = f"{row.output[own]:z.3f} ({row.target[own]:zg})"
        table.add_row(row.name, str(row.inputs), own_cell, f"{f:z.3f} ({y:zg})")
    return table


def _test(found: Report) -> Table:
    test = found.test
    assert test is not None
    accuracy = "" if test.accuracy is None else f"; accuracy {test.accuracy:.1%}"
    title = f"Error on {test.inputs} test inputs{accuracy}"
    table = _table(title, "output", "<(y - f)^2>", "bias^2", "variance")
    columns = (output_names(found.run.task), test.total, test.bias2, test.variance)
    for name, total, bias2, variance in zip(*columns, strict=True):
        table.add_row(name, _g(total, 3), _g(bias2, 3), _g(variance, 2))
    return table


def _comparison(found: Report) -> Table:
    table = _table("Theory and samples", "quantity", "theory", "samples", "error", "deviation")
    for row in found.comparison:
        error = "" if row.error is None else _g(row.error, 2)
        table.add_row(row.quantity, f"{row.theory:z.4f}", f"{row.samples:z.4f}", error, f"{row.deviation:+z.4f}")
    return table


def _table(title: str, first: str, *numbers: str) -> Table:
    """An empty table: its first column for names, the others for numbers."""
    # A title that is longer than its table is wide would be folded.
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, min_width=min(len(title) + 1, 80))
    table.add_column(first, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _short(value: float) -> str:
    return f"{value:z.2f}" if abs(value) < 9.995 else f"{value:z.1f}"


def _g(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}g}"


def _f(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _escaped(text: str) -> str:
    # "[0, 1]" of a kernel entry is not a style of Rich's.
    return text.replace("[", r"\[")
