"""What one chain of any sampler showed."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from _sampling.weight_space import QUANTITIES


# With fewer, effective sample sizes mean nothing.
FEWEST_DRAWS = 20


@dataclass(frozen=True)
class Event:
    """When something was there: after which iteration and how many gradients, and seconds since the cold start."""

    iteration: int
    gradients: int
    seconds: float


@dataclass(frozen=True)
class Chain:
    """One chain of one sampler.

    **Fields:** `seconds_per_draw`, `gradients_per_draw` (None without draws); `ess`: effective draws, by quantity
    (bulk; of the three kernel entries the geometric mean), None where there are fewer than 20 draws, or draws that
    are all the same; `means` and `mcse` of log density, sum of squared readouts, three kernel entries; `reached`,
    `scheme`: whether the last draw has the right scheme, and what it has; `first`, `settled`: when the scheme was
    there first, and from when on it stayed until the end of what was looked at; `seconds`: of all iterations, and
    `gradients` (of ours those of the warm-up alone); `equipartition`: of each layer of a peer the mean of (w - c) .
    dU/dw over its number of weights, 1 under the posterior, and its Monte Carlo error (`_sampling.equipartition`),
    None with fewer than 20 draws for it; `first_draw_seconds`: from the cold start; `peak_megabytes`: of the
    sampler's process, of ours of the chain's process and of the one that called.
    """

    sampler: str
    seed: int
    settings: dict[str, Any]
    warmup: int
    draws: int
    seconds_per_draw: float | None
    gradients_per_draw: float | None
    acceptance: float | None
    step_size: float
    ess: dict[str, float] | None
    means: tuple[float, ...]
    mcse: tuple[float, ...]
    reached: bool
    scheme: str
    first: Event | None
    settled: Event | None
    seconds: float
    gradients: int
    first_draw_seconds: float | None
    peak_megabytes: float
    equipartition: dict[str, tuple[float, float]] | None = None

    def ess_per_second(self, quantity: str) -> float:
        """Effective draws of `quantity` a second, warm-up and compilation not counted."""
        assert self.ess is not None and self.seconds_per_draw is not None
        return self.ess[quantity] / (self.draws * self.seconds_per_draw)

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a file."""
        rates = None if self.ess is None else {name: self.ess_per_second(name) for name in QUANTITIES}
        return asdict(self) | {"ess_per_second": rates}


def chain_of(measured: dict[str, Any], seed: int, seen: Sequence[bool]) -> Chain:
    """The chain that a measurement returned; `seen`: whether the scheme was there, after each iteration looked at."""
    first = next((i for i, there in enumerate(seen, start=1) if there), None)
    last_without = max((i for i, there in enumerate(seen, start=1) if not there), default=0)
    settled = last_without + 1 if last_without < len(seen) else None
    series = {name: np.atleast_2d(np.array(measured["values"][name])) for name in QUANTITIES}
    # Of values that never change the estimate of effective draws is all of them.
    enough = measured["draws"] >= FEWEST_DRAWS and all(np.ptp(row) > 0 for rows in series.values() for row in rows)
    estimates = {name: [_estimates(row) for row in rows] if enough else [] for name, rows in series.items()}
    flat = [row for rows in estimates.values() for row in rows]
    layers = measured.get("equipartition") or {}
    if not enough or not all(len(row) >= FEWEST_DRAWS for row in layers.values()):
        layers = {}
    return Chain(
        **{name: measured[name] for name in _COPIED},
        seed=seed,
        ess={name: geometric_mean([row[2] for row in rows]) for name, rows in estimates.items()} if enough else None,
        means=tuple(row[0] for row in flat),
        mcse=tuple(row[1] for row in flat),
        first=_event(measured, first),
        settled=_event(measured, settled),
        gradients=int(measured["gradients"][-1]),
        equipartition={name: _estimates(np.array(row))[:2] for name, row in layers.items()} or None,
    )


_COPIED = (
    "sampler", "settings", "warmup", "draws", "seconds_per_draw", "gradients_per_draw", "acceptance", "step_size",
    "reached", "scheme", "seconds", "first_draw_seconds", "peak_megabytes",
)  # fmt: skip


def geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean of the logarithms."""
    return math.exp(float(np.mean(np.log(values))))


def _event(measured: dict[str, Any], iteration: int | None) -> Event | None:
    if iteration is None:
        return None
    clock = measured["clock"]
    at = float(np.interp(iteration, clock["iterations"], clock["seconds"]))
    return Event(iteration, int(measured["gradients"][iteration - 1]), at)


def _estimates(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, Monte Carlo standard error, effective draws (bulk) of one chain."""
    from arviz_stats.base.array import array_stats

    chain = values[None, :]
    mcse = float(np.asarray(array_stats.mcse(chain, chain_axis=0, draw_axis=1, method="mean")))
    return (
        float(values.mean()),
        mcse,
        float(np.asarray(array_stats.ess(chain, chain_axis=0, draw_axis=1, method="bulk"))),
    )
