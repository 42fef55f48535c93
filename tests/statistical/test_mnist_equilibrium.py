"""Digits 0, 1 and 2 at N = P = 100, T = 1e-3: every start reaches one state.

Codes come in three pairs of complements, which flips exchange; the neurons of a pair are what the starts must agree on:
31.25, 34.19 and 34.56 by the theory of large N, each within 2. Log densities of a neuron within 0.3 and errors of the
mean outputs within 1 % and 4 Monte Carlo errors (estimated from 4 half chains) of each other.
"""

import itertools

import numpy as np
import pytest

import nonlazy as nl
from nonlazy import experiments
from nonlazy.sampling import Annealed, Planted


CODES = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0))
THEORY = np.array([31.25, 34.19, 34.56])


def pairs(run: nl.Run) -> np.ndarray:
    """Neurons of 001 and 110, 010 and 101, 011 and 100, in every snapshot `(chain, snapshot, pair)`."""
    phi = run.posterior.network.phi(run.tree["snapshots/preactivation"].values[:, :, 0].astype(float))
    active = [phi[..., run.task.labels == c].mean(axis=-1) > 0.5 for c in range(3)]
    code = np.stack(active, axis=-1) @ [4, 2, 1]
    return np.stack([np.sum((code == k) | (code == 7 - k), axis=-1) for k in (1, 2, 3)], axis=-1)


def class_errors(run: nl.Run) -> np.ndarray:
    """Of the mean outputs on test digits, summed over outputs, `(half chains, classes)`."""
    f = run.tree["posterior_predictive/f_test"].values.astype(float)
    halves = f.reshape(f.shape[0] * 2, f.shape[1] // 2, *f.shape[2:]).mean(axis=1)
    error = np.sum((halves - run.task.Y_test) ** 2, axis=-1)
    return np.stack([error[:, run.task.labels_test == c].mean(axis=1) for c in range(3)], axis=1)


@pytest.mark.statistical
def test_every_start_reaches_one_state():
    experiment = experiments.load("mnist")
    posterior = experiment.build()
    energies, errors = [], []
    for start in ("prior", Annealed(), Planted(CODES)):
        arguments = {**experiment.sampling_arguments(), "start": start, "seed": 7}
        run = nl.sample(posterior, **arguments, progress=False)
        assert run.diagnostics().converged
        assert np.all(np.abs(pairs(run) - THEORY) <= 2)
        energies.append(-float(run.statistics()["log_density"].mean()) / posterior.network.width)
        errors.append(class_errors(run))
    assert max(energies) - min(energies) < 0.3
    for one, other in itertools.combinations(errors, 2):
        mc = np.sqrt((one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / len(one))
        difference = np.abs(one.mean(axis=0) - other.mean(axis=0))
        assert np.all(difference < 0.01 * one.mean(axis=0) + 4 * mc)
