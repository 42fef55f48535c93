import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special

import nonlazy as nl
from nonlazy.activations import Activation
from nonlazy.errors import InvalidInput
from nonlazy.theory.nngp import _expansion, activation_kernel
from nonlazy.theory.nngp._activation_kernel import activation_kernel_with_error
from nonlazy.theory.nngp._hermite import hermite_kernel
from nonlazy.theory.nngp._kinks import kinks


HARD_TANH = Activation("hard tanh", "sigmoidal", lambda z, xp: xp.maximum(z, -1.0) - xp.maximum(z - 1.0, 0.0))
# (k11, correlation, k22)
PAIRS = [(1.0, 0.5, 1.0), (0.3, -0.8, 2.0), (4.0, 0.97, 3.0)]


def by_quadrature(phi, k11, correlation, k22, breaks=(0.0,)):
    """<phi(z1) phi(z2)> by nested adaptive quadrature, split where phi has kinks."""
    s1, s2, rest = math.sqrt(k11), math.sqrt(k22), math.sqrt(1 - correlation**2)

    def gauss(u):
        return math.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)

    def inner(u):
        points = sorted({min(max((b / s2 - correlation * u) / rest, -9.0), 9.0) for b in breaks})
        ends = [-9.0, *points, 9.0]
        total = 0.0
        for a, b in itertools.pairwise(ends):
            total += scipy.integrate.fixed_quad(
                lambda v: phi(s2 * (correlation * u + rest * v)) * np.exp(-0.5 * v * v), a, b, n=90
            )[0]
        return phi(np.float64(s1 * u)) * gauss(u) * total / math.sqrt(2 * math.pi)

    ends = [-9.0, *sorted(b / s1 for b in breaks), 9.0]
    return sum(scipy.integrate.quad(inner, a, b, epsabs=1e-11, epsrel=1e-11)[0] for a, b in itertools.pairwise(ends))


def kernel_of(activation, k11, correlation, k22):
    k11, correlation, k22 = (np.atleast_1d(np.asarray(k, dtype=float)) for k in (k11, correlation, k22))
    return activation_kernel_with_error(activation, k11, correlation * np.sqrt(k11 * k22), k22)


@pytest.mark.parametrize("name", ["linear", "sigmoid", "erf", "relu", "requ", "tanh", "softplus"])
@pytest.mark.parametrize("pair", PAIRS)
def test_every_activation_agrees_with_nested_quadrature(name, pair):
    phi = nl.activations.get(name)
    value, error = kernel_of(phi, *pair)
    assert error < 2e-13
    # The window of the reference, |u| < 9, and its tolerance allow 1e-9.
    assert value[0] == pytest.approx(by_quadrature(phi, *pair), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("pair", PAIRS)
def test_kinks_away_from_zero_are_integrated_exactly(pair):
    value, error = kernel_of(HARD_TANH, *pair)
    assert error < 1e-6
    assert abs(value[0] - by_quadrature(HARD_TANH, *pair, breaks=(-1.0, 1.0))) < error + 1e-9


@pytest.mark.parametrize("name", ["linear", "sigmoid", "erf", "relu", "requ"])
def test_the_expansion_agrees_with_the_closed_form_within_its_stated_error(name):
    phi, generator = nl.activations.get(name), np.random.default_rng(0)
    k11, k22 = generator.uniform(0.1, 4, (2, 200))
    correlation = generator.uniform(-1, 1, 200)
    correlation[:3] = 1 - 1e-9, -1 + 1e-9, 0.0
    expansion, error = hermite_kernel(phi, k11, correlation, k22)
    closed = activation_kernel(phi, k11, correlation * np.sqrt(k11 * k22), k22)
    size = np.sqrt(activation_kernel(phi, k11, k11, k11) * activation_kernel(phi, k22, k22, k22))
    assert error < 1e-6
    assert np.max(np.abs(expansion - closed) / size) < error + 1e-13


def test_a_step_away_from_zero_is_a_bivariate_normal_probability():
    step = Activation("step", "sigmoidal", lambda z, xp: xp.step(z - 0.5))
    k11, correlation, k22 = 0.8, 0.6, 1.7

    def inner(u):
        above = scipy.special.ndtr((correlation * u - 0.5 / math.sqrt(k22)) / math.sqrt(1 - correlation**2))
        return math.exp(-0.5 * u * u) / math.sqrt(2 * math.pi) * above

    expected = scipy.integrate.quad(inner, 0.5 / math.sqrt(k11), 12, epsabs=1e-13)[0]
    value, error = kernel_of(step, k11, correlation, k22)
    assert error < 1e-9
    assert abs(value[0] - expected) < 1e-9


def test_what_cannot_be_known_is_refused():
    step = Activation("step", "sigmoidal", lambda z, xp: xp.step(z))
    with pytest.raises(InvalidInput, match=r"'step'.*allowed is 1e-06.*jumps"):
        kernel_of(step, 1.0, 1 - 1e-6, 1.1)
    fast = Activation("fast", "rectified", lambda z, xp: xp.exp(z * z))
    with pytest.raises(InvalidInput, match="grows too fast"):
        kernel_of(fast, 1.0, 0.5, 1.0)
    nan = Activation("nan", "rectified", lambda z, xp: xp.exp(z) * np.nan)
    with pytest.raises(InvalidInput, match="not finite"):
        kernel_of(nan, 1.0, 0.5, 1.0)


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_variances_and_covariances_that_no_gaussian_has_are_refused(name):
    phi, one = nl.activations.get(name), np.ones(1)
    with pytest.raises(InvalidInput, match=r"exceeds sqrt\(k11 k22\) by 0.1"):
        activation_kernel(phi, one, 1.1 * one, one)
    with pytest.raises(InvalidInput, match="variances run from -1"):
        activation_kernel(phi, -one, 0 * one, one)
    with pytest.raises(InvalidInput, match="variances run from nan"):
        activation_kernel(phi, one, one, np.nan * one)
    with pytest.raises(InvalidInput, match="exceeds"):
        activation_kernel(phi, one, np.nan * one, one)


@pytest.mark.parametrize("name", ["sigmoid", "relu", "tanh", "softplus"])
def test_special_pairs(name):
    phi = nl.activations.get(name)
    variance = np.array([0.5, 2.0])
    u = np.linspace(-10, 10, 20001)
    w = np.exp(-0.5 * u**2)
    w = w / np.sum(w)
    values = phi(np.sqrt(variance)[:, None] * u)
    tolerance = 1e-6 if name == "relu" else 1e-10
    # The same variable twice, its negative, an independent one, and one without variance.
    same = activation_kernel(phi, variance, variance, variance)
    np.testing.assert_allclose(same, np.sum(w * values**2, axis=1), rtol=tolerance)
    opposite = activation_kernel(phi, variance, -variance, variance)
    np.testing.assert_allclose(opposite, np.sum(w * values * values[:, ::-1], axis=1), rtol=tolerance, atol=1e-12)
    apart = activation_kernel(phi, variance, 0 * variance, variance)
    mean = np.sum(w * values, axis=1)
    np.testing.assert_allclose(apart, mean**2, rtol=10 * tolerance, atol=1e-15)
    fixed = activation_kernel(phi, variance, 0 * variance, 0 * variance)
    np.testing.assert_allclose(fixed, mean * phi(np.float64(0.0)), rtol=10 * tolerance, atol=1e-15)


def test_a_matrix_is_its_entries_one_by_one_whatever_the_memory(monkeypatch):
    phi, generator = nl.activations.get("softplus"), np.random.default_rng(1)
    X = generator.standard_normal((12, 20)) * generator.uniform(0.5, 2, (12, 1))
    K = X @ X.T / 20
    own = np.diag(K).copy()
    whole = activation_kernel(phi, own[:, None], K, own[None])
    monkeypatch.setattr(_expansion, "BLOCK", 1)
    monkeypatch.setattr("nonlazy.theory.nngp._hermite.PAIRS", 7)
    parts = activation_kernel(phi, own[:, None], K, own[None])
    np.testing.assert_allclose(parts, whole, rtol=1e-14)
    one = activation_kernel(phi, own[[3]], K[3, [7]], own[[7]])
    np.testing.assert_allclose(one, whole[3, 7], rtol=1e-12)
    assert np.linalg.eigvalsh(whole)[0] > -1e-12
    assert activation_kernel(phi, own[:0, None], K[:0], own[None]).shape == (0, 12)


def test_a_function_of_the_users_own_works_at_the_precision_it_has():
    import jax.numpy as jnp

    own = nl.activations.get(lambda z: jnp.tanh(z), kind="sigmoidal")
    value, error = kernel_of(own, 1.3, 0.7, 0.8)
    exact, _ = kernel_of(nl.activations.get("tanh"), 1.3, 0.7, 0.8)
    assert 1e-8 < error < 1e-6
    assert abs(value[0] - exact[0]) < error


def test_kinks_are_found_where_they_are():
    folded = Activation("folded", "rectified", lambda z, xp: np.abs(np.abs(np.abs(z - 0.1) - 0.2) - 0.3))
    np.testing.assert_allclose(kinks(folded, 16.0), [-0.4, -0.1, 0.1, 0.3, 0.6], atol=1e-7)
    for name in ("tanh", "softplus", "sigmoid", "relu", "requ"):
        assert kinks(nl.activations.get(name), 50.0).size == 0
