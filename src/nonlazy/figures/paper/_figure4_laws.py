"""What the theory says of a single neuron in chains whose neurons keep their codes, for the three networks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.figures._statistics import outliers
from nonlazy.sampling import Run
from nonlazy.theory import LinearPrediction, Prediction, RectifiedPrediction, SigmoidalPrediction, solve


@dataclass(frozen=True, eq=False)
class Law:
    """The law of a neuron's readouts and preactivations, by code.

    **Fields:**

    - `prediction`: equilibrium's. `quenched`: the theory at each chain's own shares; empty where nothing is frozen, or
      where there is none.
    - `rows`: the codes as "1-1-0", "bulk", or "all neurons".
    - `readout`: output and grid -> density. `preactivation`: row, class and grid -> density.
    - `assign`: readouts of the neurons -> index of each one's row.
    - `spikes`: readouts of single neurons that no density shows, `(n, m)`; `widths`: of their peaks.
    """

    prediction: Prediction
    quenched: tuple[SigmoidalPrediction, ...]
    rows: tuple[str, ...]
    readout: Callable[[int, np.ndarray], np.ndarray]
    preactivation: Callable[[int, int, np.ndarray], np.ndarray]
    assign: Callable[[np.ndarray], np.ndarray]
    spikes: Float[np.ndarray, "n m"]
    widths: Float[np.ndarray, "n m"]


def law_of(run: Run) -> Law:
    """The law that the theory gives for the chains of a run.

    **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.TheoryError` where the theory does not cover the run.
    """
    prediction = solve(run.posterior)
    if isinstance(prediction, LinearPrediction):
        return _linear(prediction)
    if isinstance(prediction, RectifiedPrediction):
        return _rectified(prediction)
    assert isinstance(prediction, SigmoidalPrediction)
    return _sigmoidal(prediction, run)


def _linear(prediction: LinearPrediction) -> Law:
    m = prediction.posterior.task.m
    return Law(
        prediction=prediction,
        quenched=(),
        rows=("all neurons",),
        readout=lambda r, grid: prediction.readout_density(np.eye(m)[r], grid),
        preactivation=lambda row, label, grid: prediction.preactivation_density(grid, None, label),
        assign=lambda readouts: np.zeros(len(readouts), dtype=int),
        spikes=np.empty((0, m)),
        widths=np.empty((0, m)),
    )


def _sigmoidal(prediction: SigmoidalPrediction, run: Run) -> Law:
    m = run.task.m
    shares = [chain_shares(prediction, readouts) for readouts in np.asarray(run.readouts(), dtype=np.float64)]
    quenched = ()
    try:
        quenched = tuple(_at_shares(run, found) for found in shares)
    except (InvalidInput, TheoryError):
        # Shares that freeze as no well can hold: equilibrium's law is what is left.
        pass
    laws = quenched or (prediction,)
    rows = tuple(sorted({name for law in laws for name in law.codes.names}, reverse=True))

    def preactivation(row: int, label: int, grid: np.ndarray) -> np.ndarray:
        parts = [(law, law.codes.names.index(rows[row])) for law in laws if rows[row] in law.codes.names]
        weights = np.array([law.codes.fraction[k] for law, k in parts])
        curves = [law.preactivation_density(grid, k, label) for law, k in parts]
        return (weights / weights.sum()) @ np.array(curves)

    def assign(readouts: np.ndarray) -> np.ndarray:
        places = np.array([rows.index(name) if name in rows else -1 for name in prediction.codes.names])
        return places[prediction.assign(readouts)]

    return Law(
        prediction=prediction,
        quenched=quenched,
        rows=rows,
        readout=lambda r, grid: np.mean([law.readout_density(np.eye(m)[r], grid) for law in laws], axis=0),
        preactivation=preactivation,
        assign=assign,
        spikes=np.empty((0, m)),
        widths=np.empty((0, m)),
    )


def chain_shares(
    prediction: SigmoidalPrediction, readouts: Float[np.ndarray, "draws N m"]
) -> dict[tuple[int, ...], float]:
    """Shares of the codes along a chain, each neuron counted for the code with the nearest centre."""
    nearest = prediction.assign(readouts.reshape(-1, readouts.shape[-1]))
    shares = np.bincount(nearest, minlength=len(prediction.codes)) / nearest.size
    return {
        tuple(int(bit) for bit in code): float(share)
        for code, share in zip(prediction.codes.active, shares, strict=True)
        if share > 0
    }


def _at_shares(run: Run, shares: dict[tuple[int, ...], float]) -> SigmoidalPrediction:
    found = solve(run.posterior, fractions=shares)
    assert isinstance(found, SigmoidalPrediction)
    return found


def _rectified(prediction: RectifiedPrediction) -> Law:
    posterior = prediction.posterior
    N, m = posterior.network.width, posterior.task.m
    active = np.asarray(prediction.outliers.preactivation) > 1e-9
    names = ["-".join("1" if on else "0" for on in row) for row in active]
    order = sorted(range(len(names)), key=lambda k: names[k], reverse=True)
    spikes = np.asarray(prediction.outliers.readout, dtype=np.float64)[order] * np.sqrt(N)

    def preactivation(row: int, label: int, grid: np.ndarray) -> np.ndarray:
        if row < len(order):
            return prediction.preactivation_density(grid, order[row], label)
        # The bulk is what the mixture of all neurons holds besides the outliers.
        everything = N * prediction.preactivation_density(grid, None, label)
        single = sum((prediction.preactivation_density(grid, k, label) for k in order), np.zeros_like(grid))
        return np.maximum(everything - single, 0.0) / (N - len(order))

    def assign(readouts: np.ndarray) -> np.ndarray:
        rows = np.full(len(readouts), len(order))
        large = outliers(readouts)
        if len(order) and large.any():
            directions = spikes / np.linalg.norm(spikes, axis=1, keepdims=True)
            rows[large] = np.argmax(readouts[large] @ directions.T, axis=1)
        return rows

    return Law(
        prediction=prediction,
        quenched=(),
        rows=(*(names[k] for k in order), "bulk"),
        readout=lambda r, grid: prediction.readout_density(np.eye(m)[r], grid),
        preactivation=preactivation,
        assign=assign,
        spikes=spikes,
        widths=np.sqrt(np.array([np.diag(prediction.peak_covariance[k]) for k in order])).reshape(len(order), m),
    )


def neurons_by_row(law: Law, readouts: Float[np.ndarray, "N m"]) -> list[Int[np.ndarray, " neurons"]]:
    """The neurons of each row."""
    rows = law.assign(readouts)
    return [np.flatnonzero(rows == row) for row in range(len(law.rows))]
