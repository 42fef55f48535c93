"""The `nonlazy` command."""

import inspect
import os
import sys
from typing import Annotated

import typer

from nonlazy.cli._codes import codes
from nonlazy.cli._experiments import experiments
from nonlazy.cli._figure import figure
from nonlazy.cli._pipe import PatientOutput
from nonlazy.cli._report import report
from nonlazy.cli._run import run
from nonlazy.cli._show import show
from nonlazy.cli._sweep import sweep
from nonlazy.cli._theory import theory
from nonlazy.sampling import keep_programs


HELP = """
How a trained network represents its task.

nonlazy samples the weights of a trained network from their Bayesian posterior, finds the codes of its neurons, and
compares both with theory.

Start with [bold]nonlazy figure 2[/bold]: a minute or two, then a table, a picture and the samples in the folder
nonlazy-figure-2. [bold]nonlazy COMMAND --help[/bold] explains a command, with examples.

Exit status: 0, all went well; 1, results were written, but the chains did not converge or sampling stopped early;
2, the command or its input cannot be used; 130, interrupted with Ctrl-C.
"""


def _help(text: str) -> str:
    """`text` with the lines of each paragraph joined, for the terminal to wrap; indented lines stay as they are."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(part if part.startswith(" ") else " ".join(part.split("\n")) for part in paragraphs)


app = typer.Typer(
    name="nonlazy",
    help=_help(HELP),
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (figure, run, sweep, theory, show, report, codes, experiments):
    app.command(help=_help(command.__doc__ or ""), no_args_is_help=command not in (figure, sweep, experiments))(command)


def _version(wanted: bool) -> bool:
    if wanted:
        from nonlazy import __version__

        typer.echo(f"nonlazy {__version__}")
        raise typer.Exit()
    return wanted


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Runs the command line and exits with its status."""
    sys.stdout = PatientOutput(sys.stdout)  # pyright: ignore[reportAttributeAccessIssue]
    sys.stderr = PatientOutput(sys.stderr)  # pyright: ignore[reportAttributeAccessIssue]
    os.environ.update(keep_programs())
    sys.exit(app())
