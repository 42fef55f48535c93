"""`nonlazy sweep`."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nonlazy.cli._errors import INTERRUPTED, NOT_CONVERGED, Debug, guarded
from nonlazy.cli._options import NoProgress, Out, Overwrite, Resume, check_together
from nonlazy.errors import InvalidInput


if TYPE_CHECKING:
    from rich.console import Console

    from nonlazy.sweeps import Sweep, SweepResult


@guarded
def sweep(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|SWEEP.toml|FOLDER", help="A sweep that comes with nonlazy, a file of your own, or results."
        ),
    ] = None,
    out: Out = None,
    quick: Annotated[bool, typer.Option("--quick", help="Take the quick size of the experiment.")] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", metavar="INT", help="Points that run at a time. Default: one a core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Run on this Dask cluster, as tcp://host:8786."),
    ] = None,
    scheduler_file: Annotated[
        Path | None,
        typer.Option("--scheduler-file", metavar="FILE", help="Run on the Dask cluster whose scheduler wrote FILE."),
    ] = None,
    points: Annotated[
        str | None,
        typer.Option(
            "--points", "--point", metavar="0:10", help="Run these points alone, counted from 0, and gather nothing."
        ),
    ] = None,
    gather: Annotated[bool, typer.Option("--gather", help="Run nothing: gather and draw what is there.")] = False,
    show: Annotated[
        list[str] | None,
        typer.Option("--show", metavar="QUANTITY", help="Draw this quantity; may be given several times."),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries", metavar="INT", help="Runs of a point after its process or worker has died. Default: 2."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all that a run would check, list the points, and run nothing.")
    ] = False,
    print_name: Annotated[
        str | None, typer.Option("--print", metavar="NAME", help="Print the TOML of a sweep that comes with nonlazy.")
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """
    Run an experiment at many values of its parameters, and draw a phase diagram.

    A sweep file names an experiment and what changes in it: temperature, y-, P, N, seed, activation, any key. Without
    a name, lists the sweeps that come with nonlazy. All points are checked before the first one runs; each gets a
    folder with its run, and all numbers are gathered in results.zarr (for xarray) and results.csv.

    Interrupted, or after points have failed, it goes on where it stopped when started again.

    [bold]Examples[/bold]

      nonlazy sweep
      nonlazy sweep phase-diagram
      nonlazy sweep --print phase-diagram > mine.toml; nonlazy sweep mine.toml --dry-run
      nonlazy sweep mine.toml --cluster tcp://head:8786
      nonlazy sweep mine.toml --point $SLURM_ARRAY_TASK_ID
      nonlazy sweep mine.toml --gather --show accuracy
    """
    from rich.console import Console

    from nonlazy import sweeps

    console = Console()
    if print_name is not None:
        typer.echo(sweeps.text(print_name), nl=False)
        return
    if source is None:
        _list(console)
        return
    if gather:
        _check_alone("--gather runs nothing", {"--jobs": jobs, "--cluster": cluster,
                     "--scheduler-file": scheduler_file, "--points": points, "--retries": retries,
                     "--resume": resume or None, "--overwrite": overwrite or None, "--dry-run": dry_run or None,
                     "--no-progress": no_progress or None})  # fmt: skip
    check_together(resume, overwrite)
    if points is not None and show:
        raise InvalidInput("--show draws what is gathered, and --points gathers nothing: give it to --gather")
    from nonlazy.sweeps._load import results_of

    if results_of(source) is None and Path(source, "sweep.toml").is_file():
        said = f"{source} is the sweep that nonlazy ships; the results in the folder of that name are ./{source}"
        console.print(said, style="dim", markup=False, highlight=False, soft_wrap=True)
    if gather:
        _gather(console, source, out, quick, show or [])
        return
    from nonlazy.figures import results_folder

    asked = sweeps.load(source, quick)
    folder = results_folder(f"sweep-{asked.name}", out or results_of(source))
    options: dict[str, Any] = {
        "jobs": jobs,
        "cluster": cluster,
        "scheduler_file": scheduler_file,
        "points": points,
        "show": show or [],
        "retries": 2 if retries is None else retries,
        "resume": resume,
        "overwrite": overwrite,
    }
    if dry_run:
        _dry_run(console, asked, folder, options)
        return
    console.print(f"{asked.title or asked.name}", style="bold", markup=False)
    try:
        result = sweeps.sweep(
            asked,
            folder,
            **options,
            progress=not no_progress,
            announce=lambda line: console.print(line, style="dim", markup=False, highlight=False),
        )
    except KeyboardInterrupt:
        command = "the same command without --overwrite" if overwrite else "the same command"
        Console(stderr=True).print(
            f"\nInterrupted. What was sampled is kept in {folder}: {command} goes on from there.",
            soft_wrap=True, markup=False,
        )  # fmt: skip
        raise typer.Exit(INTERRUPTED) from None
    chosen = None if points is None else [asked.points[number].name for number in asked.select(points)]
    _conclude(console, result, folder, chosen)


def _list(console: "Console") -> None:
    from rich.markup import escape
    from rich.table import Table

    from nonlazy import sweeps

    table = Table("name", "what it is", "points")
    for name in sweeps.names():
        one = sweeps.load(name)
        size = " x ".join(map(str, one.shape))
        swept = ", ".join(one.keys)
        table.add_row(name, f"{escape(one.title)}\n[dim]{escape(one.description)} {escape(swept)}[/dim]", size)
    console.print(table)
    console.print("nonlazy sweep --print NAME prints one, to copy and change.")


def _dry_run(console: "Console", asked: "Sweep", folder: Path, options: dict[str, Any]) -> None:
    """Says what a run would do, or why it would be refused."""
    from nonlazy.sweeps._plan import plan

    planned = plan(asked, folder, **options)
    planned.check_lock()
    where = "on this machine"
    if planned.remote:
        from nonlazy.sweeps._cluster import connect

        with connect(options["cluster"], options["scheduler_file"]) as client:
            workers = len(client.nthreads())
            where = f"on the cluster {client.scheduler.address}, which has {workers} workers now"
    left = {job.number for job in planned.jobs()}
    console.print(asked.heading(), markup=False, highlight=False, soft_wrap=True)
    for number, point in zip(planned.numbers, planned.points, strict=True):
        done = "" if number in left else " (done)"
        console.print(f"  {number}: {point.name}{done}", markup=False, highlight=False, soft_wrap=True)
    total = len(planned.numbers)
    can = f"All {total} can be run" if total > 1 else "It can be run"
    said = f"{can}. {planned.said(len(left), where)}. Results: {folder}"
    console.print(said, markup=False, highlight=False, soft_wrap=True)


def _gather(console: "Console", source: str, out: Path | None, quick: bool, show: list[str]) -> None:
    from nonlazy import sweeps
    from nonlazy.figures import results_folder
    from nonlazy.sweeps._load import results_of

    there = results_of(source)
    if there is not None and quick:
        raise InvalidInput(f"{there} is a folder of results, of the size that it was run at: leave out --quick")
    asked = None if there is not None else sweeps.load(source, quick)
    if out is None:
        out = there if asked is None else results_folder(f"sweep-{asked.name}", None)
    elif there is not None and out.resolve() != there.resolve():
        raise InvalidInput(f"{there} is a folder of results, which are gathered there: leave out --out")
    assert out is not None
    result = sweeps.open_sweep(out, asked)
    result.write(show)
    _conclude(console, result, Path(out), None)


def _conclude(console: "Console", result: "SweepResult", folder: Path, chosen: list[str] | None) -> None:
    """Says what became of the points; exits with 1 where one failed, is missing, or has not converged."""
    names = [point.name for point in result.sweep.points] if chosen is None else chosen
    failed = {name: error for name, error in result.failed.items() if name in names}
    missing = [name for name in result.missing if name in names]
    unconverged = {name: rhat for name, rhat in result.unconverged.items() if name in names}
    for name, error in failed.items():
        console.print(f"[bold red]failed:[/bold red] {name}:", soft_wrap=True, highlight=False)
        console.print(f"  {error.strip()}", markup=False, highlight=False, soft_wrap=True)
    if missing:
        console.print(f"[yellow]missing:[/yellow] {_listed(missing)}", soft_wrap=True, highlight=False)
    if unconverged:
        # One chain has no R-hat.
        hats = {name: "one chain" if math.isnan(rhat) else f"R-hat {rhat:.2f}" for name, rhat in unconverged.items()}
        said = _listed([f"{name} ({hat})" for name, hat in hats.items()])
        console.print(f"[yellow]not converged:[/yellow] {said}", soft_wrap=True, highlight=False)
    done = len(names) - len(failed) - len(missing)
    said = f"{done} of {len(names)} points done"
    if failed or missing:
        said += "; the same command goes on with the others"
    console.print(said + ".", markup=False, highlight=False)
    if chosen is None:
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


def _check_alone(what: str, others: dict[str, object]) -> None:
    for name, value in others.items():
        if value is not None:
            raise InvalidInput(f"{what}: leave out {name}")
