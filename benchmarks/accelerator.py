"""What a device makes of the sampler: on a GPU where JAX sees one, else on the CPU.

Gradients against their own matrix products, chains in batches, what matrix products of lower precision cost, what
single precision does at low temperatures, and a step of the paper's Fig. 7 against the limits of the device.

python benchmarks/accelerator.py --help
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from _accelerator import gradients, precision, rounding
from _accelerator.rates import rates
from _arguments import check_files, check_least
from _sampling.cases import FIGURES
from _scaling.sizes import Size
from rich.console import Console
from rich.table import Table


_TARGET = 1.5
_WIDTH = 116
_FIGURE_7 = Size(50_000, 3072, 1000, 2, 10)
_CASES = ((2, "sigmoid"), (3, "sigmoid"), (6, "sigmoid"))
_TEMPERATURES = (1e-2, 1e-3, 1e-4, 1e-5)


def main() -> int:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gradient", action="store_true", help="a gradient over its matrix products and one bare pass")
    parser.add_argument("--chains", action="store_true", help="chains at once: time of a gradient for each")
    parser.add_argument("--precision", action="store_true", help="acceptance and bias in lower precision")
    parser.add_argument("--rounding", action="store_true", help="energies in float32 and float64, by temperature")
    parser.add_argument("--figure7", action="store_true", help="a step of Fig. 7 at full size (12 GB of memory)")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each number (default: 3)")
    parser.add_argument(
        "--iterations", type=int, default=400, help="of each chain of --precision and --rounding (default: 400)"
    )
    parser.add_argument("--quick", action="store_true", help="small networks: does it work?")
    parser.add_argument("--out", type=Path, help="write the numbers to this file, as JSON")
    arguments = parser.parse_args()
    check_files(parser, arguments, "out")
    check_least(parser, arguments, iterations=2)
    if not arguments.seconds > 0:
        parser.error(f"--seconds is {arguments.seconds}: it must be above 0")
    names = ("gradient", "chains", "precision", "rounding", "figure7")
    chosen = [name for name in names if getattr(arguments, name)] or ["gradient", "chains", "precision", "rounding"]
    import jax

    device = jax.devices()[0]
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    console.print(f"Device: {device.device_kind} ({device.platform}); JAX {jax.__version__}; sigmoid, float32.")
    results: dict[str, Any] = {"device": device.device_kind, "platform": device.platform}
    measured = {
        "gradient": _gradient,
        "chains": _chains,
        "precision": _precision,
        "rounding": _rounding,
        "figure7": _figure7,
    }
    for name in chosen:
        results[name] = measured[name](console, arguments)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _gradient(console: Console, arguments: Any) -> Any:
    sizes = [(Size(N, N, N, L, 3), factored) for N in (500, 1000) for L, factored in ((1, False), (1, True), (2, True))]
    if arguments.quick:
        sizes = [(Size(60, 60, 60, L, 3), factored) for L, factored in ((1, False), (2, True))]
    rows = [_measured(size, factored, 1, arguments.seconds) for size, factored in sizes]
    table = Table("N = P", "L", "inputs", "gradient, ms", "products, ms", "pass, ms", "ratio")
    for row in rows:
        inputs = "correlated" if row["factored"] else "orthogonal"
        times = (f"{row[name]:.3g}" for name in ("gradient", "products", "pass"))
        table.add_row(str(row["N"]), str(row["L"]), inputs, *times, f"{row['ratio']:.2f}")
    console.print(table)
    console.print(f"ratio: a gradient over its matrix products and one pass of phi and phi' (target {_TARGET:g})\n")
    return rows


def _chains(console: Console, arguments: Any) -> Any:
    N = 60 if arguments.quick else 500
    counts = (1, 4) if arguments.quick else (1, 2, 4, 8, 16, 32)
    rows = [_measured(Size(N, N, N, 2, 3), True, chains, arguments.seconds) for chains in counts]
    table = Table("chains", "gradient of each, ms", "gain", "GFLOP/s", title=f"L = 2, N = P = {N}, correlated inputs")
    for row in rows:
        gain = rows[0]["gradient"] / row["gradient"]
        table.add_row(str(row["chains"]), f"{row['gradient']:.3g}", f"{gain:.2f}", f"{row['operations'] / 1e9:.0f}")
    console.print(table)
    return rows


def _precision(console: Console, arguments: Any) -> Any:
    if arguments.quick:
        cases = [FIGURES[3]["sigmoid"].quick()]
    else:
        cases = [FIGURES[figure][activation] for figure, activation in _CASES]
    found = []
    for case in cases:
        rows = precision.measure(case, arguments.iterations, seed=0)
        table = Table("gradients", "energies", "acceptance", "|energy error|", "log density", "equipartition, %")
        for row in rows:
            change = "{:+.1f} ({:.1f})".format(*row["density_change"]) if row is not rows[0] else ""
            shares = ", ".join(f"{100 * mean:+.2f} ({100 * error:.2f})" for mean, error in row["equipartition"])
            error = f"{row['energy_error']:.2g}"
            table.add_row(
                row["precision"], row["energies"], f"{row['acceptance']:.2f}", error, change, shares,
            )  # fmt: skip
        console.print(f"{case}; {arguments.iterations} iterations, step size {rows[0]['step_size']:.3g}", markup=False)
        console.print(table)
        found.append({"case": case.as_dict(), "rows": rows})
    console.print(
        "Gradients, energies: precision of matrix products. Log density: its mean less that in float32. Monte Carlo "
        "errors in brackets. Equipartition: (x - c) . dU/dx of the first layer, further layers and "
        "readouts over their number, less 1, its mean in the posterior.\n"
    )
    return found


def _rounding(console: Console, arguments: Any) -> Any:
    cases = [FIGURES[3]["sigmoid"].quick()] if arguments.quick else [FIGURES[f][name] for f, name in _CASES]
    found = []
    for case in cases:
        rows = rounding.measure(case, _TEMPERATURES, arguments.iterations, seed=0)
        table = Table("T", "step size", "acceptance", "|energy error|", "rounding", "largest", "in acceptance")
        for row in rows:
            numbers = ("energy_error", "rounding", "largest", "changed")
            table.add_row(
                f"{row['temperature']:g}", f"{row['step_size']:.2g}", f"{row['acceptance']:.2f}",
                *(f"{row[name]:.2g}" for name in numbers),
            )  # fmt: skip
        # The temperature of the case itself is one of several here.
        without = str(case).removesuffix(f", T = {case.temperature:g}")
        console.print(f"{without}; {arguments.iterations} trajectories", markup=False)
        console.print(table)
        found.append({"case": case.as_dict(), "rows": rows})
    console.print(
        "Rounding: energy error of a trajectory in float32 less that in float64, from the same start: median and "
        "largest, and by how much it changes the chance of acceptance on average.\n"
    )
    return found


def _figure7(console: Console, arguments: Any) -> Any:
    size = Size(1000, 300, 60, 2, 10) if arguments.quick else _FIGURE_7
    best = rates(["float32"], 512 if arguments.quick else 8192, 40 if arguments.quick else 2000, arguments.seconds)
    row = _measured(size, True, 1, arguments.seconds)
    rate, bandwidth = best["operations"]["float32"], best["bytes"]
    work, traffic = gradients.operations(size, True) / rate, gradients.least_bytes(size, True) / bandwidth
    limit = 1e3 * max(work, traffic)
    console.print(
        f"Fig. 7, P = {size.P:,}, N0 = {size.r:,}, N = {size.N:,}, L = {size.L}: a gradient takes "
        f"{row['gradient']:.1f} ms. At {rate / 1e12:.3g} TFLOP/s (float32, a product of {best['size']} rows) its "
        f"matrix products take {1e3 * work:.1f} ms, and at {bandwidth / 1e9:.3g} GB/s its traffic "
        f"{1e3 * traffic:.1f} ms: {row['gradient'] / limit:.2f} times the larger of the two.",
        highlight=False,
    )
    return {"rates": best, "gradient": row, "products_ms": 1e3 * work, "traffic_ms": 1e3 * traffic}


def _measured(size: Size, factored: bool, chains: int, seconds: float) -> dict[str, Any]:
    import jax

    # Left to itself JAX multiplies float32 matrices in TF32 on a GPU.
    with jax.default_matmul_precision("float32"):
        return gradients.measure(size, factored, chains, seconds)


if __name__ == "__main__":
    raise SystemExit(main())
