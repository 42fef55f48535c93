"""Layers of known scheme, trials and trained networks for benchmarks/codes.py."""
