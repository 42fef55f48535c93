"""The feature layer: the field t that makes the mean outputs meet the targets, given the kernel below.

V(K) = min over t of log Z(t; K) - tr t^T Y + T |t|^2 / 2 is convex in t: one minimum. Steps minimise the sum over wells
of exp(quadratic model of a well's log mass), which is exact where wells are sharp and only their weights move much.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.deep._class_kernel import ClassKernel
from nonlazy.theory.deep._field_law import FieldLaw
from nonlazy.theory.deep._log_sum import log_sum
from nonlazy.theory.deep._problem import ClassProblem
from nonlazy.theory.deep._quadrature import Nodes, Rule, fitted_nodes
from nonlazy.theory.deep._site import Site


_ORDER = 16
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class ReadoutLayer:
    """The feature layer at a field t.

    **Fields:** `t` `(C, m)`, for one input of each class; `law`, `nodes`, `site`: of the fields; `log_mass`: of the
    wells, `(wells,)`; `well_weight`: log weight of every node within its wells, `(n, wells)`; `share`: of the wells
    `(wells,)`; `value`: V; `error`: max |Y - T t - <phi a^T>|.
    """

    t: Float[np.ndarray, "C m"]
    law: FieldLaw
    nodes: Nodes
    site: Site
    log_mass: Float[np.ndarray, " wells"]
    well_weight: Float[np.ndarray, "n wells"]
    share: Float[np.ndarray, " wells"]
    value: float
    error: float

    @property
    def weight(self) -> Float[np.ndarray, " n"]:
        """Weights of the nodes, `(n,)`, summing to 1."""
        return np.exp(self.well_weight) @ self.share

    def backward(self) -> tuple[Float[np.ndarray, "C C"], Float[np.ndarray, " C"]]:
        """<e e^T> and <stiffness>: what the layer asks of the kernel below."""
        weight, force = self.weight, self.site.force
        return (force * weight[:, None]).T @ force, weight @ self.site.stiffness


@dataclass(frozen=True, eq=False)
class Composition:
    """Shares of feature neurons held fixed by code: `codes` `(n, C)` of 0 and 1, `fractions` `(n,)`."""

    codes: Float[np.ndarray, "n C"]
    fractions: Float[np.ndarray, " n"]


def readout_law(problem: ClassProblem, kernel: ClassKernel, t: Float[np.ndarray, "C m"], order: int) -> FieldLaw:
    """The field law of the feature layer: backward fields v = t a, nothing above."""
    forward, variance = kernel.forward(problem.weight_variances[-1])
    backward = np.sqrt(problem.readout_variance) * t
    return FieldLaw(problem.counts, forward, variance, backward, np.zeros(problem.C), order)


class _Expansion:
    """Log masses of the wells with their first and second derivatives in t, at one t."""

    def __init__(self, problem: ClassProblem, law: FieldLaw, t: np.ndarray, nodes: Nodes, composition):
        log_density, site = law.log_density(nodes.x)
        log_weight = (log_density + nodes.log_weight)[:, None] + np.log(nodes.member + _TINY)
        self.log_mass = log_sum(log_weight, axis=0)
        self.well_weight = log_weight - self.log_mass
        self.problem, self.law, self.t, self.nodes, self.site = problem, law, t, nodes, site
        self.groups = None if composition is None else _groups(self, composition)
        weight = np.exp(self.well_weight)
        a = np.sqrt(problem.readout_variance) * nodes.x[:, law.forward.shape[1] :]
        moment = ((problem.counts * site.mean)[:, :, None] * a[:, None, :]).reshape(len(a), -1)
        self.slope = weight.T @ moment
        self._weight, self._moment, self._readout = weight, moment, a

    @functools.cached_property
    def hessian(self) -> Float[np.ndarray, "wells k k"]:
        """Second derivatives of the log masses."""
        problem, site, m = self.problem, self.site, self.problem.m
        variance = problem.counts * (site.square - site.mean**2)
        matrices = []
        for g in range(len(self.log_mass)):
            weight = self._weight[:, g : g + 1]
            away = self._moment - self.slope[g]
            matrix = (away * weight).T @ away
            for c in range(problem.C):
                part = slice(c * m, (c + 1) * m)
                matrix[part, part] += (self._readout * weight * variance[:, c : c + 1]).T @ self._readout
            matrices.append(matrix)
        return np.array(matrices)

    def first_order(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and shares of the wells at t."""
        problem, flat, t = self.problem, np.repeat(self.problem.counts, self.problem.m), self.t.reshape(-1)
        value, share = _log_total(self.log_mass, self.groups)
        goal = problem.targets.reshape(-1)
        gradient = share @ self.slope - flat * (goal - problem.temperature * t)
        return value + float(np.sum(flat * (0.5 * problem.temperature * t**2 - t * goal))), gradient, share

    def model(self, step: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Value, gradient, Hessian and shares of the wells that the expansion predicts at t + step."""
        problem, flat = self.problem, np.repeat(self.problem.counts, self.problem.m)
        t = self.t.reshape(-1) + step
        masses = self.log_mass + self.slope @ step + 0.5 * np.einsum("gij,i,j->g", self.hessian, step, step)
        slopes = self.slope + self.hessian @ step
        value, share = _log_total(masses, self.groups)
        gradient = share @ slopes - flat * (problem.targets.reshape(-1) - problem.temperature * t)
        hessian = np.einsum("g,gij->ij", share, self.hessian) + problem.temperature * np.diag(flat)
        hessian += _spread(slopes, share, self.groups)
        value += float(np.sum(flat * (0.5 * problem.temperature * t**2 - t * problem.targets.reshape(-1))))
        return value, gradient, hessian, share

    def layer(self) -> ReadoutLayer:
        """The layer at this t."""
        value, gradient, share = self.first_order()
        flat = np.repeat(self.problem.counts, self.problem.m)
        error = float(np.abs(gradient / flat).max())
        return ReadoutLayer(
            self.t, self.law, self.nodes, self.site, self.log_mass, self.well_weight, share, value, error
        )


def solve_readout(
    problem: ClassProblem,
    kernel: ClassKernel,
    t: Float[np.ndarray, "C m"],
    rule: Rule,
    nodes: Nodes | None = None,
    composition: Composition | None = None,
    tolerance: float = 1e-9,
    order: int = _ORDER,
) -> ReadoutLayer:
    """Minimises over t, from a start `t`.

    `nodes`: kept as they are (for smooth derivatives); None fits them to the wells along the way. `composition`: the
    quenched problem, sum_g P_g (log Z_g - log P_g) in the place of log Z. The caller looks at `error`, which says how
    far the descent got.
    """
    frozen = nodes is not None

    def expand(t: np.ndarray, nodes: Nodes | None) -> _Expansion:
        law = readout_law(problem, kernel, t, order)
        nodes = fitted_nodes(law, rule) if nodes is None else nodes
        return _Expansion(problem, law, t, nodes, composition)

    here = expand(t, nodes)
    value, gradient, _ = here.first_order()
    flat, radius = np.repeat(problem.counts, problem.m), 0.5
    for _ in range(80):
        if frozen and np.abs(gradient / flat).max() < tolerance:
            break
        step = _minimise_model(here, radius)
        length = float(np.abs(step).max())
        try:
            there = expand(here.t + step.reshape(t.shape), here.nodes if frozen else None)
        except MissingWell:
            radius = length / 3
            if radius < 1e-10:
                break
            continue
        reached, gradient_there, _ = there.first_order()
        # Fitting the nodes anew moves the value by the quadrature error: not a reason to reject a step.
        if reached <= value + (1e-9 * abs(value) if frozen else 0.02):
            radius = 2 * radius if length > 0.9 * radius else radius
            here, value, gradient = there, reached, gradient_there
            frozen = frozen or length < 0.02
        else:
            radius = length / 3
            if radius < 1e-10:
                break
    return here.layer()


def _minimise_model(expansion: _Expansion, radius: float) -> np.ndarray:
    """The model's minimum, pulled back into the box |step| <= radius."""
    step = np.zeros(expansion.t.size)
    value, gradient, hessian, _ = expansion.model(step)
    for _ in range(50):
        ridge = 1e-10 * np.trace(hessian) / len(hessian)
        move = -np.linalg.solve(hessian + ridge * np.eye(len(hessian)), gradient)
        factor = 1.0
        trial = expansion.model(step + move)
        while factor > 1e-8:
            if trial[0] <= value + 1e-4 * factor * float(gradient @ move) + 1e-12 * abs(value):
                break
            factor /= 2
            trial = expansion.model(step + factor * move)
        step = step + factor * move
        value, gradient, hessian, _ = trial
        if np.abs(factor * move).max() < 1e-13 or np.abs(step).max() > 4 * radius:
            break
    return step * min(1.0, radius / max(float(np.abs(step).max()), 1e-300))


def _log_total(masses: np.ndarray, groups) -> tuple[float, np.ndarray]:
    """log Z and the shares of the wells; with groups the sum over codes of P (log Z_code - log P)."""
    if groups is None:
        total = float(log_sum(masses))
        return total, np.exp(masses - total)
    value, share = 0.0, np.zeros(len(masses))
    for fraction, wells in groups:
        own = float(log_sum(masses[wells]))
        share[wells] = fraction * np.exp(masses[wells] - own)
        value += fraction * (own - np.log(fraction))
    return value, share


def _spread(slopes: np.ndarray, share: np.ndarray, groups) -> np.ndarray:
    """Second derivative of `_log_total` that comes from the shares' response."""
    if groups is None:
        away = slopes - share @ slopes
        return (away * share[:, None]).T @ away
    total = np.zeros((slopes.shape[1],) * 2)
    for fraction, wells in groups:
        own = share[wells] / fraction
        away = slopes[wells] - own @ slopes[wells]
        total += fraction * (away * own[:, None]).T @ away
    return total


class MissingWell(Exception):
    """A code that the composition asks for and that the field does not hold."""

    def __init__(self, code: np.ndarray):
        super().__init__("-".join(str(int(bit)) for bit in code))


def _groups(expansion: _Expansion, composition: Composition) -> list[tuple[float, np.ndarray]]:
    """The wells of each code: a well's code is the set of classes with mean activation above 1/2."""
    activation = np.exp(expansion.well_weight).T @ expansion.site.mean
    active = (activation > 0.5).astype(float)
    groups = []
    for code, fraction in zip(composition.codes, composition.fractions, strict=True):
        wells = np.flatnonzero(np.all(active == code, axis=1))
        if not len(wells):
            raise MissingWell(code)
        groups.append((float(fraction), wells))
    return groups
