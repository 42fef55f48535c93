"""Trajectories of one hidden layer on orthogonal inputs in a single sweep over the state per gradient, in Numba.

Where z^1 = sigma_1 u, an input's outputs depend on that input's preactivations alone. Drift, activation, outputs,
backward pass and kick of a block of inputs can then follow each other while the block lies in the second cache, so that
a gradient reads and writes position and momentum once. XLA makes separate passes of them, and their traffic costs more
than the arithmetic. The integrator is that of `_hamiltonian`. Single precision: sigmoidal functions and their slopes
share one exponential, and are right to 1.5e-7. Momenta are drawn where they are needed (`_fused_random`).

Arrays are flat here: first-layer coordinates in blocks `(blocks, N, BLOCK)` of inputs, the last one padded with zeros;
readouts `(3 groups, N)`, since outputs are taken three at a time.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from nonlazy.activations import Activation
from nonlazy.sampling.kernels._fused_activations import KINDS, Kind
from nonlazy.sampling.kernels._fused_random import normal_row
from nonlazy.sampling.kernels._hamiltonian import OUTER_KICK
from nonlazy.sampling.kernels._numba import BLOCK, MATH, SUMS, bits_of_float, compiled, float_of_bits, inlined


_GROUP = 3
_ALIGNMENT = 64

# Numba takes module constants into the compiled code as they are typed here.
_ERF, _RECTIFIED, _SQUARED, _TANH = (int(kind) for kind in (Kind.ERF, Kind.RECTIFIED, Kind.SQUARED, Kind.TANH))
_ROOT_OF_PI = math.sqrt(math.pi)
_WIDTH, _THREE = np.uint64(BLOCK), np.uint64(_GROUP)
_ZERO, _HALF, _ONE, _TWO = (np.float32(x) for x in (0.0, 0.5, 1.0, 2.0))
_OUTER, _INNER = np.float32(2 * OUTER_KICK), np.float32(2 * (1 - 2 * OUTER_KICK))
_LOG2_E = math.log2(math.e)
# 2^r on [-1/2, 1/2], minimax in relative error (7.5e-8).
_E0, _E1, _E2, _E3, _E4, _E5 = (
    np.float32(x) for x in (1.00000012, 0.693146944, 0.240221202, 0.0555071309, 0.00967554189, 0.00132764725)
)  # fmt: skip
_LEAST_EXPONENT = np.float32(-125.0)
_ROUNDING = np.float32(1.5 * 2**23)
# exp(u^2) erfc(u) / 2 in powers 1 to 6 of 1 / (1 + 0.39 u), minimax for erfc on [0, 5] (4e-9).
_SLANT = 0.39
_Q1, _Q2, _Q3, _Q4, _Q5, _Q6 = (
    np.float32(x) for x in (0.117662573, 0.0456944351, 0.324779131, -0.317699436, 0.443331752, -0.113768457)
)  # fmt: skip


class Result(NamedTuple):
    """Where a trajectory ended: position, losses at the start and the end, and the change of (|x|^2 + |v|^2) / 2."""

    first: Float[np.ndarray, "N P"]
    readout: Float[np.ndarray, "m N"]
    first_loss: float
    last_loss: float
    half_squares: float


class FusedTrajectory:
    """Trajectories of one network from fresh momenta, with the memory that they work in.

    **Arguments:** `phi`, one of `_fused_activations`; N, P and m.
    """

    def __init__(self, phi: Activation, N: int, P: int, m: int):
        kind, *constants = KINDS[phi.name]
        self._kind, self._constants = np.int64(kind), tuple(np.float32(x) for x in constants)
        self._shape = (N, P, m)
        blocks, groups = -(-P // BLOCK), -(-m // _GROUP)
        padded = blocks * N * BLOCK
        # Outputs in groups, and readout momenta in blocks.
        readouts = max(groups * _GROUP * N, -(-m * N // BLOCK) * BLOCK)
        self._position, self._momentum = _zeros(padded), _zeros(padded)
        self._readout, self._readout_momentum, self._force = (_zeros(readouts) for _ in range(3))
        self._phi, self._slope = _zeros(N * BLOCK), _zeros(N * BLOCK)
        self._outputs = _zeros(groups * _GROUP * BLOCK)
        self._back = _zeros(BLOCK)

    def __call__(
        self,
        first: Float[np.ndarray, "N P"],
        readout: Float[np.ndarray, "m N"],
        key: tuple[int, int],
        targets: Float[np.ndarray, "m P"],
        scale: float,
        gain: float,
        pull: float,
        prior: float,
        step_size: float,
        steps: int,
    ) -> Result:
        """`steps` gradients a time `step_size` apart, and one at the start; all arrays are float32.

        **Arguments:** whitened position; the key of the momenta, 32 bits each; the rest as in `_potential.Problem`.
        """
        N, P, m = self._shape
        new_first, new_readout = np.empty((N, P), np.float32), np.empty((m, N), np.float32)
        sums = _trajectory(
            self._kind, *self._constants,
            read_only(first), read_only(readout), *(np.uint32(word) for word in key), read_only(targets),
            new_first, new_readout,
            self._position, self._momentum, self._readout, self._readout_momentum, self._force,
            self._phi, self._slope, self._outputs, self._back,
            np.uint64(N), np.uint64(P), np.uint64(m),
            *(np.float32(x) for x in (scale, gain, pull, prior, step_size)), np.int64(steps),
        )  # fmt: skip
        return Result(new_first, new_readout, *sums)

    def momentum(self, key: tuple[int, int]) -> tuple[Float[np.ndarray, "N P"], Float[np.ndarray, "m N"]]:
        """The momenta that a trajectory with this key begins with."""
        N, P, m = self._shape
        _draw_momenta(
            self._momentum, self._readout_momentum, *(np.uint32(word) for word in key), *map(np.uint64, (N, P, m))
        )
        blocks = self._momentum.reshape(-1, N, BLOCK)
        first = np.concatenate(list(blocks), axis=1)[:, :P]
        return first.copy(), self._readout_momentum[: m * N].reshape(m, N).copy()


def read_only(array: np.ndarray) -> np.ndarray:
    """As JAX hands its arrays out: code is compiled once for each kind of argument."""
    view = array.view()
    view.flags.writeable = False
    return view


def _zeros(count: int) -> np.ndarray:
    """Zeros that begin at a boundary of the cache: vectors that straddle two lines are slower."""
    bytes_ = np.zeros(4 * count + _ALIGNMENT, np.uint8)
    begin = -bytes_.ctypes.data % _ALIGNMENT
    return bytes_[begin : begin + 4 * count].view(np.float32)


@inlined(MATH)
def power_of_two(y):
    """2^y for y <= 0; below 2^-125 it is 2^-125."""
    y = max(y, _LEAST_EXPONENT)
    # Adding 1.5 2^23 rounds to a whole number, which then stands in the lowest bits.
    shifted = y + _ROUNDING
    r = y - (shifted - _ROUNDING)
    p = ((((_E5 * r + _E4) * r + _E3) * r + _E2) * r + _E1) * r + _E0
    return float_of_bits(bits_of_float(p) + (bits_of_float(shifted) << np.int32(23)))


@inlined(MATH)
def half_erf(u, gaussian):
    """erf(u) / 2, from gaussian = exp(-u^2)."""
    t = _ONE / (np.float32(_SLANT) * abs(u) + _ONE)
    q = (((((_Q6 * t + _Q5) * t + _Q4) * t + _Q3) * t + _Q2) * t + _Q1) * t
    return math.copysign(_HALF - q * gaussian, u)


# A loop that reads and writes more than four arrays is not vectorized: whether they overlap is asked for each pair.


@inlined(MATH)
def _forward(
    kind, offset, height, rate, position, momentum, phi, slope, outputs, readout, groups, N, begin, time, scale
):
    """Drift, activations, slopes, and the readouts' sums over neurons, for one block."""
    for j in range(groups * _THREE * _WIDTH):
        outputs[j] = _ZERO
    exponent = np.float32(-_LOG2_E) * rate * rate
    twice = height + height
    height_of_slope = np.float32(2 / _ROOT_OF_PI) * height * rate
    for i in range(N):
        b, c = begin + i * _WIDTH, i * _WIDTH
        if kind == _ERF:
            for j in range(_WIDTH):
                x = position[b + j] + time * momentum[b + j]
                position[b + j] = x
                z = scale * x
                gaussian = power_of_two(exponent * z * z)
                phi[c + j] = offset + twice * half_erf(rate * z, gaussian)
                slope[c + j] = height_of_slope * gaussian
        elif kind == _RECTIFIED:
            for j in range(_WIDTH):
                x = position[b + j] + time * momentum[b + j]
                position[b + j] = x
                z = scale * x
                phi[c + j] = max(z, _ZERO)
                slope[c + j] = _ONE if z > _ZERO else _ZERO
        elif kind == _SQUARED:
            for j in range(_WIDTH):
                x = position[b + j] + time * momentum[b + j]
                position[b + j] = x
                z = max(scale * x, _ZERO)
                phi[c + j] = z * z
                slope[c + j] = _TWO * z
        elif kind == _TANH:
            for j in range(_WIDTH):
                x = position[b + j] + time * momentum[b + j]
                position[b + j] = x
                z = scale * x
                e = power_of_two(np.float32(-2 * _LOG2_E) * abs(z))
                t = (_ONE - e) / (_ONE + e)
                phi[c + j] = math.copysign(t, z)
                slope[c + j] = _ONE - t * t
        else:
            for j in range(_WIDTH):
                x = position[b + j] + time * momentum[b + j]
                position[b + j] = x
                phi[c + j] = scale * x
                slope[c + j] = _ONE
        for group in range(groups):
            r, o = group * _THREE * N + i, group * _THREE * _WIDTH
            a0, a1, a2 = readout[r], readout[r + N], readout[r + N + N]
            for j in range(_WIDTH):
                p = phi[c + j]
                outputs[o + j] += a0 * p
                outputs[o + _WIDTH + j] += a1 * p
                outputs[o + _WIDTH + _WIDTH + j] += a2 * p


@inlined(SUMS)
def _residual(outputs, targets, m, P, first, count, gain, pull):
    """The outputs' sums become pull (f - y), and 0 for padding; returns sum (f - y)^2."""
    loss = _ZERO
    for k in range(m):
        o = k * _WIDTH
        for j in range(count):
            r = gain * outputs[o + j] - targets[k, first + j]
            loss += r * r
            outputs[o + j] = pull * r
        for j in range(count, _WIDTH):
            outputs[o + j] = _ZERO
    return loss


@inlined(SUMS)
def _backward(position, momentum, phi, slope, force, back, readout, gradient, groups, N, begin, scale, prior, kick):
    """Kicks the block's momenta, and adds to the gradient of the readouts; `force` is pull (f - y)."""
    for i in range(N):
        b, c = begin + i * _WIDTH, i * _WIDTH
        if groups == np.uint64(1):
            a0, a1, a2 = scale * readout[i], scale * readout[i + N], scale * readout[i + N + N]
            g0, g1, g2 = _ZERO, _ZERO, _ZERO
            for j in range(_WIDTH):
                p = phi[c + j]
                f0, f1, f2 = force[j], force[_WIDTH + j], force[_WIDTH + _WIDTH + j]
                g0 += f0 * p
                g1 += f1 * p
                g2 += f2 * p
                momentum[b + j] -= kick * (prior * position[b + j] + (a0 * f0 + a1 * f1 + a2 * f2) * slope[c + j])
            gradient[i] += g0
            gradient[i + N] += g1
            gradient[i + N + N] += g2
            continue
        for j in range(_WIDTH):
            back[j] = _ZERO
        for group in range(groups):
            r, o = group * _THREE * N + i, group * _THREE * _WIDTH
            a0, a1, a2 = scale * readout[r], scale * readout[r + N], scale * readout[r + N + N]
            g0, g1, g2 = _ZERO, _ZERO, _ZERO
            for j in range(_WIDTH):
                p = phi[c + j]
                f0, f1, f2 = force[o + j], force[o + _WIDTH + j], force[o + _WIDTH + _WIDTH + j]
                g0 += f0 * p
                g1 += f1 * p
                g2 += f2 * p
                back[j] += a0 * f0 + a1 * f1 + a2 * f2
            gradient[r] += g0
            gradient[r + N] += g1
            gradient[r + N + N] += g2
        for j in range(_WIDTH):
            momentum[b + j] -= kick * (prior * position[b + j] + back[j] * slope[c + j])


@inlined(SUMS)
def _half_difference(new, old):
    """(new^2 - old^2) / 2 summed over a row, in difference form."""
    total = _ZERO
    for j in range(new.size):
        total += (new[j] - old[j]) * (new[j] + old[j])
    return _HALF * total


@inlined(SUMS)
def _half_squares(values):
    """Half the sum of squares, rows of a block at a time, so that single precision adds few numbers."""
    total = 0.0
    for row in range(values.size // BLOCK):
        part = _ZERO
        for j in range(BLOCK):
            part += values[row * BLOCK + j] * values[row * BLOCK + j]
        total += part
    return 0.5 * total


@inlined(MATH)
def _draw_momenta(momentum, readout_momentum, key0, key1, N, P, m):
    """Fills both with N(0, 1), and with zeros where there is padding."""
    blocks = (P + _WIDTH - np.uint64(1)) // _WIDTH
    rows = blocks * N
    for row in range(rows):
        normal_row(momentum, row * _WIDTH, key0, key1, row, np.uint32(0))
    last = P - (blocks - np.uint64(1)) * _WIDTH
    if last < _WIDTH:
        for row in range(rows - N, rows):
            for j in range(last, _WIDTH):
                momentum[row * _WIDTH + j] = _ZERO
    readout_rows = (m * N + _WIDTH - np.uint64(1)) // _WIDTH
    for row in range(readout_rows):
        normal_row(readout_momentum, row * _WIDTH, key0, key1, row, np.uint32(1))
    for i in range(m * N, np.uint64(readout_momentum.size)):
        readout_momentum[i] = _ZERO


@compiled(SUMS)
def _trajectory(
    kind, offset, height, rate,
    first, readout, key0, key1, targets, new_first, new_readout,
    position, momentum, a, v, gradient,
    phi, slope, outputs, back,
    N, P, m, scale, gain, pull, prior, step_size, steps,
):  # fmt: skip
    blocks = (P + _WIDTH - np.uint64(1)) // _WIDTH
    groups = (m + _THREE - np.uint64(1)) // _THREE
    _draw_momenta(momentum, v, key0, key1, N, P, m)
    half_squares = -_half_squares(momentum) - _half_squares(v)
    for block in range(blocks):
        begin, at = block * _WIDTH, block * N * _WIDTH
        count = min(_WIDTH, P - begin)
        for i in range(N):
            for j in range(count):
                position[at + i * _WIDTH + j] = first[i, begin + j]
            # A trajectory that diverged leaves NaN in the padding.
            for j in range(count, _WIDTH):
                position[at + i * _WIDTH + j] = _ZERO
    for k in range(m):
        for i in range(N):
            a[k * N + i] = readout[k, i]

    first_loss = last_loss = 0.0
    for step in range(steps + 1):
        time = _ZERO if step == 0 else step_size
        outer = _OUTER if step == 0 or step == steps else _TWO * _OUTER
        kick = step_size * (_INNER if step % 2 == 1 else outer)
        for i in range(m * N):
            a[i] += time * v[i]
            gradient[i] = prior * a[i]
        loss = 0.0
        for block in range(blocks):
            begin, at = block * _WIDTH, block * N * _WIDTH
            _forward(kind, offset, height, rate, position, momentum, phi, slope, outputs, a, groups, N, at, time, scale)
            loss += _residual(outputs, targets, m, P, begin, min(_WIDTH, P - begin), gain, pull)
            _backward(position, momentum, phi, slope, outputs, back, a, gradient, groups, N, at, scale, prior, kick)
        for i in range(m * N):
            v[i] -= kick * gradient[i]
        last_loss = 0.5 * loss
        if step == 0:
            first_loss = last_loss

    half_squares += _half_squares(momentum) + _half_squares(v)
    for block in range(blocks):
        begin, at = block * _WIDTH, block * N * _WIDTH
        count = min(_WIDTH, P - begin)
        for i in range(N):
            row = at + i * _WIDTH
            for j in range(count):
                new_first[i, begin + j] = position[row + j]
            half_squares += _half_difference(position[row : row + count], first[i, begin : begin + count])
    for k in range(m):
        for i in range(N):
            new_readout[k, i] = a[k * N + i]
        half_squares += _half_difference(new_readout[k], readout[k])
    return first_loss, last_loss, half_squares
