"""The numbers that a point yields: their names, and what they say."""

import difflib
import re
from collections.abc import Sequence


# By group of the results. What a quantity is called in a sweep file, a CSV file and a picture is its name here, with
# "theory." before those of the theory.
SAMPLES = {
    "kind": "coding scheme, by the chains' majority",
    "confidence": "distance of the scheme from the next, mean over chains",
    "codes": "number of codes in the last kept draw, mean over chains",
    "effective_codes": "effective number of codes, mean over chains",
    "classes_per_neuron": "classes that activate a neuron",
    "with_code": "share of the neurons that have a code",
    "outliers": "outlier neurons of a sparse scheme, mean over chains",
    "train_error": "mean squared error on the training inputs, an output",
    "loss": "1/2 sum (f - y)^2",
    "log_density": "log density of the posterior",
    "sum_a2": "sum of the squared readouts",
    "readout_norm": "root mean square of |a_i|",
    "largest_readout": "largest |a_i|^2",
    "dual_field": "rms of (y - <f>)/T, mean over chains",
    "test_error": "mean squared error on the test inputs, an output",
    "test_bias2": "squared error of the mean predictor on the test inputs",
    "test_variance": "variance of the predictor on the test inputs",
    "accuracy": "share of the test inputs that are classified right",
}
# Those whose Monte Carlo standard error is known; it is called NAME_mcse, and not defined for fewer than four draws.
WITH_ERROR = ("train_error", "loss", "log_density", "sum_a2", "readout_norm", "largest_readout", "test_error")
SAMPLES |= {f"{name}_mcse": f"Monte Carlo error of {name}" for name in WITH_ERROR}
DIAGNOSTICS = {
    "converged": "1 where the chains agree",
    "rhat_max": "largest R-hat of what decides",
    "ess_min": "smallest effective sample size of what decides",
    "acceptance": "acceptance probability",
    "divergences": "trajectories that diverged",
    "equilibrium": "whether the shares of the codes are those of equilibrium",
}
THEORY = {
    "codes": "number of codes of the theory",
    "classes_per_neuron": "classes that activate a neuron, in the theory",
    "outliers": "outlier neurons in the theory",
    "train_error": "mean squared error on the training inputs, in the theory",
    "test_error": "mean squared error on the test inputs, in the theory",
    "free_energy": "free energy of the theory",
    "residual": "residual of the theory's equations",
    "certified": "1 where a bound proves that the theory's solution is the optimum",
}
TEXTS = ("kind", "equilibrium")
# All codes at once, along one parameter.
FRACTIONS = "fractions"
_FRACTION = re.compile(r"^(theory\.)?fraction\[(all|[01](-[01])*)\]$")


def show_fault(name: object) -> str | None:
    """What is wrong with the name of a quantity, and which may be meant; None where it can be drawn."""
    if not isinstance(name, str):
        return f"{name!r} is not the name of a quantity"
    if name in (*names(), FRACTIONS) or _FRACTION.match(name):
        return None
    choices = [*names(), FRACTIONS, "fraction[1-1-0]", "theory.fraction[1-1-0]"]
    near = (
        difflib.get_close_matches(name, choices, n=3, cutoff=0.6)
        or [choice for choice in choices if name and name in choice][:3]
        or difflib.get_close_matches(name, choices, n=1, cutoff=0.45)
    )
    said = f": did you mean {' or '.join(map(repr, near))}?" if near else "."
    return f"quantity {name!r} is not known{said} There are\n{listing(choices)}"


def listing(found: Sequence[str]) -> str:
    """Names of quantities in a few lines, by what they are of; a star is for those with a Monte Carlo error."""
    plain = [f"{name}*" if f"{name}_mcse" in found else name for name in found if not name.endswith("_mcse")]
    groups = {
        "samples": [name for name in plain if name.rstrip("*") in SAMPLES],
        "diagnostics": [name for name in plain if name in DIAGNOSTICS],
        "codes": [name for name in plain if name == FRACTIONS or name.startswith("fraction[")],
        "theory": [name for name in plain if name.startswith("theory.")],
    }
    lines = [f"  {group}: {_some(members)}" for group, members in groups.items() if members]
    starred = any(name.endswith("*") for name in plain)
    return "\n".join(lines + (["  * also with _mcse, its Monte Carlo error"] if starred else []))


def _some(members: Sequence[str]) -> str:
    shares = [name for name in members if "fraction[" in name]
    rest = [name for name in members if name not in shares]
    return ", ".join(rest + shares[:4]) + (f" and {len(shares) - 4} more codes" if len(shares) > 4 else "")


def names() -> tuple[str, ...]:
    """All quantities but the shares of the codes."""
    return (*SAMPLES, *DIAGNOSTICS, *(f"theory.{name}" for name in THEORY))


def meaning(name: str) -> str:
    """A quantity in words."""
    if name == FRACTIONS:
        return "shares of the codes among the neurons"
    if name.startswith("theory."):
        key = name.removeprefix("theory.")
        return THEORY.get(key) or f"share of the neurons with code {key[9:-1]}, in the theory"
    return SAMPLES.get(name) or DIAGNOSTICS.get(name) or f"share of the neurons with code {name[9:-1]}"
