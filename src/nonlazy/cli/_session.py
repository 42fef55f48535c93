"""One experiment from start to end at the terminal: what `nonlazy run` and `nonlazy figure` have in common."""

from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from nonlazy.cli._errors import INTERRUPTED, NOT_CONVERGED
from nonlazy.cli._tables import print_report
from nonlazy.experiments import Experiment
from nonlazy.figures import (
    EXPERIMENT,
    RUN,
    report,
    results_folder,
    sample_experiment,
    write,
)


def sample_and_show(
    experiment: Experiment, *, name: str, out: Path | None, resume: bool, overwrite: bool, progress: bool
) -> None:
    """Samples, prints the report, writes its files; exits with 1 where the chains did not converge."""
    console = Console()
    folder = results_folder(name, out)
    console.print(f"[bold]{escape(experiment.about.title or experiment.name)}[/bold]")
    try:
        run = sample_experiment(
            experiment, folder, name=name, resume=True if resume else None, overwrite=overwrite, progress=progress
        )
        found = report(run, experiment.about.title or experiment.name)
        print_report(found, console)
        paths = write(found, folder, name)
    except KeyboardInterrupt:
        raise _interrupted(folder, (folder / RUN).exists(), overwrite) from None
    files = ", ".join((*(path.name for path in paths), run.path.name, EXPERIMENT))
    console.print(f"\nIn {folder}: {files}", markup=False)
    if not found.diagnostics.converged:
        raise typer.Exit(NOT_CONVERGED)


def _interrupted(folder: Path, sampled: bool, overwrite: bool) -> typer.Exit:
    """Says what is kept, and is the exit to raise."""
    command = "the same command without --overwrite" if overwrite else "the same command"
    kept = f"What was sampled is kept in {folder}: {command} goes on from there."
    message = f"Interrupted. {kept if sampled else 'Nothing was sampled yet.'}"
    Console(stderr=True).print(f"\n{message}", soft_wrap=True, markup=False)
    return typer.Exit(INTERRUPTED)
