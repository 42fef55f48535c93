"""Temperatures near 0 and 0 itself."""

import functools

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.theory.sigmoidal.general import _equilibrium, solve_sigmoidal_general
from nonlazy.theory.sigmoidal.general._contradictions import check_contradictions
from tests.theory.sigmoidal.general.problems import correlated_task


def posterior(temperature):
    return nl.Posterior(nl.Network(30), correlated_task(P=8), temperature)


@functools.cache
def solved(temperature):
    return solve_sigmoidal_general(posterior(temperature))


def test_targets_are_met_exactly_and_the_free_energy_is_the_limit():
    """-dF/dT = |t|^2 / 2P, so that F(0) - F(T) is T |t|^2 / 2P up to the next order: 1e-4 / (what an output gains by a
    field, above 1e-3 here) of it, for which a tenth was allowed. T = 1e-4 is solved without multipliers, 1e-6 with.
    """
    zero = solved(0.0)
    task = zero.posterior.task
    np.testing.assert_allclose(zero.predict(task.X), task.Y, atol=1e-6)
    assert zero.residual < 1e-6
    for T in (1e-4, 1e-6):
        warm = solved(T)
        first_order = T * np.sum(warm.dual_field**2) / (2 * task.P)
        assert zero.free_energy - warm.free_energy == pytest.approx(first_order, rel=0.1)


def test_the_residual_is_that_of_the_prediction():
    """Of a mixture at T > 0 and at T = 0: recomputed from the predictor, up to rounding."""
    for T in (1e-4, 0.0):
        prediction = solved(T)
        task = prediction.posterior.task
        off = task.Y - T * prediction.dual_field - prediction.predict(task.X)
        assert np.abs(off).max() / np.abs(task.Y).max() == pytest.approx(prediction.residual, abs=1e-12)


def test_where_there_is_no_mixture_temperature_zero_is_refused_with_what_there_is(monkeypatch):
    """What the solver takes long to find out is in tests/statistical; this is what it then says."""

    def fails(*_):
        raise TheoryError("wells that touch")

    monkeypatch.setattr(_equilibrium, "_from_wells", fails)
    with pytest.raises(TheoryError, match=r"temperature 0\. .*fluctuations='neglected'.*temperature such as 1e-03"):
        solve_sigmoidal_general(posterior(0.0), fluctuations="neglected")


def test_contradicting_targets_are_refused_by_name():
    """Equal inputs with different targets cannot be fitted exactly."""
    task = correlated_task()
    X = np.array(task.X)
    X[1] = X[0]
    twins = nl.tasks.from_arrays(X, task.Y, labels=task.labels)
    with pytest.raises(InvalidInput, match=r"inputs 0 and 1 are equal.*temperature above 0"):
        solve_sigmoidal_general(nl.Posterior(nl.Network(30), twins, 0.0))


X1, X2 = np.random.default_rng(0).standard_normal((2, 5))


@pytest.mark.parametrize(
    ("inputs", "targets", "odd", "words"),
    [
        ((X1, X2, -X1), (1.0, 0.0, 0.5), False, None),
        ((X1, X2, -X1, -X2), (0.1, 0.4, 0.7, 0.4), False, None),
        ((X1, X2, -X1, -X2), (1.0, 0.0, 0.5, 0.5), False, r"inputs 1 and 3 .*as much as those of inputs 0 and 2"),
        ((X1, X2, -X1), (1.0, 0.0, -1.0), True, None),
        ((X1, X2, -X1), (1.0, 0.0, 0.5), True, r"inputs 0 and 2 .*do not add up to 0"),
        ((0 * X1, X2), (1.0, 0.0), False, None),
        ((0 * X1, X2), (1.0, 0.0), True, r"input 0 \(zeros"),
        ((0 * X1, X2, -X2), (1.0, 0.0, 1.0), False, r"inputs 1 and 2 .*as much as those of input 0 \(zeros"),
        ((X1, -X1, X1), (1.0, 0.0, 1.0), False, None),
    ],
)
def test_opposite_inputs_contradict_each_other_where_no_network_fits_them(inputs, targets, odd, words):
    """A network fits the targets if they are a linear combination of the functions phi(x . w), for some of many w."""
    X, Y = np.array(inputs), np.array(targets)[:, None]
    z = X @ np.random.default_rng(1).standard_normal((5, 400))
    network = nl.Network(1, activation="erf" if odd else "sigmoid")
    features = network.phi(z)
    missed = np.abs(features @ np.linalg.lstsq(features, Y, rcond=1e-12)[0] - Y).max()
    if words is None:
        assert missed < 1e-9
        check_contradictions(X, Y, odd)
    else:
        assert missed > 0.01
        with pytest.raises(InvalidInput, match=words):
            check_contradictions(X, Y, odd)
