"""The warm-up's phases: what adds up, what changes, what is refused."""

import numpy as np
import pytest

from nonlazy import Network, Posterior, tasks
from nonlazy.errors import InvalidInput
from nonlazy.sampling import HMC, Annealed, Continuation, GradientDescent, Langevin, Planted, Prior, Rotations
from nonlazy.sampling._samplers import Sampler, resolve_sampler
from nonlazy.sampling._schedule import Phase, default_warmup, sampling_phase, warmup_phases, with_y_minus
from nonlazy.sampling._starts import Start


TASK = tasks.toy(P=8, N0=9, y_minus=0.5, seed=1)
T = 0.01
PRIOR, PLAIN = Prior(), HMC()


def posterior(activation="sigmoid", temperature=T, task=TASK):
    return Posterior(Network(5, 1, activation), task, temperature)


def phases(start: Start = PRIOR, sampler: Sampler = PLAIN, warmup=30, moves=None, activation="sigmoid", temperature=T):
    where = posterior(activation, temperature)
    return warmup_phases(where, resolve_sampler(sampler, where), moves, start, warmup)


SAMPLERS = [HMC(), Langevin(), Langevin(adjusted=True), Langevin(step_size=0.1), GradientDescent(0.1)]


@pytest.mark.parametrize("warmup", [0, 1, 2, 30, 151])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_phases_add_up_to_the_warm_up(sampler, warmup):
    found = phases(sampler=sampler, warmup=warmup)
    assert sum(phase.iterations for phase in found) == warmup
    assert all(phase.iterations > 0 for phase in found)
    assert all(phase.temperature == (T, T) and phase.targets is None for phase in found)


def test_annealing_and_continuation_come_on_top_of_the_warm_up():
    annealed = phases(Annealed(0.5, 40))
    assert [phase.name for phase in annealed] == ["annealing", "quench", "adaptation", "averaging"]
    assert sum(phase.iterations for phase in annealed) == 70
    continued = phases(Continuation((0.0, 0.25), 12))
    assert [phase.name for phase in continued] == ["y- = 0", "y- = 0.25", "quench", "adaptation", "averaging"]
    assert sum(phase.iterations for phase in continued) == 54
    assert [phase.name for phase in phases(Annealed(0.5, 40), warmup=0)] == ["annealing"]


@pytest.mark.parametrize("start", [Prior(), Annealed(), Continuation((0.0, 0.2)), Planted(((1, 0, 0),))], ids=repr)
@pytest.mark.parametrize("sampler", SAMPLERS[:4], ids=repr)
def test_the_step_size_is_set_once_at_the_start(sampler, start):
    first, *others = phases(start, sampler)
    assert first.step_size == sampler.step_size
    assert all(phase.step_size is None for phase in others)


def test_annealing_cools_log_linearly_from_its_temperature_to_the_posteriors():
    annealing = phases(Annealed(1.0, 5))[0]
    temperatures = [annealing.temperature_at(i) for i in range(5)]
    np.testing.assert_allclose(temperatures, [1.0, 10**-0.5, 0.1, 10**-1.5, 0.01], rtol=1e-12)
    assert all(phase.temperature_at(3) == T for phase in phases(Annealed(1.0, 5))[1:])
    assert Phase("one", 1, (1.0, 0.1)).temperature_at(0) == 0.1
    assert Phase("cold", 3, (0.0, 0.0)).temperature_at(1) == 0.0


@pytest.mark.parametrize("temperature, iterations", [(9e-4, 5), (1e-4, 100), (1e-5, 200)])
def test_low_temperatures_are_reached_by_cooling_a_quench(temperature, iterations):
    cooling, *others = phases(temperature=temperature)
    assert (cooling.name, cooling.iterations, cooling.temperature) == ("cooling", iterations, (1e-3, temperature))
    assert cooling.jump_every == 0 and cooling.recovery > 1
    assert [phase.name for phase in others] == ["quench", "adaptation", "averaging"]
    assert all(phase.temperature == (temperature, temperature) for phase in others)
    first, cooling, *_ = phases(Continuation((0.0,), 7), temperature=temperature)
    assert (first.name, first.temperature, cooling.name) == ("y- = 0", (1e-3, 1e-3), "cooling")
    assert phases(temperature=temperature, warmup=0) == ()
    for start, sampler in ((Annealed(0.5, 4), PLAIN), (Planted(((1, 0, 0),)), PLAIN), (PRIOR, Langevin())):
        assert "cooling" not in [phase.name for phase in phases(start, sampler, temperature=temperature)]
    assert phases(temperature=1e-3)[0].name == "quench"


@pytest.mark.parametrize("temperature", [T, T / 2])
def test_annealing_from_below_is_refused(temperature):
    with pytest.raises(InvalidInput, match=rf"{temperature:g}.*T = {T:g}"):
        phases(Annealed(temperature))


def test_continuation_changes_the_other_classes_targets_alone():
    stage = phases(Continuation((0.1, 0.3)))[1]
    own = TASK.Y == 1.0
    assert stage.targets is not None
    assert (stage.targets[own] == 1.0).all()
    assert (stage.targets[~own] == 0.3).all()
    assert phases(Continuation((0.1,)))[-1].targets is None


def test_continuation_needs_one_hot_targets_and_values_below_y_plus():
    binary = posterior(task=tasks.toy(P=8, N0=9, targets="binary", seed=1))
    three = posterior(task=tasks.from_arrays(np.eye(3), np.array([[0.0, 1], [1, 2], [2, 0]]), labels=np.arange(3)))
    for where in (binary, three):
        with pytest.raises(InvalidInput, match="needs one-hot targets"):
            with_y_minus(where, 0.0)
    for value in (1.0, 2.0, float("nan")):
        with pytest.raises(InvalidInput, match="must stay below y\\+ = 1"):
            with_y_minus(posterior(), value)


def test_continuation_keeps_the_own_class_where_its_target_is_the_lower_one():
    upside_down = tasks.from_arrays(np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]]), labels=np.arange(2))
    np.testing.assert_array_equal(with_y_minus(posterior(task=upside_down), 0.5), [[0.0, 0.5], [0.5, 0.0]])


@pytest.mark.parametrize("start", [Annealed(), Continuation((0.0,))], ids=repr)
@pytest.mark.parametrize("warmup", [0, 10])
def test_gradient_descent_refuses_starts_that_it_does_not_make(start, warmup):
    with pytest.raises(InvalidInput, match="gradient descent has no start"):
        phases(start, GradientDescent(0.1), warmup)


def test_only_the_last_phase_enters_the_average_of_step_sizes_and_draws_adapt_nothing():
    for sampler in SAMPLERS[:3]:
        found = phases(sampler=sampler)
        assert [phase.average for phase in found] == [False] * (len(found) - 1) + [True]
        assert all(phase.adapt > 0 for phase in found)
        assert sampling_phase(posterior(), resolve_sampler(sampler, posterior()), None, 7).adapt == 0
    fixed = phases(sampler=Langevin(step_size=0.1))
    assert not any(phase.adapt or phase.average for phase in fixed)


def test_langevin_adapts_with_the_metropolis_test_and_draws_as_asked():
    for adjusted, target in ((True, 0.57), (False, 0.95)):
        sampler = Langevin(adjusted=adjusted)
        assert {phase.target_acceptance for phase in phases(sampler=sampler)} == {target}
        assert all(phase.adjusted for phase in phases(sampler=sampler))
        assert sampling_phase(posterior(), sampler, None, 7).adjusted is adjusted
    assert not any(phase.adjusted for phase in phases(sampler=Langevin(step_size=0.1)))


def test_rotations_merge_outliers_in_the_quench_of_rectified_networks():
    moves = Rotations(attempts=3, quench_attempts=50)
    quench, adaptation, _ = phases(moves=moves, activation="relu")
    assert (quench.rotations, adaptation.rotations) == (50, 3)
    assert quench.trajectory_length < adaptation.trajectory_length == 2.0
    where = posterior("relu")
    assert sampling_phase(where, resolve_sampler(HMC(), where), moves, 7).rotations == 3
    assert {phase.rotations for phase in phases(moves=moves, activation="linear")} == {3}
    assert {phase.rotations for phase in phases(activation="relu")} == {0}


def test_the_default_warm_up_is_longer_for_rectified_networks_and_none_for_descent():
    assert default_warmup(posterior(), HMC(), None) < default_warmup(posterior("relu"), HMC(), None)
    assert default_warmup(posterior(), GradientDescent(0.1), None) == 0
