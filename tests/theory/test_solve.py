import numpy as np
import pytest

import nonlazy as nl
from nonlazy.errors import InvalidInput


@pytest.fixture
def task():
    return nl.tasks.toy(20, 30)


def test_posterior_and_network_with_task_are_two_ways_to_say_the_same(task):
    network = nl.Network(40, 2, "linear")
    one = nl.theory.solve(nl.Posterior(network, task, 0.01, 0.3, (1.0, 2.0)))
    two = nl.theory.solve(network, task, 0.01, readout_variance=0.3, weight_variance=(1.0, 2.0))
    np.testing.assert_allclose(one.readout_covariance, two.readout_covariance, rtol=1e-12)
    assert two.posterior.temperature == 0.01
    assert nl.theory.solve(network, task).posterior.temperature == 0.0


def test_linear_prediction_keeps_the_protocol(task):
    assert isinstance(nl.theory.solve(nl.Network(40, 1, "linear"), task), nl.theory.Prediction)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"activation": "linear", "depth": 2}, "LinearPrediction"),
        ({"activation": "linear", "readout": "lazy"}, "LinearPrediction"),
        ({"activation": "sigmoid"}, "SigmoidalPrediction"),
        ({"activation": "tanh"}, "SigmoidalPrediction"),
        ({"activation": "relu"}, "RectifiedPrediction"),
    ],
)
def test_each_network_has_its_theory(task, arguments, kind):
    prediction = nl.theory.solve(nl.Network(40, **arguments), task, temperature=0.01)
    assert type(prediction).__name__ == kind
    assert isinstance(prediction, nl.theory.Prediction)
    assert prediction.ensemble == "equilibrium" and prediction.residual < 1e-9
    assert prediction.to_xarray().attrs["theory"] == kind


def test_correlated_inputs_are_for_the_general_theory():
    task = nl.tasks.mnist(36, P_test=20)
    prediction = nl.theory.solve(nl.Network(20), task, temperature=0.01)
    assert type(prediction).__name__ == "GeneralSigmoidalPrediction"
    assert isinstance(prediction, nl.theory.Prediction) and not prediction.certified


def test_what_has_no_theory_is_refused_with_what_there_is(task):
    for activation in ("relu", "sigmoid"):
        with pytest.raises(InvalidInput, match=r"lazy.*gaussian_process\(network, task\)"):
            nl.theory.solve(nl.Network(40, 1, activation, "lazy"), task, temperature=0.01)
    with pytest.raises(InvalidInput, match="gaussian_process"):
        nl.theory.solve(nl.Network(40, 2, "relu"), task, temperature=0.01)


def test_a_linear_function_that_is_not_the_identity_is_refused(task):
    double = nl.activations.get(lambda z: 2 * z, kind="linear")
    with pytest.raises(InvalidInput, match="not phi"):
        nl.theory.solve(nl.Network(40, 1, double), task)


def test_what_does_not_go_together_is_refused(task):
    network = nl.Network(40, 1, "linear")
    posterior = nl.Posterior(network, task, 0.01)
    with pytest.raises(InvalidInput, match="temperature given next to a posterior"):
        nl.theory.solve(posterior, temperature=0.1)
    with pytest.raises(InvalidInput, match="pass a posterior, or the network and a task"):
        nl.theory.solve(network)
    with pytest.raises(InvalidInput, match="no codes"):
        nl.theory.solve(posterior, fractions={(1, 0, 0): 1.0})
    with pytest.raises(InvalidInput, match="finite_size=True"):
        nl.theory.solve(posterior, finite_size=False)
    with pytest.raises(InvalidInput, match="N = 2 is below the number of outputs m = 3"):
        nl.theory.solve(nl.Network(2, 1, "linear"), task)


def test_the_printed_prediction_says_what_was_solved_and_how_well(task):
    text = str(nl.theory.solve(nl.Network(40, 2, "linear"), task, temperature=0.01))
    for part in ("L = 2, N = 40", "T = 0.01", "readout covariance U", "residual", "certified"):
        assert part in text


@pytest.mark.parametrize("activation", ["linear", "sigmoid", "relu"])
def test_densities_ask_for_a_row_of_numbers(task, activation):
    prediction = nl.theory.solve(nl.Network(40, 1, activation), task, temperature=0.01)
    bad = np.array([0.0, np.nan])
    with pytest.raises(InvalidInput, match="grid holds 1 values that are not finite"):
        prediction.readout_density(np.eye(3)[0], bad)
    with pytest.raises(InvalidInput, match="grid holds 1 values that are not finite"):
        prediction.preactivation_density(bad, None, 0)
    grid = np.linspace(-6, 6, 4001)
    for density in (prediction.readout_density(np.eye(3)[0], grid), prediction.preactivation_density(grid, None, 0)):
        assert density.min() >= 0


def test_an_input_of_zeros_has_no_density():
    X = np.eye(6)
    X[0] = 0
    task = nl.tasks.from_arrays(X, labels=np.array([0, 0, 0, 1, 1, 1]))
    prediction = nl.theory.solve(nl.Network(20, 1, "linear"), task, temperature=0.01)
    with pytest.raises(InvalidInput, match="class 0 has an input whose numbers are all 0"):
        prediction.preactivation_density(np.linspace(-1, 1, 4), None, 0)
    nl.plots.prediction(prediction)
