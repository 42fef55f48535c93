"""What a draw costs besides its gradients."""

import resource
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import jax
import numpy as np

import nonlazy as nl
from nonlazy.posterior import Posterior
from nonlazy.sampling import _chain


_FEW, _MANY = 10, 50
_SECONDS = 1.5
_FEWEST = 15
_BLOCK = 5
_TINY_STEP = 1e-7


def measure(posterior: dict[str, Any], draws: int, moves: str | None, launched: float) -> dict[str, Any]:
    """One chain in this process, and its gradient, timed where the chain ended. `posterior`: fields of `Size`."""
    return draw_and_gradient(Size(**posterior).posterior(), draws, moves)


class Size:
    """A toy posterior by its sizes, or one of the figures' (`case`)."""

    def __init__(self, case: dict[str, Any] | None = None, **sizes: Any):
        self._case, self._sizes = case, sizes

    def posterior(self) -> Posterior:
        """The posterior; targets 1 and 1/2 for a toy one."""
        if self._case is not None:
            from _sampling.cases import Case

            return Case(**self._case).posterior()
        N, P, L = (self._sizes[name] for name in ("N", "P", "L"))
        task = nl.tasks.toy(P=P, N0=P + max(P // 10, 2), y_minus=0.5, seed=0)
        return nl.Posterior(nl.Network(N, L, self._sizes["activation"]), task, self._sizes["temperature"])


def draw_and_gradient(posterior: Posterior, draws: int, moves: str | None) -> dict[str, Any]:
    """Milliseconds of a draw and of one of its gradients, on the clock and of the processor.

    The chain runs in this process, and what is timed are its last nine tenths of draws. A gradient is the slope of the
    time of a trajectory between 10 and 50 gradients, blocks of calls of the two in alternation, taken by the chain's
    own compiled iteration at its last state: a gradient with the step of position and momentum that belongs to it,
    without what an iteration costs besides. The median of many is taken.
    """
    loops: list[Any] = []
    times: list[tuple[int, float, float]] = []
    report = _chain._Loop._report

    def note(loop: Any, *arguments: Any) -> None:
        if not loops:
            loops.append(loop)
        times.append((loop.draws, time.perf_counter(), _processor()))
        report(loop, *arguments)

    with mock.patch.object(_chain._Loop, "_report", note):
        run = nl.sample(posterior, draws, chains=1, moves=moves, chain_method="sequential", progress=False)
    first = next(row for row in times if row[0] > draws // 10)
    last = times[-1]
    clock, processor = (1e3 * (last[i] - first[i]) / (last[0] - first[0]) for i in (1, 2))
    statistics = run.statistics()
    gradients = float(statistics["steps"].mean()) + 1
    gradient_clock, gradient_processor, fixed = _gradient(loops[0])
    return {
        "draws": draws,
        "moves": str(run.configuration["moves"]),
        "gradients_per_draw": gradients,
        "draw_ms": clock,
        "draw_processor_ms": processor,
        "gradient_ms": gradient_clock,
        "gradient_processor_ms": gradient_processor,
        "iteration_ms": fixed,
        "share": 1 - gradients * gradient_clock / clock,
        "share_processor": 1 - gradients * gradient_processor / processor,
    }


def _gradient(loop: Any) -> tuple[float, float, float]:
    """Milliseconds of a gradient, on the clock and of the processor; and of an iteration without gradients."""
    problem, control = loop._settings[1:]
    state = loop.state._replace(log_step=_filled(loop.state.log_step, np.log(_TINY_STEP)))

    def run(control: Any) -> tuple[float, float]:
        begun = time.perf_counter(), _processor()
        result = loop.compiled.iterate(problem, control, state, loop.seed, loop.chain_numbers, np.int32(0))
        jax.block_until_ready(result)
        return time.perf_counter() - begun[0], _processor() - begun[1]

    # A shade shorter, since the number of steps is rounded up.
    few, many = (
        control._replace(
            length=_filled(control.length, (steps - 0.5) * _TINY_STEP),
            jitter=_filled(control.jitter, 0),
            rotations=_filled(control.rotations, 0),
            adapt=_filled(control.adapt, 0),
        )
        for steps in (_FEW, _MANY)
    )
    pairs: list[tuple[tuple[float, float], tuple[float, float]]] = []
    until = time.perf_counter() + _SECONDS
    while len(pairs) < _FEWEST or time.perf_counter() < until:
        pairs += zip(in_block(run, few), in_block(run, many), strict=True)
    short, long = (1e3 * np.array([pair[i] for pair in pairs]) for i in (0, 1))
    clock, processor = np.median(long - short, axis=0) / (_MANY - _FEW)
    return float(clock), float(processor), float(np.median(short[:, 0]) - (_FEW + 1) * clock)


def in_block(run: Callable[[Any], Any], control: Any) -> list[Any]:
    """What `run` returns in calls one after another with the same settings, but for the first.

    The chain brings the settings of a phase to where they are used once, at its first iteration: alternating them from
    call to call would make every call pay for that.
    """
    return [run(control) for _ in range(_BLOCK + 1)][1:]


def _filled(like: Any, value: float) -> Any:
    """`value` in the shape, precision and kind of array of `like`: JAX takes others over anew at each call."""
    array = np.full_like(np.asarray(like), value)
    return jax.numpy.asarray(array) if isinstance(like, jax.Array) else array


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
