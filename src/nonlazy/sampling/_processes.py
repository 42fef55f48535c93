"""Chains in processes of their own, and what they say."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, Queue
from typing import Any

from nonlazy._machine import cores
from nonlazy.errors import InvalidInput, SamplingError, StoreError
from nonlazy.sampling._chain_progress import Progress
from nonlazy.sampling._job import Job
from nonlazy.sampling._kept_programs import keep_programs
from nonlazy.sampling._progress import Display
from nonlazy.sampling.store import _store


# How long processes that were asked to stop may take to write what they have; one that compiles cannot hear. Whatever
# is killed then, its last checkpoint stands.
_GRACE_SECONDS = 5.0


def in_processes(job: Job, chains: int, shown: Display) -> None:
    """Runs every chain in a process, as many at a time as there are cores.

    **Raises:** `nonlazy.errors.NonlazyError` where a chain had to stop; `KeyboardInterrupt`.
    """
    import cloudpickle

    at_once = min(chains, len(cores()))
    kept = keep_programs()
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
                running[chain] = _launch(cloudpickle.dumps((job, chain)), kept, chain, complaints[chain], messages)
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


def _launch(job: bytes, kept: Mapping[str, str], chain: int, complaints: Any, messages: Queue) -> subprocess.Popen:
    environment = os.environ | kept
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
