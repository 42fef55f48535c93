"""One gradient of the potential against a bare pass of erf and exp over as many numbers."""

import itertools
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np


_OUTPUTS = 3
_SECONDS = 3.0
_FEWEST, _MOST = 60, 2000
# As in a trajectory: many in one compiled loop, where nothing is allocated or dispatched in between.
_LOOP = 20
_SMALL_STEP = 1e-7


def measure(sizes: list[int], launched: float) -> list[dict[str, Any]]:
    """Milliseconds of both at N = P in `sizes`, each the median of many calls in alternation.

    The bare pass writes one array, erf(c z) + exp(-c^2 z^2), c = sqrt(pi)/2: the two functions that the paper's sigmoid
    and its derivative are made of. The gradient is the sampler's own, for orthogonal inputs, one hidden layer and three
    outputs, in float32: the fused one of a chain on a CPU, as steps of a trajectory, whose positions and momenta it
    moves (a trajectory of twenty gradients less one of none); and the one that XLA compiles for all other cases, as
    single calls and as twenty steps of a loop that adds the result, times a small number, to where it was taken.
    """
    import jax
    import jax.numpy as jnp

    from nonlazy.activations import get
    from nonlazy.sampling.kernels._potential import Architecture, Position, Problem, add, gradient

    scale = math.sqrt(math.pi) / 2

    def bare(z):
        return jax.scipy.special.erf(scale * z) + jnp.exp(-((scale * z) ** 2))

    architecture, step = Architecture(get("sigmoid"), 1, False), jnp.float32(_SMALL_STEP)

    def bare_loop(z):
        return jax.lax.fori_loop(0, _LOOP, lambda _, z: z + step * bare(z), z)

    def gradient_once(problem, position):
        return gradient(architecture, problem, position)

    def gradient_loop(problem, position):
        return jax.lax.fori_loop(0, _LOOP, lambda _, x: add(x, step, gradient_once(problem, x)[0]), position)

    pairs = {
        "fused: steps of a trajectory": (_LOOP, bare_loop, None),
        "XLA: single calls": (1, bare, gradient_once),
        "XLA: steps of a loop": (_LOOP, bare_loop, gradient_loop),
    }
    rows = []
    for how, N in itertools.product(pairs, sizes):
        steps, one, other = pairs[how]
        generator = np.random.default_rng(0)

        def normal(*shape, generator=generator):
            return jnp.asarray(generator.standard_normal(shape).astype(np.float32))

        def real(value):
            return jnp.asarray(value, jnp.float32)

        gain, noise = 1 / (N * math.sqrt(N)), 1e-3 / N
        problem = Problem(
            factor=real(1.0),
            hidden_scale=jnp.zeros((0,), jnp.float32),
            gain=real(gain),
            pull=real(gain / noise),
            inverse_noise=real(1 / noise),
            prior=real(1.0),
            targets=normal(_OUTPUTS, N),
        )
        position = Position(normal(N, N), (), normal(_OUTPUTS, N))
        calls: dict[str, Callable[[], Any]] = {"bare": partial(jax.jit(one), position.first)}
        if other is None:
            calls |= _fused(problem, position)
        else:
            calls["gradient"] = partial(jax.jit(other), problem, position)
        for call in calls.values():
            jax.block_until_ready(call())
        times: dict[str, list[float]] = {name: [] for name in calls}
        until = time.perf_counter() + _SECONDS
        while len(times["bare"]) < _FEWEST or (time.perf_counter() < until and len(times["bare"]) < _MOST):
            for name, call in calls.items():
                begun = time.perf_counter()
                jax.block_until_ready(call())
                times[name].append(1e3 * (time.perf_counter() - begun) / steps)
        if "start" in times:
            times["gradient"] = [whole - start for whole, start in zip(times["gradient"], times["start"], strict=True)]
        medians = {name: float(np.median(values)) for name, values in times.items()}
        ratios = np.array(times["gradient"]) / np.array(times["bare"])
        rows.append(
            {
                "how": how,
                "N": N,
                "bare_ms": medians["bare"],
                "gradient_ms": medians["gradient"],
                "ratio": medians["gradient"] / medians["bare"],
                "ratio_quartiles": np.quantile(ratios, [0.25, 0.75]).tolist(),
                "calls": len(ratios),
            }
        )
    return rows


def _fused(problem: Any, position: Any) -> dict[str, Callable[[], Any]]:
    """Trajectories of many gradients and of none, besides the one at the start of both."""
    from nonlazy.activations import get
    from nonlazy.sampling.kernels._fused import FusedTrajectory

    first, readout = np.asarray(position.first), np.asarray(position.readout)
    scale, gain, pull, prior = (float(x) for x in (problem.factor, problem.gain, problem.pull, problem.prior))
    (N, P), m = first.shape, readout.shape[0]
    trajectory = FusedTrajectory(get("sigmoid"), N, P, m)
    targets = np.asarray(problem.targets)

    def run(steps: int) -> Any:
        return trajectory(first, readout, (1, 2), targets, scale, gain, pull, prior, _SMALL_STEP, steps)

    return {"gradient": partial(run, _LOOP), "start": partial(run, 0)}
