"""`nonlazy report`."""

from pathlib import Path
from typing import Annotated

import typer

from nonlazy.cli._errors import Debug, guarded


@guarded
def report(
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A run, or the folder that nonlazy run, figure or sweep wrote.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.html",
            help="The page. Default: report.html in the folder; NAME.html beside a run NAME.zarr.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """
    Make one self-contained HTML page of a run, a figure or a sweep.

    Pictures, tables, diagnostics, where everything comes from, and the command that makes it again, in one file that
    opens without a network.

    [bold]Examples[/bold]

      nonlazy report nonlazy-mnist
      nonlazy report nonlazy-figure-2 --out figure-2.html
      nonlazy report nonlazy-sweep-phase-diagram
    """
    if (path / "sweep.toml").is_file():
        from nonlazy.sweeps import write_page
    else:
        from nonlazy.figures.pages import write_page

    file = write_page(path, out)
    typer.echo(f"{file} ({file.stat().st_size / 2**20:.1f} MiB)")
