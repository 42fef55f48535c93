"""Normal numbers for the momenta: JAX's own counter-based generator, written so that XLA makes one pass of it.

For the momenta of 500 neurons and 500 inputs `jax.random.normal` needs as long as five gradients: on a CPU its twenty
rounds of Threefry are a loop over whole arrays. Here the rounds are written out, and everything up to the normal number
is one elementwise expression, twice as fast. Bits are those of `jax.random.bits` at its defaults; a number depends on
the key and on its place in the array alone.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, UInt32


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
# Giles (2011), "Approximating the erfinv function", single precision: the middle, and the tails where w >= 5.
_MIDDLE = (
    1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-6, -3.5233877e-6,
    3.43273939e-7, 2.81022636e-8,
)  # fmt: skip
_TAIL = (
    2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844, 0.00134934322,
    0.000100950558, -0.000200214257,
)  # fmt: skip


def normal(key: Key[Array, ""], shape: tuple[int, ...], dtype) -> Array:
    """Independent N(0, 1) numbers.

    In float32 a number is the quantile of 32 bits, one for the sign and 31 for the tail probability, to a relative
    precision of 1e-5 up to 5.4 standard deviations, where `jax.random.normal` ends, and of 1e-3 up to 6.3, where these
    do.
    """
    if dtype != jnp.float32:
        return jax.random.normal(key, shape, dtype)
    bits = random_bits(key, shape)
    # The probability of both tails together, in (0, 1], with all the digits of float32 where it is small.
    tails = ((bits >> 1).astype(jnp.float32) + 0.5) * 2.0**-31
    w = -jnp.log(tails * (2.0 - tails))
    value = jnp.where(w < 5.0, _polynomial(_MIDDLE, w - 2.5), _polynomial(_TAIL, jnp.sqrt(w) - 3.0))
    signed = (1.0 - tails) * jnp.where((bits & 1) == 0, math.sqrt(2.0), -math.sqrt(2.0))
    return value * signed


def random_bits(key: Key[Array, ""], shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """32 random bits for each element: Threefry-2x32 with 20 rounds (Salmon et al. 2011) of its number, words xored."""
    first, second = jax.random.key_data(key)
    keys = (first, second, first ^ second ^ jnp.uint32(_PARITY))
    count = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    x, y = jnp.zeros_like(count) + keys[0], count + keys[1]
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x = x + y
            y = x ^ ((y << rotation) | (y >> (32 - rotation)))
        x = x + keys[(block + 1) % 3]
        y = y + (keys[(block + 2) % 3] + jnp.uint32(block + 1))
    return x ^ y


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    value = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value
