import math

import numpy as np
import pytest
import scipy.stats

from nonlazy.sampling._convergence import diagnose


RNG = np.random.default_rng(0)


def independent(chains=2, draws=400, mean=0.0):
    return mean + RNG.normal(size=(chains, draws))


def judged(log_density, *, extra=None, **others):
    quantities = {"log density": log_density, **(extra or {})}
    return diagnose(quantities, decisive=["log density", "K"], **others)


def test_independent_draws_converge_without_a_warning():
    diagnostics = judged(independent(4), extra={"K": independent(4, mean=3.0)}, acceptance=np.full((4, 400), 0.8))
    assert diagnostics.converged and diagnostics.warnings == ()
    row = diagnostics.table[1]
    # 1,600 independent draws: each check fails for one seed in 10,000 (3.9 standard deviations).
    assert abs(row.mean - 3.0) < 3.9 / math.sqrt(1600)
    assert row.quantity == "K" and 1000 < row.ess < 2500 and row.rhat < 1.02
    np.testing.assert_allclose(row.mcse, 1 / math.sqrt(row.ess), rtol=0.15)
    assert diagnostics.divergences.tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(diagnostics.acceptance, 0.8)


def test_monte_carlo_error_of_an_autocorrelated_chain_is_that_of_theory():
    rho, draws = 0.9, 20_000
    noise = np.random.default_rng(5).normal(size=(2, draws)) * math.sqrt(1 - rho**2)
    chain = np.zeros((2, draws))
    for t in range(1, draws):
        chain[:, t] = rho * chain[:, t - 1] + noise[:, t]
    row = judged(chain).table[0]
    # The integrated autocorrelation time of an AR(1) process is (1 + rho)/(1 - rho).
    np.testing.assert_allclose(row.ess, 2 * draws * (1 - rho) / (1 + rho), rtol=0.2)
    np.testing.assert_allclose(row.mcse, math.sqrt((1 + rho) / (1 - rho) / (2 * draws)), rtol=0.15)


def test_rhat_is_the_rank_normalised_split_one():
    values = np.random.default_rng(3).standard_cauchy(size=(3, 100)) + np.array([[0.0], [0.3], [0.6]])

    def split_rhat(numbers):
        ranks = scipy.stats.norm.ppf((scipy.stats.rankdata(numbers).reshape(6, 50) - 0.375) / (300 + 0.25))
        within, between = ranks.var(axis=1, ddof=1).mean(), 50 * ranks.mean(axis=1).var(ddof=1)
        return math.sqrt((49 / 50 * within + between / 50) / within)

    halves = values.reshape(6, 50)
    expected = max(split_rhat(halves), split_rhat(abs(halves - np.median(halves))))
    np.testing.assert_allclose(judged(values).table[0].rhat, expected, rtol=1e-10)


def test_chains_that_disagree_are_told():
    diagnostics = judged(independent(), extra={"K": independent() + np.array([[0.0], [1.0]])})
    assert not diagnostics.converged
    assert diagnostics.warnings[0].startswith("the chains disagree: R-hat of K is 1.")
    # The same in a quantity that is shown but not decisive.
    assert judged(independent(), extra={"|a_i|^2": independent() + np.array([[0.0], [1.0]])}).converged


def test_one_chain_has_no_rhat():
    diagnostics = judged(independent(1))
    assert not diagnostics.converged and math.isnan(diagnostics.table[0].rhat)
    assert any("R-hat needs two chains" in warning for warning in diagnostics.warnings)
    assert diagnostics.table[0].ess > 0
    assert "1 chain of 400 draws" in str(diagnostics)


@pytest.mark.parametrize("draws", [1, 3])
def test_too_few_draws_are_told(draws):
    diagnostics = judged(independent(2, draws))
    assert not diagnostics.converged
    assert any(f"need 4 draws a chain or more; there are {draws}" in warning for warning in diagnostics.warnings)
    assert math.isfinite(diagnostics.table[0].mean)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_never_averaged(wrong):
    loss = independent()
    loss[1, 7] = wrong
    diagnostics = judged(independent(), extra={"loss": loss})
    assert not diagnostics.converged
    assert diagnostics.warnings == ("loss is not finite in 1 of 400 draws of chain 1",)
    assert math.isnan(diagnostics.table[1].mean)


def test_constants_have_no_error_and_are_no_failure():
    row = judged(independent(), extra={"K": np.full((2, 400), 0.5)}).table[1]
    assert row == ("K", 0.5, 0.0, 800.0, 1.0, True)
    assert judged(independent(), extra={"K": np.full((2, 400), 0.5)}).converged


def test_chains_stuck_in_different_places_have_infinite_rhat():
    diagnostics = judged(independent(), extra={"K": np.array([[0.0], [1.0]]) * np.ones(400)})
    assert diagnostics.table[1].rhat == math.inf and not diagnostics.converged
    assert diagnostics.table[1].ess == 2
    halves = np.array([[0.0] * 200 + [1.0] * 200, [2.0] * 200 + [3.0] * 200])
    assert judged(independent(), extra={"K": halves}).table[1].rhat > 1e6


def test_a_chain_that_stands_still_is_told():
    log_density = independent()
    log_density[1] = -3.0
    diagnostics = judged(log_density)
    assert not diagnostics.converged
    assert any(warning.startswith("chain 1 stands still") for warning in diagnostics.warnings)
    assert not judged(np.full((2, 400), -3.0)).converged


def test_divergences_are_counted_by_chain():
    diverging = np.zeros((2, 400), np.int64)
    diverging[1, [3, 5]] = (1, 2)
    diagnostics = judged(independent(), diverging=diverging)
    assert diagnostics.divergences.tolist() == [0, 3]
    assert diagnostics.converged
    assert diagnostics.warnings[0].startswith("chain 1: 3 trajectories diverged in 400 draws")


def test_acceptance_out_of_range_is_told():
    acceptance = np.array([[0.3], [0.999]]) * np.ones(400)
    first, second = judged(independent(), acceptance=acceptance).warnings
    assert first.startswith("chain 0 accepts 0.300") and "too large" in first
    assert second.startswith("chain 1 accepts 0.999") and "too small" in second
    assert judged(independent(), acceptance=np.full((2, 400), np.nan)).acceptance is None


def test_few_independent_draws_are_told():
    slow = np.repeat(RNG.normal(size=(2, 20)), 20, axis=1)
    assert any("few independent draws: ESS of K is" in w for w in judged(independent(), extra={"K": slow}).warnings)


def test_text_is_a_table_with_the_reason_why_weights_are_missing():
    text = str(judged(independent(), extra={"K^1[0, 1]": independent(mean=1e5)}))
    lines = text.splitlines()
    assert lines[0] == "2 chains of 400 draws"
    assert lines[2].split() == ["quantity", "mean", "MC", "error", "ESS", "R-hat"]
    assert len({len(line) for line in lines[2:5]}) == 1
    assert "converged: R-hat < 1.05" in text and "exchanging neurons changes nothing" in text
    assert "nan" not in str(judged(independent(1)))
