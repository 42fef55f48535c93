"""One case in a process of its own: seconds, peak memory, what was found. Run by `benchmarks/theory.py`."""

import json
import resource
import sys
import time

from _theory.cases import CASES


def main(name: str) -> None:
    """Solves a case twice and prints the numbers as JSON."""
    import numpy as np
    import scipy.linalg

    import nonlazy as nl

    posterior = CASES[name][0]()
    task = posterior.task
    K0 = task.input_kernel + 1e-6 * np.trace(task.input_kernel) / task.P * np.eye(task.P)
    cholesky = min(_timed(lambda: scipy.linalg.cholesky(K0, lower=True))[0] for _ in range(5))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lazy = posterior.network.readout == "lazy"
    solve = nl.theory.gaussian_process if lazy else nl.theory.solve
    first, prediction = _timed(lambda: solve(posterior))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    second = _timed(lambda: solve(posterior))[0] if first < 30 else first
    print(
        json.dumps(
            {
                "P": task.P,
                "first": first,
                "second": second,
                "cholesky": cholesky,
                "MiB": (after - before) / 1024,
                "residual": float(prediction.residual),
                "certified": bool(prediction.certified),
                "certificate": prediction.certificate,
            }
        )
    )


def _timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main(sys.argv[1])
