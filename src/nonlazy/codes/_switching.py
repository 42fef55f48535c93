"""Do neurons keep their codes along a chain of samples? Permutation symmetry, broken or not."""

import itertools
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from nonlazy.codes._overlaps import code_overlap, matches_by_chance, vector_overlap
from nonlazy.codes._trajectories import Trajectories, as_trajectories
from nonlazy.errors import InvalidInput


_PERMUTATIONS = 1999
# Neurons in the test for broken symmetry; of more, as many are drawn.
_TESTED = 1000


@dataclass(frozen=True, eq=False)
class Switching:
    """How codes move along chains of samples, neuron by neuron and in the population.

    Two neurons of one code are exchangeable: the posterior is symmetric under permutations of neurons. A chain that
    visits all of it moves every neuron through all codes; where neurons keep theirs, the symmetry is broken on the time
    scale of the chain (van Meegen & Sompolinsky 2025, Fig. 5). The population's codes can stand still all the same.

    **Fields:**

    - `rates`: switches of each neuron per draw, mean over chains, `(neurons,)`; NaN for one that never has a code.
    - `rate`: their mean; `interval`: its 95 % interval. Without any switch the upper end is the rate at which seeing
      none has a probability of 5 % (switches as independent events); else neurons are the independent units.
    - `exchangeable_rate`: the rate if the neurons were permuted at random from draw to draw.
    - `switches`, `transitions`: counted, over all chains.
    - `frozen`: share of neurons that never switch.
    - `lags`: in draws, `(lags,)`; `overlap`: with the initial code after each lag, `(lags,)`: 1 where all neurons keep
      their codes, 0 where they agree no better than different neurons do. Weighted by `weights` if given. NaN where all
      neurons have one code.
    - `vector_overlap`: the same of class means, sum_i dM_i(0) . dM_i(lag) over the norms, with dM the class means less
      their mean over neurons, `(lags,)`; None where codes were given.
    - `p_value`: of the test that the last third of the chain does not remember which neuron is which in the first
      third; `broken`: whether it is at most `false_alarm_rate`; `late_overlap`: between these thirds.
    - `fractions`: share of each code, `(draws, codes)`, mean over chains, in the order of `codes`.
    - `drift`: largest total variation distance between the shares in the first draw and in a later one, of any chain;
      `drift_p_value`: of a chi-square test that the first and the last draw have the same shares (conservative: neurons
      that keep their code make the shares more alike than the test expects); `stable`: whether it is above
      `false_alarm_rate`.
    """

    rates: Float[np.ndarray, " neurons"]
    rate: float
    interval: tuple[float, float]
    exchangeable_rate: float
    switches: int
    transitions: int
    frozen: float
    lags: Int[np.ndarray, " lags"]
    overlap: Float[np.ndarray, " lags"]
    vector_overlap: Float[np.ndarray, " lags"] | None
    p_value: float
    broken: bool
    late_overlap: float
    fractions: Float[np.ndarray, "draws codes"]
    codes: tuple[Any, ...]
    drift: float
    drift_p_value: float
    stable: bool
    false_alarm_rate: float
    chains: int
    draws: int

    @property
    def relative_rate(self) -> float:
        """Switching rate over the exchangeable one: 0 frozen, 1 as if neurons were permuted at every draw."""
        return self.rate / self.exchangeable_rate if self.exchangeable_rate > 0 else np.nan

    def __str__(self) -> str:
        low, high = self.interval
        seen = f"{self.chains} x {self.draws} draws"
        if self.switches == 0:
            rate = f"no switch in {seen}: rate below {high:.2g} per neuron and draw at 95 %"
        else:
            rate = (
                f"{self.switches} switches in {seen}: rate {self.rate:.3g} per neuron and draw "
                f"(95 %: {low:.2g} to {high:.2g})"
            )
        test = (
            f"(test of the last against the first third of the chain: p = {self.p_value:.2g}, false-alarm rate "
            f"{self.false_alarm_rate:g}, overlap {self.late_overlap:.3f})"
        )
        verdict = (
            f"permutation symmetry is broken on the time scale of these chains {test}"
            if self.broken
            else f"no sign that permutation symmetry is broken {test}"
        )
        population = (
            f"the population's codes {'are stable' if self.stable else 'change'}: the shares of codes move by at most "
            f"{self.drift:.3f} (first against last draw: p = {self.drift_p_value:.2g})"
        )
        frozen = f"{100 * self.frozen:.1f} % of the neurons never switch; overlap with the initial codes after "
        frozen += f"{self.lags[-1]} draws {self.overlap[-1]:.3f}"
        if self.vector_overlap is not None:
            frozen += f", of class means {self.vector_overlap[-1]:.3f}"
        exchangeable = f"; if neurons were exchangeable from draw to draw it would be {self.exchangeable_rate:.3g}"
        sentences = [f"codes: {rate}{exchangeable}", frozen, verdict, population]
        return "\n".join("\n".join(textwrap.wrap(line, 100, subsequent_indent="    ")) for line in sentences)


def switching(
    trajectories: Any,
    weights: Any = None,
    threshold: float | None = None,
    false_alarm_rate: float = 0.01,
    seed: int = 0,
) -> Switching:
    """How neurons switch codes along chains, against what exchangeable neurons would do.

    **Arguments:**

    - `trajectories`: whole numbers: the code of each neuron in each draw, `(draws, neurons)` or
      `(chains, draws, neurons)`, -1 for none; or real numbers: class means, `(draws, neurons, classes)` or
      `(chains, draws, neurons, classes)`; or truth values of the latter shapes: active classes.
    - `weights`: of each neuron in `overlap` and the test, `(neurons,)`, not negative: the class signal, say, as the
      codes of a sparse layer's bulk mean nothing. None: all equal.
    - `threshold`: class means above it are active; None: between the two modes of all class means.
    - `false_alarm_rate`: of the test for broken symmetry, exactly at most this: it permutes the neurons of the last
      third of each chain against those of the first, 1,999 times.
    - `seed`: of these permutations.

    **Returns:** a `Switching`.

    **Raises:** `nonlazy.errors.InvalidInput` for other shapes, fewer than 6 draws or 2 neurons, values that are not
    finite, and a `false_alarm_rate` that 1,999 permutations cannot show.
    """
    if not 1 / (_PERMUTATIONS + 1) <= false_alarm_rate < 1:
        raise InvalidInput(
            f"false_alarm_rate is {false_alarm_rate}: with {_PERMUTATIONS} permutations it must be at least "
            f"{1 / (_PERMUTATIONS + 1):g} and below 1"
        )
    chains = as_trajectories(trajectories, threshold)
    weights = _weights(weights, chains.codes.shape[2])
    both = (chains.codes[:, 1:] >= 0) & (chains.codes[:, :-1] >= 0)
    switched = both & (chains.codes[:, 1:] != chains.codes[:, :-1])
    possible = both.sum(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = switched.sum(axis=(0, 1)) / possible
    switches, transitions = int(switched.sum()), int(possible.sum())
    rate, interval = _mean_rate(switched.sum(axis=(0, 1)), possible)
    lags = _lags(chains.codes.shape[1])
    p_value, late = _test(chains, weights, seed)
    fractions = np.mean(chains.fractions(), axis=0)
    drift, drift_p = _drift(chains)
    return Switching(
        rates=rates,
        rate=rate,
        interval=interval,
        exchangeable_rate=_exchangeable(chains),
        switches=switches,
        transitions=transitions,
        frozen=float(np.mean(rates[possible > 0] == 0)) if (possible > 0).any() else np.nan,
        lags=lags,
        overlap=np.array([np.mean([code_overlap(c[0], c[lag], weights) for c in chains.codes]) for lag in lags]),
        vector_overlap=None
        if chains.means is None
        else np.array([np.mean([vector_overlap(m[0], m[lag]) for m in chains.means]) for lag in lags]),
        p_value=p_value,
        broken=p_value <= false_alarm_rate,
        late_overlap=late,
        fractions=fractions,
        codes=chains.names,
        drift=drift,
        drift_p_value=drift_p,
        stable=drift_p > false_alarm_rate,
        false_alarm_rate=false_alarm_rate,
        chains=chains.codes.shape[0],
        draws=chains.codes.shape[1],
    )


def _weights(weights: Any, neurons: int) -> Float[np.ndarray, " neurons"]:
    if weights is None:
        return np.ones(neurons)
    array = np.asarray(weights, dtype=float)
    if array.shape != (neurons,) or not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise InvalidInput(f"weights must be {neurons} finite numbers, none negative and not all 0")
    return array


def _lags(draws: int) -> Int[np.ndarray, " lags"]:
    """0, 1, 2, 5, ... up to the last draw."""
    steps = np.unique(np.round(np.geomspace(1, draws - 1, 24)).astype(int))
    return np.concatenate([[0], steps])


def _mean_rate(switches: Int[np.ndarray, " neurons"], possible: Int[np.ndarray, " neurons"]):
    total, chances = int(switches.sum()), int(possible.sum())
    if chances == 0:
        return float("nan"), (0.0, 1.0)
    rate = total / chances
    if total == 0:
        return 0.0, (0.0, float(-np.expm1(np.log(0.05) / chances)))
    # Ratio estimate with neurons as clusters: switches of one neuron come in bursts.
    seen = possible > 0
    residual = switches[seen] - rate * possible[seen]
    n = int(seen.sum())
    error = np.sqrt(n / max(n - 1, 1) * np.sum(residual**2)) / chances
    reach = float(scipy.special.stdtrit(max(n - 1, 1), 0.975) * error)
    return rate, (max(rate - reach, 0.0), min(rate + reach, 1.0))


def _exchangeable(chains: Trajectories) -> float:
    """Share of neurons that would have another code at the next draw if draws were permuted."""
    rates = [
        1 - matches_by_chance(before, after) for chain in chains.codes for before, after in itertools.pairwise(chain)
    ]
    return float(np.nanmean(rates)) if np.isfinite(rates).any() else float("nan")


def _test(chains: Trajectories, weights: Float[np.ndarray, " neurons"], seed: int) -> tuple[float, float]:
    """Permutation test of memory between thirds, and the mean overlap of draws a fixed time apart."""
    third = chains.codes.shape[1] // 3
    generator = np.random.default_rng(seed)
    neurons = min(chains.codes.shape[2], _TESTED)
    tested = np.sort(generator.permutation(chains.codes.shape[2])[:neurons])
    first, last, weights = chains.codes[:, :third, tested], chains.codes[:, -third:, tested], weights[tested]
    # Matches of neuron i in the first third with neuron j in the last, summed over pairs of draws: a permutation of
    # neurons picks one entry in each row.
    tables = []
    for before, after in zip(first, last, strict=True):
        present = np.unique(before[before >= 0])
        tables.append(sum((before == k).T.astype(float) @ (after == k) for k in present) + np.zeros((neurons, neurons)))
    tables = [weights[:, None] * table for table in tables]
    observed = sum(float(np.trace(table)) for table in tables)
    places = np.arange(neurons)
    as_large = 0
    for _ in range(_PERMUTATIONS):
        value = sum(float(table[places, generator.permutation(neurons)].sum()) for table in tables)
        as_large += value >= observed - 1e-9 * abs(observed)
    late = np.mean(
        [code_overlap(a, b, weights) for x, y in zip(first, last, strict=True) for a, b in zip(x, y, strict=True)]
    )
    return (1 + as_large) / (_PERMUTATIONS + 1), float(late)


def _drift(chains: Trajectories) -> tuple[float, float]:
    shares = chains.fractions()
    drift = float(0.5 * np.abs(shares - shares[:, :1]).sum(axis=2).max())
    counts = np.stack([chains.counts()[:, 0].sum(axis=0), chains.counts()[:, -1].sum(axis=0)])
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2 or not counts.sum(axis=1).all():
        return drift, 1.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    statistic = float(np.sum((counts - expected) ** 2 / expected))
    return drift, float(scipy.special.chdtrc(counts.shape[1] - 1, statistic))
