"""The feature layer of a deep network reaches the shares of its codes from a quench and from a planted start.

Toy task, L = 2, N = P = 100, T = 1e-2: without jumps 1-1-1 keeps some 60 neurons after a quench. Chains must agree
within one neuron of 100 for every code, the tolerance of `nl.diagnostics.equilibrium`; corrections of order 1 in N that
the theory leaves out allow 1.5 neurons between it and the chains.
"""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.sampling import Planted
from nonlazy.theory.deep import solve_deep


@pytest.mark.statistical
def test_quenched_and_planted_feature_layers_meet_at_the_theory():
    task = nl.tasks.toy(P=100, N0=110, y_minus=0.5, seed=0)
    posterior = nl.Posterior(nl.Network(100, depth=2), task, temperature=1e-2)
    starts = ("prior", Planted(((0, 1, 1), (1, 0, 1), (1, 1, 0))))
    runs = [nl.sample(posterior, draws=100, chains=1, start=start, seed=1, progress=False) for start in starts]
    codes = ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1))
    neurons = np.array([[100 * nl.diagnostics.fractions(run).get(code, 0.0) for code in codes] for run in runs])
    assert np.all(neurons.sum(axis=1) > 99.5)
    assert np.all(np.abs(neurons[0] - neurons[1]) < 1), np.round(neurons, 2)
    theory = solve_deep(posterior).codes
    shares = {
        tuple(code): share for code, share in zip(theory.active.astype(int).tolist(), theory.fraction, strict=True)
    }
    expected = np.array([100 * shares.get(code, 0.0) for code in codes])
    assert np.all(np.abs(neurons.mean(axis=0) - expected) < 1.5), (np.round(neurons, 2), np.round(expected, 2))
