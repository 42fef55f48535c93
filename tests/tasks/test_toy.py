import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nonlazy.errors import InvalidInput
from nonlazy.tasks import toy
from nonlazy.tasks._toy import largest_remainder


@pytest.mark.parametrize(("P", "N0"), [(1, 1), (7, 7), (100, 120)])
def test_inputs_are_orthogonal_to_rounding(P, N0):
    task = toy(P, N0, class_ratios=(1.0,))
    # A product of N0 rounded numbers of order 1 that is divided by N0.
    np.testing.assert_allclose(task.input_kernel, np.eye(P), atol=8 * N0 * np.finfo(float).eps)


def test_figure_two():
    task = toy(500, 520, y_minus=0.5)
    assert np.bincount(task.labels).tolist() == [250, 125, 125]
    assert (task.P, task.N0, task.m, task.input_rank) == (500, 520, 3, 500)
    assert np.unique(task.Y).tolist() == [0.5, 1.0]
    assert (np.argmax(task.Y, axis=1) == task.labels).all()
    assert (np.diff(task.labels) >= 0).all()
    json.dumps(task.provenance)


def test_figure_one():
    task = toy(500, 510, targets="binary", random_labels=True)
    assert task.Y.shape == (500, 1)
    assert task.class_names == ("+1", "-1")
    assert (task.Y[:, 0] == np.where(task.labels == 0, 1.0, -1.0)).all()


def test_binary_targets_at_fixed_ratios():
    assert toy(10, 10, class_ratios=(0.3, 0.7), targets="binary").Y[:, 0].tolist() == [1.0] * 3 + [-1.0] * 7


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_inputs():
    one, again, other = toy(20, 25, seed=3), toy(20, 25, seed=3), toy(20, 25, seed=4)
    assert np.array_equal(one.X, again.X)
    assert not np.array_equal(one.X, other.X)


def test_random_labels_change_the_labels_alone():
    fixed, drawn = toy(40, 50, seed=1), toy(40, 50, seed=1, random_labels=True)
    assert np.array_equal(fixed.X, drawn.X)
    counts = {tuple(np.bincount(toy(40, 50, seed=s, random_labels=True).labels)) for s in range(5)}
    assert len(counts) > 1


def test_random_labels_have_the_probabilities_asked_for():
    # 200 x 50 labels: each count is binomial. A bound of 4.9 standard deviations on three counts raises a false alarm
    # with probability 3e-6; the seeds are fixed besides.
    ratios = np.array((0.5, 0.3, 0.2))
    counts = sum(
        np.bincount(toy(50, 50, tuple(ratios), random_labels=True, seed=s).labels, minlength=3) for s in range(200)
    )
    deviation = np.abs(counts - 10_000 * ratios) / np.sqrt(10_000 * ratios * (1 - ratios))
    assert (deviation < 4.9).all()


def test_inputs_are_uniform_over_rotations():
    # Each entry of a row of squared length N0 has mean 0 and variance 1; over 400 independent draws the mean of the
    # first entry is within 4.9 / 20 of 0 (false alarm 1e-6). QR without its sign convention fails: the first entry of
    # the first row is then always negative.
    first = np.array([toy(4, 6, class_ratios=(1.0,), seed=s).X[0, 0] for s in range(400)])
    assert abs(first.mean()) < 4.9 / 20


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(1, 300))
def test_largest_remainder_rounds_each_count_and_keeps_the_sum(weights, P):
    ratios = np.array(weights) / sum(weights)
    counts = largest_remainder(ratios, P)
    assert counts.sum() == P
    assert (np.abs(counts - ratios * P) < 1).all()


def test_largest_remainder_by_hand():
    assert largest_remainder(np.array([0.5, 0.25, 0.25]), 10).tolist() == [5, 3, 2]
    assert largest_remainder(np.array([0.1, 0.2, 0.7]), 10).tolist() == [1, 2, 7]
    assert largest_remainder(np.array([1 / 3, 1 / 3, 1 / 3]), 100).tolist() == [34, 33, 33]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"P": 11, "N0": 10}, "P = 11 inputs with N0 = 10 .* choose N0 >= 11"),
        ({"P": 0}, "P is 0"),
        ({"N0": 0}, "N0 is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"class_ratios": (0.5, 0.25)}, r"sum to 0.75, not 1.*\(0.666667, 0.333333\)"),
        ({"class_ratios": (1.5, -0.5)}, "every share must be above 0"),
        ({"class_ratios": ()}, "one share a class"),
        ({"class_ratios": (0.98, 0.01, 0.01)}, "classes 1, 2 have no training input"),
        ({"P": 2, "class_ratios": (0.4, 0.3, 0.3), "random_labels": True}, "no training input.*another seed"),
        ({"y_plus": 1.0, "y_minus": 1.0}, "do not tell the classes apart"),
        ({"targets": "binary", "class_ratios": (0.5, 0.25, 0.25)}, r"class_ratios has 3 entries.*\(0.5, 0.5\)"),
        ({"targets": "binary", "y_minus": 0.5}, "binary targets are"),
        ({"targets": "onehot"}, "did you mean 'one-hot'"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(InvalidInput, match=match):
        toy(**({"P": 10, "N0": 12} | arguments))


def test_sizes_beyond_the_machine_are_refused_before_anything_is_made():
    for P in (10**12, 10**400):
        with pytest.raises(InvalidInput, match=r"P = 1000.*of memory, and this machine has .* GB: choose a smaller P"):
            toy(P, P)
