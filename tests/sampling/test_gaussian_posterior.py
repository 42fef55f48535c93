"""Exact answers: with phi = 1 the readouts' posterior is Gaussian and the first layer keeps its prior."""

import jax
import numpy as np
import pytest
from arviz_stats.base.array import array_stats

import nonlazy as nl
from nonlazy.sampling import HMC, Langevin
from nonlazy.sampling.store._checkpoint import checkpoint_path, load_checkpoint
from tests.sampling.small_posteriors import CONSTANT, orthogonal_task


N, P, N0, CHAINS = 5, 6, 8, 4
SAMPLERS = {"HMC": (HMC(), 500), "adjusted Langevin": (Langevin(adjusted=True, steps=30), 700)}
# Monte Carlo errors. Some 90 quantities are tested in each case: a false alarm in 2 x 10^4 for all four.
TOLERANCE = 5.0


@pytest.fixture(scope="module", params=[(name, precision) for name in SAMPLERS for precision in ("float32", "float64")])
def run(request, quick_compilation):
    sampler, draws = SAMPLERS[request.param[0]]
    posterior = nl.Posterior(
        nl.Network(N, 1, CONSTANT), orthogonal_task(P, N0), 1.0, readout_variance=0.8, weight_variance=1.5
    )
    before = jax.config.jax_enable_x64
    run = nl.sample(
        posterior, draws, CHAINS, seed=7, sampler=sampler, precision=request.param[1], warmup=150,
        chain_method="batched", progress=False,
    )  # fmt: skip
    assert jax.config.jax_enable_x64 is before
    return run


def assert_mean(values, expected, what):
    """That the mean of `(chain, draw)` values is as expected, within their Monte Carlo error."""
    error = np.asarray(array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean"))
    effective = np.asarray(array_stats.ess(values, chain_axis=0, draw_axis=1, method="mean"))
    assert effective > 200, f"{what}: {effective:.0f} effective draws are too few to tell"
    assert abs(values.mean() - expected) < TOLERANCE * error, f"{what}: {values.mean()} +- {error}, not {expected}"


def test_readouts_have_the_exact_means_and_second_moments(run):
    mean, covariance = run.posterior.readout_conditional(np.ones((N, P)))
    assert np.abs(np.linalg.eigvalsh(covariance)[[0, -1]] - 0.8).max() > 0.3, "the data have to matter"
    readouts = run.readouts().astype(np.float64)
    for r in range(2):
        for i in range(N):
            assert_mean(readouts[..., i, r], mean[i, r], f"a_{i}^{r}")
            for s in range(r + 1):
                for j in range(i + 1):
                    product = readouts[..., i, r] * readouts[..., j, s]
                    expected = mean[i, r] * mean[j, s] + (covariance[i, j] if r == s else 0.0)
                    assert_mean(product, expected, f"a_{i}^{r} a_{j}^{s}")


def test_the_log_density_has_the_exact_mean_and_variance(run):
    # Minus it is its least value plus half a chi-squared variable of as many degrees of freedom as there are numbers.
    posterior = run.posterior
    mean, _ = posterior.readout_conditional(np.ones((N, P)))
    residual = posterior.network.readout_scale * np.ones((P, N)) @ mean - posterior.task.Y
    least = np.sum(mean**2) / (2 * posterior.sigma_a2) + np.sum(residual**2) / (2 * posterior.noise_variance)
    freedom = N * P + N * 2
    log_density = run.statistics()["log_density"].values
    expected = -least - freedom / 2
    assert_mean(log_density, expected, "log density")
    assert_mean((log_density - expected) ** 2, freedom / 2, "squared deviation of the log density")


def test_outputs_are_those_of_the_readouts(run):
    outputs = run.tree["posterior_predictive/f"].values
    summed = run.readouts().sum(axis=2) * run.posterior.network.readout_scale
    np.testing.assert_allclose(outputs, np.broadcast_to(summed[:, :, None], outputs.shape), rtol=1e-4, atol=1e-5)
    mean, _ = run.posterior.readout_conditional(np.ones((N, P)))
    for r in range(2):
        assert_mean(outputs[:, :, 0, r].astype(np.float64), mean[:, r].sum() / N, f"f^{r}")


def test_the_precision_is_the_one_asked_for(run):
    checkpoint = load_checkpoint(checkpoint_path(run.path, 0))
    assert checkpoint is not None
    state = {checkpoint.arrays[name].dtype for name in ("first", "readout", "log_step")}
    assert state == {np.dtype(run.configuration["precision"])}
    log_density = run.statistics()["log_density"].values
    assert (log_density == log_density.astype(np.float32)).all() == (run.configuration["precision"] == "float32")


def test_acceptance_is_near_its_target(run):
    target = {"HMC": 0.8, "Langevin": 0.57}[run.configuration["sampler"]["kind"]]
    assert float(run.statistics()["acceptance"].mean()) == pytest.approx(target, abs=0.1)
    assert int(run.statistics()["diverging"].sum()) == 0
