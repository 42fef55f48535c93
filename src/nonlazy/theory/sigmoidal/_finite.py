"""Solves finite P, at equilibrium or with given fractions: the free energy's maximum over the field, by Newton's
method.

    D(t) = sum_c rho_c (t_c . y_c - T |t_c|^2/2) - (1/P) log Z(t),    Z(t) = int da (P/2 pi)^(r/2) exp(-P E(a; t)),

and, with the fractions w_g of the wells given, sum_g w_g log(Z_g / w_g) in place of log Z, Z_g being the integral over
the basin of well g.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from nonlazy.errors import InvalidInput
from nonlazy.theory.sigmoidal._bound import Bound, bound_energy
from nonlazy.theory.sigmoidal._dual import dual_curvature
from nonlazy.theory.sigmoidal._gibbs import gibbs_weights
from nonlazy.theory.sigmoidal._limit import Limit
from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._quadrature import (
    Nodes,
    Rule,
    choose_rule,
    depth_of_quadrature,
    lattice_size,
    lattice_spacing,
    quadrature,
)
from nonlazy.theory.sigmoidal._wells import Wells, find_wells, join


_LEAST_SHARE = 1e-6
_MOST_ROUNDS, _MOST_COARSE_ROUNDS = 25, 6
# The nodes serve fields that differ by this much in P E: a lattice ends where the law is below exp(-cut), and
# quasi-random points are weighted in any field.
_SETTLED = {"lattice": 0.3, "random": 2.0}
_LONGEST_STEP, _LONGEST_WAY = 3.0, 6.0
_FIRST_DEPTH = 30.0
_GOOD_QUADRATURE, _MOST_AFFORDED = 1e-4, 250_000
_MOST_BOXES = 60_000


@dataclass(frozen=True, eq=False)
class ReadoutLaw:
    """The law of a neuron's readout at finite P, as weighted nodes.

    **Fields:** `t` `(C, r)`; `wells`, `weight` `(n,)`: the codes and their fractions; `readout` `(K, r)`, `probability`
    `(K,)`, `code` `(K,)`: the nodes and the code of each; `second`, `own` `(K,)`: the code next to it, and the share of
    the node that is its own code's: nodes at a border stand for both sides; `value`: D; `residual`: of the discretised
    equations; `quadrature_error`, `value_error`, `share_error`: by how much another rule changes y - T t - <a b>,
    relative to max|y|, D, and the fractions;
    `bound`: what is proved about wells that could be missing; `rule`: of the
    quadrature.
    """

    t: Float[np.ndarray, "C r"]
    wells: Wells
    weight: Float[np.ndarray, " n"]
    readout: Float[np.ndarray, "K r"]
    probability: Float[np.ndarray, " K"]
    code: Int[np.ndarray, " K"]
    second: Int[np.ndarray, " K"]
    own: Float[np.ndarray, " K"]
    value: float
    residual: float
    quadrature_error: float
    value_error: float
    share_error: float
    bound: Bound
    rule: Rule

    def reordered(self, order: list[int]) -> "ReadoutLaw":
        """The same law with its codes in another order."""
        position = np.argsort(order)
        return replace(
            self,
            wells=self.wells[order],
            weight=self.weight[order],
            code=position[self.code],
            second=position[self.second],
        )

    def membership(self) -> Float[np.ndarray, "K n"]:
        """The probability of each node that belongs to each code."""
        member = np.zeros((len(self.code), len(self.weight)))
        nodes = np.arange(len(self.code))
        member[nodes, self.second] = (1 - self.own) * self.probability
        member[nodes, self.code] += self.own * self.probability
        return member


@dataclass(frozen=True, eq=False)
class _State:
    """D and its derivatives at one field, on given nodes."""

    value: float
    gradient: Float[np.ndarray, " Cr"]
    curvature: Float[np.ndarray, "Cr Cr"]
    probability: Float[np.ndarray, " K"]


def solve_finite(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    known: Float[np.ndarray, "n r"] | None = None,
    known_more: int = 5,
    rule: Rule | None = None,
) -> ReadoutLaw:
    """Equilibrium at finite P, from the field `t` of a neighbouring problem (the limit of large P).

    `known`: readouts near which wells are searched, too; up to `known_more` times a well that the proof turns up is
    added.

    **Raises:** `nonlazy.errors.InvalidInput` where the equations do not settle, or need too many nodes.
    """
    variant = "coarse"
    for attempt in range(_MOST_ROUNDS):
        wells = find_wells(problem, t, known)
        known = wells.readout
        rule = choose_rule(problem, wells) if rule is None else rule
        nodes = quadrature(problem, t, wells, rule, variant)
        groups = np.zeros(len(nodes), dtype=np.int64)
        moved, state = _maximise(problem, t, nodes, groups, np.ones(1), precise=variant == "usual")
        change = problem.P * float(np.max(np.abs(wells.readout @ (moved - t).T)))
        t = moved
        if change < _SETTLED[rule] and variant == "usual":
            break
        if change < 3.0 or attempt >= _MOST_COARSE_ROUNDS:
            variant = "usual"
    else:
        raise _no_solution(problem)
    wells = find_wells(problem, t, known)
    bound = _rule_out_others(problem, t, wells, depth_of_quadrature(problem, rule))
    if bound.missed is not None and known_more:
        return solve_finite(problem, t, np.concatenate([known, bound.missed[None]]), known_more - 1, rule)
    share = np.bincount(wells.nearest(nodes.readout), state.probability, minlength=len(wells))
    wells = wells[share > _LEAST_SHARE]
    law = _law(problem, t, wells, nodes, wells.nearest(nodes.readout), state, np.ones(1), bound, rule)
    # Where the wells are far from Gaussian, only the lattice will do.
    if law.quadrature_error > _GOOD_QUADRATURE and rule == "random" and lattice_size(problem, wells) < _MOST_AFFORDED:
        return solve_finite(problem, t, known, known_more, "lattice")
    return law


def _rule_out_others(problem: ClassProblem, t: np.ndarray, wells: Wells, depth: float) -> Bound:
    """The proof that no well is missed up to `depth` in P (E - min E), or half of that, or none below the lowest."""
    bound = Bound(np.inf, 0, False)
    for share in (1.0, 0.5, 0.0):
        bound = bound_energy(problem, t, wells, above=share * depth / problem.P, most_boxes=_MOST_BOXES)
        if bound.complete or bound.missed is not None:
            break
    return bound


def first_field(problem: ClassProblem, limit: Limit) -> Float[np.ndarray, "C r"]:
    """The field at finite P, to first order: every well a Gaussian, its energy expanded around the limit's field.

    With t = t_limit + f / (P rho), P D is, up to constants, f . <a b> - log sum_g det(H_g)^(-1/2) exp(-P E_g + f . a_g
    b_g)
    - f^T B f / (2 P), B being the curvature of D in f / rho: concave in f.
    """
    wells = join(limit.wells, limit.metastable)
    height = problem.P * (wells.energy - float(limit.wells.energy.min()))
    wells, height = wells[height < _FIRST_DEPTH], height[height < _FIRST_DEPTH]
    size = problem.y.size
    moments = wells.moments().reshape(len(wells), size)
    goal = limit.weight @ limit.wells.moments().reshape(len(limit.wells), size)
    shares = np.repeat(problem.rho, problem.rank)
    stiffness = dual_curvature(problem, limit.t, limit.wells, limit.weight) / np.outer(shares, shares) / problem.P
    base = -0.5 * np.linalg.slogdet(wells.curvature)[1] - height
    force, _ = gibbs_weights(base, moments, goal, stiffness)
    return limit.t + (force / shares / problem.P).reshape(problem.y.shape)


def solve_finite_quenched(
    problem: ClassProblem, t: Float[np.ndarray, "C r"], wells: Wells, weight: Float[np.ndarray, " n"]
) -> ReadoutLaw:
    """Finite P with the fractions `weight` of the codes given, from the limit's field `t` and `wells`."""
    rule: Rule | None = None
    variant = "coarse"
    for attempt in range(_MOST_ROUNDS):
        everywhere = find_wells(problem, t, wells.readout)
        index = everywhere.nearest(wells.readout)
        if len(np.unique(index)) < len(index):
            raise _no_solution(problem)
        rule = choose_rule(problem, wells) if rule is None else rule
        nodes, groups = _separate_nodes(problem, t, everywhere, index, rule, variant)
        moved, state = _maximise(problem, t, nodes, groups, weight, precise=variant == "usual")
        change = problem.P * float(np.max(np.abs(wells.readout @ (moved - t).T)))
        t, wells = moved, everywhere[index]
        if change < _SETTLED[rule] and variant == "usual":
            return _law(problem, t, wells, nodes, groups, state, weight, Bound(np.inf, 0, False), rule)
        if change < 3.0 or attempt >= _MOST_COARSE_ROUNDS:
            variant = "usual"
    raise _no_solution(problem)


def _separate_nodes(problem, t, wells, index, rule, variant) -> tuple[Nodes, np.ndarray]:
    """Nodes in the basins of the wells `index`, and the position in `index` of each."""
    parts = [quadrature(problem, t, wells, rule, variant, within=int(k)) for k in index]
    readout, log_weight = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("readout", "log_weight")
    )
    return Nodes(readout, log_weight), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def _maximise(problem, t, nodes, groups, weight, precise) -> tuple[np.ndarray, _State]:
    """Newton's method on fixed nodes, where D is concave."""
    state = _state(problem, t, nodes, groups, weight)
    travelled = 0.0
    for _ in range(60):
        step = np.linalg.lstsq(state.curvature, state.gradient, rcond=1e-14)[0].reshape(t.shape)
        # The nodes were chosen for the first field: beyond a few units of P E they no longer cover the law.
        relevant = state.probability > 1e-5
        own = nodes.readout[relevant]
        change = problem.P * np.sum((problem.rho * problem.neuron.mean(own @ t.T)) * (own @ step.T), axis=1)
        length = float(np.max(np.abs(change - state.probability[relevant] @ change)))
        reach = min(1.0, _LONGEST_STEP / max(length, 1e-300))
        trial = _state(problem, t + reach * step, nodes, groups, weight)
        while trial.value < state.value - 1e-13 * (1 + abs(state.value)) and reach > 1e-8:
            reach *= 0.5
            trial = _state(problem, t + reach * step, nodes, groups, weight)
        before = float(np.max(np.abs(state.gradient)))
        t, state, travelled = t + reach * step, trial, travelled + reach * length
        after = float(np.max(np.abs(state.gradient)))
        if travelled > _LONGEST_WAY or (not precise and after < 1e-5):
            break
        if after < 1e-15 or (after < 1e-10 and after > 0.5 * before):
            break
    return t, state


def _state(problem, t, nodes, groups, weight) -> _State:
    a, rho, size = nodes.readout, problem.rho, t.size
    g, mean, variance = problem.neuron.cumulants(a @ t.T)
    exponent = nodes.log_weight + problem.P * (g @ rho - 0.5 * np.sum(a**2, axis=1))
    value, curvature = problem.linear_part(t), np.diag(np.repeat(problem.temperature * rho, t.shape[1]))
    gradient = problem.pull(t).reshape(size)
    probability = np.zeros(len(a))
    for k, share in enumerate(weight):
        members = groups == k if len(weight) > 1 else slice(None)
        top = exponent[members].max()
        part = np.exp(exponent[members] - top)
        value -= share * (float(np.log(part.sum())) + top - (np.log(share) if share > 0 else 0.0)) / problem.P
        probability[members] = share * part / part.sum()
        if share == 0:
            continue
        kept = probability[members] > 1e-18
        q, own = probability[members][kept], a[members][kept]
        b = (rho * mean[members])[kept]
        features = (b[:, :, None] * own[:, None, :]).reshape(len(q), size)
        average = q @ features / q.sum()
        gradient = gradient - q.sum() * average
        centred = features - average
        curvature = curvature + problem.P * centred.T @ (q[:, None] * centred)
        r = t.shape[1]
        squares = (own[:, :, None] * own[:, None, :]).reshape(len(q), r * r)
        spread = ((rho * variance[members])[kept] * q[:, None]).T @ squares
        for c in range(t.shape[0]):
            curvature[c * r : (c + 1) * r, c * r : (c + 1) * r] += spread[c].reshape(r, r)
    return _State(value, gradient, curvature, probability)


def _law(problem, t, wells, nodes, code, state, weight, bound, rule) -> ReadoutLaw:
    scale = max(float(np.max(np.abs(problem.y))), 1e-300)
    everywhere = find_wells(problem, t, wells.readout)
    if len(weight) > 1:
        other, groups = _separate_nodes(problem, t, everywhere, everywhere.nearest(wells.readout), rule, "other")
    else:
        other = quadrature(problem, t, everywhere, rule, "other")
        groups = np.zeros(len(other), dtype=np.int64)
    shifted = _state(problem, t, other, groups, weight)
    error = float(np.max(np.abs(shifted.gradient - state.gradient).reshape(t.shape) / problem.rho[:, None]))
    kept = state.probability > 1e-17
    probability = state.probability[kept] / state.probability[kept].sum()
    readout, code = nodes.readout[kept], code[kept]
    if len(weight) > 1:
        # Fractions that were given, over basins.
        second, own, share, share_error = code, np.ones(len(code)), np.bincount(code, probability), 0.0
    else:
        width = math.sqrt(2.0 / problem.P) * lattice_spacing(problem.rank) if rule == "lattice" else 0.0
        second, own = _borders(wells, readout, code, width)
        share = _split(len(wells), code, second, own, probability)
        nearest = wells.nearest(other.readout)
        there = _split(len(wells), nearest, *_borders(wells, other.readout, nearest, width), shifted.probability)
        share_error = float(np.max(np.abs(share - there)))
    return ReadoutLaw(
        t=t,
        wells=wells,
        weight=share,
        readout=readout,
        probability=probability,
        code=code,
        second=second,
        own=own,
        value=state.value,
        residual=float(np.max(np.abs(state.gradient.reshape(t.shape)) / problem.rho[:, None])) / scale,
        quadrature_error=error / scale,
        value_error=abs(shifted.value - state.value),
        share_error=share_error,
        bound=bound,
        rule=rule,
    )


def _borders(
    wells: Wells, readout: Float[np.ndarray, "K r"], code: Int[np.ndarray, " K"], width: float
) -> tuple[Int[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """For each node the second nearest code, and the share of the node's cell, of this width, on its own side."""
    if len(wells) == 1 or width == 0:
        return code, np.ones(len(code))
    second, own = code.copy(), np.ones(len(code))
    for start in range(0, len(code), 65_536):
        part = slice(start, start + 65_536)
        rows = np.arange(len(code[part]))
        squares = np.sum(wells.readout**2, axis=1) - 2 * readout[part] @ wells.readout.T
        nearest = squares[rows, code[part]].copy()
        squares[rows, code[part]] = np.inf
        second[part] = squares.argmin(axis=1)
        apart = np.linalg.norm(wells.readout[code[part]] - wells.readout[second[part]], axis=1)
        distance = (squares[rows, second[part]] - nearest) / (2 * apart)
        own[part] = np.minimum(1.0, 0.5 + distance / width)
    return second, own


def _split(n: int, code, second, own, probability) -> Float[np.ndarray, " n"]:
    """Fractions of `n` codes."""
    return np.bincount(code, own * probability, minlength=n) + np.bincount(second, (1 - own) * probability, minlength=n)


def _no_solution(problem: ClassProblem) -> InvalidInput:
    return InvalidInput(
        f"the equations at P = {problem.P} did not settle in {_MOST_ROUNDS} rounds: wells of the readouts' law "
        "appear and vanish; solve with finite_size=False, or at a larger P"
    )
