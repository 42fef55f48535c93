"""A figure from a cold shell: `nonlazy figure` in a fresh folder, as long as it takes.

python benchmarks/cold.py --help
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _sampling.report import print_machine
from rich.console import Console


_TARGET = 90.0


def main() -> int:
    """Parses the command line, runs the figure once and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", default="2", help="name of the figure (default: 2, all three columns)")
    parser.add_argument("--quick", action="store_true", help="the quick version of the figure")
    parser.add_argument("--keep", type=Path, help="make it in this folder, which must not exist, and keep it")
    parser.add_argument("--out", type=Path, help="write the numbers to this file, as JSON")
    arguments = parser.parse_args()
    if arguments.keep and arguments.keep.exists():
        parser.error(f"--keep is {arguments.keep}: it exists, and the start would not be cold")
    console = Console()
    print_machine(console)
    with tempfile.TemporaryDirectory() as temporary:
        row = _run(arguments.figure, arguments.quick, arguments.keep or Path(temporary) / "figure")
    target = f" (target {_TARGET:g} s)" if arguments.figure == "2" and not arguments.quick else ""
    console.print(
        f"{' '.join(row['command'])}: {row['seconds']:.1f} s{target}, {row['processor_seconds']:.1f} s of processor "
        f"on {os.cpu_count()} cores, exit status {row['status']}",
        highlight=False,
        soft_wrap=True,
    )
    if arguments.out:
        arguments.out.write_text(json.dumps(row, indent=2) + "\n")
    return row["status"]


def _run(figure: str, quick: bool, folder: Path) -> dict[str, Any]:
    words = ["figure", figure, "--out", str(folder), *(["--quick"] if quick else [])]
    # The interpreter that runs this, whatever `nonlazy` the shell would find.
    command = [sys.executable, "-c", "from nonlazy.cli import main; main()", *words]
    before, begun = _processor(), time.perf_counter()
    status = subprocess.run(command, stdout=sys.stderr).returncode
    seconds = time.perf_counter() - begun
    return {
        "command": ["nonlazy", *words[:2], *words[4:]],
        "seconds": seconds,
        "processor_seconds": _processor() - before,
        "status": status,
        "cores": os.cpu_count(),
        "load_after": os.getloadavg()[0],
    }


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
