"""What the benchmark prints."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from _sampling.chains import Chain, geometric_mean
from _sampling.children import ONE_THREAD
from _sampling.comparison import DISAGREE, Comparison
from _sampling.peers import PEERS
from _sampling.weight_space import QUANTITIES


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
    """The tables of one posterior."""
    moves = f"; moves of nonlazy: {comparison.plan.moves}" if comparison.plan.moves else ""
    columns = ["", "gradients", "ms each", "log dens.", "sum a^2", "kernel", "least", "nonlazy / peer"]
    rates = _table(f"{comparison.case}{moves}\neffective samples a second", columns)
    schemes = ["", "first, s", "gradients", "settled, s", "gradients", "first draw, s", "peak, MB"]
    times = _table("from the shell's call: when the right coding scheme is there, and to stay; the first draw", schemes)
    for name, chains in {"": comparison.ours, **comparison.peers}.items():
        label = chains[0].sampler
        verdict = comparison.verdict(name).words if name else ""
        rates.add_row(
            label,
            _one([chain.gradients_per_draw for chain in chains], ".3g"),
            _one([_ms(chain) for chain in chains], ".3g"),
            *(_rate(chains, quantity) for quantity in QUANTITIES),
            _least(chains),
            verdict,
        )
        times.add_row(
            label,
            *(
                _event(chains, which, what, form)
                for which in ("first", "settled")
                for what, form in (("seconds", ".1f"), ("gradients", ",.0f"))
            ),
            _one([chain.first_draw_seconds for chain in chains], ".1f"),
            _one([chain.peak_megabytes for chain in chains], ".0f"),
        )
    console.print(rates)
    console.print(times)
    if comparison.peers:
        console.print(_agreement(comparison))
    for line in _notes(comparison):
        console.print(line, highlight=False)


def print_overhead(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """The share of a draw that is not gradients."""
    table = _table(
        "a draw and its gradients, one thread: on the clock, and of the processor",
        [
            "",
            "gradients a draw",
            "ms a gradient",
            "ms a draw",
            "not gradients",
            "processor: ms a draw",
            "not gradients",
        ],
    )
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['gradients_per_draw']:.1f}",
            f"{row['gradient_ms']:.3g}",
            f"{row['draw_ms']:.3g}",
            f"[bold]{row['share']:.0%}[/bold]",
            f"{row['draw_processor_ms']:.3g}",
            f"{row['share_processor']:.0%}",
        )
    console.print(table)


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
    plan = comparison.plan
    notes = [
        f"{plan.seeds} chains of nonlazy, {plan.peer_seeds} of each peer; medians of them. Gradients: of a draw. Ms "
        "each: a draw's time / its gradients; recording, moves and writing are in ours, not in the peers'. Kernel: "
        "geometric mean of three entries. Least: fewest effective draws of a chain, of any quantity.",
    ]
    if comparison.peers:
        notes.append(
            "Apart: means, in errors of both, the largest of five; the spread between chains is that of "
            f"{plan.seeds} of ours. Equipartition: (w - c) . dU/dw over the number of weights, less 1, has the mean 0 "
            "under the posterior, whatever the shares of codes."
        )
    for chains in (comparison.ours, *comparison.peers.values()):
        for chain in chains:
            accepted = "" if chain.acceptance is None else f", acceptance {chain.acceptance:.2f}"
            notes.append(
                f"{chain.sampler}, seed {chain.seed}: {chain.warmup} + {chain.draws} iterations, step "
                f"{chain.step_size:.2g}{accepted}; {'' if chain.reached else 'scheme not reached: '}{chain.scheme}"
            )
    notes += _disagreements(comparison)
    if comparison.peers:
        each = "; ".join(", ".join(f"{1e3 * s:.2f}" for s in row) for row in comparison.seconds_per_draw)
        notes.append(f"nonlazy's ms a draw, before and after the peers, by chain: {each}.")
        for name in comparison.peers:
            by = comparison.verdict(name).each
            if by:
                notes.append(f"{PEERS[name].label}: " + ", ".join(f"{q} {ratio:.3g}" for q, ratio in by.items()) + ".")
    if not comparison.replayed:
        notes.append("The chains looked at differ from those timed: their iterations are not the same.")
    return notes


def _agreement(comparison: Comparison) -> Table:
    """Whether the peers sample the posterior."""
    names = [*(f"layer{layer}" for layer in range(1, comparison.case.depth + 1)), "readout"]
    title = "the same posterior? means apart from ours, in errors; from equipartition, in per cent"
    table = _table(title, ["", "apart", *names])
    for name, chains in comparison.peers.items():
        apart = comparison.apart(name)
        found = {deviation.layer: deviation for deviation in comparison.equipartition(name)}
        cells = [f"{100 * found[n].relative:+.2f} ± {100 * found[n].error:.2f}" if n in found else "-" for n in names]
        table.add_row(chains[0].sampler, "-" if apart is None else f"{apart:.1f}", *cells)
    return table


def _disagreements(comparison: Comparison) -> list[str]:
    notes = []
    apart = [PEERS[name].label for name in comparison.peers if (comparison.apart(name) or 0) > DISAGREE]
    if apart:
        notes.append(
            f"Means apart by more than {DISAGREE:g} errors: {', '.join(apart)}. Shares of codes that freeze do that to "
            "exact samplers, too, and effective samples do not count what was never visited."
        )
    for name in comparison.peers:
        deviation = comparison.deviation(name)
        if deviation is not None:
            why = "it has not settled" if PEERS[name].exact else "it is biased, or has not settled"
            notes.append(
                f"{PEERS[name].label}: {deviation.layer} is {deviation.relative:+.1%} from equipartition, "
                f"{deviation.errors:.0f} errors: {why}."
            )
    return notes


def _ms(chain: Chain) -> float | None:
    if chain.seconds_per_draw is None or chain.gradients_per_draw is None:
        return None
    return 1e3 * chain.seconds_per_draw / chain.gradients_per_draw


def _one(values: Sequence[float | None], form: str) -> str:
    """The median of the chains."""
    known = [value for value in values if value is not None]
    return format(float(np.median(known)), form) if len(known) == len(values) else "-"


def _rate(chains: Sequence[Chain], quantity: str) -> str:
    if any(chain.ess is None for chain in chains):
        return "-"
    return f"{geometric_mean([chain.ess_per_second(quantity) for chain in chains]):.3g}"


def _least(chains: Sequence[Chain]) -> str:
    known = [min(chain.ess.values()) for chain in chains if chain.ess is not None]
    return f"{min(known):.0f}" if len(known) == len(chains) else "-"


def _event(chains: Sequence[Chain], which: str, what: str, form: str) -> str:
    events = [getattr(chain, which) for chain in chains]
    missing = sum(event is None for event in events)
    if missing:
        return "never" if len(events) == 1 else f"never in {missing} of {len(events)}"
    return _one([getattr(event, what) for event in events], form)
