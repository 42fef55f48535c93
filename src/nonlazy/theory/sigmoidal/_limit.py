"""Solves the limit of large P: codes, fractions and field to rounding, with the proof that no scheme is better."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.sigmoidal._bound import Bound, bound_energy
from nonlazy.theory.sigmoidal._dual import ascend, dual_curvature, starting_field
from nonlazy.theory.sigmoidal._gibbs import gibbs_weights
from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._simplex import minimise_on_simplex
from nonlazy.theory.sigmoidal._wells import Wells, find_wells, follow, join


# Wells this close in energy to the lowest one are codes of the scheme.
_TIE = 1e-9
_VANISHING = 1e-11


@dataclass(frozen=True, eq=False)
class Limit:
    """The optimum for P to infinity.

    **Fields:**

    - `t` `(C, r)`: the field. `wells`, `weight` `(n,)`: the codes and their fractions.
    - `metastable`: the other wells in the field t.
    - `value`: D = the free energy per neuron and training input.
    - `residual`: max|y - T t - <a b>| / max|y|, and of the equality of the energies.
    - `bound`: what is proved about other readouts. `unique`: whether the equations fix the fractions; else these are
      the ones that the law at finite P tends to.
    """

    t: Float[np.ndarray, "C r"]
    wells: Wells
    weight: Float[np.ndarray, " n"]
    metastable: Wells
    value: float
    residual: float
    bound: Bound
    unique: bool


def solve_limit(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"] | None = None,
    known: Float[np.ndarray, "n r"] | None = None,
    certify: bool = True,
    warm: "Limit | None" = None,
) -> Limit:
    """The maximum of D.

    `t`, `known`: a field, and readouts near which wells are searched, too. `warm`: the optimum of a neighbouring
    problem, from which Newton's method may get there at once.
    """
    start = starting_field(problem) if t is None else t
    tolerance = 1e-7
    polished = None if warm is None else polish(problem, warm.t, warm.wells.readout, warm.weight)
    ascent = None
    for _ in range(6):
        if polished is not None:
            break
        ascent = ascend(problem, start, tolerance, known=known)
        start, known = ascent.t, ascent.wells.readout
        height = ascent.wells.energy - ascent.wells.energy[0]
        # Close to the optimum either the weight of a well or its height is small; wells can miss the level by 1e-11, so
        # several guesses of those that reach it are tried.
        guesses = [
            ascent.weight > height,
            *(height < factor * ascent.rise for factor in (10, 100, 1000)),
            height < 1e-6,
        ]
        for near in guesses:
            polished = polish(problem, ascent.t, ascent.wells[near].readout, ascent.weight[near])
            if polished is not None:
                break
        tolerance *= 1e-2
    if polished is None:
        assert ascent is not None
        near = ascent.wells.energy < ascent.wells.energy[0] + 1e-6
        missed = problem.y - problem.temperature * ascent.t - ascent.wells[near].moments()
        missed = missed.reshape(int(near.sum()), -1)
        weight = minimise_on_simplex(missed @ missed.T, np.zeros(len(missed)))
        polished = ascent.t, ascent.wells[near], weight
    t, wells, weight = polished
    others = find_wells(problem, t, wells.readout)
    level = float(wells.energy.min())
    distance = np.max(np.abs(others.readout[:, None] - wells.readout[None]), axis=2).min(axis=1)
    tied = (distance > 1e-5) & (others.energy < level + _TIE)
    if tied.any():
        wells = join(wells, others[tied])
        weight = np.concatenate([weight, np.zeros(int(tied.sum()))])
    unique = _affine_rank(wells) == len(wells) - 1
    if not unique:
        weight = _finite_size_choice(wells, weight)
    shown = weight > _VANISHING
    metastable = others[(distance > 1e-5) & ~tied]
    if not shown.all():
        metastable = join(wells[~shown], metastable)
        wells, weight = wells[shown], weight[shown] / weight[shown].sum()
    if not certify:
        bound = Bound(np.inf, 0, False)
    else:
        bound = bound_energy(problem, t, join(wells, metastable))
        if bound.missed is not None:
            return solve_limit(problem, t, np.concatenate([wells.readout, bound.missed[None]]))
    value = problem.linear_part(t) + level
    return Limit(t, wells, weight, metastable, value, residual(problem, t, wells, weight), bound, unique)


def residual(problem: ClassProblem, t: np.ndarray, wells: Wells, weight: np.ndarray) -> float:
    """max|y - T t - <a b>| / max|y|, or the spread of the energies of the codes where that is larger."""
    scale = max(float(np.max(np.abs(problem.y))), 1e-300)
    return max(float(np.max(np.abs(_missed(problem, t, wells, weight)))) / scale, float(np.ptp(wells.energy)))


def duality_gap(problem: ClassProblem, limit: Limit) -> float:
    """How far the energy of the codes lies above the dual bound, if no readout is below the lowest of them.

    Codes that lie above the lowest one cost their height; targets that are missed cost the field times what is missed.
    """
    height = float(limit.weight @ (limit.wells.energy - float(limit.wells.energy.min())))
    missed = np.abs(_missed(problem, limit.t, limit.wells, limit.weight))
    return height + float(problem.rho @ np.sum(missed * np.abs(limit.t), axis=1))


def _missed(problem: ClassProblem, t: np.ndarray, wells: Wells, weight: np.ndarray) -> np.ndarray:
    return problem.y - problem.temperature * t - np.einsum("n,ncr->cr", weight, wells.moments())


def polish(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    a: Float[np.ndarray, "n r"],
    weight: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "C r"], Wells, Float[np.ndarray, " codes"]] | None:
    """Newton's method on the equations of the optimum: equal energies, and y - T t = sum_g weight_g a_g b_g.

    Codes whose weight comes out negative leave, wells that lie lower join. None where this does not settle.
    """
    weight = weight / weight.sum()
    for _ in range(40):
        solved = equalise(problem, t, a, weight)
        if solved is None:
            return None
        new_t, wells, weight = solved
        if np.min(weight) < -1e-12:
            keep = weight > 0.5 * np.min(weight)
            a, weight = wells.readout[keep], np.maximum(weight[keep], 0)
            if not keep.any() or weight.sum() == 0:
                return None
            weight = weight / weight.sum()
            t = new_t
            continue
        t, a = new_t, wells.readout
        merged = _merged(a)
        if len(merged) < len(a):
            # Two wells became one: its weight is the sum.
            owner = np.argmin(np.max(np.abs(a[:, None] - a[merged][None]), axis=2), axis=1)
            a, weight = a[merged], np.bincount(owner, np.maximum(weight, 0), minlength=len(merged))
            continue
        others = find_wells(problem, t, a)
        lower = others.energy < float(wells.energy.min()) - 1e-12 * (1 + abs(float(wells.energy.min())))
        if lower.any():
            distance = np.max(np.abs(others.readout[lower][:, None] - a[None]), axis=2).min(axis=1)
            new = others[lower][distance > 1e-5].readout
            if not len(new):
                return None
            a, weight = np.concatenate([a, new[:1]]), np.append(weight, 0.0)
            continue
        return t, wells, np.maximum(weight, 0)
    return None


def equalise(
    problem: ClassProblem, t: Float[np.ndarray, "C r"], a: Float[np.ndarray, "n r"], weight: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "C r"], Wells, Float[np.ndarray, " n"]] | None:
    """Newton's method on the equations for given wells: equal energies, and y - T t = sum_g weight_g a_g b_g.

    None where it does not converge, or a well vanishes. Weights may come out negative.
    """
    size, best, best_error, stalled = t.size, None, np.inf, 0
    for _ in range(30):
        wells = follow(problem, t, a)
        if np.linalg.eigvalsh(wells.curvature)[:, 0].min() <= 0:
            return None
        n = len(wells)
        level = float(wells.energy.mean())
        moments = (problem.rho[:, None] * wells.moments()).reshape(n, size)
        missed = problem.pull(t).reshape(size) - weight @ moments
        error = max(float(np.max(np.abs(missed))), float(np.max(np.abs(wells.energy - level))))
        if error < best_error:
            best, best_error, stalled = (t, wells, weight), error, 0
        else:
            stalled += 1
        if best_error < 1e-15 or stalled >= 3:
            break
        system = np.zeros((size + n + 1, size + n + 1))
        system[:size, :size] = dual_curvature(problem, t, wells, weight)
        system[:size, size:-1] = moments.T
        system[size:-1, :size] = moments
        system[size:-1, -1] = 1.0
        system[-1, size:-1] = 1.0
        right = np.concatenate([missed, wells.energy - level, [1.0 - weight.sum()]])
        step = np.linalg.lstsq(system, right, rcond=1e-12)[0]
        reach = min(1.0, 3.0 / max(float(np.max(np.abs(step[:size]))), 1e-300))
        t = t + reach * step[:size].reshape(t.shape)
        weight = weight + reach * step[size:-1]
        a = wells.readout
    return best if best is not None and best_error < 1e-10 else None


def _merged(a: np.ndarray) -> np.ndarray:
    """The first of each group of readouts that are equal to 1e-5."""
    close = np.max(np.abs(a[:, None] - a[None]), axis=2) < 1e-5
    return np.flatnonzero(np.argmax(close, axis=1) == np.arange(len(a)))


def _affine_rank(wells: Wells) -> int:
    """Dimension of the affine space of the codes' moments: n - 1 where the fractions are unique."""
    moments = wells.moments().reshape(len(wells), -1)
    return int(np.linalg.matrix_rank(moments - moments.mean(axis=0), tol=1e-7)) if len(wells) > 1 else 0


def _finite_size_choice(wells: Wells, weight: np.ndarray) -> np.ndarray:
    """Of all fractions that solve the equations, the limit of those at finite P.

    There weight_g ~ det(H_g)^(-1/2) exp(-P E_g), and E_g moves by O(1/P) with the field. So the weights are those
    closest to det(H_g)^(-1/2), in relative entropy, that have the same moments: weight_g ~ det(H_g)^(-1/2) exp(force .
    moments_g).
    """
    moments = wells.moments().reshape(len(wells), -1)
    left, singular, _ = np.linalg.svd(moments - moments.mean(axis=0), full_matrices=False)
    kept = singular > 1e-7
    base = -0.5 * np.linalg.slogdet(wells.curvature)[1]
    if not kept.any():
        # All have the same moments, as a and -a for an odd phi.
        alone = np.exp(base - base.max())
        return alone / alone.sum()
    features = left[:, kept] * singular[kept]
    nothing = np.zeros((features.shape[1], features.shape[1]))
    return gibbs_weights(base, features, weight @ features, nothing)[1]
