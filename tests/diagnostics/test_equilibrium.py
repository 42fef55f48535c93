"""Verdict and evidence on small runs.

Fixed before any run: an excess differs from 0 by at most 3 nats (three times P/N, the order of what a mean field
leaves out) plus 4 Monte Carlo errors in equilibrium, which fails by chance once in 10^3 for the eight of them together;
shares differ from the theory of large N by at most 2 neurons of 40 plus 4 Monte Carlo errors.
"""

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.diagnostics import equilibrium
from nonlazy.diagnostics._field import weights_in_field
from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal._problem import class_problem
from tests.diagnostics.conftest import posterior, sample


@pytest.fixture(scope="module")
def moved(moving):
    return equilibrium(*moving, discard=20)


def test_chains_that_jump_are_equilibrated_from_both_sides(moved):
    assert moved.verdict == "equilibrated", moved
    assert all(abs(row.neurons - row.theory) < 2 + 4 * row.error for row in moved.rows)
    assert moved.from_theory == max(abs(row.neurons - row.theory) for row in moved.rows)
    assert (moved.accepted > 0.01).all() and (moved.lasting > 0.1).all()


def test_there_is_no_excess_in_equilibrium(moved):
    for row in moved.rows:
        assert (np.abs(row.excess) < 3 + 4 * row.excess_error).all()


def test_chains_without_jumps_are_frozen(frozen):
    found = equilibrium(*frozen)
    assert found.verdict == "frozen" and found.accepted is None, found
    row = next(row for row in found.rows if row.name == "1-1-1")
    assert row.by_chain[0] < row.theory < row.by_chain[1]
    # The chain with too many has more of an excess than the one with too few, beyond what a mean field leaves out.
    many, few = row.excess[1], row.excess[0]
    assert np.isnan(few) or many - few > 6 + 4 * np.hypot(*row.excess_error)


def test_identical_frozen_chains_are_frozen_too(frozen):
    # Their shares agree, R-hat is 1 and nothing else shows it.
    found = equilibrium(frozen[0], frozen[0])
    assert found.verdict == "frozen" and sum(row.rhat < 1.05 for row in found.rows) > 1


def test_one_chain_decides_nothing_unless_it_is_frozen(moving, frozen):
    assert equilibrium(moving[0]).verdict == "undecided"
    assert equilibrium(frozen[1]).verdict == "frozen"


def test_the_theory_is_optional_and_must_be_of_equilibrium(frozen):
    found = equilibrium(*frozen, prediction=None)
    assert all(row.theory is None for row in found.rows) and found.from_theory is None
    quenched = nl.theory.solve(frozen[0].posterior, fractions=nl.diagnostics.fractions(frozen[0]))
    with pytest.raises(InvalidInput, match="not a theory of equilibrium"):
        equilibrium(*frozen, prediction=quenched)
    with pytest.raises(InvalidInput, match="needs a run"):
        equilibrium()


@pytest.mark.parametrize("many", [1, 4])
def test_printed_within_100_columns(moved, frozen, many):
    for text in (str(moved), str(equilibrium(*frozen * many))):
        assert max(map(len, text.splitlines())) <= 100
        assert text.splitlines()[0].split(":")[0] in ("equilibrated", "frozen")
        assert "theory" in text and "excess/nats" in text


def test_a_warm_network_with_one_code_has_nothing_to_exchange(compiled):
    target = posterior(100, 0.1)
    found = equilibrium(*(sample(target, "prior", "none", seed=seed, draws=40) for seed in (1, 2)))
    assert len([row for row in found.rows if row.neurons > 1]) == 1, found
    assert found.verdict == "equilibrated"


def test_free_energies_of_codes_are_those_of_the_theory():
    # In the theory's own field the codes' shares at finite P are exactly proportional to Z; Laplace's method for one
    # well misses by O(1/P), 2 nats / P per readout dimension at the outside.
    target = posterior(120, 1e-2)
    prediction = nl.theory.solve(target)
    problem = class_problem(target)
    t = np.stack([prediction.dual_field[target.task.labels == c][0] for c in range(3)])
    inner = t @ problem.basis.T * problem.scale
    # Groups are those of the targets, in the order of the labels here.
    log = weights_in_field(problem, inner, prediction.codes.active).log
    difference = (log - np.log(prediction.codes.fraction)) - (log - np.log(prediction.codes.fraction)).mean()
    assert np.abs(difference).max() < 0.2
