"""One experiment from start to end at the terminal: what `nonlazy run` and `nonlazy figure` have in common."""

from pathlib import Path

import typer
from rich.console import Console

from nonlazy.cli._errors import INTERRUPTED, NOT_CONVERGED
from nonlazy.cli._tables import print_report
from nonlazy.experiments import Experiment
from nonlazy.figures import report, results_folder, sample_experiment, write


def sample_and_show(
    experiment: Experiment, *, name: str, out: Path | None, resume: bool, overwrite: bool, progress: bool
) -> None:
    """Samples, prints the report, writes its files; exits with 1 where the chains did not converge."""
    console = Console()
    folder = results_folder(name, out)
    console.print(f"[bold]{experiment.about.title or experiment.name}[/bold]")
    try:
        run = sample_experiment(
            experiment, folder, resume=True if resume else None, overwrite=overwrite, progress=progress
        )
        found = report(run, experiment.about.title or experiment.name)
        print_report(found, console)
        paths = write(found, folder, name)
    except KeyboardInterrupt:
        message = f"Interrupted. What was sampled is kept in {folder}: the same command goes on from there."
        Console(stderr=True).print(f"\n{message}", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    console.print(f"\nIn {folder}: {', '.join(path.name for path in paths)}, {run.path.name}, experiment.toml")
    if not found.diagnostics.converged:
        raise typer.Exit(NOT_CONVERGED)
