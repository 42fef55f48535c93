"""Few-shot episodes and their classifiers, against explicit features."""

import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.figures.ours._few_shot_episodes import RIDGE, draw_episodes, right


LABELS = np.repeat([4, 7, 9], 12)


def episodes(shots=3, seed=0):
    return draw_episodes(LABELS, (9, 4, 7), shots, 5, 6, (seed,))


def test_episodes_draw_each_class_without_replacement():
    found = episodes()
    assert found.support.shape == (6, 3, 3) and found.queries.shape == (6, 3, 5)
    for way, c in enumerate((9, 4, 7)):
        assert (LABELS[found.support[:, way]] == c).all() and (LABELS[found.queries[:, way]] == c).all()
    for support, queries in zip(found.support, found.queries, strict=True):
        assert len(set(support.ravel()) | set(queries.ravel())) == 3 * (3 + 5)
    np.testing.assert_array_equal(found.support, episodes().support)
    assert (found.support != episodes(seed=1).support).any()


def test_too_few_inputs_are_refused():
    with pytest.raises(InvalidInput, match="class 9 has 12 inputs in the pool; 8 labelled and 5 queries need 13"):
        episodes(shots=8)


@pytest.mark.parametrize("shots", [1, 3])
def test_classifiers_do_with_kernels_what_they_do_with_features(shots):
    rng = np.random.default_rng(3)
    features = rng.standard_normal((36, 7)) + 1.2 * rng.standard_normal((3, 7))[np.repeat([0, 1, 2], 12)] + 2.0
    drawn = episodes(shots)
    for classifier, predict in (("prototype", _nearest_mean), ("regression", _ridge)):
        found = right(features @ features.T, drawn, classifier)
        expected = [
            [np.mean(predict(features, support, one) == way) for way, one in enumerate(queries)]
            for support, queries in zip(drawn.support, drawn.queries, strict=True)
        ]
        np.testing.assert_allclose(found, expected)
        assert 0.4 < found.mean() < 1


def _nearest_mean(features, support, queries):
    means = features[support].mean(axis=1)
    return ((features[queries][:, None] - means) ** 2).sum(axis=2).argmin(axis=1)


def _ridge(features, support, queries):
    flat = features[support].reshape(-1, features.shape[1])
    centred = flat - flat.mean(axis=0)
    targets = np.repeat(np.eye(len(support)), support.shape[1], axis=0) - 1 / len(support)
    ridge = RIDGE * (centred**2).sum() / len(flat)
    weights = np.linalg.solve(centred.T @ centred + ridge * np.eye(flat.shape[1]), centred.T @ targets)
    return ((features[queries] - flat.mean(axis=0)) @ weights).argmax(axis=1)


def test_features_that_say_nothing_are_at_chance():
    kernel = np.eye(36)
    # Of one labelled input a class and no overlap, every query falls to the first class.
    np.testing.assert_array_equal(right(kernel, episodes(1), "prototype").mean(axis=0), [1, 0, 0])
