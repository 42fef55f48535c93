"""How much of each neuron's activity tells the classes apart, beyond what chance gives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from jaxtyping import Bool, Float, Float32, Int


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


def class_signal(activations: Float[np.ndarray, "neurons inputs"], classes: Int[np.ndarray, " inputs"]) -> ClassSignal:
    """Class means, noise-corrected class signal and its tests.

    **Arguments:**

    - `activations`: float64, finite.
    - `classes`: class index 0 .. C-1 of each input; every class occurs and some class occurs twice.

    **Returns:** a `ClassSignal`.
    """
    P, C = classes.size, int(classes.max()) + 1
    counts = np.bincount(classes, minlength=C)
    grand = activations.mean(axis=1)
    # Differences to the grand mean first: sums of squares of a large common offset would lose the digits that matter.
    centred = activations - grand[:, None]
    constant = np.ptp(activations, axis=1) == 0
    membership = np.zeros((P, C))
    membership[np.arange(P), classes] = 1.0
    offsets = centred @ membership / counts
    total = np.einsum("ip,ip->i", centred, centred)
    between = offsets**2 @ counts.astype(float)
    # What rounding leaves of the spread of a neuron that is constant within every class is none.
    spread = np.where(total - between <= 1e-12 * total, 0.0, total - between)
    within = spread / (P - C)
    signal = (between - (C - 1) * within) / P
    signal[constant] = 0.0
    p_values = _f_test(between / (C - 1), within, C - 1.0, float(P - C))
    p_values[constant] = 1.0
    # Single precision: the squares are summed, six digits are plenty, and this is the costliest step here.
    residual = centred.astype(np.float32) - (offsets @ membership.T).astype(np.float32)
    effective = _effective_dimension(residual[~constant] if constant.any() else residual, P - C)
    return ClassSignal(
        means=activations @ membership / counts,
        counts=counts,
        within=within,
        signal=signal,
        p_values=p_values,
        significant=_benjamini_hochberg(p_values, FALSE_DISCOVERY_RATE) & ~constant,
        constant=constant,
        mean_squares=np.einsum("ip,ip->i", activations, activations) / P,
        ratio=_ratio(float(signal.sum()), float(within.sum())),
        p_value=float(
            _f_test(between.sum() / (C - 1), within.sum(), (C - 1) * effective, (P - C) * effective)
            if effective > 0
            else 1.0
        ),
    )


def _ratio(signal: float, noise: float) -> float:
    if noise > 0:
        return signal / noise
    return float("inf") if signal > 0 else 0.0


def _f_test(between: Any, within: Any, upper: float, lower: float) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(np.asarray(within) > 0, between / within, np.inf)
    return scipy.special.fdtrc(upper, lower, np.minimum(statistic, 1e300))


def _effective_dimension(residual: Float32[np.ndarray, "neurons inputs"], freedom: int) -> float:
    """(tr S)^2 / tr S^2 of the within-class covariance S of the neurons, unbiased for Gaussian residuals.

    Neurons that share their fluctuations count as fewer, so that the layer's test stays calibrated (Dempster 1958;
    the estimate of tr S^2 is that of Bai & Saranadasa, Statistica Sinica 6, 1996).
    """
    scale = float(np.abs(residual).max(initial=0.0))
    if scale == 0 or freedom < 2:
        return 1.0 if residual.size else 0.0
    residual = residual / scale
    gram = residual @ residual.T if residual.shape[0] <= residual.shape[1] else residual.T @ residual
    trace = float(np.trace(gram, dtype=np.float64)) / freedom
    square = float(np.sum(np.square(gram), dtype=np.float64)) / freedom**2
    corrected = freedom**2 / ((freedom - 1) * (freedom + 2)) * (square - trace**2 / freedom)
    # tr S^2 lies between (tr S)^2 / rank and (tr S)^2; the unbiased estimate can leave that range by chance.
    rank = min(residual.shape[0], freedom)
    return float(trace**2 / np.clip(corrected, trace**2 / rank, trace**2))


def _benjamini_hochberg(p_values: Float[np.ndarray, " tests"], rate: float) -> Bool[np.ndarray, " tests"]:
    order = np.argsort(p_values, kind="stable")
    passed = np.flatnonzero(p_values[order] <= rate * np.arange(1, p_values.size + 1) / p_values.size)
    chosen = np.zeros(p_values.size, dtype=bool)
    if passed.size:
        chosen[order[: passed[-1] + 1]] = True
    return chosen
