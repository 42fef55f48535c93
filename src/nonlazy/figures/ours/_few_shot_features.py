"""What networks make of images that they were not trained on: kernels of a pool of digits, old and new."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput
from nonlazy.sampling import Run
from nonlazy.tasks import Task, mnist
from nonlazy.theory import Prediction


# Digits of the subset that nonlazy ships.
_EMBEDDED = (0, 1, 2)
# Test images of each digit.
POOL = 100


@dataclass(frozen=True, eq=False)
class Pool:
    """Images of digits that a network was trained on, and of others; none of them is a training image.

    **Fields:** `X` `(pool, N0)`, sorted by digit; `digits` `(pool,)`: which digit each shows; `old`, `new`: the digits.
    """

    X: Float[np.ndarray, "pool N0"]
    digits: Int[np.ndarray, " pool"]
    old: tuple[int, ...]
    new: tuple[int, ...]


def pool_of(task: Task, each: int = POOL) -> Pool:
    """`each` test images of every digit that the task's source has, prepared as the task's own.

    **Raises:** `nonlazy.errors.InvalidInput` for a task that is not `nonlazy.tasks.mnist`, or that leaves no new digit.
    """
    arguments = task.provenance.get("arguments", {})
    if task.provenance.get("builder") != "mnist":
        raise InvalidInput(f"task {task.name!r} is not made of digits: few-shot learning needs nonlazy.tasks.mnist")
    old = tuple(int(digit) for digit in arguments["classes"])
    known = _EMBEDDED if arguments["source"] == "embedded" else tuple(range(10))
    new = tuple(digit for digit in known if digit not in old)
    if not new:
        raise InvalidInput(f"the digits {', '.join(map(str, known))} are all trained on: leave one out of classes")
    digits = (*old, *new)
    # Classes have random sizes: twice as many as needed on average leave none short.
    drawn = mnist(
        100, digits, 2 * each * len(digits), preprocess=arguments["preprocess"], seed=arguments["seed"] + 1,
        source=arguments["source"],
    )  # fmt: skip
    assert drawn.X_test is not None and drawn.labels_test is not None
    chosen = np.concatenate([np.flatnonzero(drawn.labels_test == c)[:each] for c in range(len(digits))])
    return Pool(drawn.X_test[chosen], np.array(digits)[drawn.labels_test[chosen]], old, new)


def feature_kernels(run: Run, X: Float[np.ndarray, "pool N0"]) -> Float[np.ndarray, "draws pool pool"]:
    """Kernels phi^T phi / N of a network with one hidden layer, in every draw that was kept in full, all chains.

    The weights of a draw are its preactivations' on the training inputs, and the prior's where these do not reach: an
    exact draw of the posterior. Each draw has a stream of its own, so that all images are seen by the same weights.
    """
    posterior, task = run.posterior, run.task
    if posterior.network.depth != 1:
        raise InvalidInput(f"network has depth {posterior.network.depth}: features are read of one hidden layer")
    N, N0, sigma = posterior.network.width, task.N0, math.sqrt(posterior.sigma2[0])
    inputs = task.X / math.sqrt(N0)
    inverse = np.linalg.pinv(inputs)
    kernels = []
    for chain in range(run.chains):
        for draw in run.kept_draws:
            z = np.asarray(run.preactivations(draw=draw, chain=chain), dtype=np.float64)
            free = sigma * np.random.default_rng([chain, draw]).standard_normal((N, N0))
            weights = free + (z - free @ inputs.T) @ inverse.T
            phi = np.asarray(posterior.network.phi(weights @ X.T / math.sqrt(N0)), dtype=np.float64)
            kernels.append(phi.T @ phi / N)
    return np.stack(kernels)


def theory_kernel(prediction: Prediction, X: Float[np.ndarray, "pool N0"]) -> Float[np.ndarray, "1 pool pool"]:
    """The feature kernel of a theory, as a stack of one."""
    return np.asarray(prediction.kernel(X), dtype=np.float64)[None]
