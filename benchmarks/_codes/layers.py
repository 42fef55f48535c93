"""Layers of known scheme that set no threshold of nonlazy.codes.

The thresholds were set on the generators of tests/codes/synthetic_layers.py: Gaussian levels and fluctuations, Gaussian
and tilted-sigmoid single-neuron laws. These have other laws: beta, Poisson, saturating gains, gamma, correlated
fluctuations, tuning curves.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Conditions:
    """Size and difficulty of a layer: `noise` is the standard deviation within a class over the distance of levels."""

    neurons: int = 150
    inputs_a_class: int = 40
    classes: int = 4
    noise: float = 0.5
    imbalance: float = 0.0


@dataclass(frozen=True)
class Made:
    """A layer: activations (neurons, inputs), labels, active classes of each neuron or None, reference or None."""

    activations: np.ndarray
    labels: np.ndarray
    truth: np.ndarray | None = None
    reference: np.ndarray | None = None


Generator = Callable[[np.random.Generator, Conditions], Made]


def labels_of(rng: np.random.Generator, c: Conditions) -> np.ndarray:
    """Class sizes falling off as a power of their rank (`imbalance`), the mean as asked, 5 inputs at least."""
    weights = (1.0 + np.arange(c.classes)) ** -c.imbalance
    sizes = np.maximum(np.round(c.inputs_a_class * c.classes * weights / weights.sum()).astype(int), 5)
    return rng.permutation(np.repeat(np.arange(c.classes), sizes))


def code_table(rng: np.random.Generator, c: Conditions) -> np.ndarray:
    """A code for each neuron: from C to 3 C of them (as many as there are), with unequal shares."""
    every = c.classes <= 8
    pool = np.array(np.unravel_index(np.arange(2**c.classes), (2,) * c.classes)).T if every else None
    pool = rng.random((400, c.classes)) < 0.4 if pool is None else pool.astype(bool)
    pool = np.unique(pool[pool.any(axis=1) & ~pool.all(axis=1)], axis=0)
    number = min(int(rng.integers(c.classes, 3 * c.classes + 1)), len(pool))
    table = rng.permutation(pool)[:number]
    if not (table.any(axis=0) & ~table.all(axis=0)).all():
        table = np.unique(np.concatenate([table, np.eye(c.classes, dtype=bool)]), axis=0)  # every class is told apart
    return table[rng.choice(len(table), c.neurons, p=rng.dirichlet(np.full(len(table), 3.0)))]


def redundant_beta(rng: np.random.Generator, c: Conditions) -> Made:
    """Levels and activations beta-distributed in [0, 1]."""
    labels, codes = labels_of(rng, c), code_table(rng, c)
    low, high = rng.beta(6, 30, codes.shape), rng.beta(30, 6, codes.shape)
    means = np.clip(np.where(codes, high, low), 0.02, 0.98)[:, labels]
    spread = min(0.67 * c.noise, 0.33)
    concentration = np.maximum(means * (1 - means) / spread**2 - 1, 0.3)
    return Made(rng.beta(means * concentration, (1 - means) * concentration), labels, codes)


def redundant_poisson(rng: np.random.Generator, c: Conditions) -> Made:
    """Spike counts at two rates, which differ by a tenth from neuron to neuron."""
    labels, codes = labels_of(rng, c), code_table(rng, c)
    # The square root of the mean rate is the standard deviation: gap / sqrt(low + gap / 2) = 1 / noise.
    gap = 4.0 + 1.0 / c.noise**2
    low = max(gap**2 * c.noise**2 - gap / 2, 0.3)
    rates = (low + gap * codes) * np.exp(0.1 * gap / (low + gap) * rng.normal(size=codes.shape))
    return Made(rng.poisson(rates[:, labels]).astype(float), labels, codes)


def redundant_saturating(rng: np.random.Generator, c: Conditions) -> Made:
    """tanh of a signal with a gain of each neuron's own, and fluctuations that neurons share in part."""
    labels, codes = labels_of(rng, c), code_table(rng, c)
    gain = rng.uniform(0.9, 1.6, (c.neurons, 1))
    shared = 0.4 * rng.normal(size=(c.neurons, 3)) @ rng.normal(size=(3, labels.size))
    noise = 2.0 * c.noise * (rng.normal(size=(c.neurons, labels.size)) + shared) / 1.2
    return Made(np.tanh(gain * (2.0 * codes[:, labels] - 1.0)) + noise, labels, codes)


def analog_correlated(rng: np.random.Generator, c: Conditions) -> Made:
    """Gaussian class means of low rank, Gaussian fluctuations that neurons share in part."""
    labels = labels_of(rng, c)
    rank = max(1, min(c.classes - 1, int(rng.integers(1, c.classes + 1))))
    means = rng.normal(size=(c.neurons, rank)) @ rng.normal(size=(rank, c.classes)) / np.sqrt(rank)
    shared = 0.5 * rng.normal(size=(c.neurons, 5)) @ rng.normal(size=(5, labels.size)) / np.sqrt(5)
    noise = 2.0 * c.noise * (rng.normal(size=(c.neurons, labels.size)) + shared)
    return Made(means[:, labels] + noise, labels)


def analog_gamma(rng: np.random.Generator, c: Conditions) -> Made:
    """Exponential class means, gamma fluctuations: positive activations, as firing rates."""
    labels = labels_of(rng, c)
    means = rng.exponential(size=(c.neurons, c.classes)) + 0.3
    shape = 1.0 / (2.0 * c.noise) ** 2
    return Made(rng.gamma(shape, means[:, labels] / shape), labels)


def analog_tuned(rng: np.random.Generator, c: Conditions) -> Made:
    """Broad tuning curves over a ring of classes, with amplitudes that differ by a factor of two among neurons."""
    labels = labels_of(rng, c)
    angle = 2 * np.pi * np.arange(c.classes) / c.classes
    preferred = rng.uniform(0, 2 * np.pi, (c.neurons, 1))
    amplitude = np.exp(0.5 * rng.normal(size=(c.neurons, 1)))
    means = amplitude * np.exp(np.cos(angle - preferred))
    return Made(means[:, labels] + 2.0 * c.noise * rng.normal(size=(c.neurons, labels.size)), labels)


def analog_lognormal(rng: np.random.Generator, c: Conditions) -> Made:
    """Lognormal class means (sigma .6), Gaussian fluctuations."""
    labels = labels_of(rng, c)
    means = np.exp(0.6 * rng.normal(size=(c.neurons, c.classes)))
    return Made(means[:, labels] + c.noise * rng.normal(size=(c.neurons, labels.size)), labels)


def sparse_few(rng: np.random.Generator, c: Conditions) -> Made:
    """One or two rectified outliers a class in a rectified bulk, ten neurons at least for each of them."""
    labels = labels_of(rng, c)
    c = replace(c, neurons=max(c.neurons, 15 * c.classes))
    layer = np.maximum(0.3 * rng.normal(size=(c.neurons, 1)) + rng.normal(size=(c.neurons, labels.size)), 0)
    number = 1 + (rng.random(c.classes) < 0.3)
    truth = np.zeros((c.neurons, c.classes), dtype=bool)
    places = iter(rng.permutation(c.neurons))
    for k in range(c.classes):
        for _ in range(number[k]):
            place = next(places)
            truth[place, k] = True
            height = np.sqrt(c.neurons) * rng.uniform(0.6, 1.2)
            layer[place] = np.maximum(
                np.where(labels == k, height, 0) + c.noise * height * rng.normal(size=labels.size), 0
            )
    return Made(layer, labels, truth)


def sparse_graded_bulk(rng: np.random.Generator, c: Conditions) -> Made:
    """Gaussian bulk with a weak graded class signal, and an outlier a class, ten neurons for each."""
    labels = labels_of(rng, c)
    c = replace(c, neurons=max(c.neurons, 10 * c.classes))
    weak = 0.15 * rng.normal(size=(c.neurons, c.classes))
    layer = weak[:, labels] + rng.normal(size=(c.neurons, labels.size))
    truth = np.zeros((c.neurons, c.classes), dtype=bool)
    for k, place in enumerate(rng.permutation(c.neurons)[: c.classes]):
        truth[place, k] = True
        if c.classes > 3 and rng.random() < 0.3:
            truth[place, (k + 1) % c.classes] = True
        height = np.sqrt(c.neurons) * np.exp(0.15 * rng.normal())
        layer[place] = height * (truth[place, labels] + c.noise * rng.normal(size=labels.size))
    return Made(layer, labels, truth)


SCHEMES: dict[str, tuple[Generator, ...]] = {
    "redundant": (redundant_beta, redundant_poisson, redundant_saturating),
    "analog": (analog_correlated, analog_gamma, analog_tuned, analog_lognormal),
    "sparse": (sparse_few, sparse_graded_bulk),
}


def null(rng: np.random.Generator) -> tuple[str, Made]:
    """A layer that learned nothing of its labels, of one of eight kinds, and its kind."""
    kinds = ("gaussian", "correlated", "heavy-tailed", "counts", "untrained", "untrained, grouped", "shuffled", "lazy")
    kind = kinds[int(rng.integers(len(kinds)))]
    c = Conditions(
        neurons=int(rng.integers(20, 400)),
        inputs_a_class=int(rng.integers(10, 80)),
        classes=int(rng.integers(2, 21)),
        imbalance=float(rng.uniform(0, 1)),
    )
    labels = labels_of(rng, c)
    return kind, _NULL[kind](rng, c, labels)


def _gaussian(rng: np.random.Generator, c: Conditions, labels: np.ndarray) -> Made:
    return Made(rng.normal(size=(c.neurons, labels.size)) * rng.uniform(0.1, 10, (c.neurons, 1)), labels)


def _correlated(rng: np.random.Generator, c: Conditions, labels: np.ndarray) -> Made:
    factors = int(rng.integers(1, 6))
    shared = rng.normal(size=(c.neurons, factors)) @ rng.normal(size=(factors, labels.size))
    return Made(shared + rng.uniform(0, 1) * rng.normal(size=shared.shape), labels)


def _heavy(rng: np.random.Generator, c: Conditions, labels: np.ndarray) -> Made:
    return Made(rng.standard_t(3, size=(c.neurons, labels.size)), labels)


def _counts(rng: np.random.Generator, c: Conditions, labels: np.ndarray) -> Made:
    return Made(rng.poisson(rng.gamma(0.5, 1, (c.neurons, 1)), (c.neurons, labels.size)).astype(float), labels)


def _random_network(rng: np.random.Generator, X: np.ndarray, width: int, depth: int, phi: Any) -> np.ndarray:
    layer = X.T
    for _ in range(depth):
        layer = phi(rng.normal(size=(width, layer.shape[0])) @ layer / np.sqrt(layer.shape[0]) * np.sqrt(2))
    return layer


def _phi(rng: np.random.Generator) -> Any:
    return (np.tanh, lambda z: np.maximum(z, 0), lambda z: 1 / (1 + np.exp(-z)))[int(rng.integers(3))]


def _untrained(rng: np.random.Generator, c: Conditions, labels: np.ndarray) -> Made:
    X = rng.normal(size=(labels.size, int(rng.integers(5, 300))))
    return Made(_random_network(rng, X, c.neurons, int(rng.integers(1, 4)), _phi(rng)), labels)


def _grouped(rng: np.random.Generator, c: Conditions, labels: np.ndarray) -> Made:
    N0 = int(rng.integers(20, 300))
    X = rng.normal(size=(labels.size, N0)) + rng.uniform(0, 1.5) * rng.normal(size=(c.classes, N0))[labels]
    depth, phi = int(rng.integers(1, 4)), _phi(rng)
    other = _random_network(rng, X, c.neurons, depth, phi)
    return Made(_random_network(rng, X, c.neurons, depth, phi), labels, reference=other)


def _shuffled(rng: np.random.Generator, c: Conditions, labels: np.ndarray) -> Made:
    generators = [generator for some in SCHEMES.values() for generator in some]
    made = generators[int(rng.integers(len(generators)))](rng, c)
    return Made(made.activations, rng.permutation(made.labels))


def _lazy(rng: np.random.Generator, c: Conditions, labels: np.ndarray) -> Made:
    # Features move by 1/sqrt(N) towards the targets, as those of a lazy network do.
    z = rng.normal(size=(c.neurons, labels.size))
    moved = rng.normal(size=(c.neurons, c.classes))[:, labels] / np.sqrt(max(c.neurons, 60))
    return Made(_phi(rng)(z + moved), labels)


_NULL: dict[str, Callable[[np.random.Generator, Conditions, np.ndarray], Made]] = {
    "gaussian": _gaussian,
    "correlated": _correlated,
    "heavy-tailed": _heavy,
    "counts": _counts,
    "untrained": _untrained,
    "untrained, grouped": _grouped,
    "shuffled": _shuffled,
    "lazy": _lazy,
}
