"""`nonlazy.sample`, as a user calls it, and the same chain once more to see when it finds the scheme."""

import resource
import sys
import time
from functools import partial
from typing import Any
from unittest import mock

import numpy as np

import nonlazy as nl
from _sampling.cases import Case, SchemeTest
from nonlazy.sampling import _driver
from nonlazy.sampling._chain_progress import Progress
from nonlazy.sampling._progress import Display


_LINE_SECONDS = 10.0


class _Clock(Display):
    """Notes when the chain's process reports which iteration (ten times a second, and its first and last)."""

    def __init__(self, launched: float):
        self.launched = launched
        self.iterations: list[int] = []
        self.draws: list[int] = []
        self.times: list[float] = []
        self._said = time.time()

    def show(self, progress: Progress) -> None:
        now = time.time()
        self.iterations.append(progress.iteration)
        self.draws.append(progress.draws)
        self.times.append(now - self.launched)
        if now - self._said > _LINE_SECONDS:
            self._said = now
            print(f"  nonlazy: iteration {progress.iteration} of {progress.total}", file=sys.stderr, flush=True)

    def at(self, iteration: int) -> float:
        """Seconds from the cold start to the end of an iteration."""
        return float(np.interp(iteration, self.iterations, self.times))

    def seconds_per_draw(self) -> float:
        """Of the draws after the first tenth, in which everything that draws need is compiled."""
        first = next((i for i, done in enumerate(self.draws) if done > self.draws[-1] // 10), len(self.draws) - 1)
        if first == len(self.draws) - 1:
            raise SystemExit("the draws took less than 0.1 s, too short to be timed: take more with --draws")
        return (self.times[-1] - self.times[first]) / (self.draws[-1] - self.draws[first])


def measure(case: dict[str, Any], draws: int, seed: int, moves: str | None, launched: float) -> dict[str, Any]:
    """One chain in a process of its own: its draws' cost, the quantities compared, and its clock."""
    clock = _Clock(launched)
    posterior = Case(**case).posterior()
    with mock.patch.object(_driver, "display", lambda *_: clock):
        run = nl.sample(posterior, draws, chains=1, seed=seed, moves=moves, chain_method="processes")
    statistics = run.statistics()
    entries = statistics["kernel_entry"].isel(chain=0, layer=-1).transpose("pair", "draw").values
    preactivations = run.preactivations()
    reached, words = SchemeTest(posterior)(
        preactivations if preactivations.ndim == 2 else preactivations[-1], run.readouts()[0, -1]
    )
    warmup = run.tree["warmup_sample_stats"].to_dataset()["steps"].values[0]
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = [resource.getrusage(who).ru_maxrss * unit / 1e6 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "sampler": "nonlazy",
        "settings": {name: run.configuration[name] for name in ("sampler", "moves", "start", "precision")},
        "warmup": int(run.tree.attrs["warmup"]),
        "draws": draws,
        "seconds_per_draw": clock.seconds_per_draw(),
        "gradients_per_draw": float(statistics["steps"].mean()) + 1,
        "acceptance": float(statistics["acceptance"].mean()),
        "step_size": float(statistics["step_size"].isel(chain=0, draw=-1)),
        "values": {
            "log density": statistics["log_density"].values[0].tolist(),
            "sum a^2": statistics["sum_a2"].values[0].tolist(),
            "kernel entries": entries.astype(float).tolist(),
        },
        "reached": reached,
        "scheme": words,
        "gradients": np.cumsum(warmup + 1).tolist(),
        "clock": {"iterations": clock.iterations, "seconds": clock.times},
        "seconds": clock.times[-1] - clock.times[0],
        "first_draw_seconds": clock.at(len(warmup) + 1),
        "peak_megabytes": sum(peaks),
        "warmup_loss": _warmup_loss(run),
    }


def replay(case: dict[str, Any], seed: int, moves: str | None, launched: float) -> dict[str, Any]:
    """The warm-up of the same chain, looked at after each iteration.

    The run of `measure` is not slowed down by looking, because the same seed makes the same chain.

    **Returns:** the `loss` of each warm-up iteration, to compare, and whether the scheme was there after it.
    """
    import jax

    from nonlazy.sampling import _chain
    from nonlazy.sampling.kernels._potential import Architecture, preactivations

    posterior = Case(**case).posterior()
    network, test = posterior.network, SchemeTest(posterior)
    gain = np.sqrt(posterior.sigma_a2)
    seen: list[bool] = []
    report = _chain._Loop._report
    layers: Any = None
    said = time.time()

    def look(loop: Any, *arguments: Any) -> None:
        nonlocal said, layers
        if layers is None:
            factored = loop.coordinates.factor is not None
            layers = jax.jit(partial(preactivations, Architecture(network.phi, network.depth, factored)))
        position = loop.state.position
        last = layers(loop.problem, position)[-1]
        seen.append(test(np.asarray(last), gain * np.asarray(position.readout).T)[0])
        if time.time() - said > _LINE_SECONDS:
            said = time.time()
            print(f"  nonlazy, looked at: iteration {len(seen)}", file=sys.stderr, flush=True)
        report(loop, *arguments)

    with mock.patch.object(_chain._Loop, "_report", look):
        run = nl.sample(posterior, 1, chains=1, seed=seed, moves=moves, chain_method="sequential", progress=False)
    loss = _warmup_loss(run)
    return {"warmup_loss": loss, "reached": seen[: len(loss)]}


def _warmup_loss(run: nl.Run) -> list[float]:
    statistics = run.tree["warmup_sample_stats"].to_dataset()
    return statistics["loss"].values[0].astype(float).tolist()
