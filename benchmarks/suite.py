"""The whole suite, one measurement after another, into one folder: tables as text, numbers as JSON.

python benchmarks/suite.py results            # an hour and a half; what is there already is not run again
python benchmarks/suite.py results --quick    # small networks: does it work?
python benchmarks/suite.py --list
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path


_HERE = Path(__file__).resolve().parent
_SIGMOID = "sampling.py --case sigmoid"
# What matters most comes first.
_RUNS = {
    "figure2-sigmoid": f"{_SIGMOID} --moves none --peer all --seeds 3",
    "figure2-sigmoid-seeds": (
        f"{_SIGMOID} --moves none --peer numpyro-nuts --peer blackjax-nuts --peer blackjax-hmc --seed 1 --seeds 2 "
        "--peer-seeds 2"
    ),
    "overhead-figure2": "sampling.py --overhead --moves none",
    "cold": "cold.py",
    "relu": "sampling.py --case relu --peer none --seeds 3",
    "figure6-sigmoid": f"{_SIGMOID} --figure 6 --moves none --peer all --seeds 3 --budget 90",
    "figure3-sigmoid": f"{_SIGMOID} --figure 3 --moves none --peer all --seeds 3 --draws 400 --budget 120",
    "figure3-sigmoid-float64": (
        f"{_SIGMOID} --figure 3 --moves none --peer numpyro-nuts --peer-precision float64 --draws 200 --budget 150"
    ),
    "cost": "cost.py --picture {out}/{stem}.png",
    "overhead-figure6": "sampling.py --overhead --figure 6 --moves none",
    "overhead-figure3": f"{_SIGMOID} --overhead --figure 3 --moves none",
    "gradient": "sampling.py --gradient",
    "cold-quick": "cold.py --quick",
    "memory": "sampling.py --memory",
    "accelerator": "accelerator.py",
    "figure2-sigmoid-moves": f"{_SIGMOID} --peer none",
    "overhead-moves": f"{_SIGMOID} --overhead",
    "figure6-sigmoid-moves": f"{_SIGMOID} --figure 6 --peer none --seeds 3",
    "relu-peer": "sampling.py --case relu --peer numpyro-nuts --budget 180",
    "figure6-relu": "sampling.py --figure 6 --case relu --peer numpyro-nuts --peer blackjax-hmc --budget 180",
    "linear": "sampling.py --case linear --peer numpyro-nuts --peer blackjax-hmc --budget 60",
}


def main() -> int:
    """Runs what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", help="folder of the results")
    parser.add_argument("--quick", action="store_true", help="small networks, to see that it works; no result")
    parser.add_argument("--only", action="append", choices=list(_RUNS), help="only this run; may be given again")
    parser.add_argument("--list", action="store_true", help="print the commands and do nothing")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name:22} {command}" for name, command in _RUNS.items()))
        return 0
    if arguments.out is None:
        parser.error("name a folder for the results")
    if arguments.out.exists() and not arguments.out.is_dir():
        parser.error(f"{arguments.out} is a file: name a folder for the results")
    arguments.out.mkdir(parents=True, exist_ok=True)
    status = 0
    for name in arguments.only or _RUNS:
        status = _run(name, arguments.out, arguments.quick) or status
    return status


def _run(name: str, out: Path, quick: bool) -> int:
    # Quick numbers are no results, and never stand for them.
    stem = f"{name}-small" if quick else name
    numbers, text, part = (out / f"{stem}.{ending}" for ending in ("json", "txt", "part"))
    if numbers.exists():
        print(f"{name}: there already", flush=True)
        return 0
    script, *words = (word.format(out=out, stem=stem) for word in _RUNS[name].split())
    if quick and "--quick" not in words:
        words.append("--quick")
    begun = time.perf_counter()
    part.unlink(missing_ok=True)
    with text.open("w") as tables, (out / f"{stem}.log").open("w") as log:
        command = [sys.executable, str(_HERE / script), *words, "--out", str(part.absolute())]
        status = subprocess.run(command, stdout=tables, stderr=log).returncode
    if status == 0 and not part.exists():
        status = 1
    if status == 0:
        part.replace(numbers)
    print(f"{name}: {time.perf_counter() - begun:.0f} s, exit status {status}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
