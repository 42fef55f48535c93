"""Why a quantity is not among the results of a sweep, and what would bring it there."""

import numpy as np
import xarray

from nonlazy.sweeps._gather import quantities, quantity
from nonlazy.sweeps._quantities import FRACTIONS, listing, show_fault
from nonlazy.sweeps._sweep import Sweep


_TEST = ("test_error", "test_bias2", "test_variance", "accuracy", "theory.test_error")
_WHY = {
    "outliers": "they are those of a sparse coding scheme, which no point has",
    "theory.outliers": "they are those of a sparse coding scheme, as rectified networks have",
    "theory.codes": "codes are those of a redundant coding scheme, as sigmoidal networks have",
    "theory.classes_per_neuron": "it is that of a redundant coding scheme, as sigmoidal networks have",
    "accuracy": "it needs an output for each class",
    "acceptance": "the sampler accepts every step",
    "equilibrium": "it is judged of redundant coding schemes of sigmoidal networks",
    "classes_per_neuron": "no point has a neuron with a code",
    "dual_field": "it is that of temperatures above 0",
}


def need(name: str, sweep: Sweep, tests: bool) -> str | None:
    """What a quantity needs that the sweep does not have, and how to add it; None where points may have it.

    **Arguments:** `tests`: whether some point has test inputs.
    """
    if name.removesuffix("_mcse") in _TEST and not tests:
        return f"{name} needs test inputs, and the task of this sweep has none: {_test_advice(sweep)}"
    if (name.startswith("theory.") or name == "equilibrium") and not sweep.theory:
        return (
            f"{name} needs the theory: write theory = true at the top of the sweep file and give the same command, "
            "which solves the theory and samples no point again"
        )
    return None


def absent(name: str, sweep: Sweep, data: xarray.DataTree) -> str:
    """Why a sweep has no such quantity, and what it has, by what would have to be asked for."""
    fault = show_fault(name)
    if fault:
        return fault
    if not (np.asarray(data["points/state"]) == "done").any():
        return f"no point has {name!r}: no point is done yet"
    why = need(name, sweep, quantity(data, "test_error") is not None) or _why(name, data)
    found = [*quantities(data), *([FRACTIONS] if "codes" in data.children and len(sweep.axes) < 2 else [])]
    return f"no point has {name!r}: {why}. There are\n{listing(found)}"


def _why(name: str, data: xarray.DataTree) -> str:
    reasons = sorted({str(reason) for reason in np.ravel(np.asarray(data["points/no_theory"]))} - {""})
    if name.startswith("theory.") and "theory" not in data.children and reasons:
        return f"there is no theory of these points ({reasons[0]})"
    if name.endswith("_mcse"):
        return "errors need four draws or more of each chain"
    if "fraction" in name:
        return "no neuron has this code"
    return _WHY.get(name, "the runs hold nothing to find it from")


def _test_advice(sweep: Sweep) -> str:
    task = sweep.base.task
    if task.kind == "toy":
        return (
            'one of kind "toy" never has; take images, as kind = "mnist" with P_test = 1000 in the [task] of the '
            'experiment, or arrays of your own with X_test, kind = "npz"'
        )
    if task.kind == "npz":
        return f"put X_test and Y_test or labels_test into {task.path}, and choose another folder with --out"
    return 'write "task.P_test" = 1000 below [set] of the sweep file, and choose another folder with --out'
