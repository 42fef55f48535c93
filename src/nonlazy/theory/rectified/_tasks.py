"""Which problem a posterior poses: class level or general inputs, and in which units."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.posterior import Posterior
from nonlazy.theory.rectified._ball import MOST_CLASSES


@dataclass(frozen=True, eq=False)
class Reduced:
    """The posterior in reduced units, on the outputs that the targets span.

    **Fields:** `basis` `(r, m)`: orthonormal, the targets' row space; `readout_unit`: sqrt(s2), s2 = P sigma_a^2;
    `orthogonal`: kappa where sigma_1^2 K_0 = kappa times the identity, else None; `groups` `(P,)`, `ratios`, `rows`:
    the groups of inputs with equal targets, their shares, and a target row of each.
    """

    basis: Float[np.ndarray, "r m"]
    readout_unit: float
    orthogonal: float | None
    groups: Int[np.ndarray, " P"]
    ratios: Float[np.ndarray, " C"]
    rows: Float[np.ndarray, "C m"]

    @property
    def class_level(self) -> bool:
        """Whether the task reduces to a few classes."""
        return self.orthogonal is not None and len(self.ratios) <= MOST_CLASSES

    @property
    def preactivation_unit(self) -> float:
        """sqrt(kappa) for orthogonal inputs, 1 for general ones."""
        return math.sqrt(self.orthogonal) if self.class_level and self.orthogonal is not None else 1.0


def reduced(posterior: Posterior) -> Reduced:
    """The reduction. Outputs outside the targets' row space stay 0: by convexity nothing is gained there."""
    task = posterior.task
    _, values, basis = np.linalg.svd(task.Y, full_matrices=False)
    basis = basis[values > 1e-10 * max(values[0], 1e-300)]
    rows, groups = np.unique(np.round(task.Y, 12), axis=0, return_inverse=True)
    # In the order of their first input, which is that of the classes.
    first = np.array([np.flatnonzero(groups.ravel() == k)[0] for k in range(len(rows))])
    order = np.argsort(first)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    groups = position[groups.ravel()]
    ratios = np.bincount(groups) / task.P
    K = posterior.sigma2[0] * task.input_kernel
    kappa = float(np.mean(np.diag(K)))
    orthogonal = kappa > 0 and float(np.max(np.abs(K - kappa * np.eye(task.P)))) < 1e-9 * kappa
    return Reduced(
        basis,
        math.sqrt(task.P * posterior.sigma_a2),
        kappa if orthogonal else None,
        groups,
        ratios,
        task.Y[np.sort(first)],
    )


def by_class(posterior: Posterior, values: Float[np.ndarray, "... P"]) -> Float[np.ndarray, "... columns"]:
    """Numbers by training input as numbers by class, where all inputs of every class agree; else as they are."""
    task = posterior.task
    columns = []
    for label in range(task.classes):
        members = values[..., task.labels == label]
        if members.shape[-1] == 0 or np.max(np.abs(members - members[..., :1]), initial=0.0) > 1e-9:
            return values
        columns.append(members[..., 0])
    return np.stack(columns, axis=-1)
