"""Calibrated tests of all samplers, at seeds of your own: a table, one false-alarm rate over all of it.

python benchmarks/calibration.py --help

The rows are those of tests/statistical/calibration.py.
"""

import argparse
import os
import sys
import time
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parents[1]))
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
HEAD = ("sampler", "L", "activation", "inputs", "test", "statistics", "replicas", "p", "seconds", "passes")


def main() -> int:
    """Parses the command line, tests and prints; 1 where a row fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="seed of all rows, 1 to 2000 (default: 1)")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--page", type=Path, help="put the table into this page, between the comments of calibration")
    arguments = parser.parse_args()
    if not 1 <= arguments.seed <= 2000:
        parser.error(f"--seed is {arguments.seed}: it must be 1 to 2000")
    if arguments.page and BEGIN not in arguments.page.read_text(encoding="utf-8"):
        parser.error(f"--page is {arguments.page}: it has no line {BEGIN}")
    from tests.statistical.calibration import FAMILY_WISE, ROWS, SHARE, p_value

    chosen = [row for row in ROWS if arguments.only in row.name]
    if not chosen:
        parser.error(f"--only is {arguments.only!r}: no row holds it")
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    print("\n".join(lines), flush=True)
    failed = 0
    for row in chosen:
        begun = time.perf_counter()
        p = p_value(row, arguments.seed)
        seconds = time.perf_counter() - begun
        failed += p <= SHARE
        verdict = "yes" if p > SHARE else "**no**"
        what = (row.sampler, row.depth, row.activation, row.inputs, row.test, row.statistics, row.replicas)
        lines.append(_line([*what, f"{p:.2g}", f"{seconds:.0f}", verdict]))
        print(lines[-1], flush=True)
    said = (
        f"Seed {arguments.seed}: {len(chosen) - failed} of {len(chosen)} rows pass. A row fails at p <= {SHARE:.2g}, "
        f"its share of {FAMILY_WISE:g} over {len(ROWS)} rows."
    )
    print(f"\n{said} {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}.")
    if arguments.page:
        text = arguments.page.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        table = "\n".join([BEGIN, "", *lines, "", said, "", END])
        arguments.page.write_text(f"{before}{table}{after}", encoding="utf-8")
    return 1 if failed else 0


def _line(cells) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
