"""Seconds and memory of a gradient, in a process of its own, so that JAX can be told how many devices there are."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from _scaling.sizes import Size


_GRADIENTS = 8


def measure(devices: int, forced: bool, sizes: list[Size], seconds: float) -> list[dict[str, Any]]:
    """One row a size, from a process with so many devices; `forced` ones are threads of the CPU. With 0 seconds nothing
    runs: it is compiled only, which tells the memory."""
    environment = dict(os.environ)
    here = str(Path(__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (here, environment.get("PYTHONPATH"))))
    if forced:
        flags = f"--xla_force_host_platform_device_count={devices} --xla_cpu_multi_thread_eigen=false"
        environment |= {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    request = {"devices": devices, "sizes": [asdict(size) for size in sizes], "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-m", "_scaling.measurement"],
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    if done.returncode:
        raise SystemExit(f"the process with {devices} devices ended with exit status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(devices: int, size: Size, seconds: float) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from nonlazy.activations import get
    from nonlazy.sampling._shards import Shards
    from nonlazy.sampling.kernels._hamiltonian import integrate
    from nonlazy.sampling.kernels._potential import Architecture

    shards = Shards(jax.devices()[:devices], size.P, 0, True, size.L)
    out = (shards.of_position, shards.of_position, shards.everywhere, shards.everywhere) if devices > 1 else None
    architecture = Architecture(get("sigmoid"), size.L, True, shards.padding)
    trajectory = jax.jit(partial(integrate, architecture), out_shardings=out)
    problem, position = _arguments(size, shards, devices, draw=seconds > 0)
    if seconds > 0:
        step: Any = (jnp.float32(1e-5), jnp.int32(_GRADIENTS - 1))
    else:
        step = (jax.ShapeDtypeStruct((), np.float32), jax.ShapeDtypeStruct((), np.int32))
    arguments = (problem, position, position, *step)
    compiled = trajectory.lower(*arguments).compile()
    held = compiled.memory_analysis()
    row = {
        **asdict(size),
        "devices": devices,
        "kind": jax.devices()[0].device_kind,
        "bytes": held.argument_size_in_bytes + held.temp_size_in_bytes + held.output_size_in_bytes,
        "sent": size.sent(devices),
    }
    if not seconds:
        return row
    jax.block_until_ready(compiled(*arguments))
    wall, processor = [], []
    begun = time.monotonic()
    while len(wall) < 3 or time.monotonic() - begun < seconds:
        one, two = time.perf_counter(), time.process_time()
        jax.block_until_ready(compiled(*arguments))
        wall.append((time.perf_counter() - one) / _GRADIENTS)
        processor.append((time.process_time() - two) / _GRADIENTS)
    times = {"wall": float(np.median(wall)), "best": min(wall), "processor": float(np.median(processor))}
    return {**row, "calls": len(wall), **times}


def _arguments(size: Size, shards: Any, devices: int, draw: bool) -> tuple[Any, Any]:
    """Problem and position on the devices, of random numbers; or their shapes alone."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from nonlazy.sampling.kernels._potential import Position, Problem

    generator = np.random.default_rng(0)
    one = devices == 1

    def array(axis: int | None, *shape: int, scale: float = 1.0) -> Any:
        if draw:
            values = scale * generator.standard_normal(shape, dtype=np.float32)
            return jnp.asarray(values) if one else shards.put(values, np.float32, axis)
        padded = tuple(n + (shards.padding if i == axis else 0) for i, n in enumerate(shape))
        where = shards.everywhere if axis is None else shards.along(axis, len(shape))
        return jax.ShapeDtypeStruct(padded, np.float32, sharding=None if one else where)

    def number(value: Any) -> Any:
        value = np.asarray(value, np.float32)
        if not draw:
            return jax.ShapeDtypeStruct(value.shape, np.float32)
        return jnp.asarray(value) if one else shards.put(value, np.float32, None)

    P, r, N, L, m = size.P, size.r, size.N, size.L, size.m
    gain, noise = 1 / (N * np.sqrt(P)), 1e-2 / N
    factor = array(0, P, r, scale=r**-0.5)
    numbers = [number(value) for value in (np.full(L - 1, N**-0.5), gain, gain / noise, 1 / noise, 1.0)]
    problem = Problem(factor, *numbers, array(1, m, P))
    return problem, Position(array(None, N, r), tuple(array(None, N, N) for _ in range(L - 1)), array(None, m, N))


def main() -> None:
    """Reads a request from standard input; its last line of output is the rows, in JSON."""
    request = json.load(sys.stdin)
    sizes = [Size(**size) for size in request["sizes"]]
    print(json.dumps([_measure(request["devices"], size, request["seconds"]) for size in sizes]))


if __name__ == "__main__":
    main()
