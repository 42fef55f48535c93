"""The class-level problem: what is left of a posterior whose training inputs are orthogonal.

Inputs with equal targets then form groups, and only the groups' shares and targets matter. Units: readouts are divided
by sqrt(P sigma_a^2), so that a neuron's prior is exp(-P |a|^2 / 2), and outputs are rotated into the space of the
targets, outside of which readouts keep their prior.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task
from nonlazy.theory.sigmoidal._single_neuron import SingleNeuron, single_neuron


# K_0 is the identity to rounding where its entries miss by less than this share of the diagonal.
_IDENTITY_TOLERANCE = 1e-9
MOST_GROUPS = 20


@dataclass(frozen=True, eq=False)
class ClassProblem:
    """Shares, targets and temperature of the groups of inputs, in the units of this module.

    **Fields:**

    - `neuron`: the single-neuron law.
    - `rho`: shares of the inputs by group, `(C,)`. `y`: targets, `(C, r)`, r the rank of the targets.
    - `temperature`: T / (P sigma_a^2). `P`: number of training inputs.
    - `scale`: sqrt(P sigma_a^2). `basis`: the space of the targets, `(r, m)`; a readout vector is scale · a @ basis.
    - `groups`: the group of each training input, `(P,)`.
    - `label_share`: share of each group among the inputs of a label, `(labels, C)`; rows of 0 for absent labels.
    """

    neuron: SingleNeuron
    rho: Float[np.ndarray, " C"]
    y: Float[np.ndarray, "C r"]
    temperature: float
    P: int
    scale: float = 1.0
    basis: Float[np.ndarray, "r m"] = field(default_factory=lambda: np.eye(1), repr=False)
    groups: Int[np.ndarray, " P"] = field(default_factory=lambda: np.zeros(1, dtype=np.int64), repr=False)
    label_share: Float[np.ndarray, "labels C"] = field(default_factory=lambda: np.eye(1), repr=False)

    @property
    def C(self) -> int:
        """Number of groups."""
        return self.rho.size

    @property
    def rank(self) -> int:
        """Dimension r of the space of the targets."""
        return self.y.shape[1]

    def linear_part(self, t: Float[np.ndarray, "C r"]) -> float:
        """sum_c rho_c (t_c . y_c - T |t_c|^2 / 2), the part of D that knows the targets."""
        return float(self.rho @ np.sum(t * (self.y - 0.5 * self.temperature * t), axis=1))

    def pull(self, t: Float[np.ndarray, "C r"]) -> Float[np.ndarray, "C r"]:
        """Gradient of `linear_part`: rho_c (y_c - T t_c)."""
        return self.rho[:, None] * (self.y - self.temperature * t)

    def by_label(self, values: Float[np.ndarray, "n C"], absent: float) -> Float[np.ndarray, "n labels"]:
        """Averages over the inputs of each label, from values by group; `absent` for labels without inputs."""
        averages = values @ self.label_share.T
        return np.where(self.label_share.sum(axis=1) > 0, averages, absent)

    def active(self, activation: Float[np.ndarray, "n C"]) -> Bool[np.ndarray, "n labels"]:
        """Which labels activate a neuron, from its mean activations by group."""
        return self.by_label(activation, self.neuron.low) > self.neuron.middle


def display_order(weight: Float[np.ndarray, " n"], active: Bool[np.ndarray, "n labels"]) -> list[int]:
    """The order in which codes are listed: the largest fraction first, equal ones by their classes."""
    return sorted(range(len(weight)), key=lambda k: (-round(float(weight[k]), 7), tuple(~active[k]), k))


def is_classwise(posterior: Posterior) -> bool:
    """Whether the class-level theory holds: bounded activation, one hidden layer, orthogonal inputs, few targets.

    In words: activation of kind "sigmoidal", depth 1, non-lazy readout, training inputs with K_0 = k 1 to rounding, and
    at most 20 different rows of targets.
    """
    network = posterior.network
    if network.phi.kind != "sigmoidal" or network.depth != 1 or network.readout != "non-lazy":
        return False
    return input_norm(posterior.task) is not None and len(np.unique(posterior.task.Y, axis=0)) <= MOST_GROUPS


def input_norm(task: Task) -> float | None:
    """k where the input kernel K_0 is k times the identity, to rounding; else None."""
    if task.P > task.N0:
        return None
    K = task.input_kernel
    norm = float(np.mean(np.diag(K)))
    if norm <= 0 or float(np.max(np.abs(K - norm * np.eye(task.P)))) > _IDENTITY_TOLERANCE * norm:
        return None
    return norm


def class_problem(posterior: Posterior) -> ClassProblem:
    """The class-level problem of a posterior.

    **Raises:** `nonlazy.errors.InvalidInput` where there is none (see `is_classwise`).
    """
    network, task = posterior.network, posterior.task
    if network.phi.kind != "sigmoidal":
        raise InvalidInput(
            f"activation {network.phi.name!r} is {network.phi.kind}: this theory is that of bounded ones"
        )
    if network.depth != 1 or network.readout != "non-lazy":
        raise InvalidInput(
            f"network has depth {network.depth} and a {network.readout} readout: the class-level theory of sigmoidal "
            "networks covers one hidden layer with the non-lazy readout"
        )
    norm = input_norm(task)
    if norm is None:
        raise InvalidInput(
            "the training inputs are not orthogonal with equal norms (K_0 = X X^T / N0 is not a multiple of the "
            "identity): the class-level theory needs it; nonlazy.tasks.toy makes such tasks"
        )
    rows, groups, counts = np.unique(task.Y, axis=0, return_inverse=True, return_counts=True)
    groups = groups.reshape(-1)
    if len(rows) > MOST_GROUPS:
        raise InvalidInput(
            f"the targets take {len(rows)} different values: the class-level theory enumerates codes and stops at "
            f"{MOST_GROUPS}"
        )
    # Groups in the order of the labels, so that codes read as the task does.
    order = np.argsort([np.mean(task.labels[groups == c]) for c in range(len(rows))], kind="stable")
    rows, counts, groups = rows[order], counts[order], np.argsort(order)[groups]
    s2 = task.P * posterior.sigma_a2
    basis = _target_space(rows)
    share = np.zeros((task.classes, len(rows)))
    np.add.at(share, (task.labels, groups), 1.0)
    present = share.sum(axis=1, keepdims=True)
    return ClassProblem(
        neuron=single_neuron(network.phi, posterior.sigma2[0] * norm),
        rho=counts / task.P,
        y=rows @ basis.T / math.sqrt(s2),
        temperature=posterior.temperature / s2,
        P=task.P,
        scale=math.sqrt(s2),
        basis=basis,
        groups=groups,
        label_share=np.divide(share, present, out=np.zeros_like(share), where=present > 0),
    )


def _target_space(rows: Float[np.ndarray, "C m"]) -> Float[np.ndarray, "r m"]:
    """An orthonormal basis of the space that the targets span; the outputs' own axes where they span everything."""
    m = rows.shape[1]
    _, singular, directions = np.linalg.svd(rows, full_matrices=False)
    rank = int(np.sum(singular > 1e-10 * max(float(singular[0]), 1e-300)))
    if rank == m:
        return np.eye(m)
    return directions[: max(rank, 1)]
