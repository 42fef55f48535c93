"""`nonlazy experiments`."""

from typing import Annotated

import typer

from nonlazy.cli._errors import Debug, guarded


@guarded
def experiments(
    name: Annotated[
        str | None,
        typer.Option("--show", metavar="NAME", help="Print the TOML of this experiment, to copy and change."),
    ] = None,
    debug: Debug = False,
) -> None:
    """
    List the experiments that come with nonlazy, or print one.

    An experiment is a TOML file: a task, a network, a temperature, and how to sample. To make your own, print one,
    change it and run it.

    [bold]Examples[/bold]

      nonlazy experiments
      nonlazy experiments --show mnist > my-digits.toml
      nonlazy run my-digits.toml
    """
    from nonlazy.experiments import load, names, text

    if name is not None:
        typer.echo(text(name), nl=False)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("name", "what it is")
    for name in names():
        about = load(name).about
        table.add_row(name, f"{escape(about.title)}\n[dim]{escape(about.description)}[/dim]")
    Console().print(table)
