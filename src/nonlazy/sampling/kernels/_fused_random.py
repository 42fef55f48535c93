"""Random numbers of fused trajectories: Threefry-2x32 with 20 rounds, and normal pairs by Box and Muller.

A number depends on the key and on its place alone. Sources: Salmon et al. (2011), "Parallel random numbers: as easy as
1, 2, 3"; Box & Muller (1958).
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from nonlazy.sampling.kernels._numba import BLOCK, MATH, bits_of_float, compiled, float_of_bits, inlined


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA

_HALF_BLOCK = np.uint64(BLOCK // 2)
_HALF, _MINUS_TWO, _LN_2 = np.float32(0.5), np.float32(-2.0), np.float32(math.log(2.0))
_ROOT_HALF = np.int32(0x3F3504F3)
_FRACTION = np.int32(0x7FFFFF)
_31_BITS, _30_BITS = np.float32(2.0**-31), np.float32(2.0**-30)
# log(1 + x) / x between sqrt(1/2) and sqrt(2), minimax (2.6e-8).
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (
    np.float32(x)
    for x in (
        0.999999974, -0.49999988, 0.333341856, -0.250020741, 0.199568334, -0.16562392, 0.149522677, -0.143668516,
        0.0872236347,
    )
)  # fmt: skip
# sin(pi t / 2) / t and cos(pi t / 2) in powers of t^2, |t| <= 1/2, minimax (3e-9 and 3e-8).
_S0, _S1, _S2, _S3 = (np.float32(x) for x in (1.57079632, -0.64596346, 0.0796800327, -0.00460165769))
_C0, _C1, _C2, _C3 = (np.float32(x) for x in (0.999999972, -1.23369701, 0.253598644, -0.0204083514))


def _threefry(_, key0, key1, counter0, counter1):
    """Two words of 32 bits from two words of key and two of counter."""

    def lower(context, builder, signature, arguments):
        first, second, x, y = arguments
        word = first.type
        keys = (first, second, builder.xor(builder.xor(first, second), word(_PARITY)))
        x, y = builder.add(x, keys[0]), builder.add(y, keys[1])
        for block in range(5):
            for rotation in _ROTATIONS[block % 2]:
                x = builder.add(x, y)
                y = builder.or_(builder.shl(y, word(rotation)), builder.lshr(y, word(32 - rotation)))
                y = builder.xor(x, y)
            x = builder.add(x, keys[(block + 1) % 3])
            y = builder.add(y, builder.add(keys[(block + 2) % 3], word(block + 1)))
        return context.make_tuple(builder, signature.return_type, (x, y))

    return types.UniTuple(types.uint32, 2)(*[types.uint32] * 4), lower


# Called with the two words of the key and the two of the counter.
threefry: Any = intrinsic(_threefry)


@compiled(MATH)
def words(key0, key1, counter0, counter1):
    """`threefry`, to be called from Python."""
    return threefry(key0, key1, counter0, counter1)


@inlined(MATH)
def _log(u):
    """Natural logarithm of a normal number u > 0."""
    shifted = np.int32(bits_of_float(u) - _ROOT_HALF)
    exponent = np.float32(shifted >> np.int32(23))
    x = float_of_bits((shifted & _FRACTION) + _ROOT_HALF) - np.float32(1.0)
    p = (((((((_L8 * x + _L7) * x + _L6) * x + _L5) * x + _L4) * x + _L3) * x + _L2) * x + _L1) * x + _L0
    return exponent * _LN_2 + x * p


@inlined(MATH)
def normal_row(values, begin, key0, key1, row, stream):
    """BLOCK independent N(0, 1) numbers from place `begin` on, those of row `row` of a stream."""
    place = np.uint32(row * _HALF_BLOCK)
    for j in range(_HALF_BLOCK):
        x, y = threefry(key0, key1, np.uint32(place + j), stream)
        # In (0, 1], with all digits of single precision where it is small: up to 6.6 standard deviations.
        uniform = (np.float32(np.int32(x >> np.uint32(1))) + _HALF) * _31_BITS
        radius = math.sqrt(max(_MINUS_TWO * _log(uniform), np.float32(0.0)))
        # A quarter of the circle in two bits, and the angle in it in thirty.
        t = (np.float32(np.int32(y & np.uint32(0x3FFFFFFF))) + _HALF) * _30_BITS - _HALF
        s = t * t
        sine = radius * (t * (((_S3 * s + _S2) * s + _S1) * s + _S0))
        cosine = radius * (((_C3 * s + _C2) * s + _C1) * s + _C0)
        swap = (y & np.uint32(0x40000000)) != np.uint32(0)
        turn = (y & np.uint32(0x80000000)) != np.uint32(0)
        one, other = (-sine, cosine) if swap else (cosine, sine)
        values[begin + j] = -one if turn else one
        values[begin + _HALF_BLOCK + j] = -other if turn else other
