"""A chain's state as the plain arrays of a checkpoint, and back."""

from typing import Any

import numpy as np

from nonlazy.sampling import _engine
from nonlazy.sampling.kernels._potential import Position


_STEP_SIZE = ("log_step", "log_step_sum", "log_step_count")


def state_arrays(state: _engine.State) -> dict[str, np.ndarray]:
    """The arrays of a state by name; of a batch, with its leading axis."""
    arrays = {"first": state.position.first, "readout": state.position.readout}
    arrays |= {f"hidden_{layer}": matrix for layer, matrix in enumerate(state.position.hidden)}
    arrays |= {name: getattr(state, name) for name in _STEP_SIZE}
    return {name: np.asarray(value) for name, value in arrays.items()}


def state_of(arrays: dict[str, np.ndarray], depth: int) -> _engine.State:
    """The state that `state_arrays` was given, in NumPy, from a checkpoint that may hold more."""
    hidden: Any = tuple(arrays[f"hidden_{layer}"] for layer in range(depth - 1))
    position: Any = Position(arrays["first"], hidden, arrays["readout"])  # type: ignore[arg-type]
    return _engine.State(position, *(arrays[name] for name in _STEP_SIZE))  # type: ignore[arg-type]
