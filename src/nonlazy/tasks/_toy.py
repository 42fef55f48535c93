"""The toy task: mutually orthogonal inputs with random or fixed class labels."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput
from nonlazy.tasks._check import every_class_present, fits_in_memory, one_of, whole_number
from nonlazy.tasks._targets import one_hot, target_values
from nonlazy.tasks._task import Task


THREE_CLASSES = (0.5, 0.25, 0.25)
TWO_CLASSES = (0.5, 0.5)


def toy(
    P: int,
    N0: int,
    class_ratios: Sequence[float | int] | None = None,
    y_plus: float | int = 1.0,
    y_minus: float | int = 0.0,
    seed: int = 0,
    random_labels: bool = False,
    targets: Literal["one-hot", "binary"] | str = "one-hot",
) -> Task:
    """The paper's toy task: P mutually orthogonal inputs, X X^T / N0 = I, in classes that only the labels know.

    The inputs are rows of a random rotation (Haar measure) times sqrt(N0), so their order carries no information; they
    come sorted by class. The labels have a random stream of their own: `random_labels` changes them alone.

    **Arguments:**

    - `P`: number of training inputs, at most N0: no more vectors can be orthogonal.
    - `N0`: numbers in one input.
    - `class_ratios`: share of each class; they sum to 1. None: (1/2, 1/4, 1/4), or (1/2, 1/2) for binary targets.
    - `y_plus`, `y_minus`: one-hot target of an input's own class, and of the others.
    - `seed`: 0 or more; the same seed gives the same task.
    - `random_labels`: draw each label with the probabilities `class_ratios`. Otherwise the classes have
      `class_ratios` times P inputs, rounded by the largest remainder (a tie goes to the earlier class).
    - `targets`: `"one-hot"`, one output a class; or `"binary"`, two classes and one output, +1 for class 0 and -1 for
      class 1 (`y_plus` and `y_minus` do not enter).

    **Returns:** a `nonlazy.tasks.Task` with `X: (P, N0)`, `Y: (P, classes)` or `(P, 1)`, and no test set.

    **Raises:** `nonlazy.errors.InvalidInput`, also where a class is left without an input.

    Source: van Meegen & Sompolinsky (2025), Figs. 1 to 5. Fig. 1 is `toy(500, 510, random_labels=True,
    targets="binary")`, Fig. 2 (sigmoidal) `toy(500, 520, y_minus=0.5)`.
    """
    P = whole_number("P", P, 1)
    N0 = whole_number("N0", N0, 1)
    seed = whole_number("seed", seed, 0)
    one_of("targets", targets, ("one-hot", "binary"))
    if P > N0:
        raise InvalidInput(
            f"P = {P} inputs with N0 = {N0} numbers each cannot be mutually orthogonal: choose N0 >= {P}, "
            f"or P <= {N0} (nonlazy.tasks.random_projection makes a task with P > N0)"
        )
    # The random numbers, the rotation made of them, and its rows.
    fits_in_memory(f"P = {P} inputs with N0 = {N0} numbers each", 3 * P * N0, 8, "choose a smaller P or N0")
    if class_ratios is None:
        class_ratios = TWO_CLASSES if targets == "binary" else THREE_CLASSES
    ratios = _checked_ratios(class_ratios)
    target_values(y_plus, y_minus)
    if targets == "binary":
        if len(ratios) != 2:
            raise InvalidInput(
                f"binary targets are for two classes; class_ratios has {len(ratios)} entries: "
                "give two, such as (0.5, 0.5), or choose targets='one-hot'"
            )
        if float(y_plus) != 1.0 or float(y_minus) not in (0.0, -1.0):
            raise InvalidInput(
                f"binary targets are +1 and -1; y_plus = {y_plus:g}, y_minus = {y_minus:g} belong to targets='one-hot'"
            )
        names = ("+1", "-1")
    else:
        names = tuple(str(c) for c in range(len(ratios)))

    input_stream, label_stream = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    if random_labels:
        labels = np.sort(label_stream.choice(len(ratios), size=P, p=ratios / ratios.sum())).astype(np.int64)
        advice = "choose a larger P, another seed or random_labels=False"
    else:
        labels = np.repeat(np.arange(len(ratios)), largest_remainder(ratios, P)).astype(np.int64)
        advice = "choose a larger P or more even class_ratios"
    every_class_present(np.bincount(labels, minlength=len(ratios)), names, advice)
    X = orthogonal_inputs(P, N0, input_stream)
    Y = (
        one_hot(labels, 2, 1.0, -1.0)[:, :1].copy()
        if targets == "binary"
        else one_hot(labels, len(ratios), y_plus, y_minus)
    )
    provenance = {
        "builder": "toy",
        "arguments": {
            "P": P,
            "N0": N0,
            "class_ratios": [float(r) for r in ratios],
            "y_plus": 1.0 if targets == "binary" else float(y_plus),
            "y_minus": -1.0 if targets == "binary" else float(y_minus),
            "seed": seed,
            "random_labels": bool(random_labels),
            "targets": targets,
        },
        "source": "generated",
        "preprocessing": "mutually orthogonal inputs, X X^T / N0 = I",
    }
    return Task(X, Y, labels, class_names=names, name="toy", provenance=provenance)


def largest_remainder(ratios: Float[np.ndarray, " C"], P: int) -> Int[np.ndarray, " C"]:
    """Whole counts near `ratios * P` that sum to P: the largest remainders get the inputs that rounding down leaves."""
    exact = ratios / ratios.sum() * P
    # Rounded, so that 0.3 * 10 = 2.9999999999999996 counts as 3 and equal remainders stay equal.
    exact = np.round(exact, 9)
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(-np.round(exact - counts, 9), kind="stable")
    counts[order[: P - counts.sum()]] += 1
    return counts


def orthogonal_inputs(P: int, N0: int, stream: np.random.Generator) -> Float[np.ndarray, "P N0"]:
    """P rows of a Haar-distributed rotation in N0 dimensions, each of squared length N0."""
    Q, R = np.linalg.qr(stream.standard_normal((N0, P)))
    # QR is unique, and Q uniform over rotations, only once the signs of R's diagonal are fixed.
    signs = np.where(np.diag(R) < 0, -1.0, 1.0)
    return np.ascontiguousarray((Q * (signs * math.sqrt(N0))).T)


def _checked_ratios(class_ratios: Sequence[float | int]) -> Float[np.ndarray, " C"]:
    try:
        ratios = np.array(class_ratios, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"class_ratios is {class_ratios!r}: it must be a sequence of numbers") from None
    if ratios.ndim != 1 or ratios.size == 0:
        raise InvalidInput(f"class_ratios is {class_ratios!r}: it must be a sequence, one share a class")
    if not np.isfinite(ratios).all() or (ratios <= 0).any():
        raise InvalidInput(f"class_ratios is {tuple(ratios.tolist())}: every share must be above 0")
    if abs(ratios.sum() - 1) > 1e-9:
        shares = ", ".join(f"{r:g}" for r in ratios / ratios.sum())
        raise InvalidInput(
            f"class_ratios {tuple(ratios.tolist())} sum to {ratios.sum():g}, not 1: in these proportions the shares "
            f"are ({shares})"
        )
    return ratios
