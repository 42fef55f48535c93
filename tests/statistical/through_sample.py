"""Simulation-based calibration of `nonlazy.sample` as users call it (Talts et al., arXiv 1804.06788).

Weights from the prior and targets from the likelihood given them, both in NumPy and from the definitions of `Network`
and `Posterior` alone; then a run with its own start, warm-up, adaptation, moves, files and reading of them. The rank of
what was drawn among the run's draws is uniform for every statistic where the chain has forgotten its start and its
draws are independent.

Neither is assumed. `FORGOTTEN` states how near to independent draws must be, `effective_share` measures it, and
`false_alarm` computes what is left of it in the rate of a row. Rows of many chains with one draw each need no such
measurement: there, only the warm-up counts.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.stats
from jaxtyping import Float

import nonlazy as nl
from nonlazy.network import Weights
from nonlazy.sampling import Record, Run, _chain
from tests.sampling.small_posteriors import orthogonal_task


WIDTH, INPUTS, OUTPUTS, TEMPERATURE = 8, 3, 2, 0.05
READOUT_VARIANCE, WEIGHT_VARIANCES = 1.0, (1.3, 0.8)
# Draws of a replica, and independent replicas: 8 possible ranks, which 20 replicas each have on average.
DRAWS, REPLICAS = 7, 160
THIN = 20
STATISTICS = 7
# Of the draws of a long chain, thinned in the same way: so large a share must they be worth, on average over replicas.
FORGOTTEN = 0.8


@dataclass(frozen=True)
class Case:
    """A small posterior without its targets, and what `nonlazy.sample` is asked for."""

    activation: str
    depth: int = 1
    readout: Any = "non-lazy"
    orthogonal: bool = False
    chains: int = 1
    settings: dict[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def network(self) -> nl.Network:
        return nl.Network(WIDTH, self.depth, self.activation, self.readout)

    @functools.cached_property
    def inputs(self) -> Float[np.ndarray, "inputs N0"]:
        """Training inputs, and one test input that they do not span."""
        generator = np.random.default_rng(7)
        train = orthogonal_task(INPUTS, 5).X if self.orthogonal else generator.standard_normal((INPUTS, 5)) + 0.5
        return np.concatenate([train, generator.standard_normal((1, 5))])

    def posterior(self, targets: Float[np.ndarray, "P m"]) -> nl.Posterior:
        X, labels = self.inputs, np.array([0, 0, 1])
        task = nl.tasks.Task(X[:INPUTS], targets, labels, X[INPUTS:], np.zeros((1, OUTPUTS)), np.zeros(1, int))
        return nl.Posterior(self.network, task, TEMPERATURE, READOUT_VARIANCE, WEIGHT_VARIANCES[: self.depth])


def replica(case: Case, generator: np.random.Generator, noise_factor: float = 1.0):
    """A posterior whose targets come from weights of the prior, and the statistics of these weights.

    `noise_factor`: the noise variance of the targets over that of the posterior, which is wrong unless it is 1.
    """
    N, N0 = WIDTH, case.inputs.shape[1]
    shapes = [(N, N0), *[(N, N)] * (case.depth - 1)]
    hidden = tuple(
        np.sqrt(variance) * generator.standard_normal(shape)
        for variance, shape in zip(WEIGHT_VARIANCES, shapes, strict=False)
    )
    weights = Weights(hidden, np.sqrt(READOUT_VARIANCE) * generator.standard_normal((N, OUTPUTS)))
    f = np.asarray(case.network.outputs(weights, case.inputs))
    noise = TEMPERATURE / N if case.readout == "non-lazy" else TEMPERATURE
    targets = f[:INPUTS] + np.sqrt(noise_factor * noise) * generator.standard_normal((INPUTS, OUTPUTS))
    posterior = case.posterior(targets)
    loss = 0.5 * np.sum((targets - f[:INPUTS]) ** 2)
    # The density that a run tells is that of what the training inputs see: first-layer weights within their span.
    X = case.inputs[:INPUTS]
    seen = (hidden[0] @ np.linalg.pinv(X) @ X, *hidden[1:], weights.readout)
    variances = (*WEIGHT_VARIANCES[: case.depth], READOUT_VARIANCE)
    prior = sum(np.sum(part**2) / (2 * variance) for part, variance in zip(seen, variances, strict=True))
    norms = np.sum(weights.readout**2, axis=1)
    kernel = case.network.kernels(weights, X)[-1]
    return posterior, np.array([-loss / noise - prior, loss, norms.sum(), norms.max(), kernel[0, 2], f[0, 0], f[-1, 0]])


def of_draws(run: Run) -> Float[np.ndarray, "draws statistics"]:
    """The same statistics of all draws of a run: log density, loss, |a|^2, largest |a_i|^2, an entry of the feature
    kernel, an output on a training input and one on a test input."""
    kept = run.statistics()
    outputs = run.tree["posterior_predictive"].to_dataset()
    columns = [kept["log_density"], kept["loss"], kept["sum_a2"], kept["readout_norm"][..., 0]]
    # The second of the pairs of inputs that a run follows is the first input of each of two classes: 0 and 2.
    columns += [kept["kernel_entry"][:, :, -1, 1], outputs["f"][:, :, 0, 0], outputs["f_test"][:, :, 0, 0]]
    return np.stack([np.asarray(column, np.float64).ravel() for column in columns], axis=1)


def sample(case: Case, posterior: nl.Posterior, seed: int, **changes: Any) -> Run:
    """A run with the library's defaults, but for its size and the method, which is one that starts no processes."""
    settings: dict[str, Any] = dict(
        draws=DRAWS // case.chains, thin=1 if case.chains > 1 else THIN, chains=case.chains, seed=seed,
        chain_method="batched" if case.chains > 1 else "sequential", record=Record(snapshots=1), progress=False,
    )  # fmt: skip
    return nl.sample(posterior, **{**settings, **case.settings, **changes})


@contextmanager
def shared_compilation() -> Iterator[None]:
    """Runs of one architecture and size share their compiled code: each call of `sample` compiles its own otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_chain, "compile_kernel", functools.cache(_chain.compile_kernel))
        over_devices, made = _chain.compile_over_devices, {}

        def once(kernel: Any, shards: Any, dtype: Any) -> Any:
            if (kernel, dtype) not in made:
                made[kernel, dtype] = over_devices(kernel, shards, dtype)
            return made[kernel, dtype]

        patch.setattr(_chain, "compile_over_devices", once)
        yield


def ranks(case: Case, seed: int, replicas: int = REPLICAS, noise_factor: float = 1.0) -> np.ndarray:
    """How many draws lie below the truth, `(replicas, statistics)`."""
    generator = np.random.default_rng([seed, 2])
    found = []
    with shared_compilation():
        for index in range(replicas):
            posterior, truth = replica(case, generator, noise_factor)
            # A run whose random numbers have nothing to do with those of the others.
            own = int(generator.integers(2**31))
            found.append(np.sum(of_draws(sample(case, posterior, own)) < truth, axis=0))
            assert np.all((found[index] >= 0) & (found[index] <= DRAWS))
    return np.array(found)


def p_value(case: Case, seed: int, replicas: int = REPLICAS, noise_factor: float = 1.0) -> float:
    """The smallest p-value of the statistics' ranks being uniform, times their number."""
    return of_ranks(ranks(case, seed, replicas, noise_factor))


def of_ranks(found: np.ndarray) -> float:
    """The p-value of ranks `(replicas, statistics)`."""
    counts = [np.bincount(column, minlength=DRAWS + 1) for column in found.T]
    return float(min(1.0, len(counts) * min(scipy.stats.chisquare(row).pvalue for row in counts)))


def effective_share(case: Case, seed: int, replicas: int = 4, draws: int = 300) -> float:
    """What the draws of long chains are worth, over their number: of the slowest of all quantities that a run
    diagnoses, the mean over replicas."""
    generator = np.random.default_rng([seed, 3])
    shares: list[dict[str, float]] = []
    with shared_compilation():
        for index in range(replicas):
            run = sample(case, replica(case, generator)[0], index, draws=draws)
            shares.append({row.quantity: row.ess / draws for row in run.diagnostics().table})
    return min(float(np.mean([share[name] for share in shares])) for name in shares[0])


def false_alarm(share: float, rate: float, replicas: int = REPLICAS, trials: int = 2_000_000) -> float:
    """The false-alarm rate of a statistic whose test asks for `rate`, where draws are worth `share` of their number.

    Draws are a stationary Gaussian process of first order, whose autocorrelation time is 1/share, and the truth is
    independent of them. The chances of the ranks give the test's non-centrality.
    """
    rho = (1 - share) / (1 + share)
    generator = np.random.default_rng(0)
    x = generator.standard_normal(trials)
    truth = generator.standard_normal(trials)
    rank = (x < truth).astype(int)
    for _ in range(DRAWS - 1):
        x = rho * x + np.sqrt(1 - rho**2) * generator.standard_normal(trials)
        rank += x < truth
    chances = np.bincount(rank, minlength=DRAWS + 1) / trials
    # Both directions give the same chances, and their own noise would count as non-centrality.
    chances = (chances + chances[::-1]) / 2
    off = replicas * (DRAWS + 1) * np.sum((chances - 1 / (DRAWS + 1)) ** 2)
    return float(scipy.stats.ncx2.sf(scipy.stats.chi2.isf(rate, DRAWS), DRAWS, off))
