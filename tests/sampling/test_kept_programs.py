"""Compiled programs that outlive the process that compiled them."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import jax
import numpy as np
import pytest

import nonlazy as nl
from nonlazy.sampling import _kept_programs
from nonlazy.sampling._kept_programs import compiling, keep_programs
from tests.sampling.small_posteriors import orthogonal_task


FOLDER = "JAX_COMPILATION_CACHE_DIR"
LEAST = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of its own, and none that the environment names."""
    for name in (FOLDER, LEAST):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_kept_programs, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def _posterior():
    network = nl.Network(6, activation="sigmoid")
    return nl.Posterior(network, orthogonal_task(4, 5), 0.05)


def _draw(store):
    # In double precision without moves, what is compiled is small.
    return nl.sample(
        _posterior(), 3, moves="none", warmup=4, store=store, precision="float64", chain_method="processes",
        progress=False,
    )  # fmt: skip


def _entries(folder):
    return {there.name: there.read_bytes() for there in folder.rglob("*-cache")}


def _numbers(run):
    return {name: np.asarray(values) for name, values in run.statistics().items()}


def test_what_is_kept_serves_the_next_run_and_changes_no_bit(cache, tmp_path, monkeypatch):
    first = _numbers(_draw(tmp_path / "first.zarr"))
    kept = _entries(cache)
    assert kept
    again = _numbers(_draw(tmp_path / "again.zarr"))
    assert _entries(cache) == kept
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "false")
    without = _numbers(_draw(tmp_path / "without.zarr"))
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
        np.testing.assert_array_equal(values, without[name])


def test_what_is_kept_is_read(cache):
    counted = [_events(_SMALL, keep_programs()) for _ in range(2)]
    assert counted[0]["misses"] > 0 and counted[0]["hits"] == 0
    assert counted[1]["misses"] == 0 and counted[1]["hits"] > 0


_SMALL = """
import json, jax, jax.numpy as jnp
counts = {"hits": 0, "misses": 0}
def count(event, **_):
    for name in counts:
        counts[name] += event == f"/jax/compilation_cache/cache_{name}"
jax.monitoring.register_event_listener(count)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((3, 3)))
print(json.dumps(counts))
"""


def _events(program, kept):
    said = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | kept, capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)


def test_damaged_programs_are_compiled_and_kept_again(cache, tmp_path):
    first = _numbers(_draw(tmp_path / "first.zarr"))
    kept = _entries(cache)
    for there in cache.rglob("*-cache"):
        there.write_bytes(there.read_bytes()[:100])
        # Not one that is being written.
        os.utime(there, (1e9, 1e9))
    again = _numbers(_draw(tmp_path / "again.zarr"))
    assert {name: len(content) for name, content in _entries(cache).items()}.keys() == kept.keys()
    assert all(len(content) > 100 for content in _entries(cache).values())
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])


def test_what_the_environment_says_stands(cache, monkeypatch):
    monkeypatch.setenv(FOLDER, "elsewhere")
    assert keep_programs() == {LEAST: "0"}
    monkeypatch.setenv(LEAST, "3")
    assert keep_programs() == {}
    monkeypatch.delenv(FOLDER)
    assert set(keep_programs()) == {FOLDER}


def test_without_a_place_to_write_nothing_is_kept(cache, monkeypatch):
    # The superuser, as whom tests may run, could write into any folder.
    monkeypatch.setattr(os, "access", lambda folder, mode: mode != os.W_OK)
    assert keep_programs() == {}


def test_without_a_home_nothing_is_kept(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setattr(_kept_programs, "cache_folder", homeless)
    assert keep_programs() == {}


def test_a_file_in_the_place_of_the_folder_keeps_nothing(cache):
    cache.write_text("a file")
    assert keep_programs() == {}


def test_what_was_written_first_goes_where_there_is_too_much(cache, monkeypatch):
    folder = cache / "compiled" / _kept_programs._processor()
    folder.mkdir(parents=True)
    for age in (1, 2, 3, 4):
        (folder / f"{age}-cache").write_bytes(b"x" * 10)
        os.utime(folder / f"{age}-cache", (1e9 - age, 1e9 - age))
    # What cannot be deleted is in nobody's way.
    (folder / "xla_gpu_per_fusion_autotune_cache_dir").mkdir()
    os.utime(folder / "xla_gpu_per_fusion_autotune_cache_dir", (1e8, 1e8))
    monkeypatch.setattr(_kept_programs, "_MOST_BYTES", 25)
    monkeypatch.setattr(_kept_programs, "_is_damaged", lambda *_: False)
    keep_programs()
    assert sorted(there.name for there in folder.iterdir()) == [
        "1-cache",
        "2-cache",
        "xla_gpu_per_fusion_autotune_cache_dir",
    ]


WAITING = """
import sys, time, jax
from nonlazy.sampling._kept_programs import compiling
folder, seconds = sys.argv[1], float(sys.argv[2])
jax.config.update("jax_compilation_cache_dir", folder)
print("ready", flush=True)
sys.stdin.readline()
with compiling("it"):
    begun = time.monotonic()
    print("within", flush=True)
    time.sleep(seconds)
print(begun, time.monotonic(), flush=True)
"""


@contextmanager
def _process(folder, seconds):
    """A process that is ready to compile "it" for so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(folder), str(seconds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def _go(process):
    process.stdin.write("go\n")
    process.stdin.flush()


@contextmanager
def _folder(folder):
    """JAX's folder for compiled programs, for a moment."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(folder))
    try:
        yield
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_a_process_waits_while_another_compiles_the_same_and_not_after(tmp_path):
    with _process(tmp_path, 1.5) as first, _process(tmp_path, 0) as second:
        _go(first)
        assert first.stdout.readline() == "within\n"
        _go(second)
        _, ended = map(float, first.stdout.readline().split())
        assert second.stdout.readline() == "within\n"
        begun, _ = map(float, second.stdout.readline().split())
    # The mark is there just before the first one says that it has ended; both clocks are that of the machine.
    assert begun > ended - 0.5
    assert list(tmp_path.glob("*.compiled"))


def test_a_process_that_dies_while_it_compiles_leaves_the_others_free(tmp_path):
    with _process(tmp_path, 600) as first, _process(tmp_path, 0) as second:
        _go(first)
        assert first.stdout.readline() == "within\n"
        _go(second)
        time.sleep(0.3)
        begun = time.monotonic()
        first.kill()
        assert second.stdout.readline() == "within\n"
    # The lock went with the process: nobody's patience had to end.
    assert time.monotonic() - begun < _kept_programs._PATIENCE_SECONDS / 3


def test_nobody_waits_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(_kept_programs, "_PATIENCE_SECONDS", 0.2)
    with _process(tmp_path, 600) as first:
        _go(first)
        assert first.stdout.readline() == "within\n"
        with _folder(tmp_path), compiling("it"):
            assert first.poll() is None


def test_different_programs_do_not_wait_for_each_other(tmp_path):
    with _process(tmp_path, 600) as first:
        _go(first)
        assert first.stdout.readline() == "within\n"
        with _folder(tmp_path), compiling("something else"):
            assert len(list(tmp_path.glob("*.lock"))) == 2
