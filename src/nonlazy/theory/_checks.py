"""What every theory asks of the arguments of a prediction's methods."""

import numpy as np
from jaxtyping import Bool, Float

from nonlazy.errors import InvalidInput
from nonlazy.tasks import Task


def checked_inputs(X: Float[np.ndarray, "inputs N0"], task: Task) -> Float[np.ndarray, "inputs N0"]:
    """`X` as float64 rows of the task's length.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != task.N0:
        raise InvalidInput(f"inputs have shape {X.shape}: expected (inputs, N0 = {task.N0})")
    if not np.isfinite(X).all():
        raise InvalidInput(f"inputs hold {int((~np.isfinite(X)).sum())} values that are not finite")
    return X


def checked_vector(name: str, value: Float[np.ndarray, " m"], m: int) -> Float[np.ndarray, " m"]:
    """`value` as a vector with one number an output.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    value = np.asarray(value, dtype=np.float64)
    if value.shape != (m,):
        raise InvalidInput(f"{name} has shape {value.shape}: expected one number an output, ({m},)")
    if not np.isfinite(value).all():
        raise InvalidInput(f"{name} is {value.tolist()}: every entry must be finite")
    return value


def checked_direction(direction: Float[np.ndarray, " m"], m: int) -> Float[np.ndarray, " m"]:
    """The unit vector along `direction`.

    **Raises:** `nonlazy.errors.InvalidInput`, also for the zero vector.
    """
    direction = checked_vector("direction", direction, m)
    length = float(np.linalg.norm(direction))
    if length == 0:
        raise InvalidInput("direction is the zero vector: give one number an output, not all of them 0")
    return direction / length


def checked_layer(layer: int, depth: int, lowest: int = 1) -> int:
    """The layer's number `lowest` .. L, from one that may count from the end.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    index = layer + depth + 1 if layer < 0 else layer
    if not lowest <= index <= depth:
        raise InvalidInput(
            f"layer is {layer}: this network has layers {lowest} .. {depth} (or -1 .. {lowest - depth - 1})"
        )
    return index


def checked_label(label: int, task: Task) -> Bool[np.ndarray, " P"]:
    """Which training inputs belong to class `label`, `(P,)`.

    **Raises:** `nonlazy.errors.InvalidInput` for a class without training inputs.
    """
    members = task.labels == label
    if not members.any():
        present = ", ".join(str(c) for c in np.unique(task.labels))
        raise InvalidInput(f"label is {label!r}: the classes with training inputs are {present}")
    return members


def checked_grid(grid: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    """The points at which a density is asked for.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    try:
        points = np.asarray(grid, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"grid is {grid!r}: it must be a sequence of numbers, (points,)") from None
    if points.ndim != 1:
        raise InvalidInput(f"grid has shape {points.shape}: it must be one row of numbers, (points,)")
    if not np.isfinite(points).all():
        raise InvalidInput(f"grid holds {int((~np.isfinite(points)).sum())} values that are not finite")
    return points


def checked_count(n: int) -> int:
    """`n` as a number of draws, 0 or more.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise InvalidInput(f"n is {n!r}: it must be a whole number, 0 or more")
    return int(n)


def checked_code(code: int | None, codes: int, none: bool = True) -> None:
    """Whether `code` is an index of that many codes or, where `none` allows it, None.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    if code is None and none:
        return
    if isinstance(code, bool) or not isinstance(code, int | np.integer) or not 0 <= code < codes:
        raise InvalidInput(f"code is {code!r}: it must be {'None or ' if none else ''}an index of the {codes} codes")


def checked_readouts(readouts: Float[np.ndarray, "n m"], m: int) -> Float[np.ndarray, "n m"]:
    """Readout vectors of m components.

    **Raises:** `nonlazy.errors.InvalidInput`.
    """
    readouts = np.asarray(readouts, dtype=np.float64)
    if readouts.ndim != 2 or readouts.shape[1] != m:
        raise InvalidInput(f"readouts have shape {readouts.shape}: expected (neurons, m = {m})")
    return readouts
