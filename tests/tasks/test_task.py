import copy
import pickle

import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.tasks import Task


def arrays(P=4, N0=3, m=2):
    generator = np.random.default_rng(0)
    return generator.standard_normal((P, N0)), generator.standard_normal((P, m)), np.arange(P) % 2


def test_sizes_and_kernel():
    X, Y, labels = arrays()
    task = Task(X, Y, labels)
    assert (task.P, task.N0, task.m, task.classes) == (4, 3, 2, 2)
    assert task.class_names == ("0", "1")
    np.testing.assert_allclose(task.input_kernel, X @ X.T / 3)


def test_arrays_are_read_only_and_the_callers_stay_writeable():
    X, Y, labels = arrays()
    task = Task(X, Y, labels)
    for array in (task.X, task.Y, task.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    X[0, 0] = 1.0


def test_input_rank_of_more_inputs_than_numbers_and_of_repeated_inputs():
    X, Y, labels = arrays()
    assert Task(X, Y, labels).input_rank == 3
    assert Task(np.tile(X[:1], (4, 1)), Y, labels).input_rank == 1


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))])
def test_copies_hold_the_same(copied):
    task = Task(*arrays(), name="mine", provenance={"source": "here"})
    other = copied(task)
    assert np.array_equal(other.X, task.X)
    assert (other.name, other.class_names, other.provenance) == (task.name, task.class_names, task.provenance)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"X": np.ones((3, 3))}, "3 inputs, 4 targets and 4 labels"),
        ({"X": np.full((4, 3), np.nan)}, "X holds 12 values that are not finite"),
        ({"Y": np.full((4, 2), np.inf)}, "Y holds 8 values that are not finite"),
        ({"labels": np.array([0, 1, 0, -1])}, "lowest -1"),
        ({"X": np.ones((4, 0))}, "empty"),
        ({"class_names": ("one",)}, "label 1 has no name"),
        ({"X_test": np.ones((2, 3))}, "together, or none"),
        ({"X_test": np.ones((2, 5)), "Y_test": np.ones((2, 2)), "labels_test": np.array([0, 1])}, "N0 = 5"),
        ({"X_test": np.ones((2, 3)), "Y_test": np.ones((2, 3)), "labels_test": np.array([0, 1])}, "have 3 outputs"),
    ],
)
def test_what_does_not_fit_is_refused(change, match, as_for_users):
    X, Y, labels = arrays()
    with pytest.raises(InvalidInput, match=match):
        Task(**({"X": X, "Y": Y, "labels": labels} | change))
