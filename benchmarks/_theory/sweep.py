"""The sweep of y- at 200 points, in a process of its own. Run by `benchmarks/theory.py`."""

import json
import time

import numpy as np

import nonlazy as nl


def main() -> None:
    """Solves the toy task of Fig. 2 in the limit at 200 values of y- from -0.5 to 0.6."""
    start = time.perf_counter()
    certified, codes = 0, []
    for y_minus in np.linspace(-0.495, 0.6, 200):
        task = nl.tasks.toy(40, 40, y_minus=float(y_minus))
        prediction = nl.theory.solve(nl.Network(40), task, finite_size=False)
        certified += prediction.certified
        codes.append(len(prediction.codes))
    print(
        json.dumps({"seconds": time.perf_counter() - start, "certified": int(certified), "codes": sorted(set(codes))})
    )


if __name__ == "__main__":
    main()
