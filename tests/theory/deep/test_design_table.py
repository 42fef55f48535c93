"""Two layers at P = N = 160, T = 0.01 against the table of the design notes (theory.md III.C).

Its theory columns come from another program, whose equations held to about 1% (quadrature noise): 0.01 is allowed. Its
columns of samples are one run of Hamiltonian Monte Carlo each, with the layer-2 fractions frozen, so only the first
layer's numbers are those of equilibrium: 1/N for kernels; for fractions 1/N and 4 standard errors of ten independent
draws of N neurons.
"""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.deep import solve_deep


N = 160
CODES_1 = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0))
PAIRS = ((0, 0), (1, 1), (0, 1), (1, 2))
REFERENCE = {
    0.5: {
        "C1": (0.293, 0.303, 0.235, 0.230),
        "d1": (0.0876, 0.0668),
        "layer 1": (0.114, 0.114, 0.203, 0.216, 0.175, 0.175),
        "layer 2": {(0, 1, 1): 0.237, (1, 0, 1): 0.239, (1, 1, 0): 0.239, (1, 1, 1): 0.286},
        "C2": (0.744, 0.743, 0.534, 0.531),
    },
    -0.5: {
        "C1": (0.311, 0.320, 0.217, 0.211),
        "d1": (0.0791, 0.0480),
        "layer 1": (0.128, 0.128, 0.189, 0.252, 0.152, 0.152),
        # The table names the four codes of y- = 0.5 only; these are the six shares in their own order.
        "layer 2": (0.161, 0.161, 0.166, 0.180, 0.166, 0.166),
        "C2": (0.508, 0.489, 0.168, 0.167),
    },
}
SAMPLES = {
    0.5: {
        "C1": (0.297, 0.305, 0.236, 0.230),
        "d1": (0.0866, 0.0646),
        "layer 1": (0.111, 0.111, 0.202, 0.213, 0.181, 0.181),
    },
    -0.5: {
        "C1": (0.312, 0.320, 0.216, 0.209),
        "d1": (0.0782, 0.0457),
        "layer 1": (0.132, 0.131, 0.183, 0.255, 0.151, 0.148),
    },
}


@pytest.mark.parametrize("y_minus", [0.5, pytest.param(-0.5, marks=pytest.mark.statistical)])
def test_two_layers(y_minus):
    task = nl.tasks.toy(N, N + 20, y_minus=y_minus)
    prediction = solve_deep(nl.Posterior(nl.Network(N, 2), task, 0.01))
    assert prediction.stable and prediction.residual < prediction.quadrature_error < 0.01
    block, excess = prediction.class_kernel(1)
    kernel = np.array([block[pair] for pair in PAIRS])
    variance = np.array([excess[0], excess[1:].mean()])
    layer1 = fractions(prediction.layer_codes(1))
    shares = np.array([layer1.get(code, 0.0) for code in CODES_1])
    reference, samples = REFERENCE[y_minus], SAMPLES[y_minus]

    np.testing.assert_allclose(kernel, reference["C1"], atol=0.01)
    np.testing.assert_allclose(variance, reference["d1"], atol=0.01)
    np.testing.assert_allclose(shares, reference["layer 1"], atol=0.01)
    feature, _ = prediction.class_kernel(2)
    np.testing.assert_allclose([feature[pair] for pair in PAIRS], reference["C2"], atol=0.01)
    layer2 = fractions(prediction.layer_codes(2))
    if y_minus > 0:
        for code, share in reference["layer 2"].items():
            assert layer2[code] == pytest.approx(share, abs=0.01)
    else:
        largest = sorted(layer2.values())[-6:]
        np.testing.assert_allclose(largest, sorted(reference["layer 2"]), atol=0.01)

    np.testing.assert_allclose(kernel, samples["C1"], atol=1 / N)
    np.testing.assert_allclose(variance, samples["d1"], atol=1 / N)
    error = np.sqrt(shares * (1 - shares) / (10 * N))
    assert np.all(np.abs(shares - samples["layer 1"]) < 4 * error + 1 / N)


def fractions(codes):
    return {tuple(int(on) for on in row): float(share) for row, share in zip(codes.active, codes.fraction, strict=True)}
