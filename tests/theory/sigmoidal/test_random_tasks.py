"""Random tasks, a first few of the sweep in tests/statistical."""

import numpy as np
import pytest

from nonlazy.theory.sigmoidal import solve_sigmoidal_classes
from nonlazy.theory.sigmoidal._limit import solve_limit
from nonlazy.theory.sigmoidal._problem import class_problem
from nonlazy.theory.sigmoidal._wells import descend
from tests.theory.sigmoidal.problems import random_posterior


@pytest.mark.parametrize("seed", range(8))
def test_the_limit_is_solved_and_certified(seed):
    problem = class_problem(random_posterior(seed))
    limit = solve_limit(problem)
    assert limit.residual < 1e-9 and limit.bound.complete and limit.bound.gap < 1e-9
    assert limit.weight.min() > 0 and limit.weight.sum() == pytest.approx(1, abs=1e-12)
    starts = 3 * np.random.default_rng(seed).standard_normal((200, problem.rank))
    assert descend(problem, limit.t, starts).energy.min() > limit.wells.energy.min() - 1e-9


@pytest.mark.parametrize("seed", [2, 6, 16])
def test_finite_size_is_solved(seed):
    prediction = solve_sigmoidal_classes(random_posterior(seed))
    assert prediction.certified and prediction.residual < 1e-9 and prediction.quadrature_error < 1e-8
    assert prediction.codes.fraction.sum() == pytest.approx(1, abs=1e-12)
