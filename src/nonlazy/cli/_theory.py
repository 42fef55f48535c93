"""`nonlazy theory`."""

from pathlib import Path
from typing import Annotated

import typer

from nonlazy.cli._errors import Debug, guarded
from nonlazy.cli._options import Quick


@guarded
def theory(
    experiment: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE.toml", help="An experiment that comes with nonlazy, or a file of your own."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the picture and the numbers. Default: nonlazy-NAME-theory."
        ),
    ] = None,
    quick: Quick = False,
    fractions: Annotated[
        str | None,
        typer.Option(
            "--fractions",
            metavar="CODE=SHARE,...",
            help="Hold the shares of the codes fixed, as 1-1-0=0.3,1-0-1=0.3,0-1-1=0.4: the quenched theory.",
        ),
    ] = None,
    limit: Annotated[
        bool, typer.Option("--limit", help="The limit of large N and P instead of the experiment's own sizes.")
    ] = False,
    no_files: Annotated[bool, typer.Option("--no-files", help="Print only; write no folder.")] = False,
    debug: Debug = False,
) -> None:
    """
    Solve the theory of an experiment, without sampling: codes, readouts, kernels, errors.

    The folder gets a picture as PNG and PDF and the numbers as theory.zarr (for xarray) and theory.json. A
    solution is called certified where a bound proves that no other one is better.

    [bold]Examples[/bold]

      nonlazy theory figure2-sigmoid
      nonlazy theory mnist --out digits
      nonlazy theory figure2-sigmoid --fractions 1-1-0=0.3,1-0-1=0.3,0-1-1=0.4
    """
    from rich.console import Console

    from nonlazy.experiments import load
    from nonlazy.figures import results_folder, solve_experiment, write_prediction

    loaded = load(experiment)
    loaded = loaded.quick() if quick else loaded
    folder = results_folder(f"{loaded.name}-theory", out)
    console = Console()
    prediction, seconds = solve_experiment(loaded, parsed_fractions(fractions), finite_size=not limit)
    console.print(str(prediction), markup=False, highlight=False, soft_wrap=True)
    if prediction.posterior.task.X_test is not None:
        console.print("\nError on test inputs:", markup=False)
        console.print(str(prediction.generalization_error()), markup=False, highlight=False)
    console.print(f"\nSolved in {seconds:.1f} s.", style="dim")
    if not no_files:
        written = write_prediction(prediction, folder, "theory")
        console.print(f"In {folder}: {', '.join(path.name for path in written)}", soft_wrap=True, markup=False)


def parsed_fractions(text: str | None) -> dict[tuple[int, ...], float] | None:
    """`1-1-0=0.3,1-0-1=0.7` as a mapping from codes to shares.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    from nonlazy.errors import InvalidInput

    if text is None:
        return None
    shares: dict[tuple[int, ...], float] = {}
    for part in text.split(","):
        code, separator, share = part.strip().partition("=")
        digits = code.strip().split("-")
        try:
            value = float(share)
        except ValueError:
            value = float("nan")
        if not separator or any(digit not in ("0", "1") for digit in digits) or value != value:
            raise InvalidInput(f"--fractions holds {part.strip()!r}: write a code and its share as 1-1-0=0.3")
        key = tuple(int(digit) for digit in digits)
        if key in shares:
            raise InvalidInput(f"--fractions names the code {code.strip()} twice")
        shares[key] = value
    return shares
