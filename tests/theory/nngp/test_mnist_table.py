"""Generalization errors on MNIST 0/1/2, P = 100, against a table that another program made from five splits.

Ten splits of ours: means agree within four standard errors of the difference (the spread of the splits is ours) plus
the table's rounding, 5e-4. Mean error, bias^2 and variance of four baselines and two scalings, 20 numbers: false alarms
about 2%, once for the fixed seeds.
"""

import functools

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.theory.nngp import gaussian_process


TABLE = {
    ("linear", "raw"): ((0.103, 0.180, 0.231), 0.160, 0.011),
    ("linear", "scaled"): ((0.188, 0.265, 0.316), 0.160, 0.096),
    ("linear lazy", "raw"): ((0.109, 0.194, 0.247), 0.160, 0.023),
    ("linear lazy", "scaled"): ((0.143, 0.243, 0.301), 0.160, 0.069),
    ("sigmoid", "raw"): ((0.086, 0.155, 0.209), 0.148, 0.002),
    ("sigmoid", "scaled"): ((0.076, 0.101, 0.158), 0.097, 0.015),
    ("relu", "raw"): ((0.074, 0.089, 0.139), 0.093, 0.0075),
    ("relu", "scaled"): ((0.134, 0.149, 0.199), 0.093, 0.068),
}
SPLITS = 10


@functools.cache
def raw(seed):
    return nl.tasks.mnist(100, preprocess="raw", seed=seed)


def split(seed, scaling):
    task = raw(seed)
    if scaling == "raw":
        return task
    scale = 1 / np.sqrt(np.mean(np.diag(task.input_kernel)))
    return nl.tasks.from_arrays(scale * task.X, task.Y, task.labels, scale * task.X_test, task.Y_test, task.labels_test)


@pytest.mark.parametrize(("baseline", "scaling"), TABLE)
def test_errors_of_the_baselines(baseline, scaling):
    found = []
    for seed in range(SPLITS):
        task = split(seed, scaling)
        if baseline == "linear lazy":
            prediction = nl.theory.solve(nl.Network(100, 1, "linear", "lazy"), task)
        else:
            prediction = gaussian_process(nl.Network(100, 1, baseline), task)
        error = prediction.generalization_error()
        found.append([*error.total, error.bias2.mean(), error.variance.mean()])
    found = np.array(found)
    errors, bias2, variance = TABLE[baseline, scaling]
    allowed = 4 * found.std(axis=0, ddof=1) * np.sqrt(1 / SPLITS + 1 / 5) + 5e-4
    deviation = np.abs(found.mean(axis=0) - [*errors, bias2, variance])
    assert np.all(deviation < allowed), (found.mean(axis=0), allowed)
