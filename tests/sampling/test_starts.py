"""Where chains begin: the prior, planted codes, and what is refused."""

from typing import Any

import numpy as np
import pytest

from nonlazy import Network, Posterior, tasks
from nonlazy.errors import InvalidInput
from nonlazy.network import Weights
from nonlazy.sampling import Annealed, Continuation, Outliers, Planted, Prior
from nonlazy.sampling._coordinates import coordinates
from nonlazy.sampling._starts import initial, resolve_start
from tests.sampling.small_posteriors import general_task, whiteness


CODES, FRACTIONS = ((1, 1, 0), (1, 0, 1), (0, 1, 1)), (0.5, 0.3, 0.2)
TASKS = {
    "orthogonal": tasks.toy(P=60, N0=60, class_ratios=(1 / 3, 1 / 3, 1 / 3), y_minus=-0.5, seed=1),
    "P < N0": general_task(60, 80, classes=3),
}


def begin(start, posterior, seed=(0, 0)):
    """The start's position, and the activations of every layer on the training inputs, by the network's own forward."""
    where = coordinates(posterior)
    first, hidden, readout = initial(start, posterior, where, seed)
    outside = np.zeros((posterior.network.width, posterior.task.N0))
    weights = Weights(
        (where.first_weights(first, outside), *(s**0.5 * W for s, W in zip(posterior.sigma2[1:], hidden, strict=True))),
        posterior.sigma_a2**0.5 * readout.T,
    )
    return (first, hidden, readout), weights


def codes_of(posterior, weights):
    """The classes that activate each feature neuron above one half, `(N, C)`."""
    task = posterior.task
    phi = posterior.network.activations(weights, task.X)[-1]
    means = np.stack([phi[:, task.labels == c].mean(axis=1) for c in range(task.classes)], axis=1)
    return (means > 0.5).astype(int)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("inputs", TASKS)
def test_planted_neurons_are_in_their_codes_at_once_at_the_given_fractions(inputs, depth):
    N = TASKS[inputs].N0 if depth > 1 else 70
    posterior = Posterior(Network(N, depth, "sigmoid"), TASKS[inputs], 1e-3, weight_variance=(1.0,) * depth)
    _, weights = begin(Planted(CODES, FRACTIONS), posterior)
    found = codes_of(posterior, weights)
    counts = np.array([(found == code).all(axis=1).sum() for code in CODES])
    assert counts.sum() >= 0.9 * N
    np.testing.assert_allclose(counts / counts.sum(), FRACTIONS, atol=0.1)


def test_planted_fractions_are_met_to_one_neuron_in_a_random_order():
    # So many inputs that the prior's noise, averaged over a class, hides no code.
    task = tasks.toy(P=240, N0=240, class_ratios=(1 / 3, 1 / 3, 1 / 3), seed=1)
    posterior = Posterior(Network(33, 1, "sigmoid"), task, 1e-3)
    _, weights = begin(Planted(CODES, FRACTIONS), posterior)
    found = codes_of(posterior, weights)
    counts = [int((found == code).all(axis=1).sum()) for code in CODES]
    assert sum(counts) == 33
    assert all(abs(count - 33 * share) < 1 for count, share in zip(counts, FRACTIONS, strict=True))
    order = [CODES.index(tuple(code)) for code in found]
    assert order != sorted(order)


def test_planted_readouts_fit_the_targets_by_ridge_regression():
    posterior = Posterior(Network(60, 1, "sigmoid"), TASKS["orthogonal"], 1e-3)
    _, weights = begin(Planted(CODES), posterior)
    phi = posterior.network.activations(weights, posterior.task.X)[-1]
    np.testing.assert_allclose(weights.readout, posterior.readout_conditional(phi)[0], rtol=1e-6, atol=1e-8)
    loss = 0.5 * np.sum((posterior.task.Y - posterior.network.outputs(weights, posterior.task.X)) ** 2)
    assert loss < 0.05 * 0.5 * np.sum(posterior.task.Y**2)


def test_planting_manages_without_some_classes_among_the_training_inputs():
    task = TASKS["orthogonal"]
    two = task.labels < 2
    part = tasks.Task(task.X[two], task.Y[two], task.labels[two], class_names=task.class_names)
    posterior = Posterior(Network(60, 2, "sigmoid"), part, 1e-3)
    (first, hidden, readout), _ = begin(Planted(CODES), posterior)
    assert all(np.isfinite(x).all() for x in (first, *hidden, readout))


@pytest.mark.parametrize("inputs", TASKS)
def test_planted_outliers_meet_the_targets_and_share_the_work_of_their_code(inputs):
    codes = ((1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1))
    posterior = Posterior(Network(70, 1, "relu"), TASKS[inputs], 1e-3)
    (first, _, readout), weights = begin(Outliers(codes), posterior)
    outliers = np.argsort(-np.sum(readout**2, axis=0))[: len(codes)]
    phi = posterior.network.activations(weights, posterior.task.X)[-1][outliers]
    means = np.stack([phi[:, posterior.task.labels == c].mean(axis=1) for c in range(3)], axis=1)
    assert sorted(np.argmax(means, axis=1)) == [0, 1, 1, 2]
    # The prior of weights and readouts is least where they are equally long.
    np.testing.assert_allclose(
        np.linalg.norm(readout[:, outliers], axis=0), np.linalg.norm(first[outliers], axis=1), rtol=1e-9
    )
    one, other = outliers[np.argmax(means, axis=1) == 1]
    np.testing.assert_allclose(np.linalg.norm(first[one]), np.linalg.norm(first[other]), rtol=0.2)
    assert np.abs(first[one] - first[other]).max() > 1e-3
    if inputs == "orthogonal":
        loss = np.sum((posterior.task.Y - posterior.network.outputs(weights, posterior.task.X)) ** 2)
        assert loss < 0.05 * np.sum(posterior.task.Y**2)


@pytest.mark.parametrize(
    ("network", "codes", "words"),
    [
        (Network(5, 1, "sigmoid"), ((1, 0, 0),), "a ReLU network, not sigmoid"),
        (Network(5, 2, "relu"), ((1, 0, 0),), "one hidden layer, not 2"),
        (Network(2, 1, "relu"), CODES, "as many neurons as codes, 3"),
        (Network(5, 1, "relu"), ((1, 0),), "2 classes, the task 3"),
    ],
)
def test_outliers_are_for_relu_networks_with_one_hidden_layer(network, codes, words):
    posterior = Posterior(network, TASKS["orthogonal"], 1e-3, weight_variance=(1.0,) * network.depth)
    with pytest.raises(InvalidInput, match=words):
        resolve_start(Outliers(codes), posterior)


def test_an_outlier_needs_a_class():
    with pytest.raises(InvalidInput, match="every outlier needs a class"):
        Outliers(((1, 0), (0, 0)))


def test_the_prior_is_white_and_a_function_of_the_seed():
    posterior = Posterior(Network(60, 2, "sigmoid"), TASKS["orthogonal"], 1e-3)
    (first, hidden, readout), _ = begin(Prior(), posterior, (3, 1))
    again, other = begin(Prior(), posterior, (3, 1))[0], begin(Prior(), posterior, (3, 2))[0]
    np.testing.assert_array_equal(first, again[0])
    assert not np.isclose(first, other[0]).any()
    assert (first.shape, hidden[0].shape, readout.shape) == ((60, 60), (60, 60), (3, 60))
    # An exact test with a fixed seed; its false-alarm rate is 10^-6.
    numbers = np.concatenate([first.ravel(), hidden[0].ravel(), readout.ravel()])
    assert whiteness(numbers[:7380].reshape(-1, 6)) > 1e-6
    for start in (Annealed(), Continuation((0.0,))):
        np.testing.assert_array_equal(begin(start, posterior, (3, 1))[0][0], first)


def test_names_stand_for_starts():
    posterior = Posterior(Network(5), TASKS["orthogonal"], 1e-3)
    assert resolve_start("prior", posterior) == Prior()
    assert resolve_start("annealed", posterior) == Annealed()
    assert resolve_start(Planted(CODES), posterior) == Planted(CODES, (1 / 3, 1 / 3, 1 / 3))


@pytest.mark.parametrize("name", ["planted", "Prior", ""])
def test_unknown_starts_are_refused_with_those_that_exist(name):
    with pytest.raises(InvalidInput, match="choose 'prior' or 'annealed', or give Planted"):
        resolve_start(name, Posterior(Network(5), TASKS["orthogonal"], 1e-3))


def test_planted_codes_must_have_the_tasks_classes():
    with pytest.raises(InvalidInput, match="2 classes, the task 3"):
        resolve_start(Planted(((1, 0), (0, 1))), Posterior(Network(5), TASKS["orthogonal"], 1e-3))


@pytest.mark.parametrize("codes", [(), ((1, 0), (1,)), ((1, 2),), ((-1, 0),)])
def test_codes_that_are_none_are_refused(codes):
    with pytest.raises(InvalidInput, match="codes are"):
        Planted(codes)


@pytest.mark.parametrize(
    "fractions", [(0.5, 0.5), (0.5, 0.5, 0.5), (1.5, -0.5, 0.0), (float("nan"), 0.5, 0.5), (1.0, 0.0, 0.0, 0.0)]
)
def test_fractions_must_be_shares_of_the_codes(fractions):
    with pytest.raises(InvalidInput, match="fractions are"):
        Planted(CODES, fractions)


def test_annealing_and_continuation_check_their_settings():
    settings: dict[str, Any]
    for settings in ({"temperature": 0.0}, {"temperature": float("nan")}, {"iterations": 1}):
        with pytest.raises(InvalidInput, match="Annealed"):
            Annealed(**settings)
    with pytest.raises(InvalidInput, match="Continuation"):
        Continuation(())
    with pytest.raises(InvalidInput, match="Continuation"):
        Continuation((0.1,), 0)
