"""The wells of a neuron in the field t: local minima of its energy E(a) = |a|^2/2 - sum_c rho_c g(a . t_c)."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nonlazy.theory.sigmoidal._problem import ClassProblem


# Up to this many groups every subset is a start for the search of wells; beyond, this many subsets drawn at random.
_MOST_ENUMERATED = 10
_RANDOM_STARTS = 1500
_SAME_WELL = 1e-6


@dataclass(frozen=True, eq=False)
class Wells:
    """Local minima of E(.; t).

    **Fields:** `readout` a `(n, r)`, `energy` `(n,)`, `activation` b_c = g'(a . t_c) `(n, C)`, `variance` g'' `(n, C)`,
    `curvature` H = d^2E/da^2 `(n, r, r)`.
    """

    readout: Float[np.ndarray, "n r"]
    energy: Float[np.ndarray, " n"]
    activation: Float[np.ndarray, "n C"]
    variance: Float[np.ndarray, "n C"]
    curvature: Float[np.ndarray, "n r r"]

    def __len__(self) -> int:
        return len(self.energy)

    def __getitem__(self, which) -> "Wells":
        parts = (self.readout, self.energy, self.activation, self.variance, self.curvature)
        return Wells(*(part[which] for part in parts))

    def nearest(self, readout: Float[np.ndarray, "K r"]) -> Int[np.ndarray, " K"]:
        """The well that each readout is closest to."""
        return np.argmin(np.sum(self.readout**2, axis=1) - 2 * readout @ self.readout.T, axis=1)

    def moments(self) -> Float[np.ndarray, "n C r"]:
        """a_r b_c of every well: what it adds to the outputs, `(n, C, r)`."""
        return self.activation[:, :, None] * self.readout[:, None, :]


def evaluate(problem: ClassProblem, t: Float[np.ndarray, "C r"], a: Float[np.ndarray, "n r"]) -> Wells:
    """E and its derivatives at the readouts `a`, which need not be minima."""
    g, mean, variance = problem.neuron.cumulants(a @ t.T)
    energy = 0.5 * np.sum(a**2, axis=1) - g @ problem.rho
    curvature = np.eye(a.shape[1]) - np.einsum("nc,ci,cj->nij", problem.rho * variance, t, t)
    return Wells(a, energy, mean, variance, curvature)


def join(first: Wells, second: Wells) -> Wells:
    """The wells of both lists."""
    parts = ("readout", "energy", "activation", "variance", "curvature")
    return Wells(*(np.concatenate([getattr(first, part), getattr(second, part)]) for part in parts))


def find_wells(
    problem: ClassProblem,
    t: Float[np.ndarray, "C r"],
    known: Float[np.ndarray, "n r"] | None = None,
    starts: Float[np.ndarray, "n C"] | None = None,
) -> Wells:
    """All wells that descents from every subset of the groups reach, and from the readouts `known`; lowest first."""
    patterns = code_starts(problem) if starts is None else starts
    a = _from_activation(problem, t, patterns)
    if known is not None:
        a = np.concatenate([known, a])
    for _ in range(4):
        a = _from_activation(problem, t, problem.neuron.mean(a @ t.T))
    for _ in range(3):
        a = _distinct(a, 1e-3)
        for _ in range(4):
            a = _from_activation(problem, t, problem.neuron.mean(a @ t.T))
    return descend(problem, t, _distinct(a, 1e-3))


def descend(problem: ClassProblem, t: Float[np.ndarray, "C r"], a: Float[np.ndarray, "n r"]) -> Wells:
    """The distinct wells that descents from the readouts `a` end in, lowest first."""
    settled = follow(problem, t, a)
    minima = np.linalg.eigvalsh(settled.curvature)[:, 0] > 0
    settled = settled[minima] if minima.any() else settled
    order = np.argsort(settled.energy, kind="stable")
    kept: list[int] = []
    for k in order:
        distances = np.abs(settled.readout[kept] - settled.readout[k])
        if not kept or np.min(np.max(distances, axis=1)) > _SAME_WELL:
            kept.append(int(k))
    return settled[np.array(kept)]


def follow(problem: ClassProblem, t: Float[np.ndarray, "C r"], a: Float[np.ndarray, "n r"]) -> Wells:
    """The well below each of the readouts `a`, in their order: safeguarded Newton steps on E."""
    here = evaluate(problem, t, a)
    for _ in range(60):
        gradient = here.readout - (problem.rho * here.activation) @ t
        size = np.max(np.abs(gradient), axis=1)
        open_ = size > 1e-14 * (1.0 + np.max(np.abs(here.readout), axis=1))
        if not open_.any():
            break
        values, vectors = np.linalg.eigh(here.curvature[open_])
        # Negative curvature is reversed: the step goes down there, too.
        values = np.maximum(np.abs(values), 1e-3)
        along = np.einsum("nji,nj->ni", vectors, gradient[open_])
        trial = here.readout.copy()
        trial[open_] -= np.einsum("nij,nj->ni", vectors, along / values)
        there = evaluate(problem, t, trial)
        # Where Newton climbs, the convex-concave map, which never does.
        rounding = 1e-14 * (1.0 + np.abs(here.energy))
        climbs = open_ & (there.energy > here.energy + rounding)
        if climbs.any():
            safe = _from_activation(problem, t, here.activation[climbs])
            trial[climbs] = safe
            there = evaluate(problem, t, trial)
        if np.all(np.abs(trial - here.readout)[open_] <= 1e-15 * (1.0 + np.abs(trial[open_]))):
            break
        here = there
    return here


def code_starts(problem: ClassProblem) -> Float[np.ndarray, "n C"]:
    """Activations from which wells are searched: every subset of the groups on, the others off."""
    C, neuron = problem.C, problem.neuron
    if C <= _MOST_ENUMERATED:
        subsets = np.array(list(itertools.product((0.0, 1.0), repeat=C)))
    else:
        generator = np.random.default_rng(0)
        drawn = (generator.random((_RANDOM_STARTS, C)) < 0.5).astype(float)
        pairs = np.eye(C)[:, None, :] + np.eye(C)[None, :, :]
        few = np.minimum(pairs.reshape(-1, C), 1.0)
        subsets = np.unique(np.concatenate([drawn, few, 1.0 - few, np.ones((1, C)), np.zeros((1, C))]), axis=0)
    return neuron.low + (neuron.high - neuron.low) * subsets


def _from_activation(problem, t, activation) -> Float[np.ndarray, "n r"]:
    """a = sum_c rho_c b_c t_c: every stationary point has this form, and iterating it with b = g' lowers E."""
    return (problem.rho * activation) @ t


def _distinct(a: Float[np.ndarray, "n r"], tolerance: float) -> Float[np.ndarray, "k r"]:
    _, first = np.unique(np.round(a / tolerance), axis=0, return_index=True)
    return a[np.sort(first)]
