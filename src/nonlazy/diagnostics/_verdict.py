"""The rule by which chains are called equilibrated or frozen."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from nonlazy.diagnostics._mcse import rhat


Verdict = Literal["equilibrated", "frozen", "undecided"]
FEWEST_DRAWS = 20
RHAT_LIMIT = 1.05
# Lasting arrivals and departures that each code must see in each chain.
FEWEST_EXCHANGES = 4
# Fewer lasting changes than this, per neuron, in every chain: the shares are those that the chains began with.
FROZEN_SHARE = 0.02
# An excess beyond what the mean field leaves out, in nats (times P/N where that is above 1), and beyond this many Monte
# Carlo errors.
EXCESS_NATS, EXCESS_ERRORS = 5.0, 4.0
_TOLERANCE_SHARE, _TOLERANCE_NEURONS = 0.005, 1.0


def tolerance(neurons: int) -> float:
    """By how many neurons chains may differ whatever R-hat says: half a per cent of the layer, and at least one."""
    return max(_TOLERANCE_NEURONS, _TOLERANCE_SHARE * neurons)


def decide(
    names: tuple[str, ...],
    counts: Float[np.ndarray, "chain draw G"],
    moves: Int[np.ndarray, "chain G"],
    neurons: int,
    expected: Float[np.ndarray, " G"] | None,
    out_of_balance: str = "",
    jumped: bool = False,
) -> tuple[Verdict, str]:
    """The verdict on chains, and why.

    **Arguments:** `counts`: neurons of each code (or pair) in each draw; `moves`: lasting arrivals plus departures;
    `expected`: the theory's neurons, or None; `out_of_balance`: the code with a significant excess, in words, or "";
    `jumped`: whether every chain accepted a jump, in its warm-up or later.
    """
    chains, draws = counts.shape[:2]
    if draws < FEWEST_DRAWS:
        return "undecided", f"{draws} draws a chain are too few to tell: take {FEWEST_DRAWS} or more"
    means = counts.mean(axis=1)
    populated = means.max(axis=0) >= 1
    if expected is not None:
        populated |= expected >= 1
    judged = np.flatnonzero(populated)
    if len(judged) == 1:
        return _one_code(names[judged[0]], expected)
    least = moves[:, judged].min(axis=0)
    scarcest = judged[int(np.argmin(least))]
    apart, worst = _disagreement(counts, judged, neurons)
    changes = moves.sum(axis=1) // 2
    few = f"{names[scarcest]} saw {int(least.min())} lasting arrivals and departures in a chain"
    if least.min() >= FEWEST_EXCHANGES:
        if chains == 1:
            return "undecided", "neurons change code, but one chain cannot show that another start leads here, too"
        if worst is None:
            return "equilibrated", "neurons change code for good in every chain, and the chains agree on every share"
        return "undecided", (
            f"neurons change code, but the chains do not agree yet: {apart:.1f} neurons of {names[worst]} lie between "
            "them or their halves. Take a longer warm-up or more draws"
        )
    if worst is not None:
        return "frozen", (f"the chains hold {names[worst]} in different shares ({apart:.1f} neurons apart), and {few}")
    if out_of_balance:
        return "frozen", f"{out_of_balance}, and {few}"
    if jumped and expected is None:
        return "undecided", f"jumps brought the chains to the same shares, but {few}, and no theory confirms them"
    if jumped and expected is not None and np.abs(means - expected)[:, judged].max() <= tolerance(neurons):
        if chains == 1:
            return "undecided", "one chain has the theory's shares, but cannot show that another start leads here, too"
        return "equilibrated", (
            f"jumps brought every chain to the theory's shares, within {tolerance(neurons):g} "
            f"{'neuron' if tolerance(neurons) == 1 else 'neurons'}; few of them change a neuron's code for good there"
        )
    if changes.max() <= FROZEN_SHARE * neurons:
        some = f"at most {int(changes.max())} of {neurons} neurons" if changes.any() else "no neuron"
        return "frozen", f"{some} changed code for good in a chain: the shares are those that the chains began with"
    return "undecided", f"not moving enough to tell: {few}, {FEWEST_EXCHANGES} are wanted. Take more draws"


def largest_excess(
    names: tuple[str, ...],
    excess: Float[np.ndarray, "chain G"],
    errors: Float[np.ndarray, "chain G"],
    means: Float[np.ndarray, "chain G"],
    limit: float,
) -> str:
    """The most significant excess of a code with a neuron or more, in words; empty where none exceeds its limit."""
    with np.errstate(invalid="ignore"):
        beyond = np.abs(excess) - limit - EXCESS_ERRORS * errors
    beyond = np.where(np.isfinite(beyond) & (means >= 1), beyond, -np.inf)
    chain, code = np.unravel_index(int(np.argmax(beyond)), beyond.shape)
    if not beyond[chain, code] > 0:
        return ""
    much = "many" if excess[chain, code] > 0 else "few"
    return (
        f"a chain has too {much} neurons in {names[code]}, by {abs(excess[chain, code]):.0f} ± "
        f"{errors[chain, code]:.0f} nats of its own dual field"
    )


def _one_code(name: str, expected: Float[np.ndarray, " G"] | None) -> tuple[Verdict, str]:
    if expected is None:
        return (
            "undecided",
            f"all neurons have the code {name}, and there is no theory to say whether others are missing",
        )
    return "equilibrated", f"all neurons have the code {name}, as in the theory of equilibrium"


def _disagreement(
    counts: Float[np.ndarray, "chain draw G"], judged: Int[np.ndarray, " k"], neurons: int
) -> tuple[float, int | None]:
    """By how many neurons the chains differ in the code on which they do not agree, the worst one; or None.

    They agree on a code where R-hat is below 1.05, or where neither the means of any two chains nor those of the two
    halves of all chains differ by more than the tolerance.
    """
    half = counts.shape[1] // 2
    drift = counts[:, :half].mean(axis=(0, 1)) - counts[:, -half:].mean(axis=(0, 1))
    ranges = np.maximum(np.ptp(counts.mean(axis=1), axis=0), np.abs(drift))
    worst, apart = None, 0.0
    for g in judged:
        value = rhat(counts[:, :, g])
        agrees = ranges[g] <= tolerance(neurons) or value < RHAT_LIMIT
        if not agrees and ranges[g] > apart:
            worst, apart = int(g), float(ranges[g])
    return apart, worst
