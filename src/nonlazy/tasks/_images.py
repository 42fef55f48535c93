"""The common end of every image task: draw, preprocess, set targets, say what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nonlazy.tasks._check import every_class_present, one_of, whole_number
from nonlazy.tasks._pool import Draw, Pool, draw
from nonlazy.tasks._preprocess import PREPROCESS, preprocess
from nonlazy.tasks._targets import one_hot, target_values
from nonlazy.tasks._task import Task


@dataclass(frozen=True)
class Request:
    """What the user asked an image task for; the fields are the arguments of `nonlazy.tasks.mnist`.

    **Raises:** `nonlazy.errors.InvalidInput`, before any file is read.
    """

    P: int | None
    P_test: int | None
    y_plus: float | int
    y_minus: float | int
    preprocess: str
    seed: int

    def __post_init__(self):
        if self.P is not None:
            whole_number("P", self.P, 1, "None takes every training image")
        if self.P_test is not None:
            whole_number("P_test", self.P_test, 0, "None takes every test image, 0 none")
        whole_number("seed", self.seed, 0)
        target_values(self.y_plus, self.y_minus)
        one_of("preprocess", self.preprocess, PREPROCESS)

    def streams(self) -> tuple[np.random.Generator, np.random.Generator]:
        """Random streams of the training and the test draw: the size of one does not change the other."""
        train, test = np.random.SeedSequence(self.seed).spawn(2)
        return np.random.default_rng(train), np.random.default_rng(test)

    def arguments(self) -> dict[str, Any]:
        """The arguments as plain values, for the provenance."""
        return {
            "P": self.P,
            "P_test": self.P_test,
            "y_plus": float(self.y_plus),
            "y_minus": float(self.y_minus),
            "preprocess": self.preprocess,
            "seed": int(self.seed),
        }


def draw_both(
    request: Request, train: Pool, test: Pool, classes: Sequence[int], names: Sequence[str]
) -> tuple[Draw, Draw | None]:
    """The training and the test draw of a task; no test draw for P_test = 0.

    **Raises:** `nonlazy.errors.InvalidInput` where there are not so many images, or a class has no training image.
    """
    train_stream, test_stream = request.streams()
    drawn = draw(train, classes, request.P, train_stream, "training", names)
    every_class_present(np.bincount(drawn.labels, minlength=len(classes)), names, "choose a larger P or another seed")
    drawn_test = draw(test, classes, request.P_test, test_stream, "test", names) if request.P_test != 0 else None
    return drawn, drawn_test if drawn_test is not None and drawn_test.labels.size else None


def build(
    request: Request,
    train: Pool,
    test: Pool,
    drawn: tuple[Draw, Draw | None],
    *,
    class_names: tuple[str, ...],
    image_shape: tuple[int, ...],
    constants: tuple[Sequence[float], Sequence[float]] | None,
    name: str,
    provenance: Mapping[str, Any],
) -> Task:
    """The task of the images drawn.

    **Arguments:** `image_shape`: `(height, width)` or `(3, height, width)`; `constants`: mean and deviation of each
    channel for `"standardize"`, None for those of the training inputs; `provenance`: what stands in the task's own
    beside the request, the preprocessing and the counts.
    """
    drawn_train, drawn_test = drawn
    pixels = train.read(drawn_train.indices)
    pixels_test = None if drawn_test is None else test.read(drawn_test.indices)
    channels = image_shape[0] if len(image_shape) == 3 else 1
    X, X_test, said = preprocess(pixels, pixels_test, request.preprocess, channels, constants)
    C = len(class_names)

    def targets(labels):
        return one_hot(labels, C, request.y_plus, request.y_minus)

    return Task(
        X,
        targets(drawn_train.labels),
        drawn_train.labels,
        X_test,
        None if drawn_test is None else targets(drawn_test.labels),
        None if drawn_test is None else drawn_test.labels,
        class_names=class_names,
        name=name,
        provenance={
            **provenance,
            "preprocessing": said,
            "image_shape": list(image_shape),
            "inputs_per_class": np.bincount(drawn_train.labels, minlength=C).tolist(),
            "test_inputs_per_class": [] if drawn_test is None else np.bincount(drawn_test.labels, minlength=C).tolist(),
        },
    )
