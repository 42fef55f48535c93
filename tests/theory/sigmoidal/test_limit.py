"""The limit of large P against reference values, independent energies and dense searches."""

import numpy as np
import pytest
from scipy import optimize

from nonlazy.theory.sigmoidal._bound import bound_energy
from nonlazy.theory.sigmoidal._limit import solve_limit
from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._wells import descend, find_wells
from tests.theory.sigmoidal.problems import toy_problem


def sorted_codes(limit):
    return np.lexsort(np.round(limit.wells.readout, 6).T[::-1])


def test_reference_solution():
    """Values computed beforehand with another program, to their digits."""
    limit = solve_limit(toy_problem())
    field = [[4.817477, -0.663125, -0.663125], [-1.717572, 8.168310, -1.033571], [-1.717572, -1.033571, 8.168310]]
    np.testing.assert_allclose(limit.t, field, atol=6e-7)
    order = sorted_codes(limit)
    np.testing.assert_allclose(limit.weight[order], [0.331569, 0.037572, 0.315429, 0.315429], atol=6e-7)
    readouts = [
        [-0.327488, 1.612569, 1.612569],
        [1.164016, 1.344868, 1.344868],
        [1.732189, -0.335670, 1.573929],
        [1.732189, 1.573929, -0.335670],
    ]
    np.testing.assert_allclose(limit.wells.readout[order], readouts, atol=6e-7)
    activations = [
        [0.199596, 0.941168, 0.941168],
        [0.805444, 0.903704, 0.903704],
        [0.902707, 0.099862, 0.929953],
        [0.902707, 0.929953, 0.099862],
    ]
    np.testing.assert_allclose(limit.wells.activation[order], activations, atol=6e-7)
    np.testing.assert_allclose(limit.wells.energy, -1.719213, atol=6e-7)
    assert limit.value == pytest.approx(3.754332, abs=6e-7)
    assert limit.residual < 1e-12
    assert limit.bound.complete and limit.bound.gap < 1e-9 and limit.unique


@pytest.mark.parametrize(
    ("T", "share"), [(0.001, 0.0424), (0.005, 0.0624), (0.01, 0.0889), (0.02, 0.1484), (0.03, 0.2197), (0.05, 0.4157)]
)
def test_share_of_the_full_code_at_finite_temperature(T, share):
    limit = solve_limit(toy_problem(T=T))
    full = np.all(limit.wells.activation > 0.5, axis=1)
    assert limit.weight[full].sum() == pytest.approx(share, abs=6e-5)
    assert limit.residual < 1e-12 and limit.bound.complete


def test_degenerate_targets_take_the_shares_of_finite_size():
    """At y- = -y+/2 six codes and their complements are equally deep, and the equations leave the shares open."""
    limit = solve_limit(toy_problem(y_minus=-0.5))
    assert not limit.unique
    np.testing.assert_allclose(np.sort(limit.weight), [0.1607, 0.1607, 0.1663, 0.1663, 0.1668, 0.1791], atol=6e-5)
    assert limit.residual < 1e-12


@pytest.mark.parametrize(
    "settings", [{}, {"y_minus": -0.7, "T": 0.01}, {"ratios": (0.4, 0.3, 0.2, 0.1), "activation": "tanh"}]
)
def test_primal_energy_equals_the_dual(settings):
    """sum_g P_g [|a_g|^2/2 + sum_c rho_c I(b_gc)] + T |t|^2/2 with I(b) = h b - g(h): no duality gap."""
    problem = toy_problem(**settings)
    limit = solve_limit(problem)
    h = limit.wells.readout @ limit.t.T
    legendre = h * limit.wells.activation - problem.neuron.log_average(h)
    cost = 0.5 * np.sum(limit.wells.readout**2, axis=1) + legendre @ problem.rho
    primal = limit.weight @ cost + 0.5 * problem.temperature * problem.rho @ np.sum(limit.t**2, axis=1)
    assert primal == pytest.approx(limit.value, abs=1e-12)


@pytest.mark.parametrize("settings", [{}, {"T": 0.02}, {"ratios": (0.4, 0.3, 0.2, 0.1), "y_minus": -0.4}])
def test_no_random_start_finds_a_lower_well(settings):
    """The certificate against a dense search: readouts from 500 random starts, descended with another program."""
    problem = toy_problem(**settings)
    limit = solve_limit(problem)
    starts = 4 * np.random.default_rng(0).standard_normal((500, problem.rank))
    wells = descend(problem, limit.t, starts)
    assert wells.energy.min() > limit.wells.energy.min() - 1e-10

    def energy(a):
        return 0.5 * a @ a - problem.rho @ problem.neuron.log_average(limit.t @ a)

    for start in starts[:8]:
        assert optimize.minimize(energy, start).fun > limit.wells.energy.min() - 1e-9


def test_the_bound_notices_a_well_that_is_kept_from_it():
    problem = toy_problem()
    limit = solve_limit(problem)
    for k in range(len(limit.wells)):
        others = limit.wells[np.arange(len(limit.wells)) != k]
        # Slightly raised: the missing well is then the lowest by that much.
        field = limit.t + 1e-3 * np.outer(limit.wells.activation[k], limit.wells.readout[k])
        known = descend(problem, field, others.readout)
        bound = bound_energy(problem, field, known)
        lowest = find_wells(problem, field).energy[0]
        missed = bound.missed is not None
        assert missed or bound.gap >= known.energy.min() - lowest - 1e-12
        assert missed or not bound.complete or known.energy.min() - lowest < 1e-9


def test_the_bound_rules_out_unknown_wells_above_the_lowest():
    problem = toy_problem(y_minus=0.1)
    limit = solve_limit(problem)
    everything = find_wells(problem, limit.t)
    above = float(np.ptp(everything.energy)) + 0.05
    assert len(everything) > len(limit.wells)
    assert bound_energy(problem, limit.t, everything, above=above).complete
    assert bound_energy(problem, limit.t, limit.wells, above=above).missed is not None


def test_an_exhausted_search_says_so():
    problem = toy_problem()
    limit = solve_limit(problem)
    bound = bound_energy(problem, limit.t, limit.wells, most_boxes=1)
    assert not bound.complete and bound.gap > 0


def test_permuting_classes_and_outputs_permutes_the_solution():
    problem = toy_problem(ratios=(0.5, 0.3, 0.2), y_minus=0.2)
    limit = solve_limit(problem)
    order, outputs = np.array([2, 0, 1]), np.array([1, 2, 0])
    swapped = ClassProblem(problem.neuron, problem.rho[order], problem.y[order][:, outputs], 0.0, problem.P)
    other = solve_limit(swapped)
    np.testing.assert_allclose(other.t, limit.t[order][:, outputs], atol=1e-9)
    np.testing.assert_allclose(np.sort(other.weight), np.sort(limit.weight), atol=1e-9)


def test_the_sign_of_an_output_and_the_complement():
    """(a^r, y^r) -> -(a^r, y^r) keeps the energy; so does (a, phi) -> (-a, 1 - phi) of all neurons for targets y - <a>,
    for which that is one scheme of many."""
    problem = toy_problem(ratios=(0.5, 0.3, 0.2), y_minus=0.2, T=0.003)
    limit = solve_limit(problem)
    flipped = solve_limit(ClassProblem(problem.neuron, problem.rho, problem.y * [1, -1, 1], 0.003, problem.P))
    assert flipped.value == pytest.approx(limit.value, abs=1e-12)
    shifted = problem.y - limit.weight @ limit.wells.readout
    complement = solve_limit(ClassProblem(problem.neuron, problem.rho, shifted, 0.003, problem.P))
    assert complement.value <= limit.value + 1e-12
