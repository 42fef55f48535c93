"""The posteriors that are sampled, and what counts as having found their coding scheme."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

import nonlazy as nl
from nonlazy.posterior import Posterior


# The paper's codes of the sigmoidal network: classes that activate a neuron.
_CODES = {"1-1-0", "1-0-1", "0-1-1", "1-1-1"}
# Rarer codes are single neurons at a threshold for a moment.
_LEAST_SHARE = 0.01
# An outlier of the rectified network: |a_i|^2 above this share of N.
_OUTLIER = 0.04


@dataclass(frozen=True)
class Case:
    """A column of Fig. 2: N = P neurons and inputs, N0 numbers in an input, targets 1 and y-."""

    activation: str
    P: int
    N0: int
    y_minus: float
    temperature: float

    def posterior(self) -> Posterior:
        """The posterior, with the paper's prior variances."""
        task = nl.tasks.toy(P=self.P, N0=self.N0, y_minus=self.y_minus, seed=0)
        return nl.Posterior(nl.Network(self.P, activation=self.activation), task, self.temperature)

    def as_dict(self) -> dict[str, Any]:
        """Its fields, for a child process or a file."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.activation}, N = P = {self.P}, N0 = {self.N0}, targets 1 and {self.y_minus:g}, "
            f"T = {self.temperature:g}"
        )


# T = 1e-2 for the sigmoidal network, where NUTS is affordable; the shipped experiment has 1e-3.
FIGURE2 = {
    "linear": Case("linear", 200, 220, 0.0, 1e-3),
    "sigmoid": Case("sigmoid", 500, 520, 0.5, 1e-2),
    "relu": Case("relu", 500, 520, -0.5, 1e-2),
}


class SchemeTest:
    """Whether a state of the network has the coding scheme that the paper finds: analog (linear), redundant with the
    codes 1-1-0, 1-0-1, 0-1-1, 1-1-1 and no other in one per cent of the neurons or more (sigmoidal), exactly three
    outlier neurons |a_i|^2 > 0.04 N, one a class (rectified)."""

    def __init__(self, posterior: Posterior):
        self.posterior = posterior
        network, task = posterior.network, posterior.task
        generator = np.random.default_rng(0)
        # A prior draw: the inputs are orthogonal and sigma_1 is 1, so that its preactivations are N(0, 1).
        self.untrained = network.phi(generator.standard_normal((network.width, task.P)))

    def __call__(
        self, preactivations: Float[np.ndarray, "N P"], readouts: Float[np.ndarray, "N m"]
    ) -> tuple[bool, str]:
        """Whether the scheme is there, and what is there in words.

        **Arguments:** z on the training inputs, `(N, P)`, and the readouts in the network's units, `(N, m)`.
        """
        network, task = self.posterior.network, self.posterior.task
        if network.phi.kind == "rectified":
            norms = np.sum(np.asarray(readouts, np.float64) ** 2, axis=1)
            outliers = np.flatnonzero(norms > _OUTLIER * network.width)
            classes = {int(c) for c in np.argmax(readouts[outliers], axis=1)}
            return len(outliers) == 3 and len(classes) == 3, f"{len(outliers)} outliers for {len(classes)} classes"
        activations = np.asarray(network.phi(np.asarray(preactivations, np.float64)))
        scheme = nl.codes.detect(activations, task.labels, activation=network.phi.name, reference=self.untrained)
        if network.phi.kind == "linear":
            return scheme.kind == "analog", scheme.kind
        counts = Counter({scheme.code_name(i): int(scheme.counts[i]) for i in range(len(scheme.codes))})
        common = {name for name, count in counts.items() if count >= _LEAST_SHARE * network.width}
        words = f"{scheme.kind}: " + ", ".join(
            f"{name} {count}" for name, count in sorted(counts.items(), reverse=True)
        )
        return scheme.kind == "redundant" and common == _CODES, words
