"""The code of every neuron in every draw: measured in the draws kept in full, told by the readouts in the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from nonlazy.activations import Activation
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling import Run


# A code that holds fewer neurons than this on average, in every chain, belongs to neurons that cross a threshold for
# a moment.
LEAST_NEURONS = 0.5
# Readouts must tell the codes of this share of the neurons in the draws where both are known.
LEAST_AGREEMENT = 0.98
# A bounded activation has reached its ends at these preactivations, in units of the prior's standard deviation.
_FAR = 1e3


@dataclass(frozen=True, eq=False)
class CodeHistory:
    """The codes of neurons along chains.

    **Fields:**

    - `codes`: which classes activate a neuron, `(n, C)`; in the order of their first digits, 1 before 0.
    - `index`: code of each neuron, an index into `codes`, `(chain, draw, neuron)`.
    - `draws`: the draws that `index` is of, `(draw,)`.
    - `agreement`: share of the neurons, in the draws kept in full, whose readouts tell the code that their activations
      have.
    """

    codes: Bool[np.ndarray, "n C"]
    index: Int[np.ndarray, "chain draw neuron"]
    draws: Int[np.ndarray, " draw"]
    agreement: float

    @property
    def names(self) -> tuple[str, ...]:
        """The codes as in tables, `1-1-0`."""
        return tuple("-".join("1" if on else "0" for on in code) for code in self.codes)

    @property
    def counts(self) -> Int[np.ndarray, "chain draw n"]:
        """Neurons of each code in each draw."""
        return np.stack([(self.index == k).sum(axis=2) for k in range(len(self.codes))], axis=2)


def code_history(runs: Sequence[Run], discard: int = 0) -> CodeHistory:
    """The codes of the feature layer's neurons in all chains of `runs`, of the same posterior, one after another.

    A neuron's code is the set of classes whose inputs activate it above the middle of the activation's range, on
    average. This is known in the draws kept in full; in the others a neuron has the code that its readout tells, by
    Gaussian discrimination (a centre for each code and chain, one covariance). Where readouts tell less than 98 % of
    the codes, the draws kept in full alone count. Codes with less than half a neuron on average, in each chain, are
    neurons that cross a threshold: they count for the code that their readout tells.

    **Arguments:** `discard`: draws at the beginning of each chain to leave out.

    **Raises:** `nonlazy.errors.InvalidInput` for networks without codes, and where `discard` leaves nothing;
    `nonlazy.errors.StoreError` where a run has kept no draw.
    """
    draws = min(run.draws for run in runs)
    for run in runs:
        _check(run, runs[0])
    if not 0 <= discard < draws:
        raise InvalidInput(f"discard is {discard}: the runs have {draws} draws, leave some of them")
    kept = [tuple(draw for draw in run.kept_draws if discard <= draw < draws) for run in runs]
    if not all(kept):
        raise StoreError(f"no draw was kept in full among draws {discard} to {draws - 1}: take more of them")
    chains = [(run, chain, where) for run, where in zip(runs, kept, strict=True) for chain in range(run.chains)]
    measured = [_measured(run, chain, where) for run, chain, where in chains]
    readouts = [np.asarray(chain, np.float64) for run in runs for chain in run.readouts()]
    numbers = _lasting_codes(measured)
    known = [np.searchsorted(numbers, found).clip(max=len(numbers) - 1) for found in measured]
    known = [np.where(numbers[k] == found, k, -1) for k, found in zip(known, measured, strict=True)]
    at_kept = [values[list(where)] for values, (_, _, where) in zip(readouts, chains, strict=True)]
    rules = _discriminants(at_kept, known, len(numbers))
    told = [rule(values) for rule, values in zip(rules, at_kept, strict=True)]
    hits = [(t == k)[k >= 0] for t, k in zip(told, known, strict=True)]
    agreement = float(np.concatenate(hits).mean())
    C = runs[0].task.classes
    codes = (numbers[:, None] >> np.arange(C - 1, -1, -1)) & 1 == 1
    if agreement >= LEAST_AGREEMENT:
        index = [rule(values[discard:draws]) for rule, values in zip(rules, readouts, strict=True)]
        return _history(codes, index, np.arange(discard, draws), agreement)
    fewest = min(len(k) for k in known)
    index = [np.where(k >= 0, k, t)[-fewest:] for k, t in zip(known, told, strict=True)]
    return _history(codes, index, np.array(kept[0][-fewest:]), agreement)


def _history(codes, index, draws, agreement) -> CodeHistory:
    # Codes with the first class come first.
    order = np.lexsort((~codes).T[::-1])
    place = np.argsort(order)
    return CodeHistory(codes[order], place[np.stack(index)], draws, agreement)


def _check(run: Run, first: Run) -> None:
    phi = run.posterior.network.phi
    if phi.kind != "sigmoidal":
        raise InvalidInput(
            f"the activation {phi.name!r} is {phi.kind}: only bounded activations have codes that neurons share; "
            "nonlazy.codes.detect(run.activations(), run.task.labels) says what this layer has"
        )
    if run.draws == 0:
        raise StoreError(f"{run.path} has no draws yet, it stopped in its warm-up: continue it first")
    if run.configuration["posterior"] != first.configuration["posterior"]:
        raise InvalidInput(f"{run.path} and {first.path} are runs of different posteriors: compare runs of one")


def threshold(phi: Activation) -> float:
    """The middle of the range of a bounded activation, above which a class counts as active."""
    return 0.5 * float(phi(-_FAR) + phi(_FAR))


def _measured(run: Run, chain: int, kept: Sequence[int]) -> Int[np.ndarray, "snapshot neuron"]:
    """The codes of one chain's neurons in the draws kept in full, each as a number with a binary digit a class."""
    labels, C, middle = run.task.labels, run.task.classes, threshold(run.posterior.network.phi)
    numbers = []
    for draw in kept:
        phi = np.asarray(run.activations(draw=draw, chain=chain), np.float64)
        # A class without inputs activates nothing.
        active = [phi[:, labels == c].mean(axis=1) > middle if (labels == c).any() else phi[:, 0] < -np.inf
                  for c in range(C)]  # fmt: skip
        numbers.append(np.stack(active, axis=1) @ (1 << np.arange(C - 1, -1, -1)))
    return np.stack(numbers)


def _lasting_codes(measured: Sequence[Int[np.ndarray, "snapshot neuron"]]) -> Int[np.ndarray, " n"]:
    present = np.unique(np.concatenate([found.ravel() for found in measured]))
    most = [max((found == number).sum() / len(found) for found in measured) for number in present]
    chosen = np.array(most) >= LEAST_NEURONS
    return present[chosen] if chosen.any() else present


@dataclass(frozen=True, eq=False)
class _Discriminant:
    """Linear scores of the codes: readouts times `slope`, plus `offset`."""

    slope: Float[np.ndarray, "m n"]
    offset: Float[np.ndarray, " n"]

    def __call__(self, readouts: Float[np.ndarray, "draw neuron m"]) -> Int[np.ndarray, "draw neuron"]:
        """The code that each readout tells."""
        return np.argmax(readouts @ self.slope + self.offset, axis=-1)


def _discriminants(
    readouts: Sequence[Float[np.ndarray, "snapshot neuron m"]],
    known: Sequence[Int[np.ndarray, "snapshot neuron"]],
    n: int,
) -> list[_Discriminant]:
    """A rule for each chain: centres move with the shares of the codes, which chains may hold in different ones."""
    m = readouts[0].shape[-1]
    sums = np.stack([[a[k == g].sum(axis=0) for g in range(n)] for a, k in zip(readouts, known, strict=True)])
    counts = np.stack([[(k == g).sum() for g in range(n)] for k in known]).astype(float)
    overall = sums.sum(axis=0) / counts.sum(axis=0)[:, None]
    own = np.divide(
        sums, counts[..., None], out=np.broadcast_to(overall, sums.shape).copy(), where=counts[..., None] > 0
    )
    centred = np.concatenate([a[k >= 0] - centre[k[k >= 0]] for a, k, centre in zip(readouts, known, own, strict=True)])
    covariance = centred.T @ centred / len(centred)
    size = float(np.trace(covariance)) / m
    precision = np.linalg.inv(covariance + (1e-6 * size + np.finfo(float).tiny) * np.eye(m))
    rules = []
    for centre, count in zip(own, counts, strict=True):
        slope = precision @ centre.T
        # A code that this chain has nowhere shown weighs as half a neuron in one draw.
        prior = np.log(np.maximum(count, 0.5))
        rules.append(_Discriminant(slope, prior - 0.5 * np.sum(centre.T * slope, axis=0)))
    return rules
