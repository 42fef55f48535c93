"""One chain over 1, 2, 4 and 8 devices: seconds and memory of a gradient, and what goes from device to device.

Where JAX sees several accelerators these are the devices; else threads of the CPU are forced to stand for them, which
measures what sharing out costs, and gains only up to the number of cores.

python benchmarks/scaling.py --help
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from _arguments import check_files, check_least
from _scaling.measurement import measure
from _scaling.plan import print_plan
from _scaling.sizes import Size
from rich.console import Console
from rich.table import Table


_WIDTH = 116


def main() -> int:
    """Parses the command line, measures and prints."""
    arguments = _parse()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    if arguments.plan:
        print_plan(console)
        return 0
    forced = _accelerators() < max(arguments.devices)
    sizes = [Size(P, arguments.features, arguments.width, arguments.depth, 10) for P in arguments.inputs]
    if arguments.quick:
        sizes = [Size(P, 32, 32, 2, 10) for P in (64, 256)]
    rows: list[dict[str, Any]] = []
    for devices in arguments.devices:
        rows += measure(devices, forced, sizes, 0.1 if arguments.quick else arguments.seconds)
    what = f"forced on {len(os.sched_getaffinity(0))} cores of a CPU" if forced else rows[0]["kind"]
    console.print(f"devices: {what}; r = {sizes[0].r}, N = {sizes[0].N}, L = {sizes[0].L}, m = 10, float32, sigmoid")
    _print(console, rows)
    _print_curve(console, rows)
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1))
    return 0


def _print(console: Console, rows: list[dict[str, Any]]) -> None:
    """Work is the processor time of one device over that of all, which tells the cost of sharing out on any machine."""
    table = Table("P", "devices", "ms", "best", "processor", "speed-up", "work", "GFLOP/s", "MB a device", "MB sent")
    alone = {row["P"]: row for row in rows if row["devices"] == 1}
    for row in sorted(rows, key=lambda row: (row["P"], row["devices"])):
        base = alone.get(row["P"])
        operations = Size(row["P"], row["r"], row["N"], row["L"], row["m"]).operations
        table.add_row(
            f"{row['P']:,}", str(row["devices"]), f"{1e3 * row['wall']:.2f}", f"{1e3 * row['best']:.2f}",
            f"{1e3 * row['processor']:.2f}", f"{base['best'] / row['best']:.2f}" if base else "",
            f"{base['processor'] / row['processor']:.2f}" if base else "", f"{operations / row['best'] / 1e9:.0f}",
            f"{row['bytes'] / 1e6:.1f}", f"{row['sent'] / 1e6:.2f}",
        )  # fmt: skip
    console.print(table)


def _print_curve(console: Console, rows: list[dict[str, Any]]) -> None:
    """How much of the processor time is work, against P: a column for each number of devices."""
    counts = sorted({row["devices"] for row in rows} - {1})
    processor = {(row["P"], row["devices"]): row["processor"] for row in rows}
    table = Table("P", "processor ms, 1 device", *(f"work, {count} devices" for count in counts))
    for P in sorted({row["P"] for row in rows}):
        alone = processor.get((P, 1))
        if alone is not None:
            shares = (f"{alone / processor[P, count]:.2f}" for count in counts)
            table.add_row(f"{P:,}", f"{1e3 * alone:.2f}", *shares)
    console.print(table)


def _accelerators() -> int:
    import jax

    return 0 if jax.default_backend() == "cpu" else len(jax.devices())


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8], help="counts (default: 1 2 4 8)")
    parser.add_argument(
        "--inputs", type=int, nargs="+", default=[500, 1000, 2000, 4000, 8000, 16000], help="P (default: 500 to 16000)"
    )
    parser.add_argument("--width", type=int, default=200, help="N (default: 200)")
    parser.add_argument("--features", type=int, default=512, help="r, numbers in an input (default: 512)")
    parser.add_argument("--depth", type=int, default=2, help="L (default: 2)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring each size (default: 5)")
    parser.add_argument("--plan", action="store_true", help="calculate CIFAR-10 and ImageNet on 1, 8 and 64 GPUs")
    parser.add_argument("--quick", action="store_true", help="small networks: does it work?")
    parser.add_argument("--out", type=Path, help="write the numbers to this file as JSON")
    arguments = parser.parse_args()
    check_files(parser, arguments, "out")
    check_least(parser, arguments, devices=1, inputs=1, width=1, features=1, depth=1)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
