"""Which inputs the deep theory can speak about: training inputs, and inputs orthogonal to all of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput
from nonlazy.tasks import Task
from nonlazy.theory._checks import checked_inputs


_CLOSE = 1e-6


@dataclass(frozen=True, eq=False)
class KnownInputs:
    """`training`: index of the training input that each row is, or -1; `group`: its class among the theory's, or -1."""

    rows: Float[np.ndarray, "inputs N0"]
    training: Int[np.ndarray, " inputs"]
    group: Int[np.ndarray, " inputs"]


def known_inputs(X: Float[np.ndarray, "inputs N0"], task: Task, classes: tuple[int, ...]) -> KnownInputs:
    """Recognises the rows of X.

    **Raises:** `nonlazy.errors.InvalidInput` for any other input.
    """
    X = checked_inputs(X, task)
    length = float(np.mean(np.sum(task.X**2, axis=1)))
    overlap = X @ task.X.T / length
    nearest = np.argmax(overlap, axis=1)
    rest = overlap.copy()
    rest[np.arange(len(X)), nearest] = 0.0
    own = np.sum(X**2, axis=1) / length
    closest = overlap[np.arange(len(X)), nearest]
    is_training = (np.abs(closest - 1) < _CLOSE) & (np.abs(own - 1) < _CLOSE)
    is_orthogonal = (np.abs(overlap).max(axis=1) < _CLOSE) & (np.abs(own - 1) < _CLOSE)
    unknown = np.flatnonzero(~is_training & ~is_orthogonal)
    if len(unknown):
        row = int(unknown[0])
        raise InvalidInput(
            f"{len(unknown)} of {len(X)} inputs are neither training inputs nor orthogonal to all of them and as long "
            f"(row {row} overlaps by up to {np.abs(overlap[row]).max():.3g}): the deep theory holds on these only; "
            "sample this network to predict others, with nonlazy.sample"
        )
    training = np.where(is_training, nearest, -1)
    group = np.where(is_training, np.searchsorted(classes, task.labels[nearest]), -1)
    return KnownInputs(X, training, group)


def same_input(first: KnownInputs, second: KnownInputs, task: Task) -> np.ndarray:
    """Which pairs are one and the same input, `(inputs1, inputs2)`.

    **Raises:** `nonlazy.errors.InvalidInput` for two orthogonal inputs that overlap without being the same.
    """
    length = float(np.mean(np.sum(task.X**2, axis=1)))
    overlap = first.rows @ second.rows.T / length
    new = (first.training[:, None] < 0) & (second.training[None, :] < 0)
    odd = new & (np.abs(overlap) > _CLOSE) & (np.abs(overlap - 1) > _CLOSE)
    if odd.any():
        raise InvalidInput(
            f"{int(odd.sum())} pairs of inputs are orthogonal to the training inputs but not to each other "
            f"(overlap {overlap[odd][0]:.3g}): the deep theory's kernel holds for orthogonal inputs only"
        )
    return np.abs(overlap - 1) < _CLOSE
