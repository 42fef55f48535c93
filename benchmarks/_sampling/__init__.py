"""The parts of `benchmarks/sampling.py`."""
