"""Transition kernels: one file an algorithm, pure functions of position and key, and the potential they share."""
