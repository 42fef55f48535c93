"""The code of every neuron: the classes that activate it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from nonlazy.codes._scheme import Decision
from nonlazy.codes._sharing import alone, hovering, together
from nonlazy.codes._signal import ClassSignal
from nonlazy.codes._two_levels import two_levels


# A neuron without significant class signal has a code when each of its class means lies clear of the threshold by this
# share of the distance between the two levels, that is, closer to a level than to the threshold. The uniform code has
# no class signal and is found so; a neuron that hovers at the threshold is left out.
CLEAR = 0.25


@dataclass(frozen=True, eq=False)
class NeuronCodes:
    """Active classes of each neuron, which neurons have a code at all, why the others have none, and the rule.

    `confidence` is the probability that the code is the one that class means without errors of measurement would give,
    NaN for neurons without a code.
    """

    active: Bool[np.ndarray, "neurons classes"]
    coded: Bool[np.ndarray, " neurons"]
    confidence: Float[np.ndarray, " neurons"]
    without: dict[str, Int[np.ndarray, " left_out"]]
    rule: str
    threshold: float | None


def neuron_codes(
    signal: ClassSignal, decision: Decision, activation: str | None, threshold: float | None
) -> NeuronCodes:
    """The classes that activate each neuron, by the activation's own rule.

    **Arguments:**

    - `signal`, `decision`: of the layer.
    - `activation`: `"sigmoid"`, `"relu"`, `"linear"` or None.
    - `threshold`: activation above which a class counts, for every neuron; None takes the rule of `activation`.

    **Returns:** a `NeuronCodes`.
    """
    means = signal.means
    nobody = np.zeros(means.shape[0], dtype=bool)
    if decision.kind in ("none", "analog"):
        why = "the layer has no scheme" if decision.kind == "none" else "all neurons are graded"
        return NeuronCodes(
            np.zeros_like(means, dtype=bool),
            nobody,
            np.full(nobody.size, np.nan),
            _why(nobody, signal, why),
            f"none, as {why}",
            None,
        )
    clear, gap, spread = nobody, None, 0.0
    if threshold is None and activation == "relu":
        limits, text = 0.5 * means.max(axis=1), "half the neuron's largest class mean"
    elif threshold is None and activation != "sigmoid" and decision.kind == "sparse":
        limits = 0.5 * (means.min(axis=1) + means.max(axis=1))
        text = "the middle between the neuron's lowest and highest class mean"
    else:
        lower, upper, spread = _modes(signal)
        gap = upper - lower
        if threshold is not None:
            text = f"{threshold:g} (given)"
        elif activation == "sigmoid":
            threshold, text = 0.5, "1/2"
        else:
            threshold = 0.5 * (lower + upper)
            text = f"{threshold:.4g}, between the two modes {lower:.4g} and {upper:.4g} of all class means"
        limits = np.full(means.shape[0], threshold)
        clear = (np.abs(means - threshold) > CLEAR * gap).all(axis=1) & ~signal.constant
    distances, errors = means - limits[:, None], np.sqrt(signal.within[:, None] / signal.counts)
    active, certain = distances > 0, alone(distances, errors)
    if decision.kind == "sparse":
        coded, why = decision.outliers, "bulk, does not stand out by its class signal"
        whose = "the neurons that stand out have codes"
    else:
        if gap is not None:
            clear = clear | (~hovering(distances, errors, gap, spread) & ~signal.constant)
        coded, why = signal.significant | decision.outliers | clear, "no class signal"
        whose = "neurons with a significant class signal have codes"
        if gap is not None:
            whose += ", and those whose class means are more likely each at a level than all near the threshold"
    rule = f"a class counts above {text}; {whose}"
    if gap is not None and decision.kind == "redundant" and coded.any():
        shared, certain[coded] = together(distances[coded], errors[coded], gap)
        moved = int((shared != active[coded]).any(axis=1).sum())
        active[coded] = shared
        if moved:
            rule += (
                f"; {moved} neurons within the error of their class means were given a code that many share instead of "
                "a rarer one"
            )
    certain = np.where(coded, certain, np.nan)
    return NeuronCodes(active & coded[:, None], coded, certain, _why(coded, signal, why), rule, threshold)


def _modes(signal: ClassSignal) -> tuple[float, float, float]:
    """The two levels of the class means of all neurons and classes together, and their spread among neurons."""
    usable = ~signal.constant
    noise = np.array([float((signal.within[usable, None] / signal.counts).mean())])
    levels = two_levels(signal.means[usable].reshape(-1, 1), noise)
    lower, upper = float(levels.lower[0]), float(levels.upper[0])
    return lower, upper, (upper - lower) / max(float(levels.separation[0]), 1.0)


def _why(coded: np.ndarray, signal: ClassSignal, reason: str) -> dict[str, np.ndarray]:
    groups = {"constant over all inputs": signal.constant & ~coded, reason: ~coded & ~signal.constant}
    return {name: np.flatnonzero(chosen) for name, chosen in groups.items() if chosen.any()}
