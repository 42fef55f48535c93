"""`nonlazy figure`."""

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
from nonlazy.errors import InvalidInput


@guarded
def figure(
    number: Annotated[
        str | None, typer.Argument(metavar="NUMBER", help="Number of the figure in the paper: 2.")
    ] = None,
    activation: Annotated[
        str,
        typer.Option("--activation", metavar="NAME", help="Activation function: sigmoid, linear or relu."),
    ] = "sigmoid",
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
    Reproduce a figure of the paper: samples, coding scheme, picture.

    Figure 2 trains one hidden layer on three classes of orthogonal inputs. Sigmoidal neurons share a few codes
    (redundant), linear ones respond in degrees (analog), and three rectified ones do all the work (sparse).

    Interrupted, it goes on where it stopped when started again.

    [bold]Examples[/bold]

      nonlazy figure 2
      nonlazy figure 2 --activation relu --out relu
      nonlazy figure 2 --quick
    """
    from nonlazy.cli._session import sample_and_show
    from nonlazy.figures import figure2_experiment, figure2_name

    check_together(resume, overwrite)
    if number is None:
        raise InvalidInput("which figure? This version draws figure 2: write nonlazy figure 2")
    if number != "2":
        raise InvalidInput(f"figure {number!r} is not one that this version draws: write nonlazy figure 2")
    experiment = figure2_experiment(activation, quick).changed(sampling_changes(seed, chains, draws))
    sample_and_show(
        experiment,
        name=figure2_name(activation, quick),
        out=out,
        resume=resume,
        overwrite=overwrite,
        progress=not no_progress,
    )
