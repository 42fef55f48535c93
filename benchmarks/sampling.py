"""Ours against other samplers on the posteriors of Figs. 2, 3 and 6; what gradients, draws and memory cost.

python benchmarks/sampling.py --help
"""

import argparse
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from _arguments import check_files
from _sampling.cases import FIGURES, Case
from _sampling.children import ONE_THREAD, in_child
from _sampling.comparison import Plan, compare
from _sampling.peers import PEERS
from _sampling.report import print_comparison, print_gradient, print_machine, print_memory, print_overhead
from rich.console import Console


# Draws of nonlazy: as many as effective sample sizes need to be known to some 10 %, where that takes seconds.
_DRAWS = {"linear": 1000, "sigmoid": 1000, "relu": 200}
# Of small networks: enough to take the tenth of a second that can be timed.
_QUICK_DRAWS = {"linear": 2000, "sigmoid": 2000, "relu": 300}
# Of the peers, by figure: as many as minutes allow.
_PEER_WARMUP = {2: 300, 3: 200, 6: 300}
_PEER_DRAWS = {2: 60, 3: 100, 6: 200}
_GRADIENT_SIZES = (200, 500, 1000)
_MEMORY_DRAWS = (200, 2000)
_QUICK = 60
_WIDTH = 116
# With fewer, NUTS ends its warm-up with a bad mass matrix, and its effective sample sizes mean nothing.
_PEER_LEAST = {"warmup": 100, "draws": 60}


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
    if arguments.overhead:
        results["overhead"] = _overhead(console, arguments)
    if not (arguments.gradient or arguments.memory or arguments.overhead):
        results["comparisons"] = []
        for case in _cases(arguments):
            console.print(f"\nsampling: {case}", highlight=False)
            comparison = compare(case, _plan(arguments, case))
            print_comparison(console, comparison)
            results["comparisons"].append(comparison.as_dict())
    if arguments.out:
        _write(arguments.out, results)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", type=int, default=2, choices=list(FIGURES), help="which posteriors (default: 2)")
    parser.add_argument(
        "--case", action="append", choices=[*FIGURES[2], "all"], help="network of the figure (default: all)"
    )
    parser.add_argument("--temperature", type=float, help="T (default: see benchmarks/_sampling/cases.py)")
    parser.add_argument("--draws", type=int, help="draws of nonlazy (default: 1000; relu 200; with --quick 2000, 300)")
    parser.add_argument("--moves", choices=["none"], help="leave out nonlazy's moves between neurons, which peers lack")
    parser.add_argument("--peer", action="append", choices=[*PEERS, "none", "all"], help="(default: numpyro-nuts)")
    parser.add_argument("--peer-warmup", type=int, help="warm-up of NUTS and HMC (default: Fig. 2 300, 3 200, 6 300)")
    parser.add_argument(
        "--peer-draws", type=int, help="draws of NUTS; others make 2 to 5 times more (default: Fig. 2 60, 3 100, 6 200)"
    )
    parser.add_argument(
        "--peer-precision", choices=["float32", "float64"], default="float32", help="(default: float32)"
    )
    parser.add_argument("--budget", type=float, default=300, help="seconds that a peer's chain gets (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="first seed of the chains (default: 0)")
    parser.add_argument("--seeds", type=int, default=1, help="chains of nonlazy (default: 1)")
    parser.add_argument("--peer-seeds", type=int, default=1, help="chains of each peer (default: 1)")
    parser.add_argument(
        "--gradient", action="store_true", help="instead: one gradient against a bare pass of erf and exp"
    )
    parser.add_argument("--memory", action="store_true", help="instead: peak memory of a chain at ten times the draws")
    parser.add_argument("--overhead", action="store_true", help="instead: the share of a draw that is not gradients")
    parser.add_argument("--quick", action="store_true", help="small networks, to see that it works; no result")
    parser.add_argument("--out", type=Path, help="write the numbers to this file, as JSON")
    arguments = parser.parse_args()
    if arguments.draws is not None and arguments.draws < 20:
        parser.error(f"--draws is {arguments.draws}: effective sample sizes need 20 or more")
    for name, least in _PEER_LEAST.items():
        given = getattr(arguments, f"peer_{name}")
        if given is not None and given < least:
            parser.error(f"--peer-{name} is {given}: it must be {least} or more")
    for name in ("seeds", "peer_seeds", "budget", "temperature"):
        given = getattr(arguments, name)
        if given is not None and not given > 0:
            parser.error(f"--{name.replace('_', '-')} is {given}: it must be above 0")
    check_files(parser, arguments, "out")
    arguments.peers = _peers(arguments.peer or ["numpyro-nuts"])
    comparing = not (arguments.gradient or arguments.memory or arguments.overhead)
    missing = {PEERS[name].package for name in arguments.peers if importlib.util.find_spec(PEERS[name].package) is None}
    if comparing and missing:
        print(
            f"Not installed: {', '.join(sorted(missing))}. Either\n\n    pip install -e '.[benchmark]'\n\n"
            "or choose others with --peer, or none with --peer none.",
            file=sys.stderr,
        )
        raise SystemExit(2)
    return arguments


def _peers(named: list[str]) -> tuple[str, ...]:
    if "all" in named:
        return tuple(PEERS)
    return tuple(name for name in PEERS if name in named)


def _plan(arguments: argparse.Namespace, case: Case) -> Plan:
    draws = _QUICK_DRAWS[case.activation] if arguments.quick else _DRAWS[case.activation]
    return Plan(
        arguments.draws or draws,
        arguments.peer_warmup or _PEER_WARMUP[case.figure],
        arguments.peer_draws or _PEER_DRAWS[case.figure],
        arguments.budget,
        arguments.seed,
        arguments.seeds,
        arguments.peer_seeds,
        arguments.moves,
        arguments.peers,
        arguments.peer_precision,
    )


def _cases(arguments: argparse.Namespace) -> list[Case]:
    figure = FIGURES[arguments.figure]
    named = list(figure) if not arguments.case or "all" in arguments.case else arguments.case
    cases = [figure[name] for name in named]
    if arguments.quick:
        cases = [case.quick() for case in cases]
    if arguments.temperature is not None:
        cases = [replace(case, temperature=arguments.temperature) for case in cases]
    return cases


def _overhead(console: Console, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for case in _cases(arguments):
        draws = arguments.draws or (_QUICK_DRAWS[case.activation] if arguments.quick else _DRAWS[case.activation])
        request = {"posterior": {"case": case.as_dict()}, "draws": draws, "moves": arguments.moves}
        console.print(f"{case}; moves: {arguments.moves or 'default'}", highlight=False)
        name = f"Fig. {case.figure}, {case.activation}"
        rows.append({"name": name, "case": case.as_dict()} | in_child("overhead", request))
    print_overhead(console, rows)
    return rows


def _gradient(console: Console, quick: bool) -> dict[str, Any]:
    sizes = [_QUICK] if quick else list(_GRADIENT_SIZES)
    rows = in_child("gradient", {"sizes": sizes})
    print_gradient(console, rows, "one gradient, one thread")
    usual = in_child("gradient", {"sizes": sizes}, environment={"JAX_PLATFORMS": "cpu"})
    print_gradient(console, usual, "one gradient, XLA's default flags")
    return {"one_thread": rows, "default_flags": usual}


def _memory(console: Console, quick: bool) -> list[dict[str, Any]]:
    sigmoid = FIGURES[2]["sigmoid"]
    cases = [sigmoid.quick()] if quick else [replace(sigmoid, P=100, N0=110), sigmoid]
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
