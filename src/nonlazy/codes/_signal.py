"""How much of each neuron's activity tells the classes apart, beyond what chance gives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from jaxtyping import Bool, Float, Int

from nonlazy.codes._gram import GramSquare
from nonlazy.codes._source import as_layer


# Benjamini-Hochberg: expected share of false discoveries among the neurons called class-selective.
FALSE_DISCOVERY_RATE = 0.01


@dataclass(frozen=True, eq=False)
class ClassSignal:
    """Class means and class signal of every neuron of a layer, and of the layer as a whole.

    **Fields:**

    - `means`: M_ic, mean activation of neuron i over the inputs of class c, `(neurons, classes)`.
    - `counts`: P_c, inputs in each class, `(classes,)`.
    - `within`: pooled within-class variance, `(neurons,)`.
    - `signal`: variance of the class means over inputs with the part removed that `within` alone would give,
      s2_i = [sum_c P_c (M_ic - g_i)^2 - (C - 1) within_i] / P, where g_i is the grand mean; may be negative.
    - `p_values`: one-way F test of each neuron.
    - `significant`: neurons that pass Benjamini-Hochberg at `FALSE_DISCOVERY_RATE`.
    - `constant`: neurons that are the same on all inputs; they are left out of every test.
    - `mean_squares`: mean of the squared activation over inputs, `(neurons,)`.
    - `ratio`: the layer's signal-to-noise ratio, sum of `signal` over sum of `within`.
    - `p_value`: Dempster's trace test of the layer: are the class means of all neurons together equal?
    - `total`: variance over inputs, `(neurons,)`.
    - `offsets`: class means less the grand mean, `(neurons, classes)`.
    - `classes`: class index of each input, `(inputs,)`.
    - `projections`: sum_i offset_ic R_imu, where R is what is left of the activations without class means,
      `(classes, inputs)`: all that nearest class means and the kernel need to know of the inputs.
    - `residual_gram`: |R R^T|_F^2, estimated where neurons and inputs are many (`nonlazy.codes._gram`).
    """

    means: Float[np.ndarray, "neurons classes"]
    counts: Int[np.ndarray, " classes"]
    within: Float[np.ndarray, " neurons"]
    signal: Float[np.ndarray, " neurons"]
    p_values: Float[np.ndarray, " neurons"]
    significant: Bool[np.ndarray, " neurons"]
    constant: Bool[np.ndarray, " neurons"]
    mean_squares: Float[np.ndarray, " neurons"]
    ratio: float
    p_value: float
    total: Float[np.ndarray, " neurons"]
    offsets: Float[np.ndarray, "neurons classes"]
    classes: Int[np.ndarray, " inputs"]
    projections: Float[np.ndarray, "classes inputs"]
    residual_gram: float


def class_signal(activations: Any, classes: Int[np.ndarray, " inputs"]) -> ClassSignal:
    """Class means, noise-corrected class signal and its tests, in one pass over the neurons.

    **Arguments:**

    - `activations`: `(neurons, inputs)`, a `Layer` or what `as_layer` takes.
    - `classes`: class index 0 .. C-1 of each input; every class occurs and some class occurs twice.

    **Returns:** a `ClassSignal`.
    """
    layer = as_layer(activations)
    N, P, C = layer.neurons, layer.inputs, int(classes.max()) + 1
    counts = np.bincount(classes, minlength=C)
    membership = np.zeros((P, C))
    membership[np.arange(P), classes] = 1.0
    offsets, means = np.empty((N, C)), np.empty((N, C))
    total, mean_squares, constant = np.empty(N), np.empty(N), np.empty(N, dtype=bool)
    projections = np.zeros((C, P))
    gram = GramSquare(N, P)
    for rows, values in layer.chunks():
        grand = values.mean(axis=1)
        constant[rows] = values.max(axis=1) == values.min(axis=1)
        # Differences to the grand mean first: sums of squares of a large common offset would lose the digits that
        # matter.
        centred = values - grand[:, None]
        offsets[rows] = centred @ membership / counts
        offsets[rows][constant[rows]] = 0.0
        means[rows] = values @ membership / counts
        total[rows] = np.einsum("ip,ip->i", centred, centred)
        mean_squares[rows] = grand**2 + total[rows] / P
        centred -= np.take(offsets[rows], classes, axis=1)
        centred[constant[rows]] = 0.0
        projections += offsets[rows].T @ centred
        gram.add(centred)
    total[constant] = 0.0
    between = offsets**2 @ counts.astype(float)
    # What rounding leaves of the spread of a neuron that is constant within every class is none.
    spread = np.where(total - between <= 1e-12 * total, 0.0, total - between)
    within = spread / (P - C)
    signal = (between - (C - 1) * within) / P
    signal[constant] = 0.0
    p_values = _f_test(between / (C - 1), within, C - 1.0, float(P - C))
    p_values[constant] = 1.0
    residual_gram = gram.value()
    effective = _effective_dimension(float(spread.sum()), residual_gram, min(N - int(constant.sum()), P - C), P - C)
    return ClassSignal(
        means=means,
        counts=counts,
        within=within,
        signal=signal,
        p_values=p_values,
        significant=_benjamini_hochberg(p_values, FALSE_DISCOVERY_RATE) & ~constant,
        constant=constant,
        mean_squares=mean_squares,
        ratio=_ratio(float(signal.sum()), float(within.sum())),
        p_value=float(
            _f_test(between.sum() / (C - 1), within.sum(), (C - 1) * effective, (P - C) * effective)
            if effective > 0
            else 1.0
        ),
        total=total / P,
        offsets=offsets,
        classes=classes,
        projections=projections,
        residual_gram=residual_gram,
    )


def _ratio(signal: float, noise: float) -> float:
    if noise > 0:
        return signal / noise
    return float("inf") if signal > 0 else 0.0


def _f_test(between: Any, within: Any, upper: float, lower: float) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(np.asarray(within) > 0, between / within, np.inf)
    return scipy.special.fdtrc(upper, lower, np.minimum(statistic, 1e300))


def _effective_dimension(spread: float, residual_gram: float, rank: int, freedom: int) -> float:
    """(tr S)^2 / tr S^2 of the within-class covariance S of the neurons, unbiased for Gaussian residuals.

    Neurons that share their fluctuations count as fewer, so that the layer's test stays calibrated (Dempster 1958;
    the estimate of tr S^2 is that of Bai & Saranadasa, Statistica Sinica 6, 1996).
    """
    if rank == 0:
        return 0.0
    if spread == 0 or freedom < 2:
        return 1.0
    trace = spread / freedom
    square = residual_gram / freedom**2
    corrected = freedom**2 / ((freedom - 1) * (freedom + 2)) * (square - trace**2 / freedom)
    # tr S^2 lies between (tr S)^2 / rank and (tr S)^2; the estimate can leave that range by chance.
    return float(trace**2 / np.clip(corrected, trace**2 / rank, trace**2))


def _benjamini_hochberg(p_values: Float[np.ndarray, " tests"], rate: float) -> Bool[np.ndarray, " tests"]:
    order = np.argsort(p_values, kind="stable")
    passed = np.flatnonzero(p_values[order] <= rate * np.arange(1, p_values.size + 1) / p_values.size)
    chosen = np.zeros(p_values.size, dtype=bool)
    if passed.size:
        chosen[order[: passed[-1] + 1]] = True
    return chosen
