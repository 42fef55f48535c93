"""The dual ball of the class-level problem: q(t) = max over unit v of sum_c rho_c [t_c . v]_+^2, exactly."""

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.optimize
from jaxtyping import Float


# 2^C sets of classes are enumerated.
MOST_CLASSES = 14
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Ball:
    """What the enumeration found.

    **Fields:** `norm`: q(t), an upper bound up to rounding; `directions`: stationary directions v, `(k, m)`, the
    largest value first; `values`: sum_c rho_c [t_c . v]_+^2 there, `(k,)`.
    """

    norm: float
    directions: Float[np.ndarray, "k m"]
    values: Float[np.ndarray, " k"]


def ball_value(
    t: Float[np.ndarray, "C m"], ratios: Float[np.ndarray, " C"], v: Float[np.ndarray, "k m"]
) -> Float[np.ndarray, " k"]:
    """sum_c rho_c [t_c . v]_+^2 of unit vectors v."""
    return np.maximum(v @ t.T, 0.0) ** 2 @ ratios


def dual_ball(t: Float[np.ndarray, "C m"], ratios: Float[np.ndarray, " C"]) -> Ball:
    """q(t) by enumeration of all sets S of active classes.

    A maximum v has M_S v = q v, where M_S = sum over c in S of rho_c t_c t_c^T and S holds the classes with t_c . v >
    0. So q is the largest eigenvalue, over all S, that has an eigenvector of these signs. For a simple eigenvalue the
    eigenvector is known; for a degenerate one a linear programme says whether its eigenspace has such a vector.
    """
    C, m = t.shape
    scale = float(np.max(np.sum(t**2, axis=1) * ratios, initial=0.0))
    if scale == 0:
        return Ball(0.0, np.zeros((0, m)), np.zeros(0))
    tolerance = 1e-11 * np.sqrt(scale)
    outer = ratios[:, None, None] * np.einsum("cr,cs->crs", t, t)
    best, found = 0.0, []
    sets = itertools.product((0.0, 1.0), repeat=C)
    while chunk := list(itertools.islice(sets, _CHUNK)):
        members = np.array(chunk)
        values, vectors = np.linalg.eigh(np.einsum("kc,crs->krs", members, outer))
        overlap = np.einsum("cr,krj->kcj", t, vectors)
        inside = members[:, :, None] > 0.5
        for sign in (1.0, -1.0):
            fits = np.where(inside, sign * overlap >= -tolerance, sign * overlap <= tolerance).all(axis=1)
            fits &= values > 1e-9 * scale
            set_index, mode = np.nonzero(fits)
            if set_index.size:
                found.append(sign * vectors[set_index, :, mode])
                best = max(best, float(values[set_index, mode].max()))
        close = np.diff(values, axis=1) < 1e-7 * scale
        for k in np.flatnonzero(np.any(close & (values[:, 1:] > best), axis=1)):
            best = max(best, _degenerate(values[k], vectors[k], t, members[k] > 0.5, close[k], best, found, tolerance))
    directions = np.concatenate(found) if found else np.zeros((0, m))
    heights = ball_value(t, ratios, directions)
    order = np.argsort(-heights, kind="stable")
    return Ball(max(best, float(heights.max(initial=0.0))), directions[order], heights[order])


def _degenerate(values, vectors, t, inside, close, best, found, tolerance) -> float:
    """The largest degenerate eigenvalue above `best` whose eigenspace has a vector of the right signs, else 0."""
    edges = np.flatnonzero(~close)
    groups = np.split(np.arange(values.size), edges + 1)
    for group in reversed(groups):
        if group.size < 2 or values[group[-1]] <= best:
            continue
        space = vectors[:, group]
        signed = np.where(inside[:, None], -1.0, 1.0) * (t @ space)
        gain = -(t[inside] @ space).sum(axis=0)
        answer = scipy.optimize.linprog(
            gain, A_ub=signed, b_ub=np.full(t.shape[0], tolerance), bounds=[(-1.0, 1.0)] * group.size, method="highs"
        )
        if answer.status != 0 or -answer.fun > 1e-6:
            if answer.status == 0:
                v = space @ answer.x
                found.append((v / np.linalg.norm(v))[None])
            return float(values[group[-1]])
    return 0.0
