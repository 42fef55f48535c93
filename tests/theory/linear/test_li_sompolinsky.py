"""Lazy networks at finite P/N against Li & Sompolinsky (2021), 1 - u = alpha (1 - u^-L r), solved as a polynomial."""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.nngp import gaussian_process


def renormalisation(alpha, r, depth):
    """The positive root of u^(L+1) + (alpha - 1) u^L - alpha r: the signs change once, so there is one (Descartes)."""
    polynomial = np.zeros(depth + 2)
    polynomial[0], polynomial[1], polynomial[-1] = 1.0, alpha - 1.0, -alpha * r
    roots = np.roots(polynomial)
    positive = roots[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)].real
    assert positive.size == 1
    return positive[0]


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("width", [15, 30, 90, 3000])
@pytest.mark.parametrize("sigma_a2", [0.3, 2.0])
def test_renormalisation_of_the_readouts_and_of_the_predictor_variance(depth, width, sigma_a2):
    generator = np.random.default_rng(0)
    P, N0 = 30, 45
    X, Y, new = (
        generator.standard_normal((P, N0)),
        generator.standard_normal((P, 1)),
        generator.standard_normal((6, N0)),
    )
    task = nl.tasks.from_arrays(X, Y, np.arange(P) % 2)
    prediction = nl.theory.solve(nl.Network(width, depth, "linear", "lazy"), task, readout_variance=sigma_a2)
    K, k = task.input_kernel, new @ X.T / N0
    r = float(Y[:, 0] @ np.linalg.solve(K, Y[:, 0])) / (sigma_a2 * P)
    u = renormalisation(P / width, r, depth)
    assert prediction.readout_covariance[0, 0] == pytest.approx(sigma_a2 * u, rel=1e-9)
    # Their result: the kernel of the Gaussian process, renormalised by u^L.
    variance = np.sum(new**2, axis=1) / N0 - np.sum(k * np.linalg.solve(K, k.T).T, axis=1)
    np.testing.assert_allclose(prediction.predictor_variance(new)[:, 0], sigma_a2 * u**depth * variance, rtol=1e-8)


@pytest.mark.parametrize("depth", [1, 3])
def test_wide_networks_join_the_gaussian_process(depth):
    task = nl.tasks.mnist(60, P_test=5)
    wide = nl.theory.solve(nl.Network(10**8, depth, "linear", "lazy"), task, 0.1)
    limit = gaussian_process(nl.Network(10**8, depth, "linear"), task, temperature=0.1)
    np.testing.assert_allclose(wide.predict(task.X_test), limit.predict(task.X_test), atol=1e-5)
    np.testing.assert_allclose(wide.predictor_variance(task.X_test), limit.predictor_variance(task.X_test), atol=1e-5)
