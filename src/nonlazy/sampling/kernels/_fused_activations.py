"""The activations that fused trajectories know. Apart from these, so that asking does not import Numba."""

import math
from enum import IntEnum

from nonlazy.activations import BUILTIN, Activation


class Kind(IntEnum):
    """How an activation and its slope are computed."""

    LINEAR = 0
    RECTIFIED = 1
    SQUARED = 2
    ERF = 3
    TANH = 4


# With offset, height and rate of offset + height erf(rate z), which the other kinds do not use.
KINDS: dict[str, tuple[Kind, float, float, float]] = {
    "linear": (Kind.LINEAR, 0.0, 0.0, 0.0),
    "relu": (Kind.RECTIFIED, 0.0, 0.0, 0.0),
    "requ": (Kind.SQUARED, 0.0, 0.0, 0.0),
    "sigmoid": (Kind.ERF, 0.5, 0.5, math.sqrt(math.pi) / 2),
    "erf": (Kind.ERF, 0.0, 1.0, 1.0),
    "tanh": (Kind.TANH, 0.0, 0.0, 0.0),
}


def supports(phi: Activation) -> bool:
    """Whether trajectories with this activation can be fused."""
    return phi.name in KINDS and BUILTIN[phi.name] is phi
