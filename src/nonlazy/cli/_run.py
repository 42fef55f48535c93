"""`nonlazy run`."""

from typing import Annotated

import typer

from nonlazy.cli._errors import Debug, guarded
from nonlazy.cli._options import (
    Chains,
    Draws,
    NoProgress,
    Out,
    Overwrite,
    Quick,
    Resume,
    Seed,
    check_together,
    sampling_changes,
)


@guarded
def run(
    experiment: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE.toml", help="An experiment that comes with nonlazy, or a file of your own."),
    ],
    out: Out = None,
    quick: Quick = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    seed: Seed = None,
    chains: Chains = None,
    draws: Draws = None,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """
    Run an experiment: sample the posterior, find the coding scheme, draw it.

    [bold]nonlazy experiments[/bold] lists those that come with nonlazy. The folder of results gets the picture as PNG
    and PDF, the numbers as JSON, the samples as run.zarr, and the experiment as it was run.

    Interrupted, it goes on where it stopped when started again.

    [bold]Examples[/bold]

      nonlazy run mnist
      nonlazy run mnist --draws 400 --out digits
      nonlazy experiments --show mnist > mine.toml; nonlazy run mine.toml
    """
    from nonlazy.experiments import load

    check_together(resume, overwrite)
    loaded = load(experiment)
    loaded = (loaded.quick() if quick else loaded).changed(sampling_changes(seed, chains, draws))
    # Imported after the experiment has been read, because it brings JAX with it.
    from nonlazy.cli._session import sample_and_show
    from nonlazy.figures.paper import check_device

    if loaded.name == "figure7-full":
        check_device(loaded)

    sample_and_show(loaded, name=loaded.name, out=out, resume=resume, overwrite=overwrite, progress=not no_progress)
