"""Deterministic quadrature of a field law: nodes of a Gaussian mixture fitted to its wells.

Mixing over all wells in the denominator makes every estimate an integral over the whole space: wells that overlap are
not counted twice. A well's own integral takes its own nodes alone, so that a far well of much larger mass does not
enter it. The nodes stay where they are while the law's parameters move a little, which keeps integrals smooth.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import qmc

from nonlazy.theory.deep._field_law import FieldLaw
from nonlazy.theory.deep._log_sum import log_sum
from nonlazy.theory.deep._site import gaussian_nodes
from nonlazy.theory.deep._wells import find_wells


_ADAPTATIONS = 2
_SMALLEST_SHARE = 1e-3
# Of the standard deviations: integrands reach out further than the Gaussians that fit the density.
_WIDER = 1.2
_NEGLIGIBLE = -25.0
_TINY = 1e-300


@functools.cache
def normal_nodes(dimension: int, level: int) -> Float[np.ndarray, "n D"]:
    """2^level Sobol points, shifted off the corner and mapped to the standard Gaussian; the same at every call."""
    points = qmc.Sobol(dimension, scramble=False).random_base2(level)
    return ndtri(points + 0.5**level / 2)


@functools.cache
def product_nodes(dimension: int, order: int) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, " n"]]:
    """Gauss-Hermite nodes in every direction, without those of negligible weight; and the logs of their weights."""
    line, weights = gaussian_nodes(order)
    nodes, logs = np.zeros((1, 0)), np.zeros(1)
    relative = np.log(weights / weights.max())
    for _ in range(dimension):
        nodes = np.column_stack([np.repeat(nodes, order, axis=0), np.tile(line, len(nodes))])
        logs = np.repeat(logs, order) + np.tile(relative, len(logs))
        nodes, logs = nodes[logs > _NEGLIGIBLE], logs[logs > _NEGLIGIBLE]
    return nodes, logs - log_sum(logs)


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes and weights.

    **Fields:** `x`: positions `(n, D)`; `log_weight`: log of the volume that each stands for, `(n,)`; `member`: which
    well a node was placed for, `(n, wells)` of 0 and 1; `centre` `(wells, D)`, `factor` `(wells, D, D)` and
    `log_share` `(wells,)` of the mixture.
    """

    x: Float[np.ndarray, "n D"]
    log_weight: Float[np.ndarray, " n"]
    member: Float[np.ndarray, "n wells"]
    centre: Float[np.ndarray, "wells D"]
    factor: Float[np.ndarray, "wells D D"]
    log_share: Float[np.ndarray, " wells"]

    def log_mixture(self, x: Float[np.ndarray, "k D"]) -> Float[np.ndarray, "k wells"]:
        """Log of each component's share times its density, at x."""
        return _log_mixture(x, self.centre, self.factor, self.log_share)


@dataclass(frozen=True)
class Rule:
    """How many nodes a well gets: 2^`size` Sobol points, or with `product` Gauss-Hermite ones, `size` a direction."""

    size: int
    product: bool = False

    @property
    def doubled(self) -> "Rule":
        """Twice the nodes."""
        return Rule(int(np.ceil(self.size * 4 / 3)) if self.product else self.size + 1, self.product)

    def standard(self, dimension: int) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, " n"]]:
        """Nodes and log weights for the standard Gaussian."""
        if self.product:
            return product_nodes(dimension, self.size)
        nodes = normal_nodes(dimension, self.size)
        return nodes, np.full(len(nodes), -np.log(len(nodes)))


def fitted_nodes(law: FieldLaw, rule: Rule) -> Nodes:
    """Nodes for a law, placed by the means and covariances of its wells."""
    centre, covariance, mass = find_wells(law)
    nodes = _nodes(centre, _WIDER * np.linalg.cholesky(covariance), _shares(mass), rule)
    for _ in range(_ADAPTATIONS):
        log_density, _ = law.log_density(nodes.x)
        log_mass = (log_density + nodes.log_weight)[:, None] + np.log(nodes.member + _TINY)
        mass = log_sum(log_mass, axis=0)
        weight = np.exp(log_mass - mass)
        centre = weight.T @ nodes.x
        pieces = [(nodes.x - c, w[:, None]) for c, w in zip(centre, weight.T, strict=True)]
        covariance = np.array([(away * w).T @ away for away, w in pieces]) + 1e-8 * np.eye(law.dimension)
        nodes = _nodes(centre, _WIDER * np.linalg.cholesky(covariance), _shares(mass), rule)
    return nodes


def refined(nodes: Nodes, rule: Rule) -> Nodes:
    """The same mixture with the nodes of another rule."""
    return _nodes(nodes.centre, nodes.factor, nodes.log_share, rule)


def _shares(log_mass: np.ndarray) -> np.ndarray:
    share = np.maximum(np.exp(log_mass - log_sum(log_mass)), _SMALLEST_SHARE)
    return np.log(share / share.sum())


def _nodes(centre: np.ndarray, factor: np.ndarray, log_share: np.ndarray, rule: Rule) -> Nodes:
    standard, logs = rule.standard(centre.shape[1])
    x = np.concatenate([c + standard @ L.T for c, L in zip(centre, factor, strict=True)])
    mixture = log_sum(_log_mixture(x, centre, factor, log_share), axis=1)
    log_weight = np.repeat(log_share, len(standard)) + np.tile(logs, len(centre)) - mixture
    member = np.repeat(np.eye(len(centre)), len(standard), axis=0)
    return Nodes(x, log_weight, member, centre, factor, log_share)


def _log_mixture(x: np.ndarray, centre: np.ndarray, factor: np.ndarray, log_share: np.ndarray) -> np.ndarray:
    columns = []
    for c, L, share in zip(centre, factor, log_share, strict=True):
        y = np.linalg.solve(L, (x - c).T)
        volume = np.log(np.diag(L)).sum() + 0.5 * len(c) * np.log(2 * np.pi)
        columns.append(share - 0.5 * np.sum(y**2, axis=0) - volume)
    return np.stack(columns, axis=1)
