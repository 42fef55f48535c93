"""One chain from each start, timed, and when they agree."""

import time
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from jaxtyping import Float

import nonlazy as nl
from _equilibrium.cases import Case
from nonlazy.diagnostics import Equilibrium, equilibrium
from nonlazy.diagnostics._exchanges import groups
from nonlazy.diagnostics._history import code_history
from nonlazy.sampling import _driver
from nonlazy.sampling._chain_progress import Progress
from nonlazy.sampling._progress import Display


# Chains agree from the first draw on that begins so many draws (half of them, if there are fewer) over which the means
# lie within so many neurons, for every code.
WINDOW, WITHIN = 100, 2.0


class Clock(Display):
    """Notes when the chain's process reports which draw."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.draws: list[int] = [0]
        self.times: list[float] = [0.0]

    def show(self, progress: Progress) -> None:
        self.draws.append(progress.draws)
        self.times.append(time.perf_counter() - self.begun)

    def at(self, draws: int) -> float:
        """Seconds from the call to the moment when so many draws were made."""
        return float(np.interp(draws, self.draws, self.times))

    def first_draw(self) -> float:
        """Seconds until the warm-up was over, compilation included."""
        return self.times[next(i for i, draws in enumerate(self.draws) if draws > 0)]


@dataclass(frozen=True, eq=False)
class Measured:
    """Seconds and changes of each start's chain, and when all agree.

    **Fields:** by start: `warmup`: seconds from the call to the first draw; `total`: to the end; `accepted`: accepted
    changes of code a second, after the first draw; `share`: of the proposed ones. `neurons`: of each code, mean over
    the second half of the draws, by start. `agree`: the draw from which the starts agree, or None; `seconds`: of the
    slowest chain to get there. `found`: the verdict on the second half.
    """

    warmup: dict[str, float]
    total: dict[str, float]
    accepted: dict[str, float]
    share: dict[str, float]
    codes: tuple[str, ...]
    neurons: dict[str, list[float]]
    agree: int | None
    seconds: float | None
    found: Equilibrium


def measure(case: Case, draws: int, seed: int) -> Measured:
    """One chain with the library's own settings from each start, one after another."""
    posterior = case.posterior()
    runs: dict[str, nl.Run] = {}
    clocks: dict[str, Clock] = {}
    for name, start in case.starts().items():
        clock = Clock()
        with mock.patch.object(_driver, "display", lambda *_, clock=clock: clock):
            runs[name] = nl.sample(posterior, draws, seed=seed, start=start, moves="jump", chain_method="processes")
        clocks[name] = clock
    history = code_history(tuple(runs.values()))
    counts = history.counts.astype(float)
    grouped = groups(history.codes, counts.mean(axis=(0, 1)) / posterior.network.width)
    numbers = grouped.sums(counts)
    agree = agreement(numbers)
    accepted, share = {}, {}
    for name, run in runs.items():
        statistics = run.statistics()
        changed, tried = (float(statistics[f"move_{what}"].sum()) for what in ("accepted", "attempts"))
        accepted[name] = changed / (clocks[name].times[-1] - clocks[name].first_draw())
        share[name] = changed / tried if tried else float("nan")
    half = numbers[:, draws // 2 :].mean(axis=1)
    return Measured(
        warmup={name: clock.first_draw() for name, clock in clocks.items()},
        total={name: clock.times[-1] for name, clock in clocks.items()},
        accepted=accepted,
        share=share,
        codes=grouped.names,
        neurons={name: row.tolist() for name, row in zip(runs, half, strict=True)},
        agree=agree,
        seconds=None if agree is None else max(clock.at(agree + 1) for clock in clocks.values()),
        found=equilibrium(*runs.values(), discard=draws // 2),
    )


def agreement(numbers: Float[np.ndarray, "start draw code"]) -> int | None:
    """The first draw that begins a window over which the means of all starts lie within two neurons of each other."""
    window = min(WINDOW, numbers.shape[1] // 2)
    sums = np.cumsum(np.pad(numbers, ((0, 0), (1, 0), (0, 0))), axis=1)
    means = (sums[:, window:] - sums[:, :-window]) / window
    together = np.flatnonzero(np.ptp(means, axis=0).max(axis=1) <= WITHIN)
    return int(together[0]) if together.size else None


def as_dict(measured: Measured) -> dict[str, Any]:
    """For a file."""
    fields = {name: getattr(measured, name) for name in measured.__dataclass_fields__ if name != "found"}
    return {**fields, "verdict": measured.found.line}
