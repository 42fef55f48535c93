"""A process that runs one chain: `python -m nonlazy.sampling._worker`, fed by `_driver` alone.

It reads its job from standard input and writes one JSON object a line to standard output: progress, or the error that
ended it. It stops, checkpointed, on SIGTERM and when nobody reads its output any more.
"""

import json
import os
import signal
import sys
import time
from dataclasses import asdict

from nonlazy._machine import end_with_parent


_REPORT_SECONDS = 0.1


def main() -> int:
    # Whatever a library prints must not end up between the lines of the protocol.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    stopping = False

    def stop(*_) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches the whole process group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def send(message: dict) -> None:
        try:
            channel.write(json.dumps(message) + "\n")
        except (BrokenPipeError, ValueError):
            stop()

    end_with_parent()
    try:
        import cloudpickle

        job, chain = cloudpickle.load(sys.stdin.buffer)
        from nonlazy.sampling._chain import Progress, run_chains

        last = 0.0

        def report(progress: Progress) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _REPORT_SECONDS or progress.iteration == progress.total:
                last = now
                send({"progress": asdict(progress)})

        finished = run_chains(job, [chain], report, lambda: stopping)
    except Exception as error:
        from nonlazy.errors import NonlazyError

        known = isinstance(error, NonlazyError)
        if not known:
            import traceback

            traceback.print_exc()
        send({"error": str(error), "type": type(error).__name__, "known": known})
        return 1
    send({"finished": finished})
    return 0


if __name__ == "__main__":
    sys.exit(main())
