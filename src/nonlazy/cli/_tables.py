"""A report as tables for the terminal."""

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nonlazy.diagnostics import Equilibrium
from nonlazy.figures import CodeRow, Report, output_names, proof_of
from nonlazy.sampling import Diagnostics


_MOST_ROWS = 12
# More columns of numbers than this do not fit beside each other on a terminal of 80 characters.
_MOST_NUMBERS = 8
_MOST_OUTPUTS = 4
_MOST_RANKS = 3


def print_report(found: Report, console: Console) -> None:
    """Prints the codes, the outputs, the errors on test inputs, theory against samples, and the diagnostics."""
    console.print(str(found.run.posterior), style="dim", markup=False)
    if found.scheme is not None:
        console.print(f"\nCoding scheme: [bold]{found.scheme.kind}[/bold] (confidence {found.scheme.confidence:.2f})")
        console.print(_codes(found, console))
        console.print(found.scheme.rule + "\n", style="dim", markup=False)
    console.print(_outputs(found, console))
    if found.dual_field:
        fields = ", ".join(f"{value:.1f}" for value in found.dual_field)
        console.print(
            f"rms of (y - <f>)/T by chain: {fields}; about 10 or below is as far down as T lets the loss go\n"
        )
    if found.test is not None:
        console.print(_test(found))
    if found.comparison:
        console.print(_comparison(found))
    if found.prediction is not None:
        console.print(f"Theory: {proof_of(found.prediction)}\n", style="dim", markup=False)
    if found.no_prediction:
        console.print(f"No theory beside the samples: {found.no_prediction}", markup=False)
    print_diagnostics(found.diagnostics, console)
    if found.equilibrium is not None:
        print_verdict(found.equilibrium, console)
    _explain(found, console)


def print_diagnostics(diagnostics: Diagnostics, console: Console) -> None:
    """Prints the diagnostics of the chains, their warnings and the verdict."""
    table = _table("Diagnostics of the chains", "quantity", "mean", "MC error", "ESS", "R-hat")
    ranks = [row for row in diagnostics.table if row.quantity.startswith("|a_i|^2")]
    for row in (row for row in diagnostics.table if row not in ranks[_MOST_RANKS:]):
        name = f"{row.quantity} *" if row.decisive else row.quantity
        table.add_row(escape(name), _g(row.mean, 6), _g(row.mcse, 2), _f(row.ess, 0), _f(row.rhat, 3))
    console.print(table)
    console.print(
        "* decides whether the chains have converged. MC error: standard error of the mean; ESS: independent draws "
        "that the chains are worth; R-hat: 1 where the chains agree, below 1.05 is asked for",
        style="dim",
    )
    said = [f"divergences by chain: {', '.join(str(count) for count in diagnostics.divergences)}"]
    if diagnostics.acceptance is not None:
        said.insert(0, f"acceptance by chain: {', '.join(_f(value, 2) for value in diagnostics.acceptance)}")
    console.print("; ".join(said))
    for warning in diagnostics.warnings:
        console.print(f"[yellow]Warning:[/yellow] {escape(warning)}")
    if diagnostics.converged:
        console.print("[green]The chains agree[/green]: R-hat is below its limit on every quantity that decides.")
    else:
        console.print("[bold red]The chains have not converged[/bold red]: see the warnings; the results are kept.")


def print_verdict(found: Equilibrium, console: Console) -> None:
    """Prints whether the shares of the codes are those of equilibrium, in one line."""
    style = {"equilibrated": "green", "frozen": "bold red", "undecided": "yellow"}[found.verdict]
    said = f"The shares of the codes are [{style}]{found.verdict}[/{style}]: {escape(found.reason)}."
    if found.from_theory is not None:
        judged = ", each together with its mirror image (the other classes)" if found.mirrored else ""
        said += f" From the theory's they differ by at most {found.from_theory:.1f} of {found.neurons} neurons{judged}."
    console.print(said)


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


def _codes(found: Report, console: Console) -> Table:
    """The widest form of the table of codes that fits: with class names, with their numbers, without means."""
    names, outputs = found.run.task.class_names, output_names(found.run.task)
    where = f"Codes in draw {found.run.kept_draws[-1] + 1} of chain 0 (last one kept)"
    if len(names) + len(outputs) <= _MOST_NUMBERS:
        title = f"{where}: mean readout a, its standard deviation over neurons, mean activation φ by class"
        caption = "sd: the largest over the outputs" if len(outputs) > 1 else ""
        table = _code_means(found, title, outputs, names, caption)
        if _fits(table, console):
            return table
        numbers = [str(index) for index in range(len(names))]
        legend = ", ".join(f"{number} {name}" for number, name in zip(numbers, names, strict=True))
        numbered = numbers if outputs == names else outputs
        table = _code_means(found, title, numbered, numbers, f"{caption}; classes: {legend}".removeprefix("; "))
        if _fits(table, console):
            return table
    table = _table(where, "code", "neurons", "share")
    # A code of very many classes is folded rather than cut.
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    table.add_column("classes that activate it", overflow="fold")
    for row in found.codes[:_MOST_ROWS]:
        table.add_row(*_code_cells(row), escape(", ".join(row.classes)))
    _add_the_rest(table, found.codes[_MOST_ROWS:])
    return table


def _code_means(found: Report, title: str, outputs: Sequence[str], names: Sequence[str], caption: str) -> Table:
    # The digits of a code stand in the order of the classes, which the columns name.
    caption = f"a(r): readout to output r; φ(c): mean activation on class c; {caption}".removesuffix("; ")
    headers = (*(f"a({name})" for name in outputs), "sd", *(f"φ({name})" for name in names))
    table = _table(title, "code", "neurons", "share", *headers)
    table.caption, table.caption_justify = escape(caption) or None, "left"
    for row in found.codes[:_MOST_ROWS]:
        means = (*row.readout, max(row.readout_deviation), *row.activation)
        table.add_row(*_code_cells(row), *(_short(value) for value in means))
    _add_the_rest(table, found.codes[_MOST_ROWS:])
    return table


def _code_cells(row: CodeRow) -> tuple[str, str, str]:
    return row.code, str(row.neurons), f"{row.fraction:.1%}"


def _add_the_rest(table: Table, left: Sequence[CodeRow]) -> None:
    if left:
        share = sum(row.fraction for row in left)
        table.add_row(f"{len(left)} more", str(sum(row.neurons for row in left)), f"{share:.1%}")


def _fits(table: Table, console: Console) -> bool:
    """Whether all columns have their full width; the title and the caption are folded."""
    least, table.min_width = table.min_width, None
    wanted = console.measure(table, options=console.options.update(width=10_000)).maximum
    table.min_width = least
    return wanted <= console.width


def _outputs(found: Report, console: Console) -> Table:
    title = "Outputs: posterior mean (target), averaged over the class"
    names, classes = output_names(found.run.task), found.run.task.class_names
    if len(names) <= _MOST_OUTPUTS or names != classes:
        table = _table(title, "class", "inputs", *(f"output {name}" for name in names))
        for row in found.outputs:
            cells = [f"{f:z.3f} ({y:zg})" for f, y in zip(row.output, row.target, strict=True)]
            table.add_row(escape(row.name), str(row.inputs), *cells)
        if names != classes or _fits(table, console):
            return table
    table = _table(title, "class", "inputs", "its own output", "mean of the others")
    for row in found.outputs:
        own = classes.index(row.name)
        others = [(f, y) for r, (f, y) in enumerate(zip(row.output, row.target, strict=True)) if r != own]
        f, y = (sum(values) / len(others) for values in zip(*others, strict=True))
        own_cell = f"{row.output[own]:z.3f} ({row.target[own]:zg})"
        table.add_row(escape(row.name), str(row.inputs), own_cell, f"{f:z.3f} ({y:zg})")
    return table


def _test(found: Report) -> Table:
    test = found.test
    assert test is not None
    accuracy = "" if test.accuracy is None else f"; accuracy {test.accuracy:.1%}"
    title = f"Error on {test.inputs} test inputs{accuracy}"
    table = _table(title, "output", "<(y - f)^2>", "bias^2", "variance")
    columns = (output_names(found.run.task), test.total, test.bias2, test.variance)
    for name, total, bias2, variance in zip(*columns, strict=True):
        table.add_row(escape(name), _g(total, 3), _g(bias2, 3), _g(variance, 2))
    return table


def _comparison(found: Report) -> Table:
    frozen = any(row.quenched is not None for row in found.comparison)
    columns = ("theory", *(("at these shares",) if frozen else ()), "samples", "MC error", "deviation")
    table = _table("Theory and samples", "quantity", *columns)
    for row in found.comparison:
        error = "" if row.error is None else _g(row.error, 2)
        beside = () if not frozen else ("" if row.quenched is None else f"{row.quenched:z.4f}",)
        numbers = (f"{row.theory:z.4f}", *beside, f"{row.samples:z.4f}", error, f"{row.deviation:+z.4f}")
        table.add_row(escape(row.quantity), *numbers)
    if frozen:
        table.caption_justify = "left"
        table.caption = (
            "theory: equilibrium; at these shares: with the codes' shares of the chains, which froze as they "
            "started; deviation: from equilibrium"
        )
    return table


def _table(title: str, first: str, *numbers: str) -> Table:
    """An empty table: its first column for names, the others for numbers."""
    # A title that is longer than its table is wide would be folded.
    least = min(len(title) + 1, 80)
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, min_width=least, collapse_padding=True)
    table.add_column(escape(first), no_wrap=True)
    for name in numbers:
        table.add_column(escape(name), justify="right", no_wrap=True)
    return table


def _short(value: float) -> str:
    return f"{value:z.2f}" if abs(value) < 9.995 else f"{value:z.1f}"


def _g(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}g}"


def _f(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
