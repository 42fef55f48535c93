"""Theory against samples, number by number, for the linear network."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.figures._outputs import output_names
from nonlazy.sampling import Run
from nonlazy.theory import LinearPrediction


@dataclass(frozen=True)
class ComparisonRow:
    """One number as the theory and the samples give it; `error` is the samples' Monte Carlo standard error."""

    quantity: str
    theory: float
    samples: float
    error: float | None

    @property
    def deviation(self) -> float:
        """samples - theory."""
        return self.samples - self.theory


def comparison(run: Run, prediction: LinearPrediction) -> tuple[ComparisonRow, ...]:
    """Rows for the readout covariance U = <a a^T>, and the feature kernel averaged over the pairs of two classes.

    The kernel's blocks leave an input's pair with itself out: K_0 adds to it alone.
    """
    covariance = np.asarray(prediction.readout_covariance)
    rows = list(_covariance_rows(run.readouts(), covariance, output_names(run.task)))
    labels, names = run.task.labels, run.task.class_names
    sampled = class_blocks(run.kernel(), labels, len(names))
    predicted = class_blocks(np.asarray(prediction.kernel(run.task.X)), labels, len(names))
    for first in range(len(names)):
        for second in range(first, len(names)):
            if np.isfinite(sampled[first, second]):
                quantity = f"K, classes {names[first]} and {names[second]}"
                rows.append(
                    ComparisonRow(quantity, float(predicted[first, second]), float(sampled[first, second]), None)
                )
    return tuple(rows)


def class_blocks(
    kernel: Float[np.ndarray, "P P"], labels: Int[np.ndarray, " P"], classes: int
) -> Float[np.ndarray, "C C"]:
    """Mean of `kernel` over the pairs of different inputs from two classes; NaN where there is no such pair."""
    member = (labels[:, None] == np.arange(classes)).astype(np.float64)
    sums = member.T @ (kernel - np.diag(np.diag(kernel))) @ member
    counts = member.sum(axis=0)
    pairs = np.outer(counts, counts) - np.diag(counts)
    return np.divide(sums, pairs, out=np.full_like(sums, np.nan), where=pairs > 0)


def _covariance_rows(
    readouts: Float[np.ndarray, "chains draws N m"], covariance: Float[np.ndarray, "m m"], names: tuple[str, ...]
) -> Iterator[ComparisonRow]:
    second_moments = np.einsum("cdir,cdis->cdrs", readouts, readouts) / readouts.shape[2]
    for first in range(len(covariance)):
        for second in range(first, len(covariance)):
            draws = second_moments[:, :, first, second]
            yield ComparisonRow(
                f"U[{names[first]}, {names[second]}]",
                float(covariance[first, second]),
                float(draws.mean()),
                _standard_error(draws),
            )


def _standard_error(draws: Float[np.ndarray, "chains draws"]) -> float | None:
    if draws.shape[1] < 4:
        return None
    from arviz_stats.base.array import array_stats

    return np.asarray(array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean")).item()
