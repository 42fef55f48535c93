"""What a run keeps of its draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.sampling.store._layout import Variable


# Averaging a kernel over every draw would cost as much as the draws themselves; so many are enough for two digits more
# than a single draw gives.
_KERNEL_DRAWS = 50
_LARGEST_KERNEL = 4000
SORTED_NORMS = 10


@dataclass(frozen=True)
class Record:
    """What a run keeps. Readouts, outputs, class-averaged feature activations and statistics are kept of every draw.

    **Fields:**

    - `snapshots`: of how many draws, evenly spaced and always with the last, the preactivations of all layers are kept.
    - `weights`: keep all weights of the snapshots, too.
    - `test`: keep outputs and preactivations on the task's test inputs, too.
    - `kernels`: average the layers' kernels over draws; None does so up to P = 4,000.
    """

    snapshots: int = 10
    weights: bool = False
    test: bool = True
    kernels: bool | None = None

    def __post_init__(self):
        if not isinstance(self.snapshots, int) or self.snapshots < 1:
            raise InvalidInput(f"snapshots is {self.snapshots!r}: it must be a whole number, 1 or more")

    def averages_kernels(self, posterior: Posterior) -> bool:
        """Whether kernels are averaged for this posterior."""
        return posterior.task.P <= _LARGEST_KERNEL if self.kernels is None else self.kernels


def evenly_spaced(draws: int, wanted: int) -> tuple[int, ...]:
    """`wanted` draws (or all) out of `draws`, evenly spaced, the last one always among them."""
    count = min(draws, wanted)
    return tuple(int(draw) for draw in np.ceil(np.arange(1, count + 1) * draws / count).astype(int) - 1)


def kernel_draws(draws: int) -> tuple[int, ...]:
    """The draws over which kernels are averaged."""
    return evenly_spaced(draws, _KERNEL_DRAWS)


def kernel_pairs(posterior: Posterior) -> np.ndarray:
    """Three pairs of training inputs whose kernel entries are followed, `(3, 2)`: two of the first class, one of the
    first and one of the second, two of the last class (an input with itself where the class has only one)."""
    labels = posterior.task.labels
    present = np.unique(labels)

    def members(label):
        inputs = np.flatnonzero(labels == label)
        return inputs[0], inputs[min(1, inputs.size - 1)]

    first, last = members(present[0]), members(present[-1])
    other = members(present[min(1, present.size - 1)])
    return np.array([first, (first[0], other[0]), last])


def variables(posterior: Posterior, record: Record) -> list[Variable]:
    """The variables of a run on disk."""
    network, task = posterior.network, posterior.task
    N, L, P, m, N0 = network.width, network.depth, task.P, task.m, task.N0

    def stats(name: str, description: str, dtype: str = "float32", dims: tuple = (), shape: tuple = ()) -> Variable:
        return Variable("sample_stats", name, dims, shape, dtype, "draw", description)

    kept = [
        Variable("posterior", "readout", ("neuron", "output"), (N, m), "float32", "draw", "readouts a_i^r"),
        stats("log_density", "log density of the whitened coordinates that the data see, up to a constant", "float64"),
        stats("loss", "1/2 sum (y - f)^2 over training inputs and outputs", "float64"),
        stats("sum_a2", "sum of squared readouts over neurons and outputs", "float64"),
        stats("acceptance", "mean acceptance probability of the draw's iterations"),
        stats("energy_error", "energy error of the draw's last trajectory"),
        stats("step_size", "time between two gradients, or time step"),
        stats("steps", "gradient steps of the draw's iterations", "int64"),
        stats("diverging", "iterations of the draw that diverged", "int64"),
        stats("shortened", "iterations whose trajectory reached max_steps", "int64"),
        stats("move_attempts", "moves between neurons that were tried", "int64"),
        stats("move_accepted", "moves between neurons that were accepted", "int64"),
        stats("kernel_entry", "kernel entries of the pairs in constant_data", "float32", ("layer", "pair"), (L, 3)),
        stats("readout_norm", "largest |a_i|^2, sorted", "float32", ("rank",), (min(SORTED_NORMS, N),)),
        Variable("posterior_predictive", "f", ("input", "output"), (P, m), "float32", "draw", "f on training inputs"),
        Variable(
            "running_means", "class_activation", ("neuron", "class"), (N, task.classes), "float64", "chain",
            "feature activation averaged over the inputs of a class and over draws",
        ),
    ]  # fmt: skip
    if record.test and task.X_test is not None:
        shape = (task.X_test.shape[0], m)
        kept.append(
            Variable("posterior_predictive", "f_test", ("input_test", "output"), shape, "float32", "draw",
                     "f on test inputs")
        )  # fmt: skip
    if record.averages_kernels(posterior):
        kept.append(
            Variable("running_means", "kernel", ("layer", "input", "input_"), (L, P, P), "float64", "chain",
                     "kernel of each layer on the training inputs, averaged over at most 50 draws")
        )  # fmt: skip
    for name, description in (
        ("loss", "1/2 sum (y - f)^2"),
        ("acceptance", "acceptance probability"),
        ("step_size", "time between two gradients, or time step"),
        ("steps", "gradient steps"),
        ("diverging", "whether the iteration diverged"),
        ("temperature", "temperature T"),
        ("move_accepted", "moves between neurons that were accepted"),
    ):
        dtype = "int64" if name in ("steps", "diverging", "move_accepted") else "float32"
        kept.append(Variable("warmup_sample_stats", name, (), (), dtype, "warmup", description))
    kept.append(
        Variable("snapshots", "preactivation", ("layer", "neuron", "input"), (L, N, P), "float32", "snapshot",
                 "preactivations z^l on the training inputs")
    )  # fmt: skip
    if record.test and task.X_test is not None:
        shape = (L, N, task.X_test.shape[0])
        kept.append(
            Variable("snapshots", "preactivation_test", ("layer", "neuron", "input_test"), shape, "float32", "snapshot",
                     "preactivations z^l on the test inputs")
        )  # fmt: skip
    if record.weights:
        kept.append(
            Variable("snapshots", "first_weight", ("neuron", "component"), (N, N0), "float32", "snapshot", "W^1")
        )
        if L > 1:
            kept.append(
                Variable("snapshots", "hidden_weight", ("layer_above", "neuron", "neuron_below"), (L - 1, N, N),
                         "float32", "snapshot", "W^2 .. W^L")
            )  # fmt: skip
    return kept


def constants(posterior: Posterior) -> dict[str, Any]:
    """Arrays for the group `constant_data`: which kernel entries are followed."""
    return {"kernel_pair": (("pair", "side"), kernel_pairs(posterior))}
