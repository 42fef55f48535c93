"""ReLU networks end with the posterior's outliers from whatever start: one for each class, too many, too few, none.

Readouts of the bulk have |a|^2 below 1, those of outliers above 4: what lies above 2 is counted. Starts are compared by
the mean number of outliers, within 0.2, and by the mean |a|^2 of the largest, within 4 Monte Carlo errors plus 2 % of
the largest (estimated from 8 blocks; 5 numbers of each of 4 starts against their common mean: a false alarm in 1 of 50
runs with Student's t of 7 degrees of freedom alone, far fewer with the 2 %).
"""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy import experiments
from nonlazy.sampling import Outliers
from nonlazy.theory.rectified import solve_rectified


ONE = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
STARTS = {"prior": "prior", "one": Outliers(ONE), "four": Outliers(4 * ONE), "shared": Outliers(((1, 0, 0), (0, 1, 1)))}
BLOCKS = 8


def largest(run: nl.Run) -> np.ndarray:
    """|a|^2 of the neurons with the largest, by draw."""
    squares = np.sum(run.readouts().astype(float)[0] ** 2, axis=-1)
    return -np.sort(-squares, axis=-1)[:, :8]


def check(posterior: nl.Posterior, expected: int, draws: int, thin: int) -> np.ndarray:
    """Samples from all starts, compares them, and returns the mean |a|^2 of the largest."""
    means, errors = [], []
    for seed, (name, start) in enumerate(STARTS.items()):
        run = nl.sample(posterior, draws=draws, chains=1, thin=thin, start=start, seed=seed, progress=False)
        squares = largest(run)
        count = np.mean(np.sum(squares > 2.0, axis=1))
        assert abs(count - expected) < 0.2, f"{name}: {count} outliers"
        blocks = squares[:, :expected].reshape(BLOCKS, -1, expected).mean(axis=1)
        means.append(blocks.mean(axis=0))
        errors.append(blocks.std(axis=0, ddof=1) / np.sqrt(BLOCKS))
    common = np.mean(means, axis=0)
    allowed = 4 * np.array(errors) + 0.02 * common[0]
    assert np.all(np.abs(np.array(means) - common) < allowed), np.round(means, 2)
    return common


@pytest.mark.statistical
def test_on_orthogonal_inputs_there_is_one_outlier_a_class():
    task = nl.tasks.toy(P=100, N0=110, y_minus=-0.5, seed=0)
    posterior = nl.Posterior(nl.Network(100, 1, "relu"), task, 1e-2)
    found = check(posterior, 3, draws=200, thin=2)
    theory = solve_rectified(posterior).outliers.readout
    expected = -np.sort(-100 * np.sum(theory**2, axis=1))
    # Corrections of order 1/N that the theory leaves out.
    assert np.all(np.abs(found - expected) < 0.05 * expected)


@pytest.mark.statistical
def test_on_digits_five_neurons_end_as_outliers():
    """The theory knows four; at N = 100 the weakest is two in the posterior (docs/sampling.md)."""
    task = experiments.load("mnist").build().task
    check(nl.Posterior(nl.Network(100, 1, "relu"), task, 1e-2), 5, draws=400, thin=2)
