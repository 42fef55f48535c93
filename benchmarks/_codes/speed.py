"""Seconds and memory of `nonlazy.codes.detect` on large layers, each in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


# Neurons, inputs, classes.
_SIZES = ((1_000, 50_000, 10), (100_000, 5_000, 10))
_QUICK = ((200, 5_000, 10), (5_000, 500, 10))

_CHILD = """
import json, resource, sys, time
import numpy as np
from nonlazy import codes
activations, labels = np.load(sys.argv[1], mmap_mode=None if sys.argv[3] == "memory" else "r"), np.load(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.perf_counter()
scheme = codes.detect(activations, labels)
seconds = time.perf_counter() - begin
with open("/proc/self/status") as status:
    own = [int(line.split()[1]) for line in status if line.startswith("RssAnon")][0]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "peak": peak / 1024, "own": own / 1024, "kind": scheme.kind}))
"""


def table(quick: bool, show: Callable[[str, list[str], list[list[Any]]], None]) -> list[dict[str, Any]]:
    """Writes layers to disk a thousand neurons at a time, reads them in other processes, and prints what these took."""
    found, rows = [], []
    with tempfile.TemporaryDirectory() as folder:
        for neurons, inputs, classes in _QUICK if quick else _SIZES:
            paths = _written(Path(folder), neurons, inputs, classes)
            for how in ("memory", "disk") if neurons * inputs < 1e8 else ("disk",):
                command = [sys.executable, "-c", _CHILD, *map(str, paths), how]
                measured = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                found.append({"neurons": neurons, "inputs": inputs, "classes": classes, "from": how, **measured})
                size = 4 * neurons * inputs / 2**20
                rows.append(
                    [neurons, inputs, how, f"{size:.0f}", f"{measured['seconds']:.1f}", f"{measured['peak']:.0f}"]
                )
    titles = ["neurons", "inputs", "from", "layer [MiB]", "seconds", "peak memory [MiB]"]
    show("Time and memory, single precision, ten classes", titles, rows)
    return found


def _written(folder: Path, neurons: int, inputs: int, classes: int) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, inputs)
    np.save(folder / "labels.npy", labels)
    path = folder / "activations.npy"
    layer = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(neurons, inputs))
    for start in range(0, neurons, 1000):
        part = rng.standard_normal((min(1000, neurons - start), inputs), dtype=np.float32)
        codes = (rng.random((len(part), classes)) < 0.5).astype(np.float32)
        layer[start : start + len(part)] = 0.3 * part + codes[:, labels]
    layer.flush()
    return path, folder / "labels.npy"
