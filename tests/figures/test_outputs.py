"""Mean outputs by class, and the error on test inputs."""

import numpy as np

from nonlazy.figures._outputs import error_on_test, output_rows


def test_outputs_are_averaged_over_each_class():
    outputs = np.array([[1.0, 0.0], [0.8, 0.2], [0.1, 0.9]])
    targets = np.array([[1.0, 0.5], [1.0, 0.5], [0.5, 1.0]])
    rows = output_rows(outputs, targets, np.array([0, 0, 1]), ("a", "b"))
    assert [(row.name, row.inputs) for row in rows] == [("a", 2), ("b", 1)]
    np.testing.assert_allclose(rows[0].output, (0.9, 0.1))
    np.testing.assert_allclose(rows[0].target, (1.0, 0.5))


def test_the_error_is_squared_bias_and_variance():
    draws = np.random.default_rng(0).standard_normal((200, 4, 2))
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    labels = np.array([0, 1, 0, 1])
    error = error_on_test(draws.mean(axis=0), draws.var(axis=0), targets, labels, 2)
    np.testing.assert_allclose(error.total, ((draws - targets) ** 2).mean(axis=(0, 1)))
    assert error.accuracy == (draws.mean(axis=0).argmax(axis=1) == labels).mean()


def test_one_output_for_two_classes_has_no_accuracy():
    error = error_on_test(np.ones((3, 1)), np.zeros((3, 1)), np.ones((3, 1)), np.array([0, 1, 0]), 2)
    assert error.accuracy is None and error.total == (0.0,)
