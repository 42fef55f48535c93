"""A small run on disk, written as a sampler writes one, for the tests of the store."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from nonlazy import Network, Posterior
from nonlazy.sampling.store._chain_writer import ChainWriter
from nonlazy.sampling.store._layout import Variable
from nonlazy.sampling.store._store import create
from nonlazy.tasks import Task


P, N, N0, m, L, P_TEST = 6, 4, 7, 2, 2, 3
CHAINS, DRAWS, WARMUP, CHUNK = 2, 40, 10, 5
SNAPSHOTS = (0, 19, 39)
PAIRS = np.array([[0, 1], [0, 3], [4, 5]])

VARIABLES = (
    Variable("posterior", "readout", ("neuron", "output"), (N, m), description="readouts a"),
    Variable("sample_stats", "log_density"),
    Variable("sample_stats", "loss"),
    Variable("sample_stats", "sum_a2"),
    Variable("sample_stats", "acceptance", dtype="float32"),
    Variable("sample_stats", "diverging", dtype="uint8"),
    Variable("sample_stats", "kernel_entry", ("layer", "pair"), (L, len(PAIRS))),
    Variable("sample_stats", "readout_norm", ("rank",), (3,)),
    Variable("warmup_sample_stats", "log_density", per="warmup"),
    Variable("posterior_predictive", "f", ("input", "output"), (P, m)),
    Variable("posterior_predictive", "f_test", ("input_test", "output"), (P_TEST, m)),
    Variable("snapshots", "preactivation", ("layer", "neuron", "input"), (L, N, P), per="snapshot"),
    Variable("running_means", "kernel", ("layer", "input", "input_other"), (L, P, P), per="chain"),
    Variable("running_means", "class_activation", ("neuron", "class"), (N, 2), per="chain"),
)


def example_posterior(temperature: float = 0.01, activation="sigmoid") -> Posterior:
    rng = np.random.default_rng(1)
    labels = np.array([0, 0, 0, 1, 1, 1])
    task = Task(
        rng.normal(size=(P, N0)),
        np.eye(m)[labels],
        labels,
        rng.normal(size=(P_TEST, N0)),
        np.eye(m)[[0, 1, 1]],
        np.array([0, 1, 1]),
        class_names=("left", "right"),
        name="a small task",
        provenance={"seed": 1},
    )
    return Posterior(Network(N, L, activation), task, temperature)


def create_example(path: Path, *, draws: int = DRAWS, posterior: Posterior | None = None, **changes) -> None:
    create(
        path,
        posterior or example_posterior(),
        {"sampler": {"draws": draws, "seed": 0}},
        provenance={"seed": 0, "started": "2025-01-01T00:00:00+00:00"},
        chains=CHAINS,
        draws=draws,
        warmup=WARMUP,
        variables=VARIABLES,
        snapshot_draws=SNAPSHOTS,
        constants={"kernel_pair": (("pair", "end"), PAIRS)},
        **changes,
    )


def sample_chain(path: Path, chain: int, *, draws: int = DRAWS, stop: int | None = None, chunk: int = CHUNK) -> None:
    """A chain whose every draw depends on the state before it, chunk by chunk, from its last checkpoint on."""
    with ChainWriter(path, chain) as writer:
        loaded = writer.load_checkpoint()
        if loaded is None:
            state, key, kernels, done = np.full((L, N, P), 0.1 * chain), np.array([7, chain], np.uint32), 0.0, 0
            for start in range(0, WARMUP, chunk):
                writer.write(
                    "warmup_sample_stats", start, {"log_density": np.arange(start, start + chunk, dtype=float)}
                )
            writer.checkpoint({"state": state, "key": key, "kernels": np.zeros((L, P, P))}, {"draws": 0, "warmup": 10})
        else:
            arrays, progress = loaded
            state, key, kernels, done = arrays["state"], arrays["key"], arrays["kernels"], progress["draws"]
        for start in range(done, draws if stop is None else stop, chunk):
            records: dict[str, dict[str, list]] = {}
            for draw in range(start, min(start + chunk, draws)):
                rng = np.random.default_rng([*key, draw])
                state = 0.5 * state + rng.normal(size=state.shape)
                kernels = kernels + np.einsum("lip,liq->lpq", state, state)
                for group, name, value in _observe(state):
                    records.setdefault(group, {}).setdefault(name, []).append(value)
                if draw in SNAPSHOTS:
                    writer.write("snapshots", SNAPSHOTS.index(draw), {"preactivation": state[None]})
            for group, values in records.items():
                writer.write(group, start, {name: np.array(value) for name, value in values.items()})
            done = min(start + chunk, draws)
            if done == draws:
                means = {"kernel": kernels / draws, "class_activation": state[-1, :, :2]}
                writer.write_once("running_means", means)
            writer.checkpoint({"state": state, "key": key, "kernels": kernels}, {"draws": done, "warmup": WARMUP})


def _observe(state: np.ndarray):
    readout = state[0, :, :m]
    norms = np.sort((readout**2).sum(axis=1))[::-1]
    yield "posterior", "readout", readout
    yield "sample_stats", "log_density", -0.5 * float((state**2).sum())
    yield "sample_stats", "loss", float((state[0] ** 2).sum())
    yield "sample_stats", "sum_a2", float((readout**2).sum())
    yield "sample_stats", "acceptance", np.float32(0.8)
    yield "sample_stats", "diverging", np.uint8(0)
    yield "sample_stats", "kernel_entry", np.einsum("lip,liq->lpq", state, state)[:, PAIRS[:, 0], PAIRS[:, 1]]
    yield "sample_stats", "readout_norm", norms[:3]
    yield "posterior_predictive", "f", state[0, :m].T
    yield "posterior_predictive", "f_test", state[1, :m, :P_TEST].T


def interrupt_until_done(path: Path, how: str, seed: int, kills: int, operations: int = 30, draws: int = DRAWS) -> int:
    """Samples chain 0 in child processes that are killed with SIGKILL, then in one that is left to finish.

    **Arguments:** `how`: `"operation"`, at one of the first file operations after the start, drawn at random; or
    `"time"`, at a random time. `operations`: among how many of them the one is drawn; `draws` of the run.

    **Returns:** the number of kills that hit a child at work.
    """
    rng = np.random.default_rng(seed)
    hits = 0
    for last in [False] * kills + [True]:
        countdown, delay = int(rng.integers(1, operations)), float(rng.uniform(0.0, 0.06))
        child = os.fork()
        if child == 0:
            if how == "operation" and not last:
                _kill_at_operation(countdown)
            sample_chain(path, 0, draws=draws)
            os._exit(0)
        if how == "time" and not last:
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        hits += os.WIFSIGNALED(status)
        if last and status != 0:
            raise SystemExit("the last child did not finish")
    return hits


def _kill_at_operation(countdown: int) -> None:
    def counted(operation):
        def call(*arguments):
            nonlocal countdown
            countdown -= 1
            if countdown == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments)

        return call

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)


if __name__ == "__main__":
    print(interrupt_until_done(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])))
