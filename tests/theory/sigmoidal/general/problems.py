"""Small problems that the tests of this folder share."""

import numpy as np

import nonlazy as nl
from nonlazy.theory.linear._input_modes import input_modes
from nonlazy.theory.sigmoidal.general._averages import averages_of
from nonlazy.theory.sigmoidal.general._setting import Fluctuations, Setting


def mnist_posterior(P=60, temperature=1e-3, **options):
    task = nl.tasks.mnist(P, seed=0, P_test=50, source="embedded")
    return nl.Posterior(nl.Network(50), task, temperature, **options)


def correlated_task(P=12, N0=20, seed=0, outputs=2):
    """Two noisy clusters; one-hot targets."""
    generator = np.random.default_rng(seed)
    labels = np.arange(P) % outputs
    centres = 1.5 * generator.standard_normal((outputs, N0))
    X = centres[labels] + generator.standard_normal((P, N0))
    return nl.tasks.from_arrays(
        X,
        np.eye(outputs)[labels],
        labels=labels,
        X_test=X[:4] + 0.1,
        Y_test=np.eye(outputs)[labels[:4]],
        labels_test=labels[:4],
    )


def setting_of(task, temperature=0.01, fluctuations: Fluctuations = "variational", finite_size=True):
    return Setting(
        input_modes(task.X, task.Y).project(task.X)[0],
        np.array(task.Y),
        temperature,
        1 / np.sqrt(task.P),
        averages_of("sigmoid"),
        fluctuations,
        finite_size,
    )


def inputs_for_test(task):
    """The task's test inputs, which it has."""
    assert task.X_test is not None
    return task.X_test
