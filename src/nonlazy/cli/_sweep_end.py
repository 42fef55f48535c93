"""What `nonlazy sweep` says when it ends: what became of the points, and how to go on."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nonlazy.cli._errors import NOT_CONVERGED


if TYPE_CHECKING:
    from rich.console import Console

    from nonlazy.sweeps import Sweep, SweepResult


def standing(asked: "Sweep", folder: Path, points: str | None) -> str:
    """How many points are done, failed, begun, and to do, as the folder is now."""
    from nonlazy.sweeps._result import read_result

    result = read_result(asked, folder)
    numbers = range(len(asked.points)) if points is None else asked.select(points)
    names = {asked.points[number].name for number in numbers}
    failed, begun, missing = (len(names & set(found)) for found in (result.failed, result.begun, result.missing))
    parts = [f"{len(names) - failed - missing} of {len(names)} points done"]
    parts += [f"{failed} failed"] if failed else []
    return ", ".join([*parts, f"{begun} begun", f"{missing - begun} to do"])


def conclude(
    console: "Console", result: "SweepResult", folder: Path, chosen: list[str] | None, command: str, name: str
) -> None:
    """Says what became of the points; exits with 1 where one failed, is missing, or has not converged.

    **Arguments:** `chosen`: the names of the points that were asked for, None for all, which are then gathered;
    `command`: what goes on with those that are not done; `name`: the command for the results, without options.
    """
    names = [point.name for point in result.sweep.points] if chosen is None else chosen
    failed = {name: error for name, error in result.failed.items() if name in names}
    missing = [name for name in result.missing if name in names]
    begun = set(result.begun) & set(missing)
    unconverged = {name: rhat for name, rhat in result.unconverged.items() if name in names}
    uncertified = [name for name in result.uncertified if name in names]
    for name, error in failed.items():
        console.print(f"[bold red]failed:[/bold red] {name}:", soft_wrap=True, highlight=False)
        console.print(f"  {error.strip()}", markup=False, highlight=False, soft_wrap=True)
    if missing:
        said = _listed([f"{name} (begun)" if name in begun else name for name in missing])
        console.print(f"[yellow]missing:[/yellow] {said}", soft_wrap=True, highlight=False)
    if unconverged:
        # One chain has no R-hat.
        hats = {name: "one chain" if math.isnan(rhat) else f"R-hat {rhat:.2f}" for name, rhat in unconverged.items()}
        said = _listed([f"{name} ({hat})" for name, hat in hats.items()])
        console.print(f"[yellow]not converged:[/yellow] {said}", soft_wrap=True, highlight=False)
    if uncertified:
        said = f"theory not certified (no bound proves that its solution is the optimum): {_listed(uncertified)}"
        console.print(said, style="dim", markup=False, highlight=False, soft_wrap=True)
    said = f"{len(names) - len(failed) - len(missing)} of {len(names)} points done"
    said += f", {len(failed)} failed" if failed else ""
    said += f", {len(begun)} begun" if begun else ""
    said += f", {len(missing) - len(begun)} not begun" if len(missing) > len(begun) else ""
    if failed or missing:
        said += f"; {command} goes on with the others"
    console.print(said + ".", markup=False, highlight=False, soft_wrap=True)
    if chosen is not None:
        said = f"In {folder}: a folder a point. Nothing was gathered: {name} --gather does that"
        console.print(said, soft_wrap=True, markup=False, highlight=False)
    else:
        gathered = (folder / "results.csv").stat().st_mtime
        # Pictures that are older were drawn of other points.
        files = ["results.csv", "results.zarr", *sorted(
            path.name for path in folder.glob("*.png") if path.stat().st_mtime >= gathered
        )]  # fmt: skip
        console.print(f"In {folder}: {', '.join(files)}, and a folder a point", soft_wrap=True, markup=False)
    if failed or missing or unconverged:
        raise typer.Exit(NOT_CONVERGED)


def _listed(names: list[str]) -> str:
    return "; ".join(names[:6]) + (f"; and {len(names) - 6} more" if len(names) > 6 else "")
