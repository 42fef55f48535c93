"""All figures, several at once: each is made by its own command, in a process of its own."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from nonlazy._machine import cores, end_with_parent
from nonlazy._whole_files import write_text
from nonlazy.cli._errors import INTERRUPTED, NOT_CONVERGED
from nonlazy.figures import FIGURES, FigureDefinition, results_folder
from nonlazy.figures._duration import duration
from nonlazy.figures.claims import claims_page, gather


# How long figures may take to write their checkpoints after Ctrl-C, before they are asked themselves, and after it.
_GRACE_SECONDS = (5.0, 30.0)
_LISTEN_SECONDS = 0.2


@dataclass(frozen=True)
class _Ended:
    name: str
    status: int
    said: str


def make_figures(quick: bool, out: Path | None, resume: bool, arguments: Sequence[str], progress: bool) -> None:
    """Makes all figures, each in a folder of its own within `out`; exits with 1 where any is missing or unconverged.

    As many are made at once as there are processors. What the command of each prints is printed when it has ended.

    **Arguments:** `arguments`: of each figure's command, besides its name, `--quick`, `--resume` and `--out`.
    """
    console = Console()
    folder = results_folder("figures" + ("-quick" if quick else ""), out)
    wanted = {one.name: one for one in FIGURES.values() if not one.on_request}
    seconds = {name: one.quick_seconds if quick else one.seconds for name, one in wanted.items()}
    at_once = min(len(wanted), len(cores()))
    about = max(sum(seconds.values()) / at_once, *seconds.values())
    console.print(f"{len(wanted)} figures, {at_once} at once, about {duration(about)}", style="dim")
    commands = {
        # Those that take longest begin first.
        name: _command(wanted[name], quick, folder / wanted[name].file_name(quick), resume, arguments)
        for name in sorted(wanted, key=lambda name: -seconds[name])
    }
    begin = time.time()
    missing, unconverged = [], []
    with _status(console, progress) as tell:
        try:
            for ended in _run(commands, at_once, tell):
                console.print(ended.said.strip() + "\n", markup=False, highlight=False, soft_wrap=True)
                numbers = folder / wanted[ended.name].file_name(quick) / f"{wanted[ended.name].file_name(quick)}.json"
                written = numbers.exists() and numbers.stat().st_mtime >= begin
                if ended.status and not (written and ended.status == NOT_CONVERGED):
                    missing.append(ended.name)
                    console.print(f"[bold red]Figure {ended.name} is missing.[/bold red]\n")
                elif ended.status:
                    unconverged.append(ended.name)
        except KeyboardInterrupt:
            said = f"\nInterrupted. What was sampled is kept in {folder}: the same command goes on from there."
            Console(stderr=True).print(said, markup=False)
            raise typer.Exit(INTERRUPTED) from None
    if len(missing) < len(wanted):
        write_text(folder / "claims.md", claims_page(gather(folder)))
    said = f"{len(wanted) - len(missing)} of {len(wanted)} figures in {folder}, and the paper's claims in claims.md"
    said += f"; missing: {', '.join(missing)}" if missing else ""
    said += f"; not converged: {', '.join(unconverged)}" if unconverged else ""
    console.print(f"{said}; {duration(time.time() - begin)}", markup=False)
    if missing or unconverged:
        raise typer.Exit(NOT_CONVERGED)


def _command(one: FigureDefinition, quick: bool, place: Path, resume: bool, arguments: Sequence[str]) -> list[str]:
    # With --resume, whatever was not begun begins now.
    options = [*(["--quick"] if quick else []), *(["--resume"] if resume and place.exists() else [])]
    main = "from nonlazy.cli._all_figures import one_figure; one_figure()"
    return [sys.executable, "-c", main, "figure", one.name, "--out", str(place), "--no-progress", *options, *arguments]


def one_figure() -> None:
    """The process of one figure: runs its command, and ends, checkpointed, soon after the process that started it."""
    from nonlazy.cli import main

    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGINT))
    main()


def _run(commands: Mapping[str, Sequence[str]], at_once: int, tell: Callable[[str], object]) -> Iterator[_Ended]:
    """Runs the commands, `at_once` at a time, in order; what each printed, as they end."""
    waiting = list(commands)
    running: dict[str, tuple[subprocess.Popen, Any]] = {}
    environment = os.environ | {"COLUMNS": str(Console().width)}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                said = tempfile.TemporaryFile()
                process = subprocess.Popen(
                    commands[name], stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment
                )
                running[name] = process, said
                tell(f"{len(commands) - len(waiting) - len(running)} of {len(commands)}; now {', '.join(running)}")
            time.sleep(_LISTEN_SECONDS)
            for name in [name for name, (process, _) in running.items() if process.poll() is not None]:
                process, said = running.pop(name)
                with said:
                    said.seek(0)
                    yield _Ended(name, process.returncode, said.read().decode(errors="replace"))
    finally:
        _stop([process for process, _ in running.values()])


def _stop(processes: Sequence[subprocess.Popen]) -> None:
    """Waits for processes that Ctrl-C has reached; asks those that it has not."""
    for seconds in _GRACE_SECONDS:
        end = time.monotonic() + seconds
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
    for process in processes:
        if process.poll() is None:
            process.kill()


@contextmanager
def _status(console: Console, progress: bool) -> Iterator[Callable[[str], object]]:
    if not progress or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield status.update
