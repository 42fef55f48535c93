"""One peer on one posterior: the loop and the clock that are the same for all of them."""

import importlib
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from _sampling.cases import Case, SchemeTest
from _sampling.peers import PEERS
from _sampling.weight_space import QUANTITIES, WeightSpace


_LINE_SECONDS = 15.0


@dataclass(frozen=True)
class Iteration:
    """What one iteration leaves: all weights, and what it took; no acceptance where nothing is rejected."""

    weights: Mapping[str, Any]
    gradients: int
    acceptance: float | None
    step_size: float


class Sampler(Protocol):
    """A sampler that is compiled and at its start. `settings` are for the file; the first `warmup` iterations adapt."""

    settings: dict[str, Any]
    warmup: int

    def iterate(self) -> Iteration:
        """The next iteration, done when it returns."""
        ...


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

    observe, test = space.observer(), SchemeTest(posterior)
    rows: list[tuple[float, int, float | None, bool]] = []
    values: dict[str, list] = {name: [] for name in QUANTITIES}
    used, words, step_size, said = 0.0, "", float("nan"), time.time()
    while len(rows) < sampler.warmup + draws and used < budget:
        begun = time.perf_counter()
        iteration = sampler.iterate()
        used += time.perf_counter() - begun
        observed = {name: np.asarray(value) for name, value in observe(dict(iteration.weights)).items()}
        there, words = test(observed.pop("z"), observed.pop("readout"))
        rows.append((used, iteration.gradients, iteration.acceptance, there))
        step_size = iteration.step_size
        if len(rows) > sampler.warmup:
            for name, value in observed.items():
                values[name].append(np.asarray(value, float).tolist())
        if time.time() - said > _LINE_SECONDS:
            said = time.time()
            print(
                f"  {PEERS[peer].label}: iteration {len(rows)} of {sampler.warmup + draws}, {used:.0f} s, "
                f"{iteration.gradients} gradients each, {words}",
                file=sys.stderr,
                flush=True,
            )
    values["kernel entries"] = np.array(values["kernel entries"]).T.tolist()
    seconds, gradients, acceptance, seen = (np.array(column) for column in zip(*rows, strict=True))
    done = len(rows) - sampler.warmup
    before = float(seconds[sampler.warmup - 1]) if 0 < sampler.warmup < len(rows) else 0.0
    drawn = min(sampler.warmup, len(rows) - 1)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "sampler": PEERS[peer].label,
        "settings": sampler.settings | {"precision": precision},
        "warmup": sampler.warmup,
        "draws": max(done, 0),
        "seconds_per_draw": (used - before) / done if done > 0 else None,
        "gradients_per_draw": float(gradients[sampler.warmup :].mean()) if done > 0 else None,
        "acceptance": None if acceptance[-1] is None else float(np.mean(acceptance[drawn:])),
        "step_size": step_size,
        "values": values,
        "reached": bool(seen[-1]),
        "scheme": words,
        "seen": seen.tolist(),
        "gradients": np.cumsum(gradients).tolist(),
        "clock": {"iterations": list(range(1, len(rows) + 1)), "seconds": (ready + seconds).tolist()},
        "seconds": used,
        "first_draw_seconds": ready + float(seconds[sampler.warmup]) if done > 0 else None,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
    }
