"""The posteriors that are sampled, and what counts as having found their coding scheme."""

import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

import nonlazy as nl
from nonlazy.network import Weights
from nonlazy.posterior import Posterior


# Codes of the sigmoidal networks: classes that activate a neuron. With targets 1 and 1/2 the paper's four; with 1 and
# -1/2 all but the two that tell no class from another.
_CODES = {
    0.5: {"1-1-0", "1-0-1", "0-1-1", "1-1-1"},
    -0.5: {"1-0-0", "0-1-0", "0-0-1", "1-1-0", "1-0-1", "0-1-1"},
}
# Rarer codes are single neurons at a threshold for a moment.
_LEAST_SHARE = 0.01
# An outlier of the rectified network: |a_i|^2 above this share of N.
_OUTLIER = 0.04
_MNIST_N0 = 784
_QUICK = 60
_QUICK_TEMPERATURE = 1e-2


@dataclass(frozen=True)
class Case:
    """A network of Fig. 2, 3 or 6: N = P neurons and inputs, N0 numbers in an input, targets 1 and y-."""

    figure: int
    activation: str
    P: int
    N0: int
    y_minus: float
    temperature: float
    depth: int = 1

    def posterior(self) -> Posterior:
        """The posterior, with the paper's prior variances."""
        if self.figure == 6:
            task = nl.tasks.mnist(P=self.P, P_test=0, y_minus=self.y_minus, seed=0, source="embedded")
        else:
            task = nl.tasks.toy(P=self.P, N0=self.N0, y_minus=self.y_minus, seed=0)
        return nl.Posterior(nl.Network(self.P, self.depth, self.activation), task, self.temperature)

    def quick(self) -> "Case":
        """A small one, to see that everything works."""
        N0 = _MNIST_N0 if self.figure == 6 else _QUICK + _QUICK // 10
        return replace(self, P=_QUICK, N0=N0, temperature=max(self.temperature, _QUICK_TEMPERATURE))

    def as_dict(self) -> dict[str, Any]:
        """Its fields, for a child process or a file."""
        return asdict(self)

    def __str__(self) -> str:
        digits = "MNIST 0, 1, 2, " if self.figure == 6 else ""
        return (
            f"Fig. {self.figure}, {self.activation}, {digits}L = {self.depth}, N = P = {self.P}, N0 = {self.N0}, "
            f"targets 1 and {self.y_minus:g}, T = {self.temperature:g}"
        )


# T = 1e-2 for the sigmoidal network of Fig. 2, where the peers are affordable; the shipped experiment has 1e-3. All
# others have the temperatures of the shipped experiments.
FIGURES = {
    2: {
        "linear": Case(2, "linear", 200, 220, 0.0, 1e-3),
        "sigmoid": Case(2, "sigmoid", 500, 520, 0.5, 1e-2),
        "relu": Case(2, "relu", 500, 520, -0.5, 1e-2),
    },
    3: {
        "linear": Case(3, "linear", 200, 220, -0.5, 1e-2, 3),
        "sigmoid": Case(3, "sigmoid", 200, 220, -0.5, 1e-3, 3),
        "relu": Case(3, "relu", 100, 120, -0.5, 1e-2, 3),
    },
    6: {
        "linear": Case(6, "linear", 100, _MNIST_N0, -0.5, 1e-3),
        "sigmoid": Case(6, "sigmoid", 100, _MNIST_N0, -0.5, 1e-3),
        "relu": Case(6, "relu", 100, _MNIST_N0, -0.5, 1e-2),
    },
}


class SchemeTest:
    """Whether the feature layer has the right coding scheme.

    - Linear: analog.
    - Sigmoidal: redundant, with four codes (1-1-0, 1-0-1, 0-1-1, 1-1-1; Fig. 2) or six (one class, or two; Figs. 3 and
      6), and no other, in one per cent of the neurons or more.
    - Rectified, Fig. 2: exactly three outlier neurons |a_i|^2 > 0.04 N, one a class. Figs. 3 and 6: sparse, as
      `nonlazy.codes.detect` reads it; the posterior of Fig. 6 has four or five outliers, and in that of Fig. 3 chains
      have about ten (docs/claims.md), which is no scheme.
    """

    def __init__(self, posterior: Posterior):
        self.posterior = posterior
        network, task = posterior.network, posterior.task
        generator = np.random.default_rng(0)
        shapes = [(network.width, task.N0)] + [(network.width, network.width)] * (network.depth - 1)
        hidden = tuple(
            math.sqrt(variance) * generator.standard_normal(shape)
            for shape, variance in zip(shapes, posterior.sigma2, strict=True)
        )
        prior = Weights(hidden, np.zeros((network.width, task.m)))
        self.untrained = network.activations(prior, task.X)[-1]

    def __call__(
        self, preactivations: Float[np.ndarray, "N P"], readouts: Float[np.ndarray, "N m"]
    ) -> tuple[bool, str]:
        """Whether the scheme is there, and what is there in words.

        **Arguments:** z of the feature layer on the training inputs, `(N, P)`, and the readouts in the network's units,
        `(N, m)`.
        """
        network, task = self.posterior.network, self.posterior.task
        if not np.isfinite(preactivations).all():
            return False, "not finite"
        norms = np.sum(np.asarray(readouts, np.float64) ** 2, axis=1)
        outliers = np.flatnonzero(norms > _OUTLIER * network.width)
        if network.phi.kind == "rectified" and task.name == "toy" and network.depth == 1:
            classes = {int(c) for c in np.argmax(readouts[outliers], axis=1)}
            return len(outliers) == 3 and len(classes) == 3, f"{len(outliers)} outliers for {len(classes)} classes"
        activations = np.asarray(network.phi(np.asarray(preactivations, np.float64)))
        scheme = nl.codes.detect(activations, task.labels, activation=network.phi.name, reference=self.untrained)
        if network.phi.kind == "rectified":
            return scheme.kind == "sparse", f"{scheme.kind}, {len(outliers)} outliers"
        if network.phi.kind == "linear":
            return scheme.kind == "analog", scheme.kind
        counts = Counter({scheme.code_name(i): int(scheme.counts[i]) for i in range(len(scheme.codes))})
        common = {name for name, count in counts.items() if count >= _LEAST_SHARE * network.width}
        words = f"{scheme.kind}: " + ", ".join(
            f"{name} {count}" for name, count in sorted(counts.items(), reverse=True)
        )
        return scheme.kind == "redundant" and common == _CODES[float(task.Y.min())], words
