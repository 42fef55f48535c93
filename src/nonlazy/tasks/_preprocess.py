"""From pixels 0 .. 255 to inputs. The paper does not state its preprocessing, and it moves the results."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, UInt8

from nonlazy.errors import InvalidInput


Preprocess = Literal["standardize", "raw", "unit-norm", "centre"]
PREPROCESS: tuple[str, ...] = get_args(Preprocess)


def preprocess(
    train: UInt8[np.ndarray, "P N0"],
    test: UInt8[np.ndarray, "P_test N0"] | None,
    how: str,
    channels: int,
    mean_and_deviation: tuple[Sequence[float], Sequence[float]] | None,
) -> tuple[Float[np.ndarray, "P N0"], Float[np.ndarray, "P_test N0"] | None, dict[str, Any]]:
    """Training and test inputs, and what was done to them in words and numbers.

    **Arguments:**

    - `train`, `test`: pixels; the `channels` colour planes follow one another in a row.
    - `how`: `"raw"`: pixel/255. `"standardize"`: (pixel/255 - mean)/deviation with one mean and standard deviation a
      colour channel. `"unit-norm"`: each input pixel/255 times the number that makes |x|^2 = N0. `"centre"`: pixel/255
      minus its mean over the training inputs, pixel by pixel, in the test set, too.
    - `mean_and_deviation`: the constants of `"standardize"`, one a channel, in units of pixel/255; None takes them
      from the training inputs.

    **Raises:** `nonlazy.errors.InvalidInput` for an input of norm 0 or pixels without any spread.
    """
    planes = (channels, train.shape[1] // channels)
    if how == "raw":
        return _scaled(train), None if test is None else _scaled(test), {"method": how, "formula": "pixel/255"}
    if how == "standardize":
        from_constants = mean_and_deviation is not None
        mean, deviation = mean_and_deviation if from_constants else _channel_statistics(train.reshape(-1, *planes))
        said = {
            "method": how,
            "formula": "(pixel/255 - mean)/deviation",
            "mean": [float(value) for value in mean],
            "deviation": [float(value) for value in deviation],
            "constants": "of the whole training set of the originals" if from_constants else "of the training inputs",
        }
        X = _standardized(train, planes, mean, deviation)
        return X, None if test is None else _standardized(test, planes, mean, deviation), said
    if how == "unit-norm":
        said = {"method": how, "formula": "pixel/255 times the number that makes |x|^2 = N0"}
        return _unit_norm(train, "training"), None if test is None else _unit_norm(test, "test"), said
    X, X_test = _scaled(train), None if test is None else _scaled(test)
    mean = X.mean(axis=0)
    X -= mean
    if X_test is not None:
        X_test -= mean
    return X, X_test, {"method": how, "formula": "pixel/255 minus its mean over the training inputs"}


def _scaled(pixels: UInt8[np.ndarray, "P N0"]) -> Float[np.ndarray, "P N0"]:
    return (np.arange(256) / 255.0)[pixels]


def _standardized(pixels, planes: tuple[int, int], mean: Sequence[float], deviation: Sequence[float]):
    X = np.empty(pixels.shape)
    views = X.reshape(-1, *planes), pixels.reshape(-1, *planes)
    for channel in range(planes[0]):
        # 256 values are computed, then looked up: exact, and without temporary arrays of the size of the inputs.
        values = (np.arange(256) / 255.0 - mean[channel]) / deviation[channel]
        views[0][:, channel] = values[views[1][:, channel]]
    return X


def _channel_statistics(planes: UInt8[np.ndarray, "P channels pixels"]) -> tuple[list[float], list[float]]:
    mean, deviation = [], []
    values = np.arange(256) / 255.0
    for channel in range(planes.shape[1]):
        share = np.bincount(planes[:, channel].ravel(), minlength=256) / planes[:, channel].size
        mean.append(float(share @ values))
        deviation.append(float(np.sqrt(share @ (values - mean[-1]) ** 2)))
        if deviation[-1] == 0:
            raise InvalidInput(
                f"the training inputs have no spread in colour channel {channel}: they cannot be standardised; "
                "choose preprocess='raw'"
            )
    return mean, deviation


def _unit_norm(pixels: UInt8[np.ndarray, "P N0"], which: str) -> Float[np.ndarray, "P N0"]:
    X = _scaled(pixels)
    squares = np.einsum("ij,ij->i", X, X)
    if not squares.all():
        raise InvalidInput(
            f"{which} input {int(np.argmin(squares))} is black throughout: its norm cannot be made sqrt(N0); "
            "choose another preprocess"
        )
    X *= np.sqrt(X.shape[1] / squares)[:, None]
    return X
