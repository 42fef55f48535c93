"""What swept keys and quantities are called on the axes of a picture: the field's words and symbols."""

import re

from nonlazy.sweeps._quantities import FRACTIONS


# A word and a symbol for a key; without a symbol where the field has none.
_KEYS = {
    "task.P": ("training inputs", "$P$"),
    "task.P_test": ("test inputs", "$P_*$"),
    "task.N0": ("input dimension", "$N_0$"),
    "task.project_to": ("input dimension", "$N_0$"),
    "task.y_plus": ("target of the own class", "$y_+$"),
    "task.y_minus": ("target of the other classes", "$y_-$"),
    "task.class_ratios": ("shares of the classes", ""),
    "task.classes": ("classes", ""),
    "task.kind": ("task", ""),
    "task.seed": ("seed of the task", ""),
    "network.width": ("width", "$N$"),
    "network.depth": ("hidden layers", "$L$"),
    "network.activation": ("activation", "$\\phi$"),
    "posterior.temperature": ("temperature", "$T$"),
    "posterior.readout_variance": ("variance of the readouts", "$\\sigma_a^2$"),
    "posterior.weight_variance": ("variance of the weights", "$\\sigma_\\ell^2$"),
    "sampling.seed": ("seed of the chains", ""),
    "sampling.warmup": ("warm-up iterations", ""),
    "sampling.thin": ("iterations a draw", ""),
}
_QUANTITIES = {
    "kind": "coding scheme",
    "confidence": "confidence in the scheme",
    "codes": "codes",
    "effective_codes": "effective number of codes",
    "classes_per_neuron": "classes that activate a neuron",
    "with_code": "share of neurons with a code",
    "outliers": "outlier neurons",
    "train_error": "training error $\\langle (f - y)^2 \\rangle$",
    "loss": "loss $\\frac{1}{2} \\sum (f - y)^2$",
    "log_density": "log density",
    "sum_a2": "$\\sum_i |a_i|^2$",
    "readout_norm": "readout norm, rms of $|a_i|$",
    "largest_readout": "largest $|a_i|^2$",
    "dual_field": "dual field, rms of $(y - \\langle f \\rangle)/T$",
    "test_error": "test error $\\langle (f - y)^2 \\rangle$",
    "test_bias2": "squared bias on test inputs",
    "test_variance": "variance on test inputs",
    "accuracy": "accuracy on test inputs",
    "converged": "converged (1: yes)",
    "rhat_max": "largest $\\hat{R}$",
    "ess_min": "smallest effective sample size",
    "acceptance": "acceptance probability",
    "divergences": "divergent trajectories",
    "equilibrium": "shares of the codes",
    "free_energy": "free energy",
    "residual": "residual of the equations",
    "certified": "optimum proved (1: yes)",
    FRACTIONS: "share of the neurons",
}
_MCSE = "_mcse"


def key_words(key: str) -> str:
    """A swept key for the label of an axis, as "temperature $T$"."""
    word, symbol = _KEYS.get(key, (key.rpartition(".")[2].replace("_", " "), ""))
    return f"{word} {symbol}".strip()


def key_symbol(key: str) -> str:
    """A swept key in as few signs as tell it, as "$T$"."""
    word, symbol = _KEYS.get(key, (key.rpartition(".")[2].replace("_", " "), ""))
    return symbol or word


def linked_words(keys: tuple[str, ...]) -> str:
    """The keys of an axis for its label: the first in words, those that are linked with it by their symbols."""
    others = ", ".join(key_symbol(key) for key in keys[1:])
    return key_words(keys[0]) + (f" (with {others})" if others else "")


def quantity_words(name: str) -> str:
    """A quantity for the label of an axis or a colour bar."""
    plain = name.removeprefix("theory.")
    code = re.fullmatch(r"fraction\[(.*)\]", plain)
    if code:
        return f"share of the neurons with code {code[1]}"
    if plain.endswith(_MCSE):
        return f"Monte Carlo error of {quantity_words(plain.removesuffix(_MCSE))}"
    return _QUANTITIES.get(plain, plain)
