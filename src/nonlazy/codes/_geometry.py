"""The layer as a geometry of inputs: neural collapse, alignment with the task, what the codes explain of the kernel.

All follow from class means and from two sums over neurons that `class_signal` makes, so that no kernel of inputs is
ever formed. F is the table of activations less each neuron's mean over inputs; F = M + R, class means and what is left.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.codes._signal import ClassSignal


@dataclass(frozen=True)
class NeuralCollapse:
    """How far a layer has collapsed onto its class means (Papyan, Han & Donoho, PNAS 117, 2020).

    **Fields:**

    - `nc1`: tr(S_W S_B^+) / C of the covariances within and between classes; 0 when collapsed. It sees only the C - 1
      directions of the class means: in wide layers it is small long before the layer has collapsed.
    - `nc1_trace`: tr S_W / tr S_B, which sees all directions.
    - `nc2_norms`: standard deviation over mean of the norms of the centred class means; 0: equal.
    - `nc2_angles`: mean deviation of their cosines from -1 / (C - 1), those of a simplex; 0: a simplex.
    - `nc3`: |A / |A| - M / |M||_F of readouts and centred class means; 0: dual, 2: opposite. None without readouts.
    - `nc4`: share of inputs for which the nearest class mean and the readouts (without them: the labels) disagree.
    """

    nc1: float
    nc1_trace: float
    nc2_norms: float
    nc2_angles: float
    nc3: float | None
    nc4: float


def neural_collapse(
    signal: ClassSignal,
    readouts: Float[np.ndarray, "neurons classes"] | None = None,
    decisions: Int[np.ndarray, " inputs"] | None = None,
) -> NeuralCollapse:
    """NC1 to NC4.

    **Arguments:** `signal`: of the layer; `readouts`: weights of each class's output; `decisions`: the class that the
    network assigns to each input, or None for the labels.

    **Returns:** a `NeuralCollapse`, with NaN where the class means are all the same.
    """
    # Centred at the mean over classes, not over inputs, as the definitions have it.
    centred = signal.offsets - signal.offsets.mean(axis=1, keepdims=True)
    C = centred.shape[1]
    gram = centred.T @ centred
    norms = np.sqrt(np.diag(gram))
    between = float(np.trace(gram)) / C
    distances = np.sum(signal.offsets**2, axis=0)[:, None] - 2 * (
        signal.projections + (signal.offsets.T @ signal.offsets)[:, signal.classes]
    )
    wrong = np.argmin(distances, axis=0) != (signal.classes if decisions is None else decisions)
    if between <= 1e-24 * max(float(signal.mean_squares.sum()), 1e-300):
        unknown = None if readouts is None else np.nan
        return NeuralCollapse(np.nan, np.nan, np.nan, np.nan, unknown, float(wrong.mean()))
    P = signal.classes.size
    within = np.sum(signal.within) * (P - C) / P
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-10 * values[-1]
    # R projected on the principal directions of the class means, which are combinations of them.
    seen = (vectors[:, kept] / np.sqrt(values[kept])).T @ (signal.projections - signal.projections.mean(axis=0))
    nc1 = float(np.sum(np.sum(seen**2, axis=1) / P / values[kept]))
    cosines = (gram / np.maximum(np.outer(norms, norms), 1e-300))[~np.eye(C, dtype=bool)]
    nc3 = None
    if readouts is not None:
        weights = readouts - readouts.mean(axis=1, keepdims=True)
        size = float(np.linalg.norm(weights))
        nc3 = float(np.linalg.norm(weights / size - centred / np.linalg.norm(centred))) if size > 0 else np.nan
    return NeuralCollapse(
        nc1=nc1,
        nc1_trace=float(within / between),
        nc2_norms=float(norms.std() / norms.mean()),
        nc2_angles=float(np.abs(cosines + 1 / (C - 1)).mean()),
        nc3=nc3,
        nc4=float(wrong.mean()),
    )


@dataclass(frozen=True)
class Alignment:
    """Centred kernel alignment of the layer with the task, and its mean over random labels.

    **Fields:** `value`: <K, L> / |K| |L| of the centred kernels of activations and of one-hot labels (Kornblith et al.
    2019), in [0, 1]; `chance`: its mean when the labels are shuffled, exactly.
    """

    value: float
    chance: float


def alignment(signal: ClassSignal) -> Alignment:
    """Centred kernel alignment of activations and labels; NaN for a layer that is constant."""
    P, counts = signal.classes.size, signal.counts.astype(float)
    norm = _kernel_norm(signal)
    if norm == 0:
        return Alignment(np.nan, np.nan)
    # One-hot labels, centred: the trace and the square norm of their kernel.
    trace = P - np.sum(counts**2) / P
    square = np.sum(counts**2) - 2 * np.sum(counts**3) / P + np.sum(counts**2) ** 2 / P**2
    value = float(np.sum((signal.offsets * counts) ** 2)) / (norm * np.sqrt(square))
    chance = P * float(signal.total.sum()) * trace / (P - 1) / (norm * np.sqrt(square))
    return Alignment(float(value), float(chance))


def kernel_share(signal: ClassSignal, neuron_codes: Int[np.ndarray, " neurons"], codes: int) -> float:
    """How much of the layer's centred kernel its codes explain: 1 - |K - K_codes|^2 / |K|^2, in [0, 1].

    In K_codes every neuron has the mean class means of the neurons with its code, and neurons without one are silent.
    """
    norm = _kernel_norm(signal)
    if norm == 0 or codes == 0:
        return 0.0
    counts = signal.counts.astype(float)
    coded = neuron_codes >= 0
    members = np.bincount(neuron_codes[coded], minlength=codes)
    table = np.zeros((codes, counts.size))
    np.add.at(table, neuron_codes[coded], signal.offsets[coded])
    table /= members[:, None]
    # Everything as Gram matrices of classes, weighted with the inputs in each.
    weight = np.sqrt(counts)
    explained = (table.T * members) @ table * np.outer(weight, weight)
    means = signal.offsets.T @ signal.offsets * np.outer(weight, weight)
    return float((2 * np.sum(explained * means) - np.sum(explained**2)) / norm**2)


def _kernel_norm(signal: ClassSignal) -> float:
    """|F^T F|_F; the cross terms of M and R in |(M + R)(M + R)^T|^2 vanish but for one."""
    weight = np.sqrt(signal.counts)
    means = signal.offsets.T @ signal.offsets * np.outer(weight, weight)
    cross = float(np.sum(signal.counts * np.sum(signal.projections**2, axis=1)))
    return float(np.sqrt(signal.residual_gram + 2 * cross + np.sum(means**2)))
