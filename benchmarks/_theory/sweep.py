"""The sweep of y- at 200 points, in a process of its own. Run by `benchmarks/theory.py`."""

import json
import time

import numpy as np

import nonlazy as nl


def main() -> None:
    """The coding scheme of Fig. 2's toy task at 200 values of y- from -0.495 to 0.6."""
    posterior = nl.Posterior(nl.Network(500), nl.tasks.toy(500, 520, y_minus=0.5), 0.0)
    start = time.perf_counter()
    curve = nl.theory.transitions(posterior, np.linspace(-0.495, 0.6, 200))
    seconds = time.perf_counter() - start
    found = {"seconds": seconds, "certified": int(curve.certified.sum()), "transitions": curve.transitions}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
