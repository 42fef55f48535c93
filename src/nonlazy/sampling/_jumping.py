"""Sweeps of jumps in a chain: which kind of move applies, and its tables of codes from one checkpoint to the next."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from nonlazy.posterior import Posterior
from nonlazy.sampling._coordinates import Coordinates
from nonlazy.sampling.kernels import _feature_jump, _general_jump, _jump
from nonlazy.sampling.kernels._potential import Position


Table = _jump.Table | _general_jump.Table | _feature_jump.Table
_PREFIX = "table_"


class Counts(NamedTuple):
    """Changes of code that a sweep proposed, and how many were accepted."""

    proposed: Any
    accepted: Any


class Jumping:
    """The move that suits a posterior.

    In one hidden layer single inputs are independent a priori where K_0 = 1 (`_jump`), else not (`_general_jump`); in
    deeper networks the feature layer moves given the layers below it (`_feature_jump`).
    """

    def __init__(self, posterior: Posterior, coordinates: Coordinates):
        self._phi = posterior.network.phi
        if posterior.network.depth > 1:
            self._move, self._problem = _feature_jump, _feature_jump.make_problem(posterior, coordinates)
        elif coordinates.factor is None:
            self._move, self._problem = _jump, _jump.make_problem(posterior)
        else:
            self._move, self._problem = _general_jump, _general_jump.make_problem(posterior, coordinates)

    def table(self, position: Position) -> Table:
        """The wells of a chain's state: only for warm-up, since they depend on it."""
        return self._move.make_table(self._phi, self._problem, position)

    def sweep(self, table: Table, position: Position, key: Array) -> tuple[Position, Counts]:
        """One attempt for every neuron, and all readouts anew."""
        new, info = self._move.sweep(self._phi, self._problem, table, position, key)
        return new, Counts(*jax.device_get((info.proposed, info.accepted)))

    def tables(self, arrays: Mapping[str, np.ndarray]) -> list[Table]:
        """The tables of all chains that a checkpoint holds, none where there are none yet."""
        names = self._move.Table._fields
        if _PREFIX + names[0] not in arrays:
            return []
        return [self._move.Table(*parts) for parts in zip(*(arrays[_PREFIX + name] for name in names), strict=True)]


def table_arrays(tables: Sequence[Table]) -> dict[str, np.ndarray]:
    """The tables of all chains as the arrays of a checkpoint."""
    if not tables:
        return {}
    return {_PREFIX + name: np.stack([getattr(table, name) for table in tables]) for name in tables[0]._fields}
