"""What a gradient and a draw cost against N, P and L, with fitted exponents.

python benchmarks/cost.py --help
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _arguments import check_files, check_least
from _sampling.children import in_child
from _sampling.report import print_machine
from rich.console import Console
from rich.table import Table


_FIXED = 200
_SIZES = (50, 100, 200, 400, 700, 1000)
_QUICK_SIZES = (40, 60, 80)
_DEPTHS = (1, 2, 3, 4)
_TEMPERATURE = 1e-2
_DRAWS = 500
_QUICK_DRAWS = 100
_WIDTH = 116


def main() -> int:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--activation", default="sigmoid", choices=["linear", "sigmoid", "relu"])
    parser.add_argument("--depth", type=int, default=1, help="L of the sweeps over N and P (default: 1)")
    parser.add_argument("--draws", type=int, help="draws of a chain (default: 500)")
    parser.add_argument("--only", choices=["N", "P", "L"], action="append", help="only this sweep")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works; no result")
    parser.add_argument("--picture", type=Path, help="draw the curves into this file")
    parser.add_argument("--out", type=Path, help="write the numbers to this file, as JSON")
    arguments = parser.parse_args()
    check_files(parser, arguments, "out", "picture")
    check_least(parser, arguments, depth=1, draws=1)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    print_machine(console)
    draws = arguments.draws or (_QUICK_DRAWS if arguments.quick else _DRAWS)
    sweeps = {}
    for name in arguments.only or ["N", "P", "L"]:
        rows = [
            _measure(sizes, arguments.activation, draws) for sizes in _sweep(name, arguments.depth, arguments.quick)
        ]
        sweeps[name] = {"rows": rows, "exponents": {what: exponent(rows, name, what) for what in _WHAT}}
        console.print(_table(name, sweeps[name], arguments.activation))
    if arguments.picture:
        _draw(sweeps, arguments.picture)
    if arguments.out:
        arguments.out.write_text(json.dumps({"activation": arguments.activation, "sweeps": sweeps}, indent=2) + "\n")
    return 0


_WHAT = {"gradient_ms": "a gradient", "draw_processor_ms": "a draw"}


def _sweep(name: str, depth: int, quick: bool) -> list[dict[str, int]]:
    fixed = _QUICK_SIZES[1] if quick else _FIXED
    values = _DEPTHS[: 2 if quick else None] if name == "L" else _QUICK_SIZES if quick else _SIZES
    return [{"N": fixed, "P": fixed, "L": depth} | {name: value} for value in values]


def _measure(sizes: dict[str, int], activation: str, draws: int) -> dict[str, Any]:
    print(f"  {sizes}", file=sys.stderr, flush=True)
    posterior = {**sizes, "activation": activation, "temperature": _TEMPERATURE}
    return sizes | in_child("overhead", {"posterior": posterior, "draws": draws, "moves": "none"})


def exponent(rows: Sequence[dict[str, Any]], name: str, what: str) -> tuple[float, float] | None:
    """The slope of log cost against log size by least squares, and its standard error; None for two sizes or less, and
    against L, where cost is a straight line and no power.

    The error says how far the points are from a power law, and nothing about the noise of each.
    """
    if len(rows) < 3 or name == "L":
        return None
    x, y = (np.log([row[key] for row in rows]) for key in (name, what))
    (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))


def _table(name: str, sweep: dict[str, Any], activation: str) -> Table:
    others = ", ".join(f"{other} = {sweep['rows'][0][other]}" for other in ("N", "P", "L") if other != name)
    table = Table(title=f"cost against {name}: {activation}, {others}, T = {_TEMPERATURE:g}, no moves")
    columns = [name, "ms a gradient", "gradients a draw", "ms a draw", "of the processor", "ns a gradient / (N P)"]
    for column in columns:
        table.add_column(column, justify="right")
    for row in sweep["rows"]:
        table.add_row(
            str(row[name]),
            f"{row['gradient_ms']:.3g}",
            f"{row['gradients_per_draw']:.1f}",
            f"{row['draw_ms']:.3g}",
            f"{row['draw_processor_ms']:.3g}",
            f"{1e6 * row['gradient_ms'] / (row['N'] * row['P']):.3g}",
        )
    table.add_section()
    fits = {what: sweep["exponents"][what] for what in _WHAT}
    words = {what: "" if fit is None else f"{fit[0]:.2f} ± {fit[1]:.2f}" for what, fit in fits.items()}
    table.add_row("exponent", words["gradient_ms"], "", "", words["draw_processor_ms"], "")
    return table


def _draw(sweeps: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(sweeps), figsize=(3.4 * len(sweeps), 3), squeeze=False, sharey=True)
    for axis, (name, sweep) in zip(axes[0], sweeps.items(), strict=True):
        sizes = [row[name] for row in sweep["rows"]]
        for (what, words), marker in zip(_WHAT.items(), "os", strict=True):
            fit = sweep["exponents"][what]
            label = words if fit is None else f"{words}, exponent {fit[0]:.2f}"
            axis.loglog(sizes, [row[what] for row in sweep["rows"]], marker=marker, label=label)
        others = ", ".join(f"{other} = {sweep['rows'][0][other]}" for other in ("N", "P", "L") if other != name)
        axis.set_xlabel(f"{name} ({others})")
        axis.set_xticks(sizes, [str(size) for size in sizes], fontsize=7)
        axis.minorticks_off()
        axis.legend(fontsize=7, frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("ms")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    sys.exit(main())
