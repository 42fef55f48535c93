"""Codes of neurons whose class means are known with errors: neurons that share codes correct each other."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit, log_expit, log_ndtr, logit, logsumexp, psi


_SWEEPS = 12
_TOLERANCE = 1e-2
# A neuron is read together with others where it is less sure of its code than this by itself.
_SURE = 1 - 1e-4
# Neurons to be read together times candidate codes times classes; beyond, every neuron is read by itself.
_LARGEST = 2e7
# Log odds beyond which a class mean is certain.
_CERTAIN = 60.0


def alone(
    distances: Float[np.ndarray, "neurons classes"], errors: Float[np.ndarray, "neurons classes"]
) -> Float[np.ndarray, " neurons"]:
    """Probability that all class means of a neuron lie on the side of its threshold on which they were measured.

    **Arguments:** `distances`: class mean less threshold; `errors`: standard errors of the class means.

    **Returns:** the probability with Gaussian errors, before which every class mean was equally likely; `(neurons,)`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(errors > 0, np.abs(distances) / errors, np.inf)
    return np.exp(log_ndtr(scores).sum(axis=1))


def together(
    distances: Float[np.ndarray, "neurons classes"], errors: Float[np.ndarray, "neurons classes"], gap: float
) -> tuple[Bool[np.ndarray, "neurons classes"], Float[np.ndarray, " neurons"]]:
    """The most likely code of each neuron, given the class means of the others.

    Codes are drawn from a Dirichlet process: a neuron has the code of another one, or one of its own whose classes are
    independent. The concentration is estimated, so that nothing is assumed shared that is not. Class means lie gap/2
    above or below the threshold, with Gaussian errors. Where errors are small the signs of `distances` decide; where
    they are not, neurons that differ within the errors get one code, of which all of them decide each class.
    (Collapsed variational inference of order zero, one neuron at a time.)

    **Arguments:** as in `alone`; `gap`: distance between the two levels.

    **Returns:** active classes, and the posterior probability of the code.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where(errors > 0, gap * distances / errors**2, np.inf * np.sign(distances))
    odds = np.nan_to_num(np.clip(odds, -_CERTAIN, _CERTAIN))
    active, certain = odds > 0, np.exp(log_expit(np.abs(odds)).sum(axis=1))
    # The surest first, in an order that does not depend on that of neurons or classes.
    doubtful = np.argsort(-certain, kind="stable")
    doubtful = doubtful[certain[doubtful] < _SURE]
    codes, place = np.unique(active, axis=0, return_inverse=True)
    if not doubtful.size or doubtful.size * codes.size > _LARGEST:
        return active, certain
    place = place.ravel()
    neurons = odds.shape[0]
    # share[i, k]: probability that neuron i is of group k; the last is a code of its own. A group knows its members
    # and, for every class, the sum of their log odds.
    share = np.zeros((neurons, len(codes) + 1))
    share[np.arange(neurons), place] = 1.0
    members, sums = share[:, :-1].sum(axis=0), share[:, :-1].T @ odds
    concentration = 1.0
    rates = np.clip(expit(odds).mean(axis=0), 0.5 / neurons, 1 - 0.5 / neurons)
    for _ in range(_SWEEPS):
        kept = members > 1e-3
        share, members, sums = share[:, np.append(kept, True)], members[kept], sums[kept]
        own = np.logaddexp(odds + np.log(rates), np.log1p(-rates)).sum(axis=1) + np.log(concentration)
        change = 0.0
        for i in doubtful:
            before = share[i, :-1].copy()
            weight = np.empty(len(members) + 1)
            others = sums - before[:, None] * odds[i] + logit(rates)
            # The chance of this neuron's class means, given what the others say of the group's code.
            chance = np.logaddexp(0, others + odds[i]) - np.logaddexp(0, others)
            weight[:-1] = np.log(np.maximum(members - before, 1e-12)) + chance.sum(axis=1)
            weight[-1] = own[i]
            share[i] = np.exp(weight - logsumexp(weight))
            moved = share[i, :-1] - before
            members += moved
            sums += moved[:, None] * odds[i]
            change = max(change, float(np.abs(moved).max(initial=0.0)))
        if change < _TOLERANCE:
            break
        empty = np.log1p(-np.minimum(share[:, :-1], 1 - 1e-9)).sum(axis=0)
        concentration = _concentration(neurons, float(share[:, -1].sum() - np.expm1(empty).sum()))
    for i in doubtful:
        others = sums - share[i, :-1, None] * odds[i] + logit(rates)
        groups = np.vstack([others, logit(rates)]) + odds[i]
        active[i] = groups[np.argmax(share[i])] > 0
        # Whatever group it is of: the probability of this code.
        certain[i] = share[i] @ np.exp(log_expit(np.where(active[i], groups, -groups)).sum(axis=1))
    return active, certain


def _concentration(neurons: int, different: float) -> float:
    """Concentration of a Dirichlet process of whose `neurons` draws `different` are expected to be different."""
    low, high = 1e-3, 1e3 * neurons
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        expected = middle * (psi(middle + neurons) - psi(middle))
        low, high = (middle, high) if expected < different else (low, middle)
    return float(np.sqrt(low * high))


def hovering(
    distances: Float[np.ndarray, "neurons classes"],
    errors: Float[np.ndarray, "neurons classes"],
    gap: float,
    spread: float,
) -> Bool[np.ndarray, " neurons"]:
    """Neurons whose class means are more likely all the same, near the threshold, than each at one of two levels.

    **Arguments:** as in `together`; `spread`: standard deviation of neurons about the levels.

    **Returns:** True for neurons without a code.
    """
    variance = errors**2 + max(spread, 0.05 * gap) ** 2
    one = np.logaddexp(
        -((distances - gap / 2) ** 2) / (2 * variance), -((distances + gap / 2) ** 2) / (2 * variance)
    ).sum(axis=1) - distances.shape[1] * np.log(2)
    places = np.linspace(-0.25, 0.25, 9) * gap
    same = [(-((distances - place) ** 2) / (2 * variance)).sum(axis=1) for place in places]
    evidence = np.clip(logsumexp(np.stack(same), axis=0) - np.log(len(places)) - one, -_CERTAIN, _CERTAIN)
    # The share of such neurons is the one that makes the layer most likely.
    share = 0.5
    for _ in range(60):
        share = float(np.clip(np.mean(expit(evidence + logit(share))), 1e-6, 1 - 1e-6))
    return evidence + logit(share) > 0
