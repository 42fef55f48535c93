"""Activation functions phi, usable on NumPy and JAX arrays alike."""

from nonlazy.activations._activation import Activation as Activation
from nonlazy.activations._builtin import (
    BUILTIN as BUILTIN,
    get as get,
)
