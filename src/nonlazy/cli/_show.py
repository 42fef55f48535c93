"""`nonlazy show`."""

from pathlib import Path
from typing import Annotated

import typer

from nonlazy.cli._errors import NOT_CONVERGED, Debug, guarded
from nonlazy.errors import InvalidInput, NonlazyError


_MOST_NAMES = 6


@guarded
def show(
    path: Annotated[Path, typer.Argument(metavar="RUN.zarr", help="A run, or the folder of results that holds one.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Draw the picture and write the numbers into this folder."),
    ] = None,
    debug: Debug = False,
) -> None:
    """
    Show what a run holds: its origin, coding scheme, diagnostics and pictures.

    A run that was interrupted, or is under way, is shown with the draws that it has. Every file of the run is compared
    with its checksum first.

    [bold]Examples[/bold]

      nonlazy show nonlazy-figure-2-sigmoid
      nonlazy show nonlazy-mnist/run.zarr --out pictures
    """
    from rich.console import Console
    from rich.markup import escape

    from nonlazy.cli._tables import print_report
    from nonlazy.figures import RUN, report, results_folder, write
    from nonlazy.sampling import open_run

    if path.is_file():
        raise InvalidInput(f"{path} is a file: give a run, which is a folder, or the folder of results that holds one")
    if out is not None:
        out = results_folder("", out)
    path = path / RUN if (path / RUN).is_dir() else path
    within = sorted(run.parent.name for run in path.glob(f"*/{RUN}")) if path.is_dir() else []
    if within and (path / "sweep.toml").is_file():
        raise InvalidInput(
            f"{path} is the folder of a sweep: nonlazy sweep {path} --gather draws it, and {path / within[0]} is one "
            "of its runs, to show"
        )
    if within:
        raise InvalidInput(
            f"{path} holds {len(within)} runs, {', '.join(within[:_MOST_NAMES])}"
            f"{', ...' if len(within) > _MOST_NAMES else ''}: show one of them, as {path / within[0]}"
            + (f", or make a page of the figure with nonlazy report {path}" if any(path.glob("figure-*.json")) else "")
        )
    run = open_run(path)
    run.verify()
    console = Console()
    wanted = int(run.configuration.get("draws", run.draws))
    state = "complete"
    if not run.complete:
        under_way = run.under_way()
        state = f"{'under way' if under_way else 'interrupted'}: {run.draws} of {wanted} draws so far"
    console.print(
        f"[bold]{escape(str(path))}[/bold]: {run.chains} chains of {run.draws} draws, {state}", soft_wrap=True
    )
    origin = {key: run.provenance.get(key) for key in ("started", "seed", "device", "precision", "git_revision")}
    versions = run.provenance.get("versions", {})
    said = [f"{key.replace('_', ' ')} {value}" for key, value in origin.items() if value is not None]
    said += [f"{package} {version}" for package, version in versions.items() if version]
    console.print("; ".join(said), style="dim", soft_wrap=True, markup=False)
    held = [f"{name} ({', '.join(map(str, child.data_vars))})" for name, child in run.tree.children.items()]
    console.print(f"holds {'; '.join(held)}", style="dim", soft_wrap=True, markup=False)
    if run.draws == 0:
        where = "It is in its warm-up" if state.startswith("under way") else "It stopped in its warm-up"
        console.print(f"{where}, before the first draw: there is nothing to show yet.")
        return
    name = path.parent.resolve().name if path.name == RUN else path.stem
    found = report(run, _title(path) or name.removeprefix("nonlazy-"))
    print_report(found, console)
    if out is not None:
        written = write(found, out, name.removeprefix("nonlazy-"))
        console.print(f"\nIn {out}: {', '.join(file.name for file in written)}", soft_wrap=True, markup=False)
    else:
        pictures = sorted(file.name for file in path.parent.glob("*.p[nd][gf]"))
        if pictures:
            console.print(f"\nPictures in {path.parent}: {', '.join(pictures)}", soft_wrap=True, markup=False)
        else:
            console.print("\nNo picture lies beside it; --out DIR draws one.")
    if not found.diagnostics.converged:
        raise typer.Exit(NOT_CONVERGED)


def _title(path: Path) -> str:
    """The title of the experiment that lies beside a run, where there is one."""
    from nonlazy.experiments import load

    try:
        return load(path.parent / "experiment.toml").about.title
    except NonlazyError:
        return ""
