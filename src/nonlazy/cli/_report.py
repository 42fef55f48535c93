"""`nonlazy report`."""

from pathlib import Path
from typing import Annotated

import typer

from nonlazy.cli._errors import Debug, guarded


@guarded
def report(
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A run, or the folder that nonlazy run or nonlazy figure wrote.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="The page. Default: report.html in the folder."),
    ] = None,
    debug: Debug = False,
) -> None:
    """
    Make one self-contained HTML page of a run or a figure.

    Pictures, tables, diagnostics, where everything comes from, and the command that makes it again, in one file that
    opens without a network.

    [bold]Examples[/bold]

      nonlazy report nonlazy-mnist
      nonlazy report nonlazy-figure-2 --out figure-2.html
    """
    from nonlazy.figures.pages import write_page

    file = write_page(path, out)
    typer.echo(f"{file} ({file.stat().st_size / 2**20:.1f} MiB)")
