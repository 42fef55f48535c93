"""Progress of the chains, drawn by the host between iterations; it never touches what is computed."""

import sys
import time
from abc import ABC, abstractmethod

from nonlazy.sampling._chain_progress import Progress


_LINE_SECONDS = 10.0


class Display(ABC):
    """Shows where chains stand; a context manager around the sampling."""

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, *_) -> None:
        return None

    @abstractmethod
    def show(self, progress: Progress) -> None:
        """Takes the newest state of one chain."""


class Silent(Display):
    """Shows nothing."""

    def show(self, progress: Progress) -> None:
        pass


class Lines(Display):
    """A line every ten seconds, for logs and pipes."""

    def __init__(self):
        self._last = time.monotonic()

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < _LINE_SECONDS:
            return
        self._last = now
        print(
            f"chain {progress.chain}: {progress.phase}, iteration {progress.iteration} of {progress.total}, "
            f"loss {progress.loss:.3g}, acceptance {progress.acceptance:.2f}, T {progress.temperature:.3g}",
            file=sys.stderr,
            flush=True,
        )


class Bars(Display):
    """A bar a chain on a terminal: iterations, rate, time left, acceptance, loss, temperature."""

    def __init__(self, chains: int, total: int):
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress as RichProgress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = RichProgress(
            TextColumn("chain {task.fields[chain]}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[state]}"),
            console=Console(stderr=True),
        )
        self._tasks = [
            self._progress.add_task("", total=total, chain=chain, rate="", state="compiling", start=False)
            for chain in range(chains)
        ]
        self._begun: dict[int, tuple[float, int]] = {}
        self._acceptance: dict[int, float] = {}

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        task = self._tasks[progress.chain]
        if progress.chain not in self._begun:
            self._begun[progress.chain] = (now, progress.iteration)
            self._progress.start_task(task)
        since, first = self._begun[progress.chain]
        rate = (progress.iteration - first) / (now - since) if now > since else 0.0
        # Single acceptance probabilities jump between 0 and 1.
        smooth = 0.9 * self._acceptance.get(progress.chain, progress.acceptance) + 0.1 * progress.acceptance
        self._acceptance[progress.chain] = smooth
        self._progress.update(
            task,
            completed=progress.iteration,
            rate=f"{rate:.1f}/s" if rate else "",
            state=f"{progress.phase}: acceptance {smooth:.2f}, loss {progress.loss:.3g}, T {progress.temperature:.3g}",
        )


def display(show: bool, chains: int, total: int) -> Display:
    """Bars on a terminal, lines elsewhere, nothing where not wanted."""
    if not show:
        return Silent()
    return Bars(chains, total) if sys.stderr.isatty() else Lines()
