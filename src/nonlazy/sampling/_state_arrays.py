"""A chain's state as the plain arrays of a checkpoint, and back."""

import jax.numpy as jnp
import numpy as np

from nonlazy.sampling import _engine
from nonlazy.sampling.kernels._potential import Position


def state_arrays(state: _engine.State) -> dict[str, np.ndarray]:
    """The arrays of a state by name; of a batch, with its leading axis."""
    arrays = {"first": state.position.first, "readout": state.position.readout}
    arrays |= {f"hidden_{layer}": matrix for layer, matrix in enumerate(state.position.hidden)}
    arrays |= {name: getattr(state, name) for name in ("log_step", "log_step_sum", "log_step_count")}
    return {name: np.asarray(value) for name, value in arrays.items()}


def state_of(arrays: dict[str, np.ndarray], depth: int) -> _engine.State:
    """The state that `state_arrays` was given, from a checkpoint that may hold more."""
    get = {
        name: jnp.asarray(value)
        for name, value in arrays.items()
        if not name.endswith("_sum") or name == "log_step_sum"
    }
    position = Position(get["first"], tuple(get[f"hidden_{layer}"] for layer in range(depth - 1)), get["readout"])
    return _engine.State(position, get["log_step"], get["log_step_sum"], get["log_step_count"])
