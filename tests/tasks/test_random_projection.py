import json

import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.tasks import mnist, random_projection, toy


def test_the_kernel_is_kept_on_average():
    # The mean of 400 projected kernels to 50 numbers: an entry's standard error is at most sqrt(2 / (400 * 50)) = .01
    # where the kernel's diagonal is 1. A bound of 5.5 errors on 55 entries raises a false alarm with probability 2e-6.
    task = toy(10, 12)
    kernel = np.mean([random_projection(task, 50, seed=s).input_kernel for s in range(400)], axis=0)
    assert np.abs(kernel - np.eye(10)).max() < 0.055


def test_more_inputs_than_numbers():
    task = random_projection(toy(30, 40), 8)
    assert (task.P, task.N0, task.input_rank) == (30, 8, 8)


def test_training_and_test_inputs_get_the_same_projection():
    task = mnist(20, P_test=30)
    projected = random_projection(task, 15)
    R = np.linalg.lstsq(task.X, projected.X, rcond=None)[0]
    np.testing.assert_allclose(task.X @ R, projected.X, atol=1e-9)
    both = random_projection(mnist(20, P_test=30, seed=0), 15)
    assert np.array_equal(both.X_test, projected.X_test)
    stacked = type(task)(
        np.vstack([task.X, task.X_test]), np.vstack([task.Y, task.Y_test]), np.append(task.labels, task.labels_test)
    )
    np.testing.assert_allclose(
        random_projection(stacked, 15).X, np.vstack([projected.X, projected.X_test]), rtol=1e-12, atol=1e-12
    )


def test_targets_stay_and_provenance_is_chained():
    task = toy(10, 12)
    projected = random_projection(task, 5, seed=3)
    assert np.array_equal(projected.Y, task.Y)
    assert np.array_equal(projected.labels, task.labels)
    assert projected.provenance["arguments"] == {"N0": 5, "seed": 3}
    assert projected.provenance["projected_from"] == task.provenance
    assert projected.name == "toy, projected to N0 = 5"
    json.dumps(random_projection(projected, 4).provenance)


def test_seeds_and_refusals():
    task = toy(10, 12)
    assert np.array_equal(random_projection(task, 5).X, random_projection(task, 5).X)
    assert not np.array_equal(random_projection(task, 5).X, random_projection(task, 5, seed=1).X)
    with pytest.raises(InvalidInput, match="N0 is 0"):
        random_projection(task, 0)


def test_a_projection_beyond_the_machine_is_refused_before_it_is_made():
    with pytest.raises(InvalidInput, match=r"N0 = 1000000000000 numbers: this needs .* of memory"):
        random_projection(toy(6, 8), 10**12)
