"""Small posteriors, positions in whitened coordinates, and a check that numbers are independent and N(0, 1)."""

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats

from nonlazy import Network, Posterior, tasks
from nonlazy.activations import Activation
from nonlazy.network import Weights
from nonlazy.sampling import _engine
from nonlazy.sampling._coordinates import Coordinates, coordinates
from nonlazy.sampling._samplers import HMC, Sampler
from nonlazy.sampling._schedule import Phase
from nonlazy.sampling.kernels._potential import Architecture, Position, Problem
from nonlazy.tasks import Task


# With this activation f = s sum_i a_i whatever the hidden weights are, so that the posterior is exactly Gaussian.
CONSTANT = Activation("constant", "linear", lambda z, xp: xp.ones_like(z), lambda z, xp: 0.0 * z)


def general_task(P: int, N0: int, *, rank: int | None = None, classes: int = 2, test: int = 0, seed: int = 1) -> Task:
    """Correlated inputs of a given rank, some of them for test, and targets 1 and -1/2."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((min(P, N0) if rank is None else rank, N0))
    X = rng.standard_normal((P + test, mixing.shape[0])) @ mixing / np.sqrt(mixing.shape[0]) + 0.3 * mixing[0]
    labels = np.arange(P + test) % classes
    Y = np.where(np.eye(classes)[labels] == 1, 1.0, -0.5)
    if not test:
        return Task(X, Y, labels)
    return Task(X[:P], Y[:P], labels[:P], X[P:], Y[P:], labels[P:])


def orthogonal_task(P: int, N0: int, *, y_minus: float = -0.5, seed: int = 1) -> Task:
    """Mutually orthogonal inputs in two classes."""
    return tasks.toy(P=P, N0=N0, class_ratios=(0.5, 0.5), y_minus=y_minus, seed=seed)


def small_posterior(
    activation: str | Activation = "sigmoid",
    *,
    depth: int = 1,
    width: int = 6,
    orthogonal: bool = True,
    readout="non-lazy",
    T: float = 0.1,
    readout_variance: float | None = 0.7,
    weight_variance: tuple[float, ...] = (1.3, 0.8, 1.1),
) -> Posterior:
    """Four inputs with six numbers each; every variance different from 1 and from the others."""
    task = orthogonal_task(4, 6) if orthogonal else general_task(4, 6)
    network = Network(width, depth, activation, readout)
    return Posterior(network, task, T, readout_variance, weight_variance[:depth])


def pieces(
    posterior: Posterior, *, sampler: Sampler | None = None, dtype: type = np.float64
) -> tuple[Coordinates, Architecture, Problem]:
    """What the engine makes of a posterior."""
    sampler, T = sampler or HMC(), posterior.temperature
    where = coordinates(posterior)
    problem = _engine.make_problem(posterior, where, sampler, Phase("test", 1, (T, T)), T, dtype)
    return where, _engine.make_kernel(posterior, where, sampler, None).architecture, problem


@cache
def compiled(function: Callable, architecture: Architecture) -> Callable:
    """`function` of an architecture, compiled once for all tests with the same shapes."""
    return jax.jit(partial(function, architecture))


def random_position(posterior: Posterior, where: Coordinates, seed: int = 0, dtype: type = np.float64) -> Position:
    """A draw from the prior."""
    rng = np.random.default_rng(seed)
    N, depth, m = posterior.network.width, posterior.network.depth, posterior.task.m

    def normal(*shape):
        return jnp.asarray(rng.standard_normal(shape).astype(dtype))

    return Position(normal(N, where.rank), tuple(normal(N, N) for _ in range(depth - 1)), normal(m, N))


def weights_of(
    posterior: Posterior, where: Coordinates, position: Position, outside: np.ndarray | None = None
) -> Weights:
    """The network's weights at a position; `outside` is zero unless given."""
    outside = np.zeros((posterior.network.width, posterior.task.N0)) if outside is None else outside
    first = where.first_weights(np.asarray(position.first, np.float64), outside)
    hidden = [
        np.sqrt(variance) * np.asarray(matrix, np.float64)
        for variance, matrix in zip(posterior.sigma2[1:], position.hidden, strict=True)
    ]
    return Weights((first, *hidden), np.sqrt(posterior.sigma_a2) * np.asarray(position.readout, np.float64).T)


def whiteness(samples: np.ndarray) -> float:
    """A p-value of `samples` `(n, d)` being independent and N(0, 1), n > d, by Bonferroni over exact tests.

    Bartlett's decomposition: with samples^T samples = L L^T, the squares of L's diagonal are chi-squared with n - i
    degrees of freedom and the entries below it N(0, 1), all independent. The mean and the shape (by the test of
    Kolmogorov and Smirnov) are tested besides.
    """
    n, d = samples.shape
    lower = np.linalg.cholesky(samples.T @ samples)
    chances = [scipy.stats.kstest(samples.ravel(), "norm").pvalue]
    chances.append(scipy.stats.chi2.sf(n * np.sum(samples.mean(axis=0) ** 2), d))
    below = lower[np.tril_indices(d, -1)]
    statistics = [(entry**2, n - i) for i, entry in enumerate(np.diag(lower))]
    statistics += [(np.sum(below**2), below.size)] if below.size else []
    for value, degrees in statistics:
        chances.append(2 * min(scipy.stats.chi2.cdf(value, degrees), scipy.stats.chi2.sf(value, degrees)))
    return float(min(1.0, len(chances) * min(chances)))
