"""Normal numbers: JAX's own bits, the right distribution, a function of the key alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from nonlazy.sampling.kernels import _random


def test_bits_are_those_of_jax():
    # What Threefry promises does not depend on who wrote it down; the default generator of JAX is the reference.
    for shape in ((), (1,), (7, 300), (2, 3, 4)):
        key = jax.random.key(11)
        np.testing.assert_array_equal(_random.random_bits(key, shape), jax.random.bits(key, shape))


def test_normals_are_quantiles_of_the_bits(monkeypatch):
    bits = np.array([0, 1, 2, 3, 1000, 1001, 2**20, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1], np.uint32)
    monkeypatch.setattr(_random, "random_bits", lambda key, shape: jnp.asarray(bits))
    values = np.asarray(_random.normal(jax.random.key(0), bits.shape, jnp.float32), np.float64)
    tails = (np.floor(bits / 2) + 0.5) / 2**31
    exact = np.where(bits % 2 == 0, 1, -1) * scipy.stats.norm.isf(tails / 2)
    # The fit is made for arguments that float32 can tell from 1, up to 5.4 standard deviations.
    np.testing.assert_allclose(values, exact, rtol=1e-3, atol=1e-6)
    inside = np.abs(exact) < 5.4
    np.testing.assert_allclose(values[inside], exact[inside], rtol=1e-5, atol=1e-6)
    assert values.max() > 6 and values.min() < -6


def test_normals_are_normal():
    # Kolmogorov and Smirnov over 4 million numbers, and the shares beyond 2, 3, 4 and 5 standard deviations; each of
    # the five tests has a false-alarm rate of 1e-5.
    values = np.asarray(_random.normal(jax.random.key(1), (2000, 2000), jnp.float32), np.float64).ravel()
    assert scipy.stats.kstest(values, "norm").pvalue > 1e-5
    for bound in (2, 3, 4, 5):
        beyond = int(np.sum(np.abs(values) > bound))
        assert scipy.stats.binomtest(beyond, values.size, float(2 * scipy.stats.norm.sf(bound))).pvalue > 1e-5
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 5 / np.sqrt(values.size)


@pytest.mark.usefixtures("float64")
def test_double_precision_has_its_own_numbers():
    values = _random.normal(jax.random.key(2), (100, 100), jnp.dtype("float64"))
    assert values.dtype == jnp.float64
    # More digits than float32 has.
    assert np.any(np.asarray(values) != np.asarray(values).astype(np.float32))
    assert scipy.stats.kstest(np.asarray(values).ravel(), "norm").pvalue > 1e-5


def test_chains_of_a_batch_have_the_numbers_of_their_keys():
    keys = jax.random.split(jax.random.key(3), 4)
    batch = jax.vmap(lambda key: _random.normal(key, (5, 6), jnp.float32))(keys)
    for key, values in zip(keys, batch, strict=True):
        np.testing.assert_allclose(values, _random.normal(key, (5, 6), jnp.float32), rtol=1e-6)
    assert np.unique(np.asarray(batch)).size == batch.size
