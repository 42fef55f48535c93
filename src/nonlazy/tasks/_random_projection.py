"""Random projections of a task's inputs."""

import math

import numpy as np

from nonlazy.tasks._check import fits_in_memory, whole_number
from nonlazy.tasks._task import Task


def random_projection(task: Task, N0: int, seed: int = 0) -> Task:
    """The same task with each input projected at random to N0 numbers: x -> R x / sqrt(N0 of `task`).

    R has independent standard normal entries. The input kernel x . x' / N0, and with it each input's norm a number,
    |x|^2 / N0, is kept on average over R, with relative fluctuations of order 1/sqrt(N0). Training and test inputs get
    the same R; targets and labels stay. With N0 < P the input kernel is singular, its rank N0.

    **Arguments:** `task`; `N0`: numbers in one projected input, 1 or more; `seed`: 0 or more.

    **Returns:** a `nonlazy.tasks.Task` whose provenance holds that of `task` under `"projected_from"`.

    **Raises:** `nonlazy.errors.InvalidInput`.

    Source: van Meegen & Sompolinsky (2025), randomly projected MNIST with P > N0.
    """
    N0 = whole_number("N0", N0, 1)
    seed = whole_number("seed", seed, 0)
    inputs = task.P + (0 if task.X_test is None else task.X_test.shape[0])
    fits_in_memory(
        f"a projection from {task.N0} to N0 = {N0} numbers", N0 * (task.N0 + inputs), 8, "choose a smaller N0"
    )
    R = np.random.default_rng(seed).standard_normal((N0, task.N0)) / math.sqrt(task.N0)
    return Task(
        task.X @ R.T,
        task.Y,
        task.labels,
        None if task.X_test is None else task.X_test @ R.T,
        task.Y_test,
        task.labels_test,
        class_names=task.class_names,
        name=f"{task.name}, projected to N0 = {N0}",
        provenance={
            "builder": "random_projection",
            "arguments": {"N0": N0, "seed": seed},
            "source": task.provenance.get("source", "a task"),
            "preprocessing": {"method": "random projection", "formula": f"R x / sqrt({task.N0}), R standard normal"},
            "projected_from": dict(task.provenance),
            **({"lossy": task.provenance["lossy"]} if "lossy" in task.provenance else {}),
        },
    )
