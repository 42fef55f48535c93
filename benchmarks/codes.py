"""How well nonlazy.codes reads layers: the tables of docs/codes.md.

python benchmarks/codes.py --help
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from _arguments import check_files, check_least
from _codes import networks, speed, trials


_PARTS = ("confusion", "conditions", "null", "power", "networks", "speed")


def main() -> int:
    """Parses the command line, counts and prints tables in Markdown."""
    arguments = _parse()
    results: dict[str, Any] = {"seed": arguments.seed, "trials": arguments.trials, "null": arguments.null}
    for part in arguments.only or _PARTS:
        results[part] = {
            "confusion": lambda: _confusion(arguments),
            "conditions": lambda: _conditions(arguments),
            "null": lambda: _null(arguments),
            "power": lambda: _power(arguments),
            "networks": lambda: networks.table(arguments.quick, _print),
            "speed": lambda: speed.table(arguments.quick, _print),
        }[part]()
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Confusion, false positives, power and speed of nonlazy.codes.detect.")
    parser.add_argument("--trials", type=int, default=200, help="layers for each row of a table")
    parser.add_argument("--null", type=int, default=2000, help="null layers")
    parser.add_argument("--seed", type=int, default=20261122, help="another seed, other layers")
    parser.add_argument("--only", nargs="+", choices=_PARTS, help="some of the tables")
    parser.add_argument("--json", type=Path, help="write all counts to this file")
    parser.add_argument("--quick", action="store_true", help="ten layers a row: does it work?")
    arguments = parser.parse_args()
    check_files(parser, arguments, "json")
    check_least(parser, arguments, trials=1, null=1)
    if arguments.quick:
        arguments.trials, arguments.null = 10, 50
    return arguments


def _confusion(arguments: argparse.Namespace) -> Any:
    found = trials.confusion(arguments.trials, arguments.seed)
    rows = []
    for scheme, generators in found.items():
        for name, counts in generators.items():
            rows.append(
                [scheme, name.split("_", 1)[1].replace("_", " "), *(counts[kind] or "" for kind in trials.KINDS)]
            )
        total = sum(generators.values(), Counter())
        rows.append([f"**{scheme}**", "all", *(_share(total[kind], total.total()) for kind in trials.KINDS)])
    _print(f"Kind found, {arguments.trials} layers a row", ["scheme", "law", *trials.KINDS], rows)
    return found


def _conditions(arguments: argparse.Namespace) -> Any:
    number = max(arguments.trials // 2, 1)
    found = list(trials.by_condition(number, arguments.seed))
    rows = [
        [title, f"{value:g}", *(f"{100 * share:.0f} %" for share in shares.values())] for title, value, shares in found
    ]
    _print(
        f"Kind right, {number} layers a cell; otherwise 150 neurons, 40 inputs a class, 4 classes, noise .5",
        ["condition", "", *trials.SCHEMES],
        rows,
    )
    return found


def _null(arguments: argparse.Namespace) -> Any:
    found = trials.false_positives(arguments.null, arguments.seed)
    rows = [[kind, counts.total(), counts.total() - counts["none"]] for kind, counts in sorted(found.items())]
    wrong = sum(row[2] for row in rows)
    rows.append(["**all**", sum(row[1] for row in rows), wrong])
    _print(f"Null layers taken for a scheme ({arguments.null} trials)", ["null layers", "trials", "a scheme"], rows)
    return found


def _power(arguments: argparse.Namespace) -> Any:
    found = list(trials.power(arguments.trials, arguments.seed))
    names = ("kind", "found", "together", "genuine", "right", "expected", "alone")
    rows = [
        [row["classes"], row["neurons"], row["codes"], row["layers"], *(f"{100 * row[name]:.1f} %" for name in names)]
        for row in found
    ]
    titles = ["classes", "neurons", "codes", "layers", "kind", "codes found", "limit, groups known"]
    titles += ["neurons in real codes"]
    titles += ["neurons right", "as reported", "limit alone"]
    _print("Levels .2 apart, standard deviation .3, 20 inputs a class", titles, rows)
    return found


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if count else ""


def _print(title: str, header: list[str], rows: list[list[Any]]) -> None:
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    print(f"\n{title}\n")
    for number, row in enumerate(cells):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("| " + " | ".join("-" * width for width in widths) + " |")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
