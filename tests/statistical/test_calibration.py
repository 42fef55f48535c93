"""The family of calibrated tests over all samplers: one false alarm in a thousand seeds over all rows together."""

import numpy as np
import pytest

from tests.sampling import exact_rank
from tests.sampling.runs import assert_same_draws
from tests.sampling.test_exactness import hamiltonian, langevin, rotations
from tests.statistical import joint, through_sample
from tests.statistical.calibration import FAMILY_WISE, ROWS, SHARE, p_value
from tests.statistical.through_sample import DRAWS, FORGOTTEN, STATISTICS, Case


pytestmark = pytest.mark.statistical
# A false alarm is no excuse for a test of power.
REJECTED = 1e-8
FEW_REPLICAS = 96


def test_the_shares_add_up():
    assert abs(len(ROWS) * SHARE - FAMILY_WISE) < 1e-12
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_samplers_leave_the_posterior_as_it_is(row):
    assert p_value(row, 1) > SHARE


# Whole runs assume that their draws are near to independent: that is measured, and so is what the rest of it does.


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.case is not None and row.case.chains == 1 and "devices" not in row.case.settings],
    ids=lambda row: row.name,
)
def test_draws_of_whole_runs_are_near_to_independent(row):
    assert through_sample.effective_share(row.case, 1) > FORGOTTEN


def test_what_is_left_of_the_autocorrelation_hardly_changes_the_false_alarm_rate():
    asked = SHARE / STATISTICS
    assert through_sample.false_alarm(1.0, asked) == pytest.approx(asked, rel=0.05)
    assert through_sample.false_alarm(FORGOTTEN, asked) < 2 * asked
    # Not so where it is strong.
    assert through_sample.false_alarm(0.4, asked) > 50 * asked


def test_sharing_compiled_code_changes_no_draw():
    case = Case("relu", orthogonal=True)
    posterior, _ = through_sample.replica(case, np.random.default_rng(0))
    alone = through_sample.sample(case, posterior, 3)
    with through_sample.shared_compilation():
        for seed in (1, 2):
            through_sample.sample(case, through_sample.replica(case, np.random.default_rng(seed))[0], seed)
        assert_same_draws(through_sample.sample(case, posterior, 3), alone)


# What must be rejected.


def test_targets_with_another_noise_are_caught():
    assert through_sample.p_value(Case("sigmoid", orthogonal=True), 1, FEW_REPLICAS, noise_factor=2.0) < REJECTED


def test_a_missing_warm_up_is_caught():
    case = Case("relu", orthogonal=True, settings={"warmup": 0, "thin": 1})
    assert through_sample.p_value(case, 1) < SHARE


def test_ranks_of_another_law_are_caught():
    ranks = np.random.default_rng(0).binomial(DRAWS, 0.5, (FEW_REPLICAS, STATISTICS))
    assert through_sample.of_ranks(ranks) < REJECTED


@pytest.mark.parametrize("kind", ["hamiltonian", "langevin", "rotations"])
def test_the_joint_test_finds_a_temperature_off_by_a_fifth(kind):
    case = exact_rank.tiny("relu")
    kernel = {
        "hamiltonian": hamiltonian(0.1, length=1.0),
        "langevin": langevin(case, 0.01),
        "rotations": rotations(attempts=20),
    }[kind]
    wrong = case.problem(temperature=1.2 * case.posterior.temperature)
    assert joint.p_value(case, kernel, 6, wrong) < REJECTED


def test_ranks_find_a_temperature_off_by_a_fifth_where_it_is_low():
    case = exact_rank.tiny("sigmoid", T=1e-4)
    wrong = case.problem(temperature=1.2e-4)
    assert exact_rank.p_value(case, hamiltonian(0.008, length=0.25), 6, wrong) < REJECTED


@pytest.mark.parametrize("kind", ["hamiltonian", "langevin"])
def test_the_joint_test_finds_a_missing_metropolis_test(kind):
    case = exact_rank.tiny("sigmoid")
    kernel = hamiltonian(0.5, adjusted=0) if kind == "hamiltonian" else langevin(case, 0.05, adjusted=0)
    assert joint.p_value(case, kernel, 5) < REJECTED
