"""What the jump move (`_jump`) needs before it starts: whether it applies, its numbers, and the table of wells."""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nonlazy.activations import Activation
from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.sampling.kernels._collapsed import Collapsed, features, invert
from nonlazy.sampling.kernels._jump_wells import Table, quadrature, search_wells
from nonlazy.sampling.kernels._potential import Position


_WELLS = 8
_MAX_CLASSES = 6
_STARTS = (0.05, 0.95)
_SEARCH_STEPS = 60
# Wells closer than this are one; an empty one this much less likely than the best, in nats, is left out.
_SAME_WELL = 0.15
_HOPELESS = 100.0


def check(posterior: Posterior, orthogonal: bool) -> None:
    """Raises `InvalidInput` where the move does not apply; `orthogonal` says that K_0 = 1."""
    network, classes = posterior.network, posterior.task.classes
    reasons = (
        (network.depth != 1, f"one hidden layer, not {network.depth}"),
        (network.phi.kind != "sigmoidal", f"a sigmoidal (bounded) activation, not {network.phi.name}"),
        (not orthogonal, "mutually orthogonal training inputs of equal norm (K_0 = 1)"),
        (posterior.temperature == 0, "a temperature above 0"),
        (classes > _MAX_CLASSES, f"at most {_MAX_CLASSES} classes, not {classes}: 2^classes codes are searched"),
    )
    for applies, reason in reasons:
        if applies:
            raise InvalidInput(f"moves in which neurons change code need {reason}: use moves='none'")


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


def make_table(phi: Activation, problem: Collapsed, position: Position, wells: int = _WELLS) -> Table:
    """The wells of a state of the chain, NumPy float32: by population, empty ones by weight."""
    C = problem.members.shape[1]
    low, high = float(problem.nodes[0]), float(problem.nodes[-1])
    codes = np.array([[low + (high - low) * x for x in code] for code in itertools.product(_STARTS, repeat=C)])
    with jax.enable_x64(True):
        found = jax.device_get(_search(phi, problem, position, codes))
    readout, class_mean, log_weight, good, own_readout, own_mean = found
    middle = 0.5 * (low + high)

    rows: list[tuple[Any, Any, float]] = []
    for index in np.argsort(-log_weight):
        far = all(np.linalg.norm(readout[index] - one) > _SAME_WELL for one, _, _ in rows)
        if far and (good[index] or not rows):
            rows.append((readout[index], class_mean[index], float(log_weight[index])))
    best = rows[0][2]
    # A code that the present fields do not hold may still hold its neurons in their cavities: start from their means.
    held = {tuple(mean > middle) for _, mean, _ in rows}
    present, which = np.unique(own_mean > middle, axis=0, return_inverse=True)
    for k, code in enumerate(present):
        if tuple(code) not in held:
            members = which.reshape(-1) == k
            rows.append((own_readout[members].mean(axis=0), own_mean[members].mean(axis=0), best - _HOPELESS))
    distance = np.stack([np.linalg.norm(own_readout - row, axis=1) for row, _, _ in rows])
    population = np.bincount(distance.argmin(axis=0), minlength=len(rows))
    order = sorted(range(len(rows)), key=lambda k: (population[k] == 0, -population[k], -rows[k][2]))
    kept = [rows[k] for k in order if population[k] > 0 or rows[k][2] > best - _HOPELESS][:wells]
    padding = ((0, wells - len(kept)), (0, 0))
    arrays: list[Any] = [np.pad(np.array([row[k] for row in kept], np.float32), padding) for k in (0, 1)]
    used: Any = np.asarray(len(kept), np.int32)
    return Table(arrays[0], arrays[1], used)


@functools.partial(jax.jit, static_argnums=0)
def _search(phi: Activation, problem: Collapsed, position: Position, codes: Float[Array, "starts C"]):
    U = features(phi, problem, position.first)
    inverse = invert(problem, U)
    own_readout = position.readout.T / math.sqrt(U.shape[1])
    own_mean = (U / problem.gain) @ problem.members / jnp.sum(problem.members, axis=0)
    return *search_wells(problem, inverse, codes, _SEARCH_STEPS), own_readout, own_mean
