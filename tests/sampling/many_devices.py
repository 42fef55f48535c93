"""Programs for processes that have several devices: JAX counts them once, when it starts."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


ROOT = Path(__file__).parents[2]
_SECONDS = 300


def start(program: Callable[..., None], *arguments: Any, devices: int = 4) -> subprocess.Popen:
    """A process with so many forced CPU devices that calls a function of a module of the tests."""
    flags = f"--xla_force_host_platform_device_count={devices} --xla_cpu_multi_thread_eigen=false"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    given = ", ".join(repr(_plain(argument)) for argument in arguments)
    text = f"from {program.__module__} import {program.__name__} as program; program({given})"
    return subprocess.Popen([sys.executable, "-c", text], env=environment, stderr=subprocess.PIPE, text=True)


def finish(processes: Sequence[subprocess.Popen]) -> list[str]:
    """Waits for processes, and says what they complained of; fails where one fails."""
    try:
        said = [process.communicate(timeout=_SECONDS)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text
    return said


def on_devices(program: Callable[..., None], *arguments: Any, devices: int = 4) -> None:
    """Calls a function in a process of its own, with so many devices."""
    finish([start(program, *arguments, devices=devices)])


def on_hosts(program: Callable[..., None], *arguments: Any, hosts: int = 2, devices: int = 2) -> list[str]:
    """Calls a function in several processes that JAX takes for hosts: with the port that they meet at, their number
    and how many there are first."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return finish([start(program, port, host, hosts, *arguments, devices=devices) for host in range(hosts)])


def _plain(argument: Any) -> Any:
    return str(argument) if isinstance(argument, Path) else argument


def join(port: int, host: int, hosts: int) -> None:
    """Makes this process one of several hosts."""
    import jax

    jax.distributed.initialize(f"localhost:{port}", hosts, host)


def posterior_of(activation: str, depth: int, orthogonal: bool, P: int, width: int = 6):
    """Two classes, every variance different from 1 and from the others; P need not be a multiple of anything."""
    import nonlazy as nl
    from tests.sampling.small_posteriors import general_task, orthogonal_task

    task = general_task(P, P + 2 if orthogonal else 5, test=3)
    if orthogonal:
        trained = orthogonal_task(P, P + 2)
        task = nl.tasks.Task(trained.X, trained.Y, trained.labels, task.X_test, task.Y_test, task.labels_test)
    return nl.Posterior(nl.Network(width, depth, activation), task, 0.1, 0.7, (1.3, 0.8, 1.1)[:depth])


def difference(one: Any, other: Any) -> float:
    """The largest difference of two trees of arrays, relative to the largest number of each array."""
    import jax

    return max(
        float(np.max(np.abs(np.asarray(a) - np.asarray(b))) / max(np.max(np.abs(np.asarray(b))), 1e-300))
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )
