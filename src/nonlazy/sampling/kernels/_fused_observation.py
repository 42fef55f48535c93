"""What is kept of a draw of one hidden layer on orthogonal inputs, in a single pass over its state, in Numba."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonlazy.activations import Activation
from nonlazy.sampling.kernels._fused import half_erf, power_of_two, read_only
from nonlazy.sampling.kernels._fused_activations import KINDS, Kind
from nonlazy.sampling.kernels._numba import SUMS, compiled


_ERF, _RECTIFIED, _SQUARED, _TANH = (int(kind) for kind in (Kind.ERF, Kind.RECTIFIED, Kind.SQUARED, Kind.TANH))
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_LOG2_E = float(np.log2(np.e))


class FusedObservation:
    """A callable like `_engine.observe` without test inputs, on NumPy arrays in float32.

    **Arguments:** `phi`, one of `_fused_activations`; the rest as in `_potential.Problem` and `_engine.Observer`;
    `largest`: how many readout norms are kept.
    """

    def __init__(
        self,
        phi: Activation,
        targets: Float[np.ndarray, "m P"],
        pairs: Int[np.ndarray, "pairs 2"],
        class_weights: Float[np.ndarray, "P C"],
        sigma_a: float,
        largest: int,
    ):
        kind, *constants = KINDS[phi.name]
        self._activation = (np.int64(kind), *(np.float32(x) for x in constants))
        self._targets = read_only(np.ascontiguousarray(targets))
        self._left, self._right = (read_only(np.ascontiguousarray(side, np.uint64)) for side in pairs.T)
        self._class_weights = read_only(np.ascontiguousarray(class_weights.T))
        self._sigma_a, self._largest = np.float32(sigma_a), largest
        self._row = np.empty(targets.shape[1], np.float32)

    def __call__(
        self,
        first: Float[np.ndarray, "N P"],
        readout: Float[np.ndarray, "m N"],
        scale: float,
        gain: float,
        inverse_noise: float,
    ) -> dict[str, Any]:
        """What is kept of the draw with this whitened position, by name."""
        (m, P), N = self._targets.shape, first.shape[0]
        output = np.empty((m, P), np.float32)
        class_activation = np.empty((N, len(self._class_weights)), np.float32)
        entries = np.zeros((1, self._left.size), np.float32)
        loss, squares = _observe(
            *self._activation, read_only(first), read_only(readout), self._targets, self._class_weights, self._left,
            self._right, np.float32(scale), np.float32(gain), self._row, output, class_activation, entries,
        )  # fmt: skip
        readouts = self._sigma_a * readout
        norms = np.sum(readouts * readouts, axis=0)
        return {
            "readout": readouts.T,
            "log_density": np.float32(-0.5 * squares - inverse_noise * loss),
            "loss": np.float32(loss),
            "sum_a2": np.sum(norms),
            "readout_norm": np.sort(norms)[::-1][: self._largest],
            "kernel_entry": entries,
            "f": output.T,
            "class_activation": class_activation,
        }


@compiled(SUMS)
def _observe(
    kind, offset, height, rate,
    first, readout, targets, class_weights, left, right, scale, gain,
    phi, output, class_activation, entries,
):  # fmt: skip
    N, P = np.uint64(first.shape[0]), np.uint64(first.shape[1])
    m, C = np.uint64(readout.shape[0]), np.uint64(class_weights.shape[0])
    squares = 0.0
    output[:] = _ZERO
    exponent = np.float32(-_LOG2_E) * rate * rate
    for i in range(N):
        row = first[i]
        part = _ZERO
        for j in range(P):
            part += row[j] * row[j]
        squares += part
        if kind == _ERF:
            for j in range(P):
                z = scale * row[j]
                phi[j] = offset + (height + height) * half_erf(rate * z, power_of_two(exponent * z * z))
        elif kind == _RECTIFIED:
            for j in range(P):
                phi[j] = max(scale * row[j], _ZERO)
        elif kind == _SQUARED:
            for j in range(P):
                z = max(scale * row[j], _ZERO)
                phi[j] = z * z
        elif kind == _TANH:
            for j in range(P):
                z = scale * row[j]
                e = power_of_two(np.float32(-2 * _LOG2_E) * abs(z))
                phi[j] = np.copysign((_ONE - e) / (_ONE + e), z)
        else:
            for j in range(P):
                phi[j] = scale * row[j]
        for k in range(m):
            a = readout[k, i]
            squares += a * a
            for j in range(P):
                output[k, j] += a * phi[j]
        for c in range(C):
            mean = _ZERO
            for j in range(P):
                mean += class_weights[c, j] * phi[j]
            class_activation[i, c] = mean
        for pair in range(left.size):
            entries[0, pair] += phi[left[pair]] * phi[right[pair]]
    for pair in range(left.size):
        entries[0, pair] /= np.float32(N)
    loss = 0.0
    for k in range(m):
        part = _ZERO
        for j in range(P):
            output[k, j] *= gain
            part += (output[k, j] - targets[k, j]) ** 2
        loss += part
    return 0.5 * loss, squares
