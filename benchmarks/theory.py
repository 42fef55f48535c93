"""How long the theory takes: Figs. 2 and 4, a sweep, MNIST; beside a plain Cholesky of the same input kernel.

python benchmarks/theory.py --help
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _arguments import check_files
from _theory.cases import CASES
from rich.console import Console
from rich.table import Table


_HERE = Path(__file__).parent
_COLD_SECONDS = 3.0
_SWEEP_SECONDS = 20.0
_MOST_SECONDS = 900.0
_WIDTH = 116


def main() -> int:
    """Parses the command line, measures and prints."""
    arguments = _parse()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    results: dict[str, Any] = {"cases": {}}
    table = Table(title="Solving the theory, one process a case", title_justify="left")
    for name in ("case", "P"):
        table.add_column(name)
    for name in ("cold [s]", "solve [s]", "again [s]", "target", "Cholesky", "MiB", "MiB/P^2", "residual"):
        table.add_column(name, justify="right")
    table.add_column("certified")
    words = []
    for name in arguments.case or CASES:
        print(name, file=sys.stderr, flush=True)
        found = _case(name, arguments.limit)
        results["cases"][name] = found
        table.add_row(name, *_cells(name, found))
        words.append(f"{name}: {found.get('refused') or found['certificate']}")
    console.print(table)
    console.print(
        "cold: the whole process, from the shell; Cholesky of K0: share of the (second) solve; "
        f"target of the cold start of the Fig. 2 cases: {_COLD_SECONDS:g} s",
        style="dim",
    )
    for line in words:
        console.print(line, style="dim", highlight=False)
    if not arguments.case:
        found = results["sweep"] = _child(arguments.limit, "sweep.py")
        if "refused" in found:
            console.print(f"y- at 200 points: {found['refused']}")
        else:
            edges = ", ".join(f"{value:.5f}" for value in found["transitions"])
            console.print(
                f"y- at 200 points: {found['seconds']:.1f} s (target {_SWEEP_SECONDS:g}), "
                f"{found['certified']} of 200 certified; transitions at {edges}"
            )
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=list(CASES), help="one case (default: all, and the sweep)")
    parser.add_argument(
        "--limit", type=float, default=_MOST_SECONDS, metavar="SECONDS", help="stop a case after this (default: 900)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the numbers here, too")
    arguments = parser.parse_args()
    check_files(parser, arguments, "out")
    return arguments


def _case(name: str, limit: float) -> dict[str, Any]:
    start = time.perf_counter()
    found = _child(limit, "child.py", name)
    return {**found, "process": time.perf_counter() - start}


def _cells(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    if "refused" in found:
        return ("", "", "", "", f"{CASES[name][1]:g}", "", "", "", "", "no answer")
    # The process solved twice: a cold start has the first solution only.
    cold = found["process"] - (found["second"] if found["first"] < 30 else 0.0)
    return (
        str(found["P"]),
        f"{cold:.1f}",
        f"{found['first']:.2f}",
        f"{found['second']:.2f}",
        f"{CASES[name][1]:g}",
        f"{found['cholesky'] / found['second']:.1e}",
        f"{found['MiB']:.0f}",
        f"{found['MiB'] / found['P'] ** 2:.1e}",
        f"{found['residual']:.0e}",
        "yes" if found["certified"] else "no",
    )


def _child(limit: float, script: str, *arguments: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_HERE), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(_HERE / "_theory" / script), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"refused": f"stopped after {limit:g} s"}
    if done.returncode:
        return {"refused": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
