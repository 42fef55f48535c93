"""Averages of a kernel over the pairs of two classes."""

import numpy as np

from nonlazy.figures._comparison import class_blocks


def test_blocks_are_means_over_pairs_of_different_inputs():
    kernel = np.random.default_rng(0).standard_normal((5, 5))
    kernel = kernel + kernel.T
    labels = np.array([0, 1, 0, 1, 0])
    blocks = class_blocks(kernel, labels, 2)
    zeros, ones = [0, 2, 4], [1, 3]
    np.testing.assert_allclose(blocks[0, 1], kernel[np.ix_(zeros, ones)].mean())
    within = [kernel[i, j] for i in zeros for j in zeros if i != j]
    np.testing.assert_allclose(blocks[0, 0], np.mean(within))
    np.testing.assert_allclose(blocks[1, 1], kernel[1, 3])


def test_a_class_of_one_input_has_no_pairs_with_itself():
    blocks = class_blocks(np.eye(3), np.array([0, 0, 1]), 2)
    assert np.isnan(blocks[1, 1]) and blocks[0, 0] == 0
