import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.tasks._pool import Pool, draw


LABELS = np.random.default_rng(0).integers(0, 4, 200)
POOL = Pool.of_arrays(np.arange(200, dtype=np.uint8)[:, None], LABELS)


def drawn(size, classes=(2, 0), seed=0):
    names = [str(c) for c in classes]
    return draw(POOL, classes, size, np.random.default_rng(seed), "training", names)


def test_labels_are_positions_in_the_classes_asked_for():
    one = drawn(40)
    assert (np.array((2, 0))[one.labels] == LABELS[one.indices]).all()
    assert (np.diff(one.labels) >= 0).all()
    assert len(set(one.indices)) == 40


def test_a_smaller_draw_is_part_of_a_larger_one():
    assert set(drawn(10).indices) < set(drawn(40).indices)


def test_all_of_the_pool_in_its_order():
    whole = drawn(None)
    assert whole.indices.tolist() == [*np.flatnonzero(LABELS == 2), *np.flatnonzero(LABELS == 0)]


def test_seeds():
    assert drawn(20).indices.tolist() == drawn(20).indices.tolist()
    assert drawn(20).indices.tolist() != drawn(20, seed=1).indices.tolist()


def test_every_image_is_alike_likely():
    # 2,000 draws of a quarter of the images: each image's count is binomial with deviation below 20. A bound of 6
    # deviations on about 100 images raises a false alarm with probability 2e-7; the seeds are fixed besides.
    available = np.flatnonzero(np.isin(LABELS, (2, 0)))
    size = available.size // 4
    counts = np.zeros(200)
    for seed in range(2000):
        counts[drawn(size, seed=seed).indices] += 1
    share = size / available.size
    assert np.abs(counts[available] - 2000 * share).max() < 6 * np.sqrt(2000 * share * (1 - share))
    assert counts.sum() == counts[available].sum()


def test_too_many_names_how_many_there_are():
    n2, n0 = (LABELS == 2).sum(), (LABELS == 0).sum()
    with pytest.raises(
        InvalidInput, match=rf"200 training .* there are {n2 + n0} .*\({n2} of class 2, {n0} of class 0\)"
    ):
        drawn(200)
