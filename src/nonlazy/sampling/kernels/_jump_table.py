"""What the jump move (`_jump`) needs before it starts: its numbers, and the table of wells."""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nonlazy.activations import Activation
from nonlazy.posterior import Posterior
from nonlazy.sampling.kernels._collapsed import Collapsed, features, invert
from nonlazy.sampling.kernels._jump_wells import Table, quadrature, search_wells
from nonlazy.sampling.kernels._potential import Position


WELLS = 8
_STARTS = (0.05, 0.95)
_SEARCH_STEPS = 60
# Wells closer than this are one; an empty one this much less likely than the best, in nats, is left out.
SAME_WELL = 0.15
HOPELESS = 100.0


def make_problem(posterior: Posterior) -> Collapsed:
    """The numbers of the collapsed posterior, NumPy float64."""
    task, network = posterior.task, posterior.network
    scale = math.sqrt(posterior.sigma2[0])
    nodes, log_weights = quadrature(network.phi, scale)
    members = np.zeros((task.P, task.classes))
    members[np.arange(task.P), task.labels] = 1.0
    members = members[:, members.any(axis=0)]
    gain = network.readout_scale * math.sqrt(posterior.sigma_a2)
    numbers = (task.Y, members, gain, posterior.noise_variance, scale, nodes, log_weights)
    return Collapsed._make(np.asarray(number, np.float64) for number in numbers)


def make_table(phi: Activation, problem: Collapsed, position: Position, wells: int = WELLS) -> Table:
    """The wells of a state of the chain, NumPy float32: by population, empty ones by weight."""
    C = problem.members.shape[1]
    low, high = float(problem.nodes[0]), float(problem.nodes[-1])
    codes = np.array([[low + (high - low) * x for x in code] for code in itertools.product(_STARTS, repeat=C)])
    with jax.enable_x64(True):
        found = jax.device_get(_search(phi, problem, position, codes))
    readout, class_mean, log_weight, good, own_readout, own_mean = found
    middle = 0.5 * (low + high)

    rows: list[tuple[Any, Any, float]] = [
        (readout[k], class_mean[k], float(log_weight[k])) for k in distinct(readout, log_weight, good)
    ]
    best = rows[0][2]
    # A code that the present fields do not hold may still hold its neurons in their cavities: start from their means.
    held = {tuple(mean > middle) for _, mean, _ in rows}
    present, which = np.unique(own_mean > middle, axis=0, return_inverse=True)
    for k, code in enumerate(present):
        if tuple(code) not in held:
            members = which.reshape(-1) == k
            rows.append((own_readout[members].mean(axis=0), own_mean[members].mean(axis=0), best - HOPELESS))
    kept = [rows[k] for k in best_of([row for row, _, _ in rows], [row[2] for row in rows], own_readout)[:wells]]
    padding = ((0, wells - len(kept)), (0, 0))
    arrays: list[Any] = [np.pad(np.array([row[k] for row in kept], np.float32), padding) for k in (0, 1)]
    used: Any = np.asarray(len(kept), np.int32)
    return Table(arrays[0], arrays[1], used)


def distinct(readouts: Any, log_weights: Any, good: Any) -> list[int]:
    """The wells of a search that differ, by weight; the heaviest end of the search even if it is no well."""
    chosen: list[int] = []
    for k in np.argsort(-np.asarray(log_weights), kind="stable"):
        far = all(np.linalg.norm(readouts[k] - readouts[other]) > SAME_WELL for other in chosen)
        if far and (good[k] or not chosen):
            chosen.append(int(k))
    return chosen


def best_of(readouts: list[Any], log_weights: list[float], own_readout: Float[np.ndarray, "N m"]) -> list[int]:
    """The wells to keep, by population, empty ones by weight; those that hold no neuron and never will are left out.

    The first is the heaviest.
    """
    distance = np.stack([np.linalg.norm(own_readout - readout, axis=1) for readout in readouts])
    population = np.bincount(distance.argmin(axis=0), minlength=len(readouts))
    order = sorted(range(len(readouts)), key=lambda k: (population[k] == 0, -population[k], -log_weights[k]))
    return [k for k in order if population[k] > 0 or log_weights[k] > log_weights[0] - HOPELESS]


@functools.partial(jax.jit, static_argnums=0)
def _search(phi: Activation, problem: Collapsed, position: Position, codes: Float[Array, "starts C"]):
    U = features(phi, problem, position.first)
    inverse = invert(problem, U)
    own_readout = position.readout.T / math.sqrt(U.shape[1])
    own_mean = (U / problem.gain) @ problem.members / jnp.sum(problem.members, axis=0)
    return *search_wells(problem, inverse, codes, _SEARCH_STEPS), own_readout, own_mean
