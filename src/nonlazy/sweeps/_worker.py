"""A process that runs one point: `python -m nonlazy.sweeps._worker`, fed by `_process` alone.

It reads its job from standard input and writes one JSON object to standard output. SIGTERM stops it, checkpointed; so
does the end of its parent.
"""

import json
import os
import signal
import sys

from nonlazy._machine import end_with_parent


def main() -> int:
    # Whatever a library prints must not end up in the answer.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Sampling in this process handles SIGINT; elsewhere it is KeyboardInterrupt.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    end_with_parent()
    try:
        import pickle

        from nonlazy.sweeps._job import run_job

        record = run_job(pickle.load(sys.stdin.buffer))
    except KeyboardInterrupt:
        return 130
    answer.write(json.dumps({"state": record.state, "error": record.error}))
    answer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
