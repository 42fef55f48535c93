"""What the benchmark prints."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from _sampling.children import ONE_THREAD
from _sampling.comparison import QUANTITIES, Comparison, Side, geometric_mean


_BUSY = 0.5


def print_machine(console: Console) -> None:
    """Cores, load and the resources that each side gets."""
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load average {load:.1f} before we begin.")
    if load > _BUSY:
        console.print("[bold]The machine is busy: seconds below are too long, and not by the same factor.[/bold]")
    names = ("PJRT_NPROC", "XLA_FLAGS")
    console.print(
        "Each measurement runs in a process of its own with one thread:\n  "
        + " ".join(f"{name}={ONE_THREAD[name]!r}" for name in names),
        highlight=False,
        soft_wrap=True,
    )


def print_comparison(console: Console, comparison: Comparison) -> None:
    """The table of one posterior."""
    ours, nuts, ratios = comparison.ours, comparison.nuts, comparison.ratios()
    moves = f"; moves of nonlazy: {comparison.moves}" if comparison.moves else ""
    table = _table(f"{comparison.case}{moves}", ["", "nonlazy", "NUTS", "nonlazy / NUTS"])

    def row(name: str, show: Callable[[Side], str], ratio: str = "") -> None:
        table.add_row(name, show(ours), "-" if nuts is None else show(nuts), ratio)

    row("warm-up, draws", lambda s: f"{s.warmup}, {s.draws}")
    row("acceptance, step size", lambda s: f"{s.acceptance:.2f}, {s.step_size:.3g}")
    row("gradients a draw", lambda s: f"{s.gradients_per_draw:.1f}")
    row("ms a draw / gradients", lambda s: f"{1e3 * s.seconds_per_draw / s.gradients_per_draw:.3g}")
    row("seconds a draw", lambda s: f"{s.seconds_per_draw:.3g}")
    missed = "" if nuts is None else "not reached"
    for name in QUANTITIES:
        row(
            f"ESS a second, {name}",
            lambda s, name=name: f"{s.ess_per_second(name):.3g} ({s.ess[name]:.0f})",
            missed if ratios is None else f"{ratios[name]:.3g}",
        )
    mean = missed if ratios is None else f"[bold]{geometric_mean(list(ratios.values())):.3g}[/bold]"
    table.add_row("  geometric mean of the three", "", "", mean)
    table.add_section()
    row("scheme at the last draw", lambda s: f"{'' if s.reached else 'not reached: '}{s.scheme}")
    row("scheme first, iteration", lambda s: _or_never(s.first, lambda i: str(i)))
    row("  s since the first iteration", lambda s: _or_never(s.first_seconds, lambda t: f"{t[1]:.1f}"))
    row("scheme to stay, iteration", lambda s: _or_never(s.settled, lambda i: str(i)))
    row("  s since the first iteration", lambda s: _or_never(s.settled_seconds, lambda t: f"{t[1]:.1f}"))
    row(
        "  s from a cold start",
        lambda s: _or_never(s.settled_seconds, lambda t: f"{t[0]:.1f}"),
        _cold_ratio(comparison),
    )
    row("cold start to last draw, s", lambda s: f"{s.total_seconds:.1f}")
    table.add_section()
    for name in QUANTITIES:
        row(f"mean {name}" + (" (first)" if name.endswith("entries") else ""), lambda s, name=name: _mean(s, name))
    console.print(table)
    for line in _notes(comparison):
        console.print(line, highlight=False)


def print_gradient(console: Console, rows: Sequence[dict[str, Any]], title: str) -> None:
    """One gradient against a bare pass of erf and exp."""
    table = _table(title, ["", "N = P", "erf and exp, ms", "gradient, ms", "ratio", "middle half of ratios", "calls"])
    for row in rows:
        low, high = row["ratio_quartiles"]
        table.add_row(
            row["how"],
            str(row["N"]),
            f"{row['bare_ms']:.3g}",
            f"{row['gradient_ms']:.3g}",
            f"[bold]{row['ratio']:.2f}[/bold]",
            f"{low:.2f} to {high:.2f}",
            str(row["calls"]),
        )
    console.print(table)


def print_memory(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """Peak memory of a chain's process."""
    few, many = rows[0]["few"]["draws"], rows[0]["many"]["draws"]
    table = _table("peak memory of a chain's process", ["", f"{few:,} draws, MB", f"{many:,} draws, MB", "ratio"])
    for row in rows:
        table.add_row(
            row["case"],
            f"{row['few']['chain_MB']:.0f}",
            f"{row['many']['chain_MB']:.0f}",
            f"[bold]{row['ratio']:.3f}[/bold]",
        )
    console.print(table)


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index else "left", overflow="fold", no_wrap=not index)
    return table


def _notes(comparison: Comparison) -> list[str]:
    notes = [
        "ms a draw / gradients: moves, diagnostics and writing are in nonlazy's draws; NUTS is timed without any.",
        "ESS in brackets: effective draws of all draws. Kernel entries: geometric mean of the ESS of three entries.",
    ]
    if comparison.nuts is not None and comparison.ratios() is None:
        who = "nonlazy" if not comparison.ours.reached else "NUTS"
        notes.append(f"No ratio: {who} is not in the paper's coding scheme at its last draw.")
    apart = [f"{name} by {distance:.0f}" for name, distance in comparison.disagreements().items()]
    if apart:
        advice = "For like with like take --moves none." if comparison.moves is None else "Compare the shares of codes."
        notes.append(
            f"The means differ, in Monte Carlo errors: {', '.join(apart)}. One side has not explored what the other "
            f"has, and its effective samples do not count that. {advice}"
        )
    if len(comparison.seconds_per_draw_each) > 1:
        before, after = comparison.seconds_per_draw_each
        notes.append(f"nonlazy's seconds a draw, before and after NUTS: {before:.3g}, {after:.3g}.")
    if not comparison.replayed:
        notes.append(
            "The chain that was looked at differs from the one that was timed: its iterations are not the same."
        )
    return notes


def _cold_ratio(comparison: Comparison) -> str:
    ours, nuts = comparison.ours.settled_seconds, comparison.nuts and comparison.nuts.settled_seconds
    return f"1 / {nuts[0] / ours[0]:.3g}" if ours and nuts else ""


def _or_never(value: Any, show: Callable[[Any], str]) -> str:
    return "never" if value is None else show(value)


def _mean(side: Side, name: str) -> str:
    return f"{side.means[name]:.6g} ± {side.mcse[name]:.2g}"
