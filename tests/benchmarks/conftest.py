"""The benchmarks are scripts beside the package, not part of it."""

import sys
from pathlib import Path


# At the end: `theory` or `codes` of other packages must not be found there.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
