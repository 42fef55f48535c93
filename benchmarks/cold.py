"""A figure from a cold shell: `nonlazy figure` in a fresh folder, as long as it takes.

Twice: when none of its programs was compiled before, and when those of the first time were kept, as is the default.
What Numba compiled stays with the installed package and is there both times, once nonlazy has been used.

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

from _arguments import check_files
from _sampling.report import print_machine
from rich.console import Console

from nonlazy.figures import FIGURES


_TARGET = 90.0


def main() -> int:
    """Parses the command line, runs the figure twice and prints what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", default="2", help="name of the figure (default: 2, all three columns)")
    parser.add_argument("--quick", action="store_true", help="the quick version of the figure")
    parser.add_argument("--keep", type=Path, help="make the first in this folder, which must not exist, and keep it")
    parser.add_argument("--out", type=Path, help="write the numbers to this file, as JSON")
    arguments = parser.parse_args()
    check_files(parser, arguments, "out")
    if arguments.figure not in FIGURES:
        parser.error(f"--figure is {arguments.figure}: there are {', '.join(FIGURES)}")
    if arguments.keep and arguments.keep.exists():
        parser.error(f"--keep is {arguments.keep}: it exists, and the start would not be cold")
    console = Console()
    print_machine(console)
    target = f" (target {_TARGET:g} s)" if arguments.figure == "2" and not arguments.quick else ""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        compiled = Path(temporary) / "compiled"
        for start in ("nothing compiled before", "programs kept from before"):
            place = arguments.keep if arguments.keep and not rows else Path(temporary) / f"figure-{len(rows)}"
            row = {"start": start, **_run(arguments.figure, arguments.quick, place, compiled)}
            rows.append(row)
            console.print(
                f"{' '.join(row['command'])}, {start}: {row['seconds']:.1f} s{target}, "
                f"{row['processor_seconds']:.1f} s of processor on {os.cpu_count()} cores, exit status {row['status']}",
                highlight=False,
                soft_wrap=True,
            )
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=2) + "\n")
    return max(row["status"] for row in rows)


def _run(figure: str, quick: bool, folder: Path, compiled: Path) -> dict[str, Any]:
    """The figure made in `folder`, its compiled programs kept in `compiled`."""
    words = ["figure", figure, "--out", str(folder), *(["--quick"] if quick else [])]
    # The interpreter that runs this, whatever `nonlazy` the shell would find.
    command = [sys.executable, "-c", "from nonlazy.cli import main; main()", *words]
    before, begun = _processor(), time.perf_counter()
    kept = {"JAX_COMPILATION_CACHE_DIR": str(compiled), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    status = subprocess.run(command, stdout=sys.stderr, env=os.environ | kept).returncode
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
