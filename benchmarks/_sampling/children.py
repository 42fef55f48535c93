"""Measurements run in processes of their own, all with the same one thread."""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any


# What `nonlazy.sample` gives the process of each chain; the last is for PyTorch where it comes with MKL.
ONE_THREAD = {
    "PJRT_NPROC": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false --xla_cpu_prefer_vector_width=512",
    "MKL_NUM_THREADS": "1",
}
_MEASUREMENTS = {
    "ours": ("_sampling.ours", "measure"),
    "replay": ("_sampling.ours", "replay"),
    "peer": ("_sampling.peers.measurement", "measure"),
    "gradient": ("_sampling.gradient", "measure"),
    "memory": ("_sampling.memory", "measure"),
    "overhead": ("_sampling.overhead", "measure"),
}


def in_child(measurement: str, arguments: Mapping[str, Any], environment: Mapping[str, str] = ONE_THREAD) -> Any:
    """What the measurement of this name, a key of `_MEASUREMENTS`, returns in a fresh process.

    **Arguments:** `arguments` and the result must fit in JSON; `environment` replaces the variables of `ONE_THREAD`.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    here = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (here, inherited.get("PYTHONPATH"))))
    request = {"measurement": measurement, "arguments": dict(arguments), "launched": time.time()}
    done = subprocess.run(
        [sys.executable, "-m", "_sampling.children"],
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        # Peers keep no compiled programs between processes: neither do we where we are compared.
        env={**inherited, **environment, "PYTHONPATH": path, "JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    if done.returncode:
        raise SystemExit(f"the process of the measurement {measurement!r} ended with exit status {done.returncode}")
    return json.loads(done.stdout)


def main() -> None:
    """Reads a request from standard input and writes the result to standard output, both JSON."""
    request = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):
        # Imported here: a cold start is measured, and one sampler must not pay for the other's imports.
        module, name = _MEASUREMENTS[request["measurement"]]
        measure = getattr(importlib.import_module(module), name)
        result = measure(**request["arguments"], launched=request["launched"])
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
