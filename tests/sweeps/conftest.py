"""Sweeps over a tiny network; programs are little optimised and kept, as compiling takes most of the time."""

import os

import pytest

from nonlazy import sweeps
from nonlazy.sweeps._lock import FolderLock


EXPERIMENT = """
[experiment]
name = "tiny"

[task]
kind = "toy"
P = 12
N0 = 14

[network]
width = 16

[posterior]
temperature = 1e-2

[sampling]
chains = 1
draws = 8
warmup = 12
moves = "none"
chain_method = "sequential"
"""
SWEEP = """
experiment = "tiny.toml"
theory = true

[about]
name = "two"
title = "Two temperatures"

[grid]
"posterior.temperature" = [0.01, 0.1]
"""


def write_files(folder, sweep=SWEEP, **changes):
    """The experiment and the sweep as files in `folder`, with some keys changed; the sweep's path."""
    lines = EXPERIMENT.splitlines()
    for key, value in changes.items():
        (place,) = (k for k, line in enumerate(lines) if line.startswith(f"{key} = "))
        lines[place] = f"{key} = {value}"
    (folder / "tiny.toml").write_text("\n".join(lines), encoding="utf-8")
    (folder / "two.toml").write_text(sweep, encoding="utf-8")
    return folder / "two.toml"


@pytest.fixture(scope="session")
def quick_compilation(tmp_path_factory):
    """Settings of JAX in the processes that sweeps start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory, quick_compilation):
    """A sweep that was run from start to end, and is left as it is; one for all processes of the tests."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "sweep"
    folder.mkdir(exist_ok=True)
    with FolderLock(folder, "the sweep takes too long", patience=300.0):
        if not (folder / "results" / "results.zarr").exists():
            sweeps.sweep(write_files(folder), folder / "results", progress=False)
    return sweeps.open_sweep(folder / "results")
