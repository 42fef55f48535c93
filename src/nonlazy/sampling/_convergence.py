"""Convergence of chains, judged on quantities that do not change when neurons are exchanged."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


RHAT_LIMIT = 1.05
# Half of what Vehtari et al. (2021) ask for: below it even the first digit of a Monte Carlo error is unsure.
ESS_PER_CHAIN = 50
ACCEPTANCE_RANGE = (0.4, 0.99)
_FEWEST_DRAWS = 4

_WORDS = """\
* decides whether the chains have converged. MC error: standard error of the mean, from the chains; ESS: how many
independent draws they are worth; R-hat: spread of all draws over that within chains, 1 where the chains agree."""
_WHY_NOT_WEIGHTS = """\
Single weights and readouts are not diagnosed: exchanging neurons changes nothing that the network does, so each chain
numbers its neurons in its own way, and within a chain a neuron mostly keeps its code. The chains can agree on what is
listed here alone. Chains that all froze in the same way agree, too: R-hat does not see it when the shares of the codes
are not those of equilibrium."""


class Quantity(NamedTuple):
    """One row of the table.

    **Fields:** `quantity`: its name; `mean`: over all draws of all chains; `mcse`: Monte Carlo standard error of the
    mean; `ess`: effective sample size (bulk), over all chains; `rhat`: rank-normalised split R-hat; `decisive`: whether
    `Diagnostics.converged` depends on it. `mcse`, `ess` and `rhat` are NaN where they are not defined: R-hat with one
    chain, all of them with fewer than four draws or with values that are not finite.
    """

    quantity: str
    mean: float
    mcse: float
    ess: float
    rhat: float
    decisive: bool = False


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Whether the chains of a run agree with each other, and how well the means are known.

    **Fields:**

    - `table`: a `Quantity` for each diagnosed quantity.
    - `converged`: at least two chains, R-hat below 1.05 on the log density, sum a^2 and the kernel entries, every value
      finite, and no chain that stands still.
    - `warnings`: what a reader must know, as sentences; empty where all is well.
    - `acceptance`: mean acceptance probability of each chain, `(chain,)`, or None for a sampler without that step.
    - `divergences`: trajectories that diverged (and were rejected) in each chain after the warm-up, `(chain,)`.
    - `chains`, `draws`: counts.

    `str()` is the table with the warnings. R-hat, ESS and MC error are those of Vehtari et al., Bayesian Analysis 16,
    667 (2021), as computed by arviz-stats.
    """

    table: list[Quantity]
    converged: bool
    warnings: tuple[str, ...]
    acceptance: Float[np.ndarray, " chain"] | None
    divergences: Int[np.ndarray, " chain"]
    chains: int
    draws: int

    def __str__(self) -> str:
        width = max(len("quantity"), *(len(row.quantity) + 2 for row in self.table))
        lines = [f"{_count(self.chains, 'chain')} of {_count(self.draws, 'draw')}", ""]
        lines.append(f"{'quantity':{width}}  {'mean':>12}  {'MC error':>9}  {'ESS':>7}  {'R-hat':>6}")
        for row in self.table:
            name = f"{row.quantity} *" if row.decisive else row.quantity
            lines.append(
                f"{name:{width}}  {_number(row.mean, '.6g'):>12}  {_number(row.mcse, '.2g'):>9}  "
                f"{_number(row.ess, '.0f'):>7}  {_rhat(row.rhat):>6}"
            )
        lines += [_WORDS, ""]
        if self.acceptance is not None:
            lines.append(f"mean acceptance by chain: {', '.join(_number(a, '.2f') for a in self.acceptance)}")
        lines.append(f"divergences by chain: {', '.join(str(count) for count in self.divergences)}")
        lines.extend(f"warning: {warning}" for warning in self.warnings)
        verdict = "" if self.converged else "not "
        lines.append(
            f"{verdict}converged: R-hat {'<' if self.converged else 'is to be <'} {RHAT_LIMIT} on the log density, "
            "sum a^2 and the kernel entries"
        )
        return "\n".join([*lines, "", _WHY_NOT_WEIGHTS])


def diagnose(
    quantities: Mapping[str, Float[np.ndarray, "chain draw"]],
    *,
    decisive: Collection[str],
    density: str = "log density",
    acceptance: Float[np.ndarray, "chain draw"] | None = None,
    diverging: Int[np.ndarray, "chain draw"] | None = None,
    shortened: Int[np.ndarray, "chain draw"] | None = None,
) -> Diagnostics:
    """Diagnoses quantities that do not change when neurons are exchanged.

    **Arguments:**

    - `quantities`: by name, at least one, `(chain, draw)`.
    - `decisive`: the names that `converged` depends on.
    - `density`: the name of the quantity that changes whenever a chain moves.
    - `acceptance`: acceptance probabilities; None, or NaN everywhere, for a sampler without that step.
    - `diverging`: the number of trajectories of each draw that diverged.
    - `shortened`: the number of trajectories of each draw that were cut at the largest number of steps.

    **Returns:** `Diagnostics`.
    """
    values = {name: np.asarray(value, dtype=np.float64) for name, value in quantities.items()}
    chains, draws = next(iter(values.values())).shape
    table = [_row(name, value)._replace(decisive=name in decisive) for name, value in values.items()]
    warnings = []
    if chains < 2:
        warnings.append("R-hat needs two chains or more: with one, nothing shows whether another start leads elsewhere")
    if draws < _FEWEST_DRAWS:
        warnings.append(f"R-hat, ESS and MC error need {_FEWEST_DRAWS} draws a chain or more; there are {draws}")
    healthy = chains >= 2 and draws >= _FEWEST_DRAWS
    for name, value in values.items():
        for chain in range(chains):
            count = int((~np.isfinite(value[chain])).sum())
            if count:
                healthy = False
                warnings.append(f"{name} is not finite in {count} of {draws} draws of chain {chain}")
    if density in values and draws > 1:
        for chain in np.flatnonzero((values[density] == values[density][:, :1]).all(axis=1)):
            healthy = False
            warnings.append(f"chain {chain} stands still: its {density} never changes. Take smaller steps")
    high = [row for row in table if row.decisive and row.rhat >= RHAT_LIMIT]
    if high:
        worst = max(high, key=lambda row: row.rhat)
        warnings.append(
            f"the chains disagree: R-hat of {worst.quantity} is {_rhat(worst.rhat)}, and {len(high)} of "
            f"{len(decisive)} decisive quantities have {RHAT_LIMIT} or more. Take a longer warm-up or more "
            "draws; neither helps where chains froze with different shares of their codes"
        )
    warnings += _ess_warnings(table, chains)
    counts = np.zeros(chains, dtype=np.int64) if diverging is None else np.asarray(diverging, np.int64).sum(axis=1)
    for chain in np.flatnonzero(counts):
        warnings.append(
            f"chain {chain}: {_count(int(counts[chain]), 'trajectory', 'trajectories')} diverged in {draws} draws, "
            "rejected. Take smaller steps if they are many"
        )
    cut = 0 if shortened is None else int(np.sum(shortened))
    if cut:
        warnings.append(
            f"{_count(cut, 'trajectory', 'trajectories')} in {chains * draws} draws reached max_steps and were "
            "shortened: raise max_steps, or see why the steps are so small"
        )
    means = None if acceptance is None else np.asarray(acceptance, dtype=np.float64).mean(axis=1)
    means = None if means is None or np.isnan(means).all() else means
    warnings += [] if means is None else _acceptance_warnings(means)
    return Diagnostics(table, healthy and not high, tuple(warnings), means, counts, chains, draws)


def _row(name: str, value: Float[np.ndarray, "chain draw"]) -> Quantity:
    chains, draws = value.shape
    if draws == 0 or not np.isfinite(value).all():
        return Quantity(name, math.nan, math.nan, math.nan, math.nan)
    mean = float(value.mean())
    if draws < _FEWEST_DRAWS:
        return Quantity(name, mean, math.nan, math.nan, math.nan)
    if (value == value[:, :1]).all():
        # Nothing varies within a chain, and the estimators divide by that: say what their limit is.
        if (value == value[0, 0]).all():
            return Quantity(name, mean, 0.0, float(value.size), 1.0 if chains > 1 else math.nan)
        return Quantity(name, mean, float(value[:, 0].std(ddof=1)) / math.sqrt(chains), float(chains), math.inf)
    from arviz_stats.base.array import array_stats

    # Each half of each chain may stand still at a value of its own: the variance within is 0, and R-hat infinite.
    with np.errstate(divide="ignore", invalid="ignore"):
        mcse = float(np.asarray(array_stats.mcse(value, chain_axis=0, draw_axis=1, method="mean")))
        ess = float(np.asarray(array_stats.ess(value, chain_axis=0, draw_axis=1, method="bulk")))
        rhat = float(np.asarray(array_stats.rhat(value, chain_axis=0, draw_axis=1))) if chains > 1 else math.nan
    return Quantity(name, mean, mcse, ess, math.inf if chains > 1 and math.isnan(rhat) else rhat)


def _ess_warnings(table: list[Quantity], chains: int) -> list[str]:
    few = [row for row in table if row.decisive and row.ess < ESS_PER_CHAIN * chains]
    if not few:
        return []
    worst = min(few, key=lambda row: row.ess)
    return [
        f"few independent draws: ESS of {worst.quantity} is {worst.ess:.0f} in {_count(chains, 'chain')}, "
        f"{ESS_PER_CHAIN * chains} are wanted; its Monte Carlo error is rough. Take more draws"
    ]


def _acceptance_warnings(means: np.ndarray) -> list[str]:
    low, high = ACCEPTANCE_RANGE
    advice = {True: "the steps are too large", False: "the steps are too small and waste time"}
    return [
        f"chain {chain} accepts {mean:.3f} of its proposals on average, outside {low} to {high}: {advice[mean < low]}"
        for chain, mean in enumerate(means)
        if math.isfinite(mean) and not low <= mean <= high
    ]


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _rhat(value: float) -> str:
    return "> 99" if value > 99 else _number(value, ".3f")


def _count(count: int, singular: str, plural: str | None = None) -> str:
    return f"{count} {singular if count == 1 else plural or singular + 's'}"
