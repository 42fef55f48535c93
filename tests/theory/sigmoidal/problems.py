"""Tasks and posteriors that the tests of the class-level theory share."""

import numpy as np

import nonlazy as nl
from nonlazy.theory.sigmoidal._problem import class_problem


def toy_posterior(
    P=500, ratios=(0.5, 0.25, 0.25), y_minus=0.5, T=0.0, activation="sigmoid", sigma_a2=None, sigma2=1.0, seed=0
):
    """The paper's toy task, with its class ratios by default."""
    task = nl.tasks.toy(P, P + 20, class_ratios=ratios, y_minus=y_minus, seed=seed)
    return nl.Posterior(nl.Network(P, activation=activation), task, T, sigma_a2, sigma2)


def toy_problem(**settings):
    return class_problem(toy_posterior(**settings))


def random_posterior(seed):
    """A random task: two to six classes; any ratios, targets, sizes, temperatures, variances, bounded activations."""
    generator = np.random.default_rng([2025, seed])
    m = int(generator.integers(2, 7))
    P = int(generator.choice([60, 120, 200, 500, 1000]))
    ratios = np.maximum(generator.dirichlet(np.full(m, 3.0)), 2 / P)
    y_minus = float(generator.uniform(-1, 0.9))
    T = float(generator.choice([0.0, 1e-3, 1e-2, 5e-2]))
    activation = str(generator.choice(["sigmoid", "sigmoid", "tanh", "erf"]))
    sigma2, s2 = float(generator.choice([1.0, 1.0, 0.5, 2.0])), float(generator.choice([1.0, 1.0, 0.3, 3.0]))
    return toy_posterior(P, tuple(ratios / ratios.sum()), y_minus, T, activation, s2 / P, sigma2, seed)
