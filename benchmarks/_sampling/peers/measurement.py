"""One peer on one posterior: the loop and the clock that are the same for all of them."""

import importlib
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from _sampling.cases import Case, SchemeTest
from _sampling.equipartition import Equipartition
from _sampling.peers import PEERS
from _sampling.weight_space import WeightSpace


_LINE_SECONDS = 15.0


@dataclass(frozen=True)
class Iteration:
    """What one iteration leaves: all weights, and what it took; no acceptance where nothing is rejected. `restarted`:
    the chain began again from its start, and owes its warm-up anew."""

    weights: Mapping[str, Any]
    gradients: int
    acceptance: float | None
    step_size: float
    restarted: bool = False


class Sampler(Protocol):
    """A sampler that is compiled and at its start. `settings` are for the file; the first `warmup` iterations adapt."""

    settings: dict[str, Any]
    warmup: int

    def iterate(self) -> Iteration:
        """The next iteration, done when it returns."""
        ...


@dataclass(frozen=True)
class Row:
    """An iteration: seconds of all iterations so far, what it took, and what it left."""

    seconds: float
    gradients: int
    acceptance: float | None
    step_size: float
    reached: bool
    scheme: str


# Of a state and the number of the draw, if it is one: what is kept of it, whether the scheme is there, and what is.
Look = Callable[[Mapping[str, Any], int | None], tuple[dict[str, Any], bool, str]]


def iterate(
    sampler: Sampler, look: Look, draws: int, budget: float, clock: Callable[[], float] = time.perf_counter
) -> tuple[list[Row], int, list[dict[str, Any]]]:
    """Iterations until there are `draws` draws, or for `budget` seconds of them; looking is outside the clock.

    **Returns:** all iterations, those among them before the first draw that counts, and the draws that count. Where a
    chain begins again, the draws before do not count, and the warm-up is made again.
    """
    rows: list[Row] = []
    kept: list[dict[str, Any]] = []
    before, used = sampler.warmup, 0.0
    while len(rows) < before + draws and used < budget:
        begun = clock()
        iteration = sampler.iterate()
        used += clock() - begun
        if iteration.restarted:
            # The iteration that begins again is the first of the new warm-up.
            before, kept = len(rows) + sampler.warmup, []
        draw = len(rows) - before if len(rows) >= before else None
        values, there, words = look(iteration.weights, draw)
        if draw is not None:
            kept.append(values)
        rows.append(Row(used, iteration.gradients, iteration.acceptance, iteration.step_size, there, words))
    return rows, before, kept


def measure(
    peer: str,
    case: dict[str, Any],
    warmup: int,
    draws: int,
    budget: float,
    seed: int,
    precision: str,
    launched: float,
) -> dict[str, Any]:
    """One chain from the prior; each iteration is timed, what is looked at between iterations is not.

    The quantities compared are computed outside the clock, which favours the peer: our draws pay for theirs. After
    `budget` seconds of iterations the chain ends, with the draws that it has by then.
    """
    posterior = Case(**case).posterior()
    space = WeightSpace(posterior, precision)
    module = importlib.import_module(f"_sampling.peers.{PEERS[peer].module}")
    sampler: Sampler = module.Sampler(peer, space, warmup, seed)
    ready = time.time() - launched

    observe, equipartition, test = space.observer(), Equipartition(space, draws), SchemeTest(posterior)
    begun = said = time.time()

    def look(weights: Mapping[str, Any], draw: int | None) -> tuple[dict[str, Any], bool, str]:
        nonlocal said
        weights = dict(weights)
        observed: dict[str, Any] = {name: np.asarray(value) for name, value in observe(weights).items()}
        there, words = test(observed.pop("z"), observed.pop("readout"))
        if draw is not None:
            observed["equipartition"] = equipartition(weights, draw)
        if time.time() - said > _LINE_SECONDS:
            said = time.time()
            print(f"  {PEERS[peer].label}: {said - begun:.0f} s, {words}", file=sys.stderr, flush=True)
        return observed, there, words

    rows, before, kept = iterate(sampler, look, draws, budget)
    unit = 1 if sys.platform == "darwin" else 1024
    result = summary(rows, before, ready)
    return result | {
        "sampler": PEERS[peer].label,
        "settings": sampler.settings | {"precision": precision},
        "values": {
            "log density": [float(draw["log density"]) for draw in kept],
            "sum a^2": [float(draw["sum a^2"]) for draw in kept],
            "kernel entries": np.array([draw["kernel entries"] for draw in kept], float).T.tolist(),
        },
        "equipartition": {
            name: [draw["equipartition"][name] for draw in kept if draw["equipartition"]] for name in space.shapes
        },
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
    }


def summary(rows: Sequence[Row], before: int, ready: float) -> dict[str, Any]:
    """What all iterations of a chain took, of which `before` are no draws; it was ready after `ready` seconds."""
    done = max(len(rows) - before, 0)
    seconds = np.array([row.seconds for row in rows])
    # Of draws, or of the last iteration where there are none.
    last = rows[before:] or rows[-1:]
    rates = [row.acceptance for row in last if row.acceptance is not None]
    until = float(seconds[before - 1]) if 0 < before < len(rows) else 0.0
    return {
        "warmup": min(before, len(rows)),
        "draws": done,
        "seconds_per_draw": (float(seconds[-1]) - until) / done if done else None,
        "gradients_per_draw": float(np.mean([row.gradients for row in last])) if done else None,
        "acceptance": float(np.mean(rates)) if rates else None,
        "step_size": rows[-1].step_size,
        "reached": rows[-1].reached,
        "scheme": rows[-1].scheme,
        "seen": [row.reached for row in rows],
        "gradients": np.cumsum([row.gradients for row in rows]).tolist(),
        "clock": {"iterations": list(range(1, len(rows) + 1)), "seconds": (ready + seconds).tolist()},
        "seconds": float(seconds[-1]),
        "first_draw_seconds": ready + float(seconds[before]) if done else None,
    }
