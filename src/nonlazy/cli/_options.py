"""The options that `nonlazy run` and `nonlazy figure` share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nonlazy.errors import InvalidInput


Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder for the results. Default: one in this folder, its name from the experiment or figure.",
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="A size of seconds, labelled as such: smaller, mostly warmer.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run, and insist that there is one.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start afresh, deleting the run that is there.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="INT", help="Seed of the chains.")]
Chains = Annotated[int | None, typer.Option("--chains", metavar="INT", help="Number of chains.")]
Draws = Annotated[int | None, typer.Option("--draws", metavar="INT", help="Draws of each chain.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress bar.")]


def sampling_changes(seed: int | None, chains: int | None, draws: int | None) -> dict[str, dict[str, Any]]:
    """What these options change in an experiment; keys not given are left as they are."""
    given = {"seed": seed, "chains": chains, "draws": draws}
    sampling = {key: value for key, value in given.items() if value is not None}
    return {"sampling": sampling} if sampling else {}


def check_together(resume: bool, overwrite: bool) -> None:
    """Refuses options that contradict each other."""
    if resume and overwrite:
        raise InvalidInput("--resume goes on with the run that is there, --overwrite deletes it: choose one of the two")
