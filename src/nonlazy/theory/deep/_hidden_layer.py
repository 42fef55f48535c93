"""A lower layer: the law of its neurons given the kernel below and the tilt that the layers above exert."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.deep._class_kernel import ClassKernel
from nonlazy.theory.deep._field_law import FieldLaw
from nonlazy.theory.deep._log_sum import log_sum
from nonlazy.theory.deep._problem import ClassProblem
from nonlazy.theory.deep._quadrature import Nodes, Rule, fitted_nodes
from nonlazy.theory.deep._site import Site


_FIRST_ORDER = 32
_ORDER = 16


@dataclass(frozen=True, eq=False)
class Tilt:
    """exp(-phi^T Kt phi / 2) on a layer's activations, Kt = diag(delta_c) - Lambda_cc' at class level.

    **Fields:** `field`: Lambda `(C, C)`, the covariance of the backward fields; `penalty`: delta `(C,)`.
    """

    field: Float[np.ndarray, "C C"]
    penalty: Float[np.ndarray, " C"]

    def against(self, kernel: ClassKernel, counts: Float[np.ndarray, " C"]) -> float:
        """tr Kt K."""
        diagonal = kernel.excess + np.diag(kernel.block)
        diagonal_part = float(np.sum(counts * (self.penalty * diagonal - np.diag(self.field) * kernel.excess)))
        return diagonal_part - float(counts @ (self.field * kernel.block) @ counts)


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """A lower layer. **Fields:** `law`, `nodes`, `site`: of its fields; `weight` `(n,)`, summing to 1; `log_total`:
    log Z; `kernel`: <phi phi^T>."""

    law: FieldLaw
    nodes: Nodes
    site: Site
    weight: Float[np.ndarray, " n"]
    log_total: float
    kernel: ClassKernel

    def backward(self) -> tuple[Float[np.ndarray, "C C"], Float[np.ndarray, " C"]]:
        """<e e^T> and <stiffness>: what the layer asks of the kernel below."""
        force = self.site.force
        return (force * self.weight[:, None]).T @ force, self.weight @ self.site.stiffness


def hidden_layer(
    problem: ClassProblem,
    below: ClassKernel | None,
    variance: float,
    tilt: Tilt,
    rule: Rule,
    nodes: Nodes | None = None,
    order: int | None = None,
) -> HiddenLayer:
    """The layer above kernel `below`, or above the inputs (None), with weight variance `variance`.

    In the first layer `variance` is that of a preactivation. `nodes`: used as they are; None fits them.
    """
    if below is None:
        forward, spread = np.zeros((problem.C, 0)), np.full(problem.C, variance)
        order = _FIRST_ORDER if order is None else order
    else:
        forward, spread = below.forward(variance)
        order = _ORDER if order is None else order
    backward = np.linalg.cholesky(tilt.field)
    law = FieldLaw(problem.counts, forward, spread, backward, tilt.penalty, order)
    nodes = fitted_nodes(law, rule) if nodes is None else nodes
    log_density, site = law.log_density(nodes.x)
    log_weight = log_density + nodes.log_weight
    total = float(log_sum(log_weight))
    weight = np.exp(log_weight - total)
    block = (site.mean * weight[:, None]).T @ site.mean
    return HiddenLayer(law, nodes, site, weight, total, ClassKernel(block, weight @ (site.square - site.mean**2)))
