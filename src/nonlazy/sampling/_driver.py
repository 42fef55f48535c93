"""`sample`: checks a request, lays out the run on disk, and has its chains run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Literal

import numpy as np

from nonlazy.errors import InvalidInput, SamplingError, StoreError
from nonlazy.posterior import Posterior
from nonlazy.sampling._chain_progress import Progress
from nonlazy.sampling._coordinates import orthogonal
from nonlazy.sampling._job import Job
from nonlazy.sampling._progress import Display, display
from nonlazy.sampling._record import Record, constants, evenly_spaced, variables
from nonlazy.sampling._run import Run, open_run
from nonlazy.sampling._samplers import Moves, Sampler, resolve_moves, resolve_sampler
from nonlazy.sampling._schedule import default_warmup
from nonlazy.sampling._starts import Start, resolve_start
from nonlazy.sampling.store import _store
from nonlazy.sampling.store._provenance import collect_provenance


ChainMethod = Literal["processes", "batched", "sequential"]
_PRECISIONS = ("float32", "float64")
# How long processes that were asked to stop may take to write what they have; one that compiles cannot hear. Whatever
# is killed then, its last checkpoint stands.
_GRACE_SECONDS = 5.0


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
    - `warmup`: iterations at the target temperature before the first draw; None for what the activation needs.
    - `precision`: `"float32"` serves T >= 1e-4; below it take `"float64"`.
    - `record`: what is kept, see `nonlazy.sampling.Record`.
    - `chain_method`: `"processes"` (one chain a process, as many at a time as there are cores; the rule on CPUs),
      `"batched"` (all chains in one program; the rule on accelerators) or `"sequential"` (one after another, in this
      process). It is part of the configuration, since rounding depends on it.
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
    for name, value, least in (("draws", draws, 1), ("chains", chains, 1), ("thin", thin, 1), ("seed", seed, 0)):
        _whole(name, value, least)
    draws, chains, thin, seed = int(draws), int(chains), int(thin), int(seed)
    if not checkpoint_seconds >= 0:
        raise InvalidInput(f"checkpoint_seconds is {checkpoint_seconds!r}: it must be 0 or more")
    if seed >= 2**31:
        raise InvalidInput(f"seed is {seed}: it must be below 2^31")
    if precision not in _PRECISIONS:
        raise InvalidInput(f"precision is {precision!r}: choose one of {', '.join(_PRECISIONS)}")
    if resume and overwrite:
        raise InvalidInput("resume and overwrite exclude each other: choose one")
    if store is not None and not str(store):
        raise InvalidInput("store is empty: give the folder of the run, or None for a temporary one")
    if resume and store is None:
        raise InvalidInput("resume=True needs store, the folder of the run to go on with")
    sampler = resolve_sampler(sampler, posterior)
    start = resolve_start(start, posterior)
    moves = resolve_moves(moves, posterior, sampler, orthogonal(posterior.task))
    warmup = default_warmup(posterior, sampler, moves) if warmup is None else warmup
    _whole("warmup", warmup, 0)
    warmup = int(warmup)
    method = _chain_method(chain_method)
    device = "cpu" if method == "processes" else _device()

    temporary = tempfile.mkdtemp(prefix="nonlazy-") if store is None else None
    path = Path(temporary, "run.zarr") if temporary else Path(store or "").absolute()
    job = Job(
        path, posterior, sampler, moves, start, warmup, draws, thin, seed, precision,
        record or Record(), checkpoint_seconds,
    )  # fmt: skip
    try:
        if _lay_out(job, chains, method, device, experiment, resume, overwrite) != "complete":
            total = job.warmup_iterations + draws * thin
            with display(progress, chains, total) as shown:
                run = _in_processes if method == "processes" else _in_this_process
                run(job, chains, method, shown)
            _store.finish(path)
        opened = open_run(path, posterior.network.phi if _is_custom(posterior) else None)
    except BaseException:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    if temporary:
        weakref.finalize(opened, shutil.rmtree, temporary, ignore_errors=True)
    return opened


def _whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InvalidInput(f"{name} is {value!r}: it must be a whole number, {least} or more")


def _is_custom(posterior: Posterior) -> bool:
    from nonlazy.activations import BUILTIN

    return BUILTIN.get(posterior.network.phi.name) is not posterior.network.phi


def _chain_method(wanted: ChainMethod | None) -> ChainMethod:
    if wanted is None:
        return "processes" if _on_cpu() else "batched"
    if wanted not in ("processes", "batched", "sequential"):
        raise InvalidInput(f"chain_method is {wanted!r}: choose 'processes', 'batched' or 'sequential'")
    return wanted


def _on_cpu() -> bool:
    """Whether JAX will compute on the CPU, found out without the second that importing it takes where it is plain."""
    from importlib.metadata import entry_points

    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms == "cpu" or ("jax" not in sys.modules and not entry_points(group="jax_plugins") and not platforms):
        return True
    import jax

    return jax.default_backend() == "cpu"


def _device() -> str:
    import jax

    return jax.devices()[0].device_kind


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
        raise StoreError(f"{job.path}: there is no run to resume; leave resume out to start one")
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


def _in_processes(job: Job, chains: int, method: ChainMethod, shown: Display) -> None:
    import cloudpickle

    at_once = max(
        1, min(chains, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    )
    waiting = [chain for chain in range(chains) if not _is_done(job, chain)]
    running: dict[int, subprocess.Popen] = {}
    messages: Queue[tuple[int, dict[str, Any] | None]] = Queue()
    complaints: dict[int, Any] = {}
    failure: Exception | None = None
    try:
        while waiting or running:
            while waiting and len(running) < at_once and failure is None:
                chain = waiting.pop(0)
                complaints[chain] = tempfile.TemporaryFile()
                running[chain] = _launch(cloudpickle.dumps((job, chain)), chain, complaints[chain], messages)
            try:
                chain, message = messages.get(timeout=0.5)
            except Empty:
                continue
            if message is None:
                code = running.pop(chain).wait()
                if code and failure is None:
                    failure = _died(chain, code, complaints[chain])
                    waiting.clear()
                    _ask_to_stop(running)
            elif "progress" in message:
                shown.show(Progress(**message["progress"]))
            elif "error" in message and failure is None:
                failure = _reported(chain, message, complaints[chain])
                waiting.clear()
                _ask_to_stop(running)
    except BaseException:
        _ask_to_stop(running)
        for process in running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
            process.kill()
        raise
    finally:
        for said in complaints.values():
            said.close()
    if failure is not None:
        raise failure


def _is_done(job: Job, chain: int) -> bool:
    progress = _store.chain_progress(job.path, _store.read_attributes(job.path))[chain]
    return progress.get("draws", 0) == job.draws


def _launch(job: bytes, chain: int, complaints: Any, messages: Queue) -> subprocess.Popen:
    environment = dict(os.environ)
    # One thread a chain: cores are shared out between chains, and rounding must not depend on how many there are.
    environment |= {"PJRT_NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    flags = "--xla_cpu_multi_thread_eigen=false --xla_cpu_prefer_vector_width=512"
    # What this process can import its own can, too: a function of the user's own may live beside their script.
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {flags}".strip()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "nonlazy.sampling._worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env=environment,
    )
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def talk() -> None:
        with suppress(BrokenPipeError):
            with stdin:
                stdin.write(job)
        with stdout:
            for line in stdout:
                with suppress(ValueError):
                    messages.put((chain, json.loads(line)))
        messages.put((chain, None))

    threading.Thread(target=talk, daemon=True).start()
    return process


def _ask_to_stop(running: dict[int, subprocess.Popen]) -> None:
    for process in running.values():
        with suppress(ProcessLookupError):
            process.terminate()


def _said(complaints: Any) -> str:
    complaints.seek(0)
    return complaints.read().decode(errors="replace").strip()


def _died(chain: int, code: int, complaints: Any) -> SamplingError:
    why = f"signal {-code}" if code < 0 else f"exit status {code}"
    hint = " (often the sign of too little memory)" if code == -signal.SIGKILL else ""
    said = _said(complaints)
    return SamplingError(
        f"the process of chain {chain} ended with {why}{hint}; what was drawn before is intact and the same request "
        f"goes on from there{': ' + said[-2000:] if said else ''}"
    )


def _reported(chain: int, message: dict[str, Any], complaints: Any) -> Exception:
    text = f"chain {chain}: {message['error']}"
    if not message["known"]:
        return SamplingError(f"{text} ({message['type']}); its traceback:\n{_said(complaints)[-4000:]}")
    return {"StoreError": StoreError, "InvalidInput": InvalidInput}.get(message["type"], SamplingError)(text)
