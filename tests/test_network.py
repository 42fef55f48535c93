"""The forward pass, against sums written out neuron by neuron."""

import math

import numpy as np
import pytest

from nonlazy import Network
from nonlazy.errors import InvalidInput
from nonlazy.network import Weights


def draw(N, depth, N0, m, seed=5100):
    rng = np.random.default_rng(seed)
    hidden = tuple(rng.standard_normal((N, N0 if l == 0 else N)) for l in range(depth))
    return Weights(hidden, rng.standard_normal((N, m))), rng.standard_normal((4, N0))


@pytest.mark.parametrize("readout", ["non-lazy", "lazy"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_outputs_neuron_by_neuron(depth, readout):
    N, N0, m = 3, 5, 2
    weights, X = draw(N, depth, N0, m)
    network = Network(N, depth, "tanh", readout)
    f = network.outputs(weights, X)
    for mu, x in enumerate(X):
        signal = [math.sqrt(N / N0) * value for value in x]
        for matrix in weights.hidden:
            z = [sum(matrix[i, j] * signal[j] for j in range(len(signal))) / math.sqrt(N) for i in range(N)]
            signal = [math.tanh(value) for value in z]
        scale = 1 / N if readout == "non-lazy" else 1 / math.sqrt(N)
        for r in range(m):
            expected = scale * sum(weights.readout[i, r] * signal[i] for i in range(N))
            assert f[mu, r] == pytest.approx(expected, rel=1e-12)


def test_layers_and_kernels_fit_together():
    weights, X = draw(6, 2, 5, 1)
    network = Network(6, 2, "relu")
    activations = network.activations(weights, X)
    assert [phi.shape for phi in activations] == [(6, 4), (6, 4)]
    for kernel, phi in zip(network.kernels(weights, X), activations, strict=True):
        np.testing.assert_allclose(kernel, np.einsum("im,in->mn", phi, phi) / 6, rtol=1e-12)


@pytest.mark.parametrize("width", [0, -3, True])
def test_bad_width(width):
    with pytest.raises(InvalidInput, match="width is"):
        Network(width)


def test_other_refusals():
    with pytest.raises(InvalidInput, match="depth is 0"):
        Network(5, 0)
    weights, X = draw(6, 1, 5, 1)
    with pytest.raises(InvalidInput, match=r"\(6, 5\).*needs.*\(7, 5\)"):
        Network(7).outputs(weights, X)
