"""`sample`: checks a request, lays out the run on disk, and has its chains run."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.posterior import Posterior
from nonlazy.sampling import _hosts
from nonlazy.sampling._devices import Devices, resolve_devices
from nonlazy.sampling._job import Job
from nonlazy.sampling._processes import in_processes
from nonlazy.sampling._progress import Display, display
from nonlazy.sampling._record import Record, constants, evenly_spaced, variables
from nonlazy.sampling._request import ChainMethod, check_request
from nonlazy.sampling._run import Run, open_run
from nonlazy.sampling._samplers import Moves, Sampler
from nonlazy.sampling._starts import Start
from nonlazy.sampling.store import _store
from nonlazy.sampling.store._provenance import collect_provenance


def sample(
    posterior: Posterior,
    draws: int,
    chains: int = 1,
    seed: int = 0,
    store: str | Path | None = None,
    start: Start | str = "prior",
    moves: Moves | str | None = None,
    *,
    sampler: Sampler | str | None = None,
    warmup: int | None = None,
    thin: int = 1,
    precision: Literal["float32", "float64"] = "float32",
    record: Record | None = None,
    chain_method: ChainMethod | None = None,
    devices: Devices | None = None,
    checkpoint_seconds: float = 5.0,
    resume: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
    experiment: str | None = None,
) -> Run:
    """Draws from the posterior by Markov chain Monte Carlo.

    **Arguments:**

    - `posterior`: what to sample.
    - `draws`: draws of each chain, after warm-up; `thin` iterations each.
    - `chains`, `seed`: chain c of seed s is a function of (s, c) alone, however many chains there are.
    - `store`: folder of the run, by custom `NAME.zarr`; None keeps it in a temporary one while the `Run` lives.
    - `start`: `"prior"` (a quench), `"annealed"`, or one of `nonlazy.sampling.Planted`, `Outliers`, `Continuation`,
      `Annealed`.
    - `moves`: moves between neurons: `"rotations"`, `"jump"`, `"none"`, or `nonlazy.sampling.Rotations(...)` and
      `Jumps(...)`; None for what suits the posterior.
    - `sampler`: None for `nonlazy.sampling.HMC()`, or `Langevin(...)`, `GradientDescent(...)`.
    - `warmup`: iterations at the target temperature before the first draw; None for what the activation needs. Below
      T = 1e-3 Hamiltonian chains are cooled there from 1e-3 first, by 100 iterations a decade.
    - `precision`: `"float32"` serves T >= 1e-4; below it take `"float64"`, below 1e-5 you must.
    - `record`: what is kept, see `nonlazy.sampling.Record`.
    - `chain_method`: `"processes"` (one chain a process, as many at a time as there are cores; the rule on CPUs),
      `"batched"` (all chains in one program; the rule on accelerators) or `"sequential"` (one after another, in this
      process). It is part of the configuration, since rounding depends on it.
    - `devices`: share the inputs of each chain out over so many devices, or over `"all"` that JAX sees, those of the
      other hosts of `jax.distributed` included; chains then run one after another. None is one device. HMC, Langevin
      and gradient descent, with rotations; jumps need one device. Rounding depends on it, nothing else does.
    - `checkpoint_seconds`: time between checkpoints, 0 for one after each iteration; changes no draw.
    - `resume`: a run of the same configuration at `store` goes on where it stopped; True insists that there is one.
    - `overwrite`: start afresh, whatever run is at `store`.
    - `progress`: show where the chains stand; changes no draw.
    - `experiment`: a name for the provenance.

    **Returns:** the `Run`. A complete run of the same configuration at `store` is opened without sampling.

    **Raises:** `nonlazy.errors.InvalidInput` for arguments that cannot be used, before any work;
    `nonlazy.errors.StoreError` where `store` holds something else or cannot be written;
    `nonlazy.errors.SamplingError` where a chain had to stop; `KeyboardInterrupt` on Ctrl-C, checkpointed.
    """
    devices = resolve_devices(devices)
    request = check_request(
        posterior, draws, chains, seed, start, moves, sampler=sampler, warmup=warmup, thin=thin, precision=precision,
        chain_method=chain_method, devices=devices, checkpoint_seconds=checkpoint_seconds,
    )  # fmt: skip
    if resume and overwrite:
        raise InvalidInput("resume and overwrite exclude each other: choose one")
    if store is not None and not str(store):
        raise InvalidInput("store is empty: give the folder of the run, or None for a temporary one")
    if resume and store is None:
        raise InvalidInput("resume=True needs store, the folder of the run to go on with")
    chains, method = request.chains, request.chain_method or ("processes" if _on_cpu() else "batched")
    device = "cpu" if method == "processes" else _device(devices)
    if store is None and _hosts.several():
        raise InvalidInput("store is None, and JAX runs on several hosts: give a folder that all of them see")

    temporary = tempfile.mkdtemp(prefix="nonlazy-") if store is None else None
    path = Path(temporary, "run.zarr") if temporary else Path(store or "").absolute()
    job = Job(
        path, posterior, request.sampler, request.moves, request.start, request.warmup, request.draws, request.thin,
        request.seed, precision, record or Record(), checkpoint_seconds, devices,
    )  # fmt: skip
    try:
        if overwrite:
            # Before the first host deletes a run that another host did not ask to be deleted.
            settings = json.dumps(_configuration(job, chains, method), sort_keys=True, default=str).encode()
            _hosts.check_same("the request", (settings, posterior.task.X, posterior.task.Y))
        state = _hosts.lay_out(
            lambda: _lay_out(job, chains, method, device, experiment, resume, overwrite),
            lambda: _store.status(path, posterior, _configuration(job, chains, method)),
        )
        if state != "complete":
            total = job.warmup_iterations + job.draws * job.thin
            with display(progress and _hosts.first(), chains, total) as shown:
                if method == "processes":
                    in_processes(job, chains, shown)
                else:
                    _in_this_process(job, chains, method, shown)
            _hosts.as_first_does(lambda: str(_store.finish(path)))
        opened = open_run(path, posterior.network.phi if _is_custom(posterior) else None)
    except BaseException:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    if temporary:
        weakref.finalize(opened, shutil.rmtree, temporary, ignore_errors=True)
    return opened


def _is_custom(posterior: Posterior) -> bool:
    from nonlazy.activations import BUILTIN

    return BUILTIN.get(posterior.network.phi.name) is not posterior.network.phi


def _on_cpu() -> bool:
    """Whether JAX will compute on the CPU, found out without the second that importing it takes where it is plain."""
    from importlib.metadata import entry_points

    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms == "cpu" or ("jax" not in sys.modules and not entry_points(group="jax_plugins") and not platforms):
        return True
    import jax

    return jax.default_backend() == "cpu"


def _device(devices: int) -> str:
    import jax

    kind = jax.devices()[0].device_kind
    if devices == 1:
        return kind
    hosts = jax.process_count()
    return f"{devices} x {kind}" + (f" on {hosts} hosts" if hosts > 1 else "")


def _configuration(job: Job, chains: int, method: ChainMethod) -> dict[str, Any]:
    """Everything besides the posterior that decides the draws or what is kept of them."""

    def named(settings: Any) -> dict[str, Any] | None:
        return None if settings is None else {"kind": type(settings).__name__, **asdict(settings)}

    return {
        "sampler": named(job.sampler),
        "moves": named(job.moves),
        "start": named(job.start),
        "warmup": job.warmup,
        "draws": job.draws,
        "thin": job.thin,
        "chains": chains,
        "seed": job.seed,
        "precision": job.precision,
        "record": asdict(job.record),
        "chain_method": method,
        **({"devices": job.devices} if job.devices > 1 else {}),
    }


def _lay_out(
    job: Job,
    chains: int,
    method: ChainMethod,
    device: str,
    experiment: str | None,
    resume: bool | None,
    overwrite: bool,
) -> _store.Status:
    configuration = _configuration(job, chains, method)
    # Building the schedule refuses starts that do not fit the posterior before anything is written.
    warmup_iterations = job.warmup_iterations
    if overwrite:
        _store.discard(job.path)
    state = _store.status(job.path, job.posterior, configuration)
    if resume and state == "absent":
        raise StoreError(f"{job.path}: there is no run to resume; leave out resume (--resume) to start one")
    if state == "absent":
        _store.create(
            job.path,
            job.posterior,
            configuration,
            provenance=collect_provenance(experiment=experiment, seed=job.seed, device=device, precision=job.precision),
            chains=chains,
            draws=job.draws,
            warmup=warmup_iterations,
            variables=variables(job.posterior, job.record),
            snapshot_draws=evenly_spaced(job.draws, job.record.snapshots),
            constants=constants(job.posterior),
            checkpoint_bytes=_checkpoint_bytes(job),
        )
    return state


def _checkpoint_bytes(job: Job) -> int:
    network, task = job.posterior.network, job.posterior.task
    numbers = network.width * (min(task.P, task.N0) + task.m + (network.depth - 1) * network.width)
    kernels = network.depth * task.P**2 if job.record.averages_kernels(job.posterior) else 0
    return numbers * np.dtype(job.precision).itemsize + 8 * (kernels + network.width * task.classes)


def _in_this_process(job: Job, chains: int, method: ChainMethod, shown: Display) -> None:
    from nonlazy.sampling._chain import run_chains

    groups: Sequence[Sequence[int]] = [range(chains)] if method == "batched" else [[chain] for chain in range(chains)]
    stopping = threading.Event()

    def interrupt(*_) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    previous = None
    if threading.current_thread() is threading.main_thread():
        previous = signal.signal(signal.SIGINT, interrupt)
    try:
        for group in groups:
            if not run_chains(job, group, shown.show, stopping.is_set):
                raise KeyboardInterrupt
    finally:
        if previous is not None:
            signal.signal(signal.SIGINT, previous)
