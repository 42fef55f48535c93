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
        str | None,
        typer.Argument(metavar="NUMBER|NAME", help="Number of the figure in the paper: 2; or of ours: equilibrium."),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option("--activation", metavar="NAME", help="Of figure 2: sigmoid, linear or relu. Default: sigmoid."),
    ] = None,
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
    Reproduce a figure of the paper, or draw one of ours: samples, codes, picture.

    Figure 2 trains one hidden layer on three classes of orthogonal inputs. Sigmoidal neurons share a few codes
    (redundant), linear ones respond in degrees (analog), and three rectified ones do all the work (sparse).

    Figure equilibrium shows the share of each code against sampling time from three starts, with moves by which neurons
    change their code, beside the theory; its chains are those of --chains for each start.

    Interrupted, it goes on where it stopped when started again.

    [bold]Examples[/bold]

      nonlazy figure 2
      nonlazy figure 2 --activation relu --out relu
      nonlazy figure 2 --quick
      nonlazy figure equilibrium
    """
    from nonlazy.cli._session import sample_and_show, sample_and_show_equilibrium
    from nonlazy.figures import equilibrium_experiment, equilibrium_name, figure2_experiment, figure2_name

    check_together(resume, overwrite)
    if number is None:
        raise InvalidInput("which figure? This version draws figure 2 and figure equilibrium: write nonlazy figure 2")
    if number not in ("2", "equilibrium"):
        raise InvalidInput(
            f"figure {number!r} is not one that this version draws: write nonlazy figure 2, or figure equilibrium"
        )
    if number == "equilibrium" and activation is not None:
        raise InvalidInput("figure equilibrium is of the sigmoidal network: leave --activation out")
    activation = activation or "sigmoid"
    experiment = equilibrium_experiment(quick) if number == "equilibrium" else figure2_experiment(activation, quick)
    name = equilibrium_name(quick) if number == "equilibrium" else figure2_name(activation, quick)
    show = sample_and_show_equilibrium if number == "equilibrium" else sample_and_show
    show(
        experiment.changed(sampling_changes(seed, chains, draws)),
        name=name,
        out=out,
        resume=resume,
        overwrite=overwrite,
        progress=not no_progress,
    )
