"""`nonlazy figure`."""

from pathlib import Path
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
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Number of the figure in the paper, or a name from the list; or all."),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option("--activation", metavar="NAME", help="Of figure 2, one column alone: sigmoid, linear or relu."),
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
    Reproduce a figure of the paper, of its supplement, or draw one of ours.

    Without a name, lists them all with the time that each takes. A figure gets a folder: picture (PNG, PDF), the
    numbers behind its panels (Zarr), a table of theory, samples and what the paper reports (CSV), all numbers and the
    paper's claims with their verdicts (JSON), and the runs.

    Interrupted, it goes on where it stopped when started again.

    [bold]Examples[/bold]

      nonlazy figure
      nonlazy figure 2
      nonlazy figure 2 --activation relu --out relu
      nonlazy figure all --quick
      nonlazy figure equilibrium
    """
    check_together(resume, overwrite)
    if activation is not None and name != "2":
        raise InvalidInput(f"--activation is of figure 2, not of {name or 'the list'}: leave it out")
    changes = sampling_changes(seed, chains, draws)
    if name is None:
        from nonlazy.cli._figures import list_figures

        list_figures()
    elif activation is not None:
        _one_column(activation, quick, out, resume, overwrite, not no_progress, changes)
    else:
        from nonlazy.cli._figures import make_figure
        from nonlazy.figures import FIGURES

        if name == "all":
            from nonlazy.cli._all_figures import make_figures

            given = (("--seed", seed), ("--chains", chains), ("--draws", draws))
            arguments = [text for option, value in given if value is not None for text in (option, str(value))]
            arguments += ["--overwrite"] * overwrite + ["--debug"] * debug
            make_figures(quick, out, resume, arguments, not no_progress)
            return
        if name not in FIGURES:
            raise InvalidInput(f"figure {name!r} is not one that this version draws: {', '.join(FIGURES)}, or all")
        options = {
            "resume": True if resume else None,
            "overwrite": overwrite,
            "progress": not no_progress,
            "changes": changes,
        }
        make_figure(name, quick, out, options)


def _one_column(
    activation: str, quick: bool, out: Path | None, resume: bool, overwrite: bool, progress: bool, changes: dict
) -> None:
    from nonlazy.cli._session import sample_and_show
    from nonlazy.figures import figure2_experiment, figure2_name

    sample_and_show(
        figure2_experiment(activation, quick).changed(changes),
        name=figure2_name(activation, quick),
        out=out,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
