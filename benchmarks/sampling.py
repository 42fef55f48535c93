"""Ours against NumPyro's NUTS on the paper's Fig. 2 posteriors; the cost of a gradient; the memory of a chain.

python benchmarks/sampling.py --help
"""

import argparse
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from _sampling.cases import FIGURE2, Case
from _sampling.children import ONE_THREAD, in_child
from _sampling.comparison import compare
from _sampling.report import print_comparison, print_gradient, print_machine, print_memory
from rich.console import Console


# Draws of nonlazy: as many as effective sample sizes need to be known to some 10 %, where that takes seconds.
_DRAWS = {"linear": 1000, "sigmoid": 1000, "relu": 200}
_QUICK_DRAWS = 500
_GRADIENT_SIZES = (200, 500, 1000)
_MEMORY_DRAWS = (200, 2000)
_SMALL = 100
_QUICK = 60
_WIDTH = 116
# With fewer, NUTS ends its warm-up with a bad mass matrix, and its effective sample sizes mean nothing.
_NUTS_LEAST = {"warmup": 100, "draws": 60}
_NO_NUMPYRO = """\
NumPyro is not installed, and this benchmark compares with its NUTS. Either

    pip install -e '.[benchmark]'

or leave NUTS out with --skip-nuts."""


def main() -> int:
    """Parses the command line, measures and prints."""
    arguments = _parse()
    # A pipe has no width of its own, and rich's 80 columns would break the rows.
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    print_machine(console)
    results: dict[str, Any] = {}
    if arguments.gradient:
        results["gradient"] = _gradient(console, arguments.quick)
    if arguments.memory:
        results["memory"] = _memory(console, arguments.quick)
    if not arguments.gradient and not arguments.memory:
        results["comparisons"] = []
        for case in _cases(arguments):
            console.print(f"\nsampling: {case}", highlight=False)
            comparison = compare(
                case,
                arguments.draws or (_QUICK_DRAWS if arguments.quick else _DRAWS[case.activation]),
                arguments.nuts_warmup,
                arguments.nuts_draws,
                arguments.skip_nuts,
                arguments.seed,
                arguments.moves,
            )
            print_comparison(console, comparison)
            results["comparisons"].append(comparison.as_dict())
    if arguments.out:
        _write(arguments.out, results)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=[*FIGURE2, "all"], help="column of Fig. 2 (default: all)")
    parser.add_argument("--temperature", type=float, help="T (default: linear 1e-3, sigmoid 1e-2, relu 1e-2)")
    parser.add_argument("--draws", type=int, help="draws of nonlazy (default: 1000; relu 200; 500 with --quick)")
    parser.add_argument("--moves", choices=["none"], help="leave out nonlazy's moves between neurons, which NUTS lacks")
    parser.add_argument("--nuts-warmup", type=int, default=100, help="warm-up of NUTS, 100 or more (default: 100)")
    parser.add_argument("--nuts-draws", type=int, default=60, help="draws of NUTS, 60 or more (default: 60)")
    parser.add_argument("--skip-nuts", action="store_true", help="measure nonlazy alone")
    parser.add_argument("--seed", type=int, default=0, help="seed of the chains (default: 0)")
    parser.add_argument(
        "--gradient", action="store_true", help="instead: one gradient against a bare pass of erf and exp"
    )
    parser.add_argument("--memory", action="store_true", help="instead: peak memory of a chain at ten times the draws")
    parser.add_argument("--quick", action="store_true", help="small networks, to see that it works; no result")
    parser.add_argument("--out", type=Path, help="write the numbers to this file, as JSON")
    arguments = parser.parse_args()
    if arguments.draws is not None and arguments.draws < 20:
        parser.error(f"--draws is {arguments.draws}: effective sample sizes need 20 or more")
    for name, least in _NUTS_LEAST.items():
        if getattr(arguments, f"nuts_{name}") < least:
            parser.error(f"--nuts-{name} is {getattr(arguments, f'nuts_{name}')}: it must be {least} or more")
    if arguments.temperature is not None and not arguments.temperature > 0:
        parser.error(f"--temperature is {arguments.temperature}: it must be above 0")
    if arguments.out and not arguments.out.absolute().parent.is_dir():
        parser.error(f"--out is {arguments.out}: its folder does not exist")
    comparing = not (arguments.gradient or arguments.memory or arguments.skip_nuts)
    if comparing and importlib.util.find_spec("numpyro") is None:
        print(_NO_NUMPYRO, file=sys.stderr)
        raise SystemExit(2)
    return arguments


def _cases(arguments: argparse.Namespace) -> list[Case]:
    named = list(FIGURE2) if not arguments.case or "all" in arguments.case else arguments.case
    cases = [FIGURE2[name] for name in named]
    if arguments.quick:
        cases = [_smaller(case, _QUICK) for case in cases]
    if arguments.temperature is not None:
        cases = [replace(case, temperature=arguments.temperature) for case in cases]
    return cases


def _smaller(case: Case, P: int) -> Case:
    return replace(case, P=P, N0=P + P // 10)


def _gradient(console: Console, quick: bool) -> dict[str, Any]:
    sizes = [_QUICK] if quick else list(_GRADIENT_SIZES)
    rows = in_child("gradient", {"sizes": sizes})
    print_gradient(console, rows, "one gradient, one thread")
    usual = in_child("gradient", {"sizes": sizes}, environment={"JAX_PLATFORMS": "cpu"})
    print_gradient(console, usual, "one gradient, XLA's default flags")
    return {"one_thread": rows, "default_flags": usual}


def _memory(console: Console, quick: bool) -> list[dict[str, Any]]:
    cases = [_smaller(FIGURE2["sigmoid"], _QUICK if quick else _SMALL)]
    cases += [] if quick else [FIGURE2["sigmoid"]]
    rows = []
    for case in cases:
        few, many = (in_child("memory", {"case": case.as_dict(), "draws": draws}) for draws in _MEMORY_DRAWS)
        rows.append({"case": str(case), "few": few, "many": many, "ratio": many["chain_MB"] / few["chain_MB"]})
    print_memory(console, rows)
    return rows


def _write(path: Path, results: dict[str, Any]) -> None:
    from nonlazy.sampling.store._provenance import collect_provenance

    results = {"environment": ONE_THREAD, "provenance": collect_provenance(), **results}
    path.write_text(json.dumps(results, indent=2) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    sys.exit(main())
