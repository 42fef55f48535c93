"""The rows of the table of codes."""

import numpy as np

from nonlazy.codes import detect
from nonlazy.figures._codes import code_rows, neurons_by_chain


CODES = np.array([[True, True, False], [True, False, True], [False, True, True]])
NAMES = ("cat", "dog", "owl")


def rows(neuron_codes, kind="redundant", codes=CODES):
    generator = np.random.default_rng(0)
    readouts = generator.standard_normal((len(neuron_codes), 2))
    activations = generator.standard_normal((len(neuron_codes), 3))
    return code_rows(codes, neuron_codes, readouts, activations, NAMES, kind), readouts, activations


def test_codes_come_by_number_of_neurons_and_empty_ones_are_left_out():
    found, _, _ = rows(np.array([0, 2, 2, 2, 0]))
    assert [(row.code, row.neurons, row.fraction) for row in found] == [("0-1-1", 3, 0.6), ("1-1-0", 2, 0.4)]
    assert found[0].classes == ("dog", "owl")


def test_means_are_over_the_neurons_of_the_code():
    found, readouts, activations = rows(np.array([0, 2, 2, 2, 0]))
    np.testing.assert_allclose(found[1].readout, readouts[[0, 4]].mean(axis=0))
    np.testing.assert_allclose(found[1].readout_deviation, readouts[[0, 4]].std(axis=0))
    np.testing.assert_allclose(found[1].activation, activations[[0, 4]].mean(axis=0))


def test_neurons_without_a_code_come_last_under_a_name_that_fits_the_scheme():
    assert [row.code for row in rows(np.array([-1, 0, -1, -1]), "sparse")[0]] == ["1-1-0", "bulk"]
    assert [row.code for row in rows(np.array([-1, 0, -1, -1]), "redundant")[0]] == ["1-1-0", "no code"]
    assert [row.code for row in rows(np.full(4, -1), "analog", CODES[:0])[0]] == ["all"]


def test_neurons_of_a_code_are_counted_chain_by_chain():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    schemes = []
    for counts in ([10, 20, 30], [15, 45, 0]):
        bits = np.repeat(CODES, counts, axis=0)
        schemes.append(
            detect(0.1 + 0.8 * bits[:, labels] + 0.02 * generator.standard_normal((60, 60)), labels, "sigmoid")
        )
    assert neurons_by_chain(schemes) == {"1-1-0": (10, 15), "1-0-1": (20, 45), "0-1-1": (30, 0)}
