"""Runs that were never sampled: neurons drawn from laws that the tests know, with what figures ask of a `Run`."""

from types import SimpleNamespace

import numpy as np
from scipy.special import erfinv

import nonlazy as nl
from nonlazy.sampling import Run


def toy(P, y_minus, seed=0, **options):
    options = {"class_ratios": [0.5, 0.25, 0.25], **options}
    return nl.tasks.toy(P=P, N0=P + 4, y_minus=y_minus, seed=seed, **options)


class MadeRun(Run):
    """Chains of preactivations `(chain, draw, layer, neuron, input)` and readouts `(chain, draw, neuron, output)`."""

    def __init__(self, posterior, z, readouts, experiment="made-quick", rhat=1.0, thin=1):
        # A run is frozen, and what it reads from disk are properties.
        self.__dict__.update(
            posterior=posterior, task=posterior.task, z=np.asarray(z, float), a=np.asarray(readouts, float),
            provenance={"experiment": experiment}, rhat=rhat,
            configuration={"thin": thin, "posterior": str(posterior), "moves": None},
        )  # fmt: skip

    @property
    def chains(self):
        return self.a.shape[0]

    @property
    def draws(self):
        return self.a.shape[1]

    @property
    def kept_draws(self):
        return tuple(range(self.draws))

    def readouts(self):
        return self.a

    def preactivations(self, layer=-1, draw=-1, chain=0, *, test=False):
        return self.z[chain, draw, layer]

    def activations(self, layer=-1, draw=-1, chain=0, *, test=False):
        return np.asarray(self.posterior.network.phi(self.preactivations(layer, draw, chain)))

    def kernel(self, layer=-1, chain=None):
        chosen = range(self.chains) if chain is None else [chain]
        phis = [self.activations(layer, draw, c) for c in chosen for draw in range(self.draws)]
        return np.mean([phi.T @ phi / len(phi) for phi in phis], axis=0)

    def outputs(self, draw=-1, chain=0, *, test=False):
        return np.array(self.task.Y)

    def mean_outputs(self, *, test=False):
        return np.stack([self.task.Y] * self.chains)

    def diagnostics(self):
        row = SimpleNamespace(quantity="log density", rhat=self.rhat, decisive=True)
        return SimpleNamespace(converged=self.rhat < 1.05, table=[row])


def coded(codes, shares, labels, N, noise, generator, level=0.9):
    """Preactivations of sigmoidal neurons: activations near `level` on their code's classes, else 1 - level."""
    counts = np.floor(np.asarray(shares) * N).astype(int)
    counts[0] += N - counts.sum()
    active = np.repeat(np.asarray(codes, bool), counts, axis=0)[:, labels]
    phi = np.where(active, level, 1 - level) + noise * generator.uniform(-1, 1, size=active.shape)
    return 2 / np.sqrt(np.pi) * erfinv(2 * phi - 1)


def rectified(sets, labels, N, generator, height=20.0, noise=0.5):
    """Preactivations of a rectified layer: a bulk, and outliers that are active on the given sets of classes."""
    z = generator.standard_normal((N, len(labels)))
    for k, active in enumerate(sets):
        on = np.isin(labels, active)
        z[k] = np.where(on, height + noise * generator.standard_normal(len(labels)), -1.0)
    return z
