import json

import numpy as np
import pytest

from nonlazy.errors import DataError, InvalidInput
from nonlazy.tasks import from_arrays, from_npz


X = np.random.default_rng(0).standard_normal((6, 4))
LABELS = np.array([0, 1, 2, 0, 1, 2])
Y = np.where(LABELS[:, None] == np.arange(3), 1.0, -0.5)


def test_labels_from_one_hot_targets():
    task = from_arrays(X, Y)
    assert np.array_equal(task.labels, LABELS)
    assert (task.m, task.classes, task.X_test) == (3, 3, None)
    json.dumps(task.provenance)


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_labels_from_the_sign_of_one_output(shape):
    targets = np.array([1.0, -1, 1, -1, 1, -1]).reshape(shape)
    task = from_arrays(X, targets)
    assert task.Y.shape == (6, 1)
    assert task.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert task.class_names == ("+1", "-1")


def test_targets_from_labels():
    task = from_arrays(X, labels=LABELS, y_minus=-0.5)
    assert np.array_equal(task.Y, Y)
    with_test = from_arrays(
        X, labels=LABELS, X_test=X[:2], labels_test=[1, 1], class_names=("a", "b", "c"), name="mine"
    )
    assert with_test.Y_test.tolist() == [[0.0, 1.0, 0.0]] * 2
    assert (with_test.class_names, with_test.name) == (("a", "b", "c"), "mine")


def test_regression_targets_with_labels():
    targets = np.random.default_rng(1).standard_normal((6, 2))
    task = from_arrays(X, targets, LABELS, X, targets, LABELS)
    assert np.array_equal(task.Y, targets)
    assert task.classes == 3


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint8, bool])
def test_numbers_become_float64_copies(kind):
    given = (np.arange(24).reshape(6, 4) % 3).astype(kind)
    task = from_arrays(given, Y)
    assert task.X.dtype == np.float64
    assert np.array_equal(task.X, given)


def test_the_callers_arrays_stay_apart():
    mine = X.copy()
    task = from_arrays(mine, Y)
    mine[0, 0] = 17.0
    assert task.X[0, 0] == X[0, 0]


def test_lists():
    assert from_arrays([[1, 2], [3, 4]], [[1, 0], [0, 1]]).labels.tolist() == [0, 1]


def test_more_inputs_than_numbers_are_allowed():
    assert from_arrays(X, Y).input_rank == 4


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"Y": None}, "Y and labels are both missing"),
        ({"X": X[:5]}, "X has 5 inputs, Y 6"),
        ({"X": X[0]}, r"X has shape \(4,\)"),
        ({"X": np.where(X > 1, np.nan, X)}, r"X holds \d values that are not finite"),
        ({"X": X.astype(object)}, "X holds object values: it must hold real numbers"),
        ({"X": X.astype(str)}, "it must hold real numbers"),
        ({"X": X + 1j}, "X holds complex128 values"),
        ({"Y": np.random.default_rng(0).standard_normal((6, 2))}, "one-hot targets have two values, these have 12"),
        ({"Y": np.ones((6, 3)) - np.eye(6, 3)}, "row 0 has it 2 times"),
        ({"Y": LABELS}, "2 are 0"),
        ({"labels": [0, 1, 2]}, "X has 6 inputs, labels 3"),
        ({"labels": LABELS * 1.0}, "labels holds float64 values"),
        ({"labels": LABELS + 1}, "class 0 has no training input"),
        ({"labels": LABELS - 1}, "holds -1"),
        ({"labels": LABELS, "class_names": ("a", "b")}, "labels reach 2; 2 class names"),
        ({"Y_test": Y}, "belong to X_test, which is missing"),
        ({"X_test": X, "Y_test": None}, "Y is given and Y_test is not"),
        ({"X_test": X, "Y_test": Y, "labels": LABELS}, "labels is given and labels_test is not"),
        ({"X_test": X[:, :3], "Y_test": Y}, "test inputs have N0 = 3"),
        ({"Y": None, "labels": LABELS, "y_plus": 0.0}, "do not tell the classes apart"),
    ],
)
def test_refusals(arguments, match, as_for_users):
    with pytest.raises(InvalidInput, match=match):
        from_arrays(**({"X": X, "Y": Y} | arguments))


def test_npz(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, X=X, labels=LABELS, X_test=X[:3], labels_test=LABELS[:3], class_names=["a", "b", "c"])
    task = from_npz(path, y_minus=-0.5)
    assert np.array_equal(task.X, X)
    assert np.array_equal(task.Y, Y)
    assert np.array_equal(task.Y_test, Y[:3])
    assert (task.name, task.class_names) == ("mine", ("a", "b", "c"))
    assert task.provenance["source"] == f"file {path}"
    assert from_npz(str(path), name="other", class_names=("d", "e", "f")).class_names == ("d", "e", "f")


def test_npz_that_cannot_be_read(tmp_path):
    path = tmp_path / "mine.npz"
    with pytest.raises(DataError, match="there is no such file"):
        from_npz(path)
    np.savez(path, X=X, Z=Y)
    with pytest.raises(DataError, match="holds Z; a task has X, Y, labels"):
        from_npz(path)
    np.savez(path, Y=Y)
    with pytest.raises(DataError, match="holds no X"):
        from_npz(path)
    np.savez(path, X=X.astype(object), Y=Y)
    with pytest.raises(DataError, match=r"not a readable .npz file of plain arrays \(it holds Python objects"):
        from_npz(path)
    np.savez(path, X=X, Y=Y)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"not a readable .npz file"):
        from_npz(path)
    path.write_bytes(b"text")
    with pytest.raises(DataError, match=r"not a readable .npz file of plain arrays \(it is no NumPy file\)"):
        from_npz(path)
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(DataError, match="holds one array"):
        from_npz(tmp_path / "one.npy")


def test_training_and_test_sets_may_differ_in_size():
    task = from_arrays(np.eye(4), np.eye(2)[[0, 0, 1, 1]], X_test=np.ones((1, 4)), Y_test=np.array([[0.0, 1.0]]))
    assert task.labels_test is not None and list(task.labels_test) == [1]
