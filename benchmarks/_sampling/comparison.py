"""Ours and NUTS on one posterior: effective samples a second, and when each has the scheme."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from _sampling.cases import Case
from _sampling.children import in_child


QUANTITIES = ("log density", "sum a^2", "kernel entries")
# In Monte Carlo errors. By chance once in 16,000 were these known exactly; with few draws they are themselves rough.
_DISAGREE = 4.0


@dataclass(frozen=True)
class Side:
    """One sampler on one posterior.

    **Fields:** `seconds_per_draw`, `gradients_per_draw`; `ess`: effective draws, by quantity (bulk; of the three kernel
    entries the geometric mean), and `means` with `mcse`; `reached` and `scheme`: whether the last draw has the paper's
    scheme, and what it has; `first`, `settled`: the iteration after which the scheme is there first, and from which on
    it stays until the end of what was looked at (None: it does not), each with its seconds since the cold start
    (imports, compilation) and since the first iteration was done; `total_seconds`: cold start to last draw.
    """

    sampler: str
    warmup: int
    draws: int
    seconds_per_draw: float
    gradients_per_draw: float
    acceptance: float
    step_size: float
    ess: dict[str, float]
    means: dict[str, float]
    mcse: dict[str, float]
    reached: bool
    scheme: str
    first: int | None
    settled: int | None
    first_seconds: tuple[float, float] | None
    settled_seconds: tuple[float, float] | None
    total_seconds: float

    def ess_per_second(self, quantity: str) -> float:
        """Effective draws of `quantity` a second, warm-up and compilation not counted."""
        return self.ess[quantity] / (self.draws * self.seconds_per_draw)


@dataclass(frozen=True)
class Comparison:
    """Both samplers on one posterior; `nuts` is None where it was left out."""

    case: Case
    ours: Side
    nuts: Side | None
    seconds_per_draw_each: tuple[float, ...]
    replayed: bool
    moves: str | None

    def ratios(self) -> dict[str, float] | None:
        """Ours over NUTS in effective draws a second, by quantity; None where either missed the scheme."""
        if self.nuts is None or not (self.nuts.reached and self.ours.reached):
            return None
        return {name: self.ours.ess_per_second(name) / self.nuts.ess_per_second(name) for name in QUANTITIES}

    def disagreements(self) -> dict[str, float]:
        """Distance of the two means in Monte Carlo errors, by quantity, where it is so large that the two did not
        sample the same distribution."""
        if self.nuts is None:
            return {}
        pairs = {
            name: abs(self.ours.means[name] - self.nuts.means[name])
            / math.hypot(self.ours.mcse[name], self.nuts.mcse[name])
            for name in QUANTITIES
        }
        return {name: distance for name, distance in pairs.items() if distance > _DISAGREE}

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a file."""
        sides = [side for side in (self.ours, self.nuts) if side is not None]
        ratios = self.ratios()
        return {
            "case": self.case.as_dict(),
            "samplers": [asdict(s) | {"ess_per_second": {q: s.ess_per_second(q) for q in QUANTITIES}} for s in sides],
            "ratios": ratios,
            "geometric_mean": None if ratios is None else geometric_mean(list(ratios.values())),
            "disagreements": self.disagreements(),
            "moves": self.moves or "default",
            "nonlazy_seconds_per_draw_each_run": self.seconds_per_draw_each,
            "nonlazy_replayed_exactly": self.replayed,
        }


def compare(
    case: Case, draws: int, nuts_warmup: int, nuts_draws: int, skip_nuts: bool, seed: int, moves: str | None
) -> Comparison:
    """Runs both samplers, one after the other; ours before and after NUTS, as the machine may be busy with else."""
    chain = {"case": case.as_dict(), "seed": seed, "moves": moves}
    measured = in_child("ours", chain | {"draws": draws})
    replayed = in_child("replay", chain)
    each = [measured["seconds_per_draw"]]
    nuts = None
    if not skip_nuts:
        nuts = in_child("nuts", {"case": case.as_dict(), "warmup": nuts_warmup, "draws": nuts_draws, "seed": seed})
        each.append(in_child("ours", chain | {"draws": draws})["seconds_per_draw"])
    measured["seconds_per_draw"] = float(np.mean(each))
    return Comparison(
        case,
        _side(measured, replayed["reached"]),
        None if nuts is None else _side(nuts, nuts["seen"]),
        tuple(each),
        measured["warmup_loss"] == replayed["warmup_loss"],
        moves,
    )


def geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean of the logarithms."""
    return math.exp(float(np.mean(np.log(values))))


def _side(measured: dict[str, Any], seen: list[bool]) -> Side:
    first = next((i for i, there in enumerate(seen, start=1) if there), None)
    last_without = max((i for i, there in enumerate(seen, start=1) if not there), default=0)
    settled = last_without + 1 if last_without < len(seen) else None
    series = {name: np.atleast_2d(np.array(measured["values"][name])) for name in QUANTITIES}
    estimates = {name: [_estimates(row) for row in rows] for name, rows in series.items()}
    return Side(
        **{name: measured[name] for name in _COPIED},
        ess={name: geometric_mean([ess for _, _, ess in rows]) for name, rows in estimates.items()},
        means={name: rows[0][0] for name, rows in estimates.items()},
        mcse={name: rows[0][1] for name, rows in estimates.items()},
        first=first,
        settled=settled,
        first_seconds=_seconds(measured, first),
        settled_seconds=_seconds(measured, settled),
    )


_COPIED = (
    "sampler", "warmup", "draws", "seconds_per_draw", "gradients_per_draw", "acceptance", "step_size", "reached",
    "scheme", "total_seconds",
)  # fmt: skip


def _seconds(measured: dict[str, Any], iteration: int | None) -> tuple[float, float] | None:
    if iteration is None:
        return None
    clock = measured["clock"]
    at = float(np.interp(iteration, clock["iterations"], clock["seconds"]))
    return at, at - clock["seconds"][0]


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
