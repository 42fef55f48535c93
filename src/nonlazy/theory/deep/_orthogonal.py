"""Inputs orthogonal to all training inputs and as long: what the layers make of them.

Such an input enters no likelihood: its preactivations follow the prior given those of the training inputs, Gaussian
with moments that the class-level law determines (docs/theory/deep.md, section 5).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.deep._hidden_layer import HiddenLayer
from nonlazy.theory.deep._problem import ClassProblem
from nonlazy.theory.deep._readout_layer import ReadoutLayer
from nonlazy.theory.deep._site import gaussian_nodes, sigmoid


_ORDER = 24


@dataclass(frozen=True, eq=False)
class OrthogonalInputs:
    """One layer's kernel on them: `with_training` `(C,)`, with a training input of each class; `own`, of an input with
    itself; `other`, of two different ones. `mean` `(n,)`: activation at the layer's nodes."""

    with_training: Float[np.ndarray, " C"]
    own: float
    other: float
    mean: Float[np.ndarray, " n"]


def propagate(problem: ClassProblem, layers: tuple[HiddenLayer | ReadoutLayer, ...]) -> tuple[OrthogonalInputs, ...]:
    """The kernels of all layers on orthogonal inputs."""
    results: list[OrthogonalInputs] = []
    for l, layer in enumerate(layers):
        n = len(layer.weight)
        if l == 0:
            centre, variance, shared = np.zeros(n), np.full(n, problem.first_variance), np.zeros(n)
        else:
            centre, variance, shared = _given_training(problem, layer, results[-1], problem.weight_variances[l - 1])
        mean, square, product = _averages(centre, variance, shared)
        weight = layer.weight
        with_training = (weight * mean) @ layer.site.mean
        results.append(OrthogonalInputs(with_training, float(weight @ square), float(weight @ product), mean))
    return tuple(results)


def _given_training(problem: ClassProblem, layer, below: OrthogonalInputs, sigma2: float):
    """Mean, variance, and covariance of two inputs, of the preactivations at every node."""
    law, site, counts = layer.law, layer.site, problem.counts
    u, _ = law.fields(layer.nodes.x)
    block = law.forward @ law.forward.T
    # The regression on the training inputs has one coefficient a class.
    coefficient = np.linalg.solve(np.diag(law.variance) + block * counts, sigma2 * below.with_training)
    centre = (u + law.variance * site.force) @ (coefficient * counts)
    explained = float(sigma2 * below.with_training @ (coefficient * counts))
    spread = law.variance * (1 - law.variance * site.stiffness)
    passed_on = spread @ (coefficient**2 * counts)
    variance = np.maximum(sigma2 * below.own - explained + passed_on, 1e-12)
    return centre, variance, np.clip(sigma2 * below.other - explained + passed_on, 0.0, variance)


def _averages(centre: np.ndarray, variance: np.ndarray, shared: np.ndarray):
    """<phi(x)>, <phi(x)^2> and <phi(x) phi(x')> of Gaussian preactivations."""
    nodes, weights = gaussian_nodes(_ORDER)

    def smoothed(common: np.ndarray) -> np.ndarray:
        # The average of phi over a Gaussian is phi with a lower slope.
        slope = 1 / np.sqrt(1 + 0.5 * np.pi * (variance - common))
        return sigmoid((centre[:, None] + np.sqrt(common)[:, None] * nodes) * slope[:, None])

    full, part = smoothed(variance), smoothed(shared)
    return full @ weights, full**2 @ weights, part**2 @ weights
