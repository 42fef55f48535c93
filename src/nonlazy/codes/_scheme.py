"""Which coding scheme a layer has.

The thresholds below were set on synthetic layers drawn with seeds below 1000 and on one posterior sample of each kind,
and are judged in the tests on other generators and seeds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from nonlazy.codes._coding_scheme import Kind
from nonlazy.codes._signal import ClassSignal
from nonlazy.codes._two_levels import two_levels


# Chance of a class signal as strong with labels that mean nothing; the neurons' fluctuations are not quite Gaussian,
# which costs accuracy far in the tail, so the limit is strict.
P_VALUE = 1e-6
# Signal-to-noise ratio of a layer below which its classes are told apart only by averaging over many inputs. Lazy
# networks, whose features hardly move, have .004 to .034 at widths 100 to 400; posteriors with features 1 and more.
RATIO = 0.05
# A trained layer must have this many times the ratio of the untrained one on the same inputs.
OVER_REFERENCE = 2.0
# ... and the mean class signal of its neurons must exceed the untrained one's by this many standard errors over
# neurons, as narrow untrained layers differ among each other.
REFERENCE_ERRORS = 4.0
# Outliers: expected number of false ones in a layer whose class signal falls off exponentially over neurons.
FALSE_OUTLIERS = 0.01
# An outlier tells the classes apart by itself no worse than a whole layer must. In a layer that does worse, as lazy
# ones do (their best neurons reach .3), its class means must differ by more than its own spread within a class.
OUTLIER_RATIO = RATIO
OUTLIER_RATIO_LAZY = 1.0
# Its class means differ by chance in no neuron of a layer more often than this.
OUTLIER_P_VALUE = 1e-6
# A scheme is a statement on a population: fewer varying neurons cannot show one.
NEURONS = 8
# Sparse: this share of the neurons, or three a class, carry `CARRIED` of the class signal, ...
FEW = 0.1
CARRIED = 0.8
# ... and the signal's participation ratio is at most this share of the neurons, or one a class and one more.
PARTICIPATION = 0.12
# Redundant: distance of the two levels of class means over their spread among neurons. Normal class means give 0 to 3,
# uniform 3, exponential and rectified normal 4 (5 to 6 by chance in small layers), samples of sigmoidal posteriors 12
# and more.
SEPARATION = 6.0
# Neurons without class signal between the levels blur them: where they are no more than this share, the levels are
# looked for without them, too. Leaving out more would cut graded class means in two.
UNSELECTIVE = 0.25
# A level counts when it has this share of the neurons, and three of them.
MINORITY = 0.03
# Share of the variance of class means between neurons that lies in classes with two levels.
SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Decision:
    """The kind of a layer, with the neurons whose class signal stands out and the numbers that decided."""

    kind: Kind
    confidence: float
    outliers: Bool[np.ndarray, " neurons"]
    evidence: dict[str, float]
    reason: str


def decide(signal: ClassSignal, reference: ClassSignal | None = None) -> Decision:
    """The kind of coding scheme of a layer.

    **Arguments:** `signal`: of the layer; `reference`: of an untrained layer on the same inputs.

    **Returns:** a `Decision`.
    """
    outliers = _outliers(signal, None if reference is None else float(reference.signal.max()))
    # Where neurons stand out, chance remainders of the class signal in a large bulk are not to hide them.
    counted = signal.significant if outliers.any() else ~signal.constant
    carried = np.sort(np.where(counted, np.clip(signal.signal, 0.0, None), 0.0))[::-1]
    total = float(carried.sum())
    n80 = int(np.searchsorted(np.cumsum(carried), CARRIED * total) + 1) if total > 0 else 0
    evidence = {
        "signal_to_noise": signal.ratio,
        "p_value": signal.p_value,
        "selective_neurons": float(signal.significant.sum()),
        "outliers": float(outliers.sum()),
        "neurons_carrying_80_percent": float(n80),
        "participation_ratio": total**2 / float(np.sum(carried**2)) if total > 0 else 0.0,
        **_level_evidence(signal),
    }
    if reference is not None:
        evidence["reference_signal_to_noise"] = reference.ratio
    sparse, carriers, sharpness = _sparse(signal, evidence)
    absent, distance = ("", 1.0) if sparse else _absent(signal, reference)
    if absent:
        return Decision("none", distance, outliers, evidence, absent)
    if sparse:
        kind, reason = "sparse", f"{outliers.sum()} neurons stand out of the bulk by their class signal; {carriers}."
    else:
        kind, sharpness, reason = _population(evidence, carriers, sharpness)
    if reference is None:
        reason += (
            "\nNot compared with an untrained network (reference): class structure that the inputs themselves have "
            "would count as learned."
        )
    return Decision(kind, min(distance, sharpness), outliers, evidence, reason)


def _sparse(signal: ClassSignal, evidence: dict[str, float]) -> tuple[bool, str, float]:
    """Whether few neurons carry the class signal, the numbers in words, and their distance from deciding otherwise."""
    N, C = signal.means.shape
    few = max(3.0 * C, FEW * N)
    narrow = max(PARTICIPATION * N, min(C + 1.0, N / 4))
    n80, participation = evidence["neurons_carrying_80_percent"], evidence["participation_ratio"]
    words = (
        f"{n80:.0f} of {N} neurons carry {100 * CARRIED:.0f} % of the class signal (sparse: {few:.0f} or fewer), "
        f"participation ratio {participation:.3g} (sparse: below {narrow:.3g})"
    )
    if evidence["outliers"] and n80 <= few and participation < narrow:
        return True, words, min(confidence(narrow, participation), confidence(few, n80))
    if not evidence["outliers"]:
        # Few neurons that are not certain to stand out: then neither is it certain that many carry the signal.
        concentrated = n80 <= few and participation < narrow
        return False, f"{words}, no neuron stands out", 0.0 if concentrated else 1.0
    return False, words, max(confidence(participation, narrow), confidence(n80, few))


def _absent(signal: ClassSignal, reference: ClassSignal | None) -> tuple[str, float]:
    """Why the layer has no scheme ('' if it has a class signal), and the distance to the threshold that decided."""
    varying = int((~signal.constant).sum())
    if varying < NEURONS:
        return (
            f"{varying} of {signal.constant.size} neurons vary over the inputs; fewer than {NEURONS} are too few "
            "to show a scheme.",
            1.0 if varying == 0 else 0.0,
        )
    if signal.p_value > P_VALUE:
        # On a scale of log p, as p itself spans hundreds of orders of magnitude.
        return (
            f"the class means differ no more than by chance (Dempster's trace test: p = {signal.p_value:.2g}, limit "
            f"{P_VALUE:g}).",
            confidence(np.log(P_VALUE), np.log(signal.p_value)),
        )
    if signal.ratio < RATIO:
        return (
            f"the class means differ (p = {signal.p_value:.2g}), but the signal-to-noise ratio {signal.ratio:.3g} is "
            f"below {RATIO:g}, as in a lazy network.",
            confidence(RATIO, signal.ratio),
        )
    if reference is None:
        return "", confidence(signal.ratio, RATIO)
    if signal.ratio < OVER_REFERENCE * reference.ratio:
        return (
            f"the signal-to-noise ratio {signal.ratio:.3g} is below {OVER_REFERENCE:g} times that of the untrained "
            f"network on the same inputs, {reference.ratio:.3g}: it is the inputs that tell the classes apart, not "
            "what was learned.",
            confidence(OVER_REFERENCE * reference.ratio, signal.ratio),
        )
    errors = _errors_above(signal, reference)
    if errors < REFERENCE_ERRORS:
        return (
            f"the class signal of its neurons exceeds that of the untrained network on the same inputs by {errors:.2g} "
            f"standard errors (limit {REFERENCE_ERRORS:g}): too few neurons to tell what was learned from "
            "what the inputs bring.",
            confidence(REFERENCE_ERRORS, errors),
        )
    return "", min(
        confidence(signal.ratio, RATIO),
        confidence(signal.ratio, OVER_REFERENCE * reference.ratio),
        confidence(errors, REFERENCE_ERRORS),
    )


def _errors_above(signal: ClassSignal, reference: ClassSignal) -> float:
    """Difference of the mean class signals over neurons, each in units of its layer's noise, in standard errors."""
    means, variances = [], []
    for layer in (signal, reference):
        noise = float(layer.within.mean())
        values = layer.signal / noise if noise > 0 else layer.signal
        means.append(float(values.mean()))
        variances.append(float(values.var()) / values.size)
    error = float(np.sqrt(sum(variances)))
    return (means[0] - means[1]) / error if error > 0 else float("inf")


def _population(evidence: dict[str, float], carriers: str, spread: float) -> tuple[Kind, float, str]:
    """Redundant or analog, for a layer whose class signal many neurons carry."""
    separation, share = evidence["separation"], evidence["share_in_two_levels"]
    likelihood, least = evidence["log_likelihood_ratio"], evidence["log_likelihood_limit"]
    reason = (
        f"two levels fitted to the class means of the neurons lie {separation:.3g} spreads apart (redundant: above "
        f"{SEPARATION:g}), in classes with {100 * share:.0f} % of the variance (redundant: {100 * SHARE:.0f} % or "
        f"more), twice the log likelihood ratio to one level is {likelihood:.3g} (redundant: above {least:.0f}); "
        f"not sparse: {carriers}."
    )
    if _two_levelled(evidence):
        return "redundant", min(confidence(separation, SEPARATION), confidence(likelihood, least)), reason
    graded = max(
        confidence(SEPARATION, separation),
        confidence(least, max(likelihood, 0.0)),
        confidence(SHARE, min(share, SHARE)),
    )
    return "analog", min(graded, spread), reason


def _level_evidence(signal: ClassSignal) -> dict[str, float]:
    """The clearest of two to four answers: from all varying neurons, and from those with a class signal where most have
    one; of two classes also from the difference of their means, in which levels lie further apart than their noise."""
    varying = ~signal.constant
    chosen = [varying]
    left_out = int((varying & ~signal.significant).sum())
    if 0 < left_out <= UNSELECTIVE * varying.sum():
        chosen.append(signal.significant)
    answers = [_levels_of(signal, neurons, contrast=False) for neurons in chosen]
    if signal.counts.size == 2:
        answers += [_levels_of(signal, neurons, contrast=True) for neurons in chosen]
    return max(answers, key=lambda answer: (_two_levelled(answer), answer["separation"]))


def _two_levelled(evidence: dict[str, float]) -> bool:
    return (
        evidence["separation"] > SEPARATION
        and evidence["share_in_two_levels"] >= SHARE
        and evidence["log_likelihood_ratio"] > evidence["log_likelihood_limit"]
    )


def _levels_of(signal: ClassSignal, neurons: Bool[np.ndarray, " neurons"], contrast: bool) -> dict[str, float]:
    number = int(neurons.sum())
    if number == 0:
        return {"separation": 0.0, "share_in_two_levels": 0.0, "log_likelihood_ratio": 0.0, "log_likelihood_limit": 0.0}
    means, noise = signal.means[neurons], (signal.within[neurons, None] / signal.counts).mean(axis=0)
    if contrast:
        means, noise = means[:, :1] - means[:, 1:], noise.sum(keepdims=True)
    levels = two_levels(means, noise)
    counted = (levels.minority >= max(MINORITY, 3.0 / number)) & (levels.variance > 0)
    total = float(levels.variance.sum())
    weight = levels.variance * counted
    gap = levels.upper - levels.lower
    spread = np.where(counted, gap / np.maximum(levels.separation, 1e-9), 0.0)
    blurred = float(weight @ spread**2)
    return {
        # Over all classes, as the noise of one class's estimate would otherwise decide.
        "separation": float(np.sqrt((weight @ gap**2) / blurred)) if blurred > 0 else 0.0,
        "share_in_two_levels": float(weight.sum()) / total if total > 0 else 0.0,
        "log_likelihood_ratio": float(np.sum(levels.evidence[counted])),
        # A normal column gives about 3 with two further parameters; five a class leave room for several columns.
        "log_likelihood_limit": 10.0 + 5.0 * levels.minority.size,
    }


def _outliers(signal: ClassSignal, untrained: float | None) -> Bool[np.ndarray, " neurons"]:
    """Neurons whose class signal lies beyond the exponential tail that the layer's quartiles predict."""
    usable = ~signal.constant
    strength = signal.signal[usable]
    if strength.size < NEURONS:
        return np.zeros_like(usable)
    middle, upper = np.quantile(strength, (0.5, 0.75))
    # From the median to the upper quartile the survival function halves once; a quarter of it is left there.
    limit = upper + (upper - middle) * max(np.log2(0.25 * strength.size / FALSE_OUTLIERS), 0.0)
    if untrained is not None:
        limit = max(limit, OVER_REFERENCE * untrained)
    certain = signal.p_values * strength.size < OUTLIER_P_VALUE
    least = OUTLIER_RATIO if signal.ratio >= RATIO else OUTLIER_RATIO_LAZY
    return usable & certain & (signal.signal > limit) & (signal.signal > least * signal.within)


def confidence(larger: float, smaller: float) -> float:
    """1 - smaller/larger, within [0, 1]: 0 at the threshold, 1/2 at a factor two."""
    if np.isinf(larger):
        return 1.0
    return float(np.clip(1.0 - smaller / larger, 0.0, 1.0)) if larger != 0 else 0.0
