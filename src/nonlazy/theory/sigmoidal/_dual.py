"""The optimum for large P: the maximum over the field t of the dual energy

    D(t) = sum_c rho_c (t_c . y_c - T |t_c|^2/2) + min_a E(a; t).

D is concave but has kinks where two wells are equally deep, and the optimum lies on them: with n wells, which are the
codes, whose fractions are the multipliers. Ascent by a bundle method: a quadratic model of every well, with cuts of
earlier wells, and a step that is taken only where D rises.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.sigmoidal._problem import ClassProblem
from nonlazy.theory.sigmoidal._simplex import minimise_on_simplex
from nonlazy.theory.sigmoidal._wells import Wells, find_wells


_MOST_CUTS = 120
# Only the lowest wells take part in a step; there are 2^C of them at most.
_MOST_WELLS = 300


@dataclass(frozen=True, eq=False)
class Ascent:
    """Where the ascent stopped: the field `t` `(C, r)`, its `wells`, and their multipliers `weight` `(n,)`."""

    t: Float[np.ndarray, "C r"]
    wells: Wells
    weight: Float[np.ndarray, " n"]
    rise: float


def ascend(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    tolerance: float = 1e-7,
    most_steps: int = 300,
    known: Float[np.ndarray, "n r"] | None = None,
) -> Ascent:
    """Maximises D from the field `t`, until the model promises a rise below `tolerance`.

    `known`: readouts near which wells are searched, too.
    """

    def wells_at(t: np.ndarray, known: np.ndarray | None) -> Wells:
        return find_wells(problem, t, known)[:_MOST_WELLS]

    wells = wells_at(t, known)
    model, multipliers = np.eye(t.size), np.zeros(0)
    value = problem.linear_part(t) + float(wells.energy[0])
    cut_slope, cut_offset = np.zeros((0, t.size)), np.zeros(0)
    damping, weight, rise, taken = 0.1, np.full(len(wells), 1.0 / len(wells)), np.inf, False
    for _ in range(most_steps):
        slope = -(problem.rho[:, None] * wells.moments()).reshape(len(wells), -1)
        pull = problem.pull(t).reshape(-1)
        energies = np.concatenate([wells.energy, cut_offset + cut_slope @ t.reshape(-1)])
        slopes = np.concatenate([slope, cut_slope])
        base = float(wells.energy[0])
        for _ in range(1 if taken else 2):
            model = dual_curvature(problem, t, wells, weight)
            model += np.diag(np.repeat(problem.rho, problem.rank) * damping)
            solved = np.linalg.solve(model, np.column_stack([pull, slopes.T]))
            constant, quadratic = slopes @ solved[:, 0], slopes @ solved[:, 1:]
            multipliers = minimise_on_simplex(0.5 * (quadratic + quadratic.T), energies - base + constant)
            own = multipliers[: len(wells)]
            weight = own / own.sum() if own.sum() > 1e-3 else np.full(len(wells), 1.0 / len(wells))
        force = pull + multipliers @ slopes
        move = np.linalg.solve(model, force)
        rise = float(multipliers @ (energies - base)) + 0.5 * float(force @ move)
        if rise < tolerance:
            break
        trial = t + move.reshape(t.shape)
        there = wells_at(trial, wells.readout)
        reached = problem.linear_part(trial) + float(there.energy[0])
        offset = wells.energy - slope @ t.reshape(-1)
        if reached >= value + 0.1 * rise:
            cut_slope, cut_offset = _kept(cut_slope, cut_offset, slope, offset, trial)
            weight = _carried(wells, weight, there)
            t, wells, value, taken = trial, there, reached, True
            damping = max(damping / 5, 1e-6)
        else:
            new = -(problem.rho[:, None] * there.moments()).reshape(len(there), -1)
            new_offset = there.energy - new @ trial.reshape(-1)
            cut_slope, cut_offset = _kept(cut_slope, cut_offset, new, new_offset, t)
            damping, taken = max(3 * damping, 1e-4), False
            if damping > 1e8:
                break
    return Ascent(t, wells, weight, rise)


def starting_field(problem: ClassProblem) -> Float[np.ndarray, "C r"]:
    """A field to start from: half of that of saturated neurons with every subset of the groups equally often."""
    neuron = problem.neuron
    spread = 0.5 * (neuron.high - neuron.low)
    overlap = neuron.middle**2 + 0.25 * spread**2 * (np.eye(problem.C))
    # y_c = sum_c' overlap_cc' rho_c' t_c' for readouts a = sum_c rho_c b_c t_c.
    noise = problem.temperature * np.diag(1.0 / problem.rho)
    return 0.5 * np.linalg.solve(overlap + noise, problem.y) / problem.rho[:, None]


def dual_curvature(
    problem: ClassProblem, t: Float[np.ndarray, "C r"], wells: Wells, weight: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "Cr Cr"]:
    """-d^2/dt^2 of linear part + sum_g weight_g E_g(t), where every well follows t."""
    C, r = t.shape
    rho, a = problem.rho, wells.readout
    total = np.einsum("n,nc,ni,nj->cij", weight, rho * wells.variance, a, a)
    blocks = np.zeros((C, r, C, r))
    blocks[np.arange(C), :, np.arange(C), :] = total
    jacobian = response(problem, t, wells)
    followed = np.linalg.solve(wells.curvature, jacobian)
    blocks = blocks.reshape(C * r, C * r) + np.einsum("n,nik,nil->kl", weight, jacobian, followed)
    blocks[np.diag_indices(C * r)] += problem.temperature * np.repeat(rho, r)
    return 0.5 * (blocks + blocks.T)


def response(problem: ClassProblem, t: Float[np.ndarray, "C r"], wells: Wells) -> Float[np.ndarray, "n r Cr"]:
    """-d(grad_a E)/dt of every well, `(n, r, C r)`: rho_c (b_c delta_ij + g''_c t_ci a_j)."""
    n, r = wells.readout.shape
    direct = np.einsum("nc,ij->nicj", problem.rho * wells.activation, np.eye(r))
    indirect = np.einsum("nc,ci,nj->nicj", problem.rho * wells.variance, t, wells.readout)
    return (direct + indirect).reshape(n, r, -1)


def _carried(old: Wells, weight: np.ndarray, new: Wells) -> np.ndarray:
    """The weights of the wells that stayed, on the new list of wells."""
    distances = np.linalg.norm(old.readout[:, None] - new.readout[None], axis=2)
    carried = np.zeros(len(new))
    np.add.at(carried, np.argmin(distances, axis=1), weight)
    carried += 1e-3 / len(new)
    return carried / carried.sum()


def _kept(slopes, offsets, new_slopes, new_offsets, t) -> tuple[np.ndarray, np.ndarray]:
    """The cuts that are lowest at `t`."""
    slopes, offsets = np.concatenate([slopes, new_slopes]), np.concatenate([offsets, new_offsets])
    order = np.argsort(offsets + slopes @ t.reshape(-1))[:_MOST_CUTS]
    return slopes[order], offsets[order]
