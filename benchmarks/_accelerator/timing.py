"""Seconds of compiled functions, measured in turn."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


_FEWEST, _MOST = 5, 1000


def medians(calls: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """The median seconds of each call, one after the other in turn, for so many seconds in all."""
    import jax

    for call in calls.values():
        jax.block_until_ready(call())
    times: dict[str, list[float]] = {name: [] for name in calls}
    until = time.perf_counter() + seconds
    done = 0
    while done < _FEWEST or (done < _MOST and time.perf_counter() < until):
        for name, call in calls.items():
            begun = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - begun)
        done += 1
    return {name: float(np.median(values)) for name, values in times.items()}
