"""Progress of a sweep: points done, running and failed, and the time left."""

import sys
import time

from nonlazy.figures._duration import duration
from nonlazy.sweeps._process import Outcome


class Silent:
    """Shows nothing."""

    def __init__(self, points: int, done: int):
        self.points, self.done = points, done
        self.running = self.failed = self._ended = 0
        self.workers = 1
        self._begun = time.monotonic()

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def started(self, name: str) -> None:
        """A point begins."""
        self.count(self.running + 1)

    def count(self, running: int, workers: int = 1) -> None:
        """So many points are under way, on so many workers of a cluster."""
        self.running, self.workers = running, workers
        self.show()

    def ended(self, name: str, outcome: Outcome) -> None:
        """A point has ended."""
        self.running = max(0, self.running - 1)
        self._ended += 1
        if outcome.state == "done":
            self.done += 1
        elif outcome.state == "failed":
            self.failed += 1
        self.show()

    def show(self) -> None:
        """Draws where the sweep stands."""

    def left(self) -> str:
        """The time left, in words, from the points that this sweep has run so far; empty before the first."""
        if not self._ended:
            return ""
        # Those that run are half done, more or less.
        pace = (time.monotonic() - self._begun) / (self._ended + self.running / 2)
        return f"about {duration(pace * (self.points - self.done - self.failed))} left"

    def state(self) -> str:
        """Where the sweep stands, in a line."""
        under_way = f"{self.running} running" if self.workers else "waiting for workers"
        parts = [f"{self.done} of {self.points} done", under_way]
        parts += [f"{self.failed} failed"] if self.failed else []
        left = self.left() if self.done + self.failed < self.points else ""
        return ", ".join(parts + ([left] if left else []))


class Lines(Silent):
    """A line for each point that ends, for logs and pipes, and where a cluster has no workers."""

    def count(self, running: int, workers: int = 1) -> None:
        had = self.workers
        super().count(running, workers)
        if had and not workers:
            print("the cluster has no workers: waiting for them", file=sys.stderr, flush=True)

    def ended(self, name: str, outcome: Outcome) -> None:
        super().ended(name, outcome)
        how = {"done": "done", "failed": "FAILED", "stopped": "stopped"}[outcome.state]
        print(f"{name}: {how} in {duration(outcome.seconds)}; {self.state()}", file=sys.stderr, flush=True)


class Bar(Silent):
    """A bar on a terminal, with the points that are running below it."""

    def __init__(self, points: int, done: int):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        super().__init__(points, done)
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("", total=points, completed=done, state=self.state())

    def __enter__(self) -> "Silent":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self) -> None:
        self._progress.update(self._task, completed=self.done + self.failed, state=self.state())

    def ended(self, name: str, outcome: Outcome) -> None:
        super().ended(name, outcome)
        if outcome.state == "failed":
            from rich.markup import escape

            self._progress.console.print(f"[red]{escape(name)}: failed[/red]", soft_wrap=True)


def display(show: bool, points: int, done: int) -> Silent:
    """A bar on a terminal, lines elsewhere, nothing where not wanted."""
    if not show:
        return Silent(points, done)
    return (Bar if sys.stderr.isatty() else Lines)(points, done)
