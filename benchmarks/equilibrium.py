"""How soon chains from three starts hold their codes in the same shares, and how many changes of code they accept.

python benchmarks/equilibrium.py --help
"""

import argparse
import json
import os
import sys
from pathlib import Path

from _arguments import check_files
from _equilibrium.cases import CASES, QUICK
from _equilibrium.measurement import WINDOW, WITHIN, Measured, as_dict, measure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


_WIDTH = 100


def main() -> int:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=[*CASES, "all"], help="posterior (default: toy-200)")
    parser.add_argument("--draws", type=int, default=200, help="draws of each chain, 40 or more (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the chains (default: 0)")
    parser.add_argument("--quick", action="store_true", help="a small network, to see that it works; no result")
    parser.add_argument("--out", type=Path, help="write the numbers to this file, as JSON")
    arguments = parser.parse_args()
    if arguments.draws < 40:
        parser.error(f"--draws is {arguments.draws}: agreement is judged on 40 or more")
    check_files(parser, arguments, "out")
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load average {load:.1f} before we begin. One chain at a time, one thread.")
    names = list(CASES) if "all" in (arguments.case or []) else arguments.case or ["toy-200"]
    results = {}
    for name in ["quick"] if arguments.quick else names:
        case = QUICK if arguments.quick else CASES[name]
        measured = measure(case, arguments.draws, arguments.seed)
        console.print(f"\n[bold]{case}[/bold]; target: agreement in {case.target}", highlight=False)
        _print(console, measured)
        results[name] = {"case": str(case), "load": load, **as_dict(measured)}
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n")
        print(f"written: {arguments.out}")
    return 0


def _print(console: Console, measured: Measured) -> None:
    table = Table(box=SIMPLE_HEAD, collapse_padding=True)
    for head in ("start", "to first draw", "to the end", "changes / s", "accepted"):
        table.add_column(head, justify="left" if head == "start" else "right", no_wrap=True)
    for start in measured.warmup:
        table.add_row(
            start,
            f"{measured.warmup[start]:.1f} s",
            f"{measured.total[start]:.1f} s",
            f"{measured.accepted[start]:.2f}",
            f"{measured.share[start]:.0%}",
        )
    console.print(table)
    if measured.agree is None:
        console.print(f"The starts never agree within {WITHIN:g} neurons.")
    else:
        assert measured.seconds is not None
        console.print(
            f"The starts agree within {WITHIN:g} neurons (means over {WINDOW} draws) from draw {measured.agree} on, "
            f"{measured.seconds:.1f} s after the call in the slowest chain.",
            highlight=False,
        )
    console.print(str(measured.found), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
