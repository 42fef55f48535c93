"""`nonlazy sweep`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nonlazy.cli._errors import INTERRUPTED, Debug, guarded
from nonlazy.cli._options import NoProgress, check_together
from nonlazy.cli._sweep_end import conclude, standing
from nonlazy.errors import InvalidInput


if TYPE_CHECKING:
    from rich.console import Console

    from nonlazy.sweeps import Sweep


@guarded
def sweep(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|SWEEP.toml|FOLDER", help="A sweep that comes with nonlazy, a file of your own, or results."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder of the results. Default: nonlazy-sweep-NAME, in the current folder; of a folder of results, "
            "itself.",
        ),
    ] = None,
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
        typer.Option(
            "--show", metavar="QUANTITY", help="Draw this, as train_error or theory.codes; may be given several times."
        ),
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Insist that the folder holds this sweep. Without it, one goes on as well.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start afresh: delete the points that are there, and run them again.")
    ] = False,
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
      nonlazy sweep mine.toml --gather --show train_error
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
    command = "the same command without --overwrite" if overwrite else "the same command"
    titled = False

    def announce(line: str) -> None:
        nonlocal titled
        if not titled:
            # Not before a refusal.
            console.print(f"{asked.title or asked.name}", style="bold", markup=False)
        titled = True
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    try:
        result = sweeps.sweep(
            asked,
            folder,
            **options,
            progress=not no_progress,
            announce=announce,
        )
    except KeyboardInterrupt:
        said = f"Interrupted: {standing(asked, folder, points)}. All that was sampled is kept in {folder}"
        Console(stderr=True).print(f"\n{said}: {command} goes on from there.", soft_wrap=True, markup=False)
        raise typer.Exit(INTERRUPTED) from None
    chosen = None if points is None else [asked.points[number].name for number in asked.select(points)]
    conclude(console, result, folder, chosen, command, _named(source, quick, out, asked.name))


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
    jobs = planned.jobs()
    left = {job.number for job in jobs}
    console.print(asked.heading(), markup=False, highlight=False, soft_wrap=True)
    for number, point in zip(planned.numbers, planned.points, strict=True):
        standing = planned.standing(point)
        if standing == "done" and number in left:
            standing = "sampled; its numbers are read again"
        known = f" ({standing})" if standing else ""
        console.print(f"  {number}: {point.name}{known}", markup=False, highlight=False, soft_wrap=True)
    total = len(planned.numbers)
    can = f"All {total} can be run" if total > 1 else "It can be run"
    said = f"{can}. {planned.said(jobs, where)}. Results: {folder}"
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
    said = _named(source, quick, None if there is not None else out, result.sweep.name)
    conclude(console, result, Path(out), None, said, said)


def _named(source: str, quick: bool, out: Path | None, name: str) -> str:
    """The command for these results, without further options."""
    from nonlazy.figures import results_folder

    parts = ["nonlazy", "sweep", source]
    if quick:
        parts.append("--quick")
    if out is not None and out != results_folder(f"sweep-{name}", None):
        parts += ["--out", str(out)]
    return shlex.join(parts)


def _check_alone(what: str, others: dict[str, object]) -> None:
    for name, value in others.items():
        if value is not None:
            raise InvalidInput(f"{what}: leave out {name}")
