import numpy as np
import pytest

from nonlazy.errors import InvalidInput
from nonlazy.tasks._preprocess import preprocess


TRAIN = np.random.default_rng(0).integers(0, 256, (5, 12), dtype=np.uint8)
TEST = np.random.default_rng(1).integers(0, 256, (4, 12), dtype=np.uint8)


def test_raw():
    X, X_test, said = preprocess(TRAIN, TEST, "raw", 1, None)
    assert np.array_equal(X, TRAIN / 255)
    assert X_test is not None and np.array_equal(X_test, TEST / 255)
    assert said == {"method": "raw", "formula": "pixel/255"}


def test_standardize_with_constants_a_channel():
    mean, deviation = (0.1, 0.2, 0.3), (0.5, 0.25, 0.2)
    X, X_test, said = preprocess(TRAIN, TEST, "standardize", 3, (mean, deviation))
    for pixels, inputs in ((TRAIN, X), (TEST, X_test)):
        for channel in range(3):
            plane = slice(4 * channel, 4 * channel + 4)
            expected = (pixels[:, plane] / 255 - mean[channel]) / deviation[channel]
            assert inputs is not None and np.array_equal(inputs[:, plane], expected)
    assert said["mean"] == list(mean)
    assert "originals" in said["constants"]


def test_standardize_by_the_training_inputs():
    X, X_test, said = preprocess(TRAIN, TEST, "standardize", 3, None)
    planes = X.reshape(5, 3, 4)
    np.testing.assert_allclose(planes.mean(axis=(0, 2)), 0, atol=1e-14)
    np.testing.assert_allclose(planes.std(axis=(0, 2)), 1, rtol=1e-14)
    expected = (TEST[:, :4] / 255 - said["mean"][0]) / said["deviation"][0]
    assert X_test is not None
    np.testing.assert_allclose(X_test[:, :4], expected, rtol=1e-14)
    assert said["constants"] == "of the training inputs"


def test_unit_norm():
    X, X_test, _ = preprocess(TRAIN, TEST, "unit-norm", 1, None)
    for inputs, pixels in ((X, TRAIN), (X_test, TEST)):
        assert inputs is not None
        np.testing.assert_allclose((inputs**2).sum(axis=1), 12, rtol=1e-14)
        np.testing.assert_allclose(inputs / inputs[:, :1], pixels / pixels[:, :1].astype(float), rtol=1e-12)


def test_centre_removes_the_training_mean_from_both():
    X, X_test, _ = preprocess(TRAIN, TEST, "centre", 1, None)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(X_test, TEST / 255 - (TRAIN / 255).mean(axis=0), atol=1e-15)


def test_what_cannot_be_scaled_is_refused():
    black = TRAIN.copy()
    black[3] = 0
    with pytest.raises(InvalidInput, match="training input 3 is black"):
        preprocess(black, None, "unit-norm", 1, None)
    with pytest.raises(InvalidInput, match="no spread in colour channel 0"):
        preprocess(np.full((5, 12), 7, dtype=np.uint8), None, "standardize", 1, None)
