"""Relaxing a well in a given field: descent on its energy, then Newton's method."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular

from nonlazy.theory.sigmoidal.general._response import Response, response
from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._well import Local, Shape, Well, energy_of, local, shape_of


# Changes of mean preactivations and readouts, whitened, below which a well counts as relaxed.
RELAXED = 1e-9
NEWTON_STEPS = 40
DESCENT_STEPS = 200


def descend(
    setting: Setting, t: Float[np.ndarray, "P k"], well: Well, tolerance: float = 1e-2, steps: int = 200
) -> Well:
    """Follows the natural gradient of the energy downhill until a step changes preactivations less than `tolerance`.

    A full step is Newton's with averaged curvature. Shorter ones mix the precision with the one before, which keeps it
    positive definite, and every step lowers the energy.
    """
    here = local(setting, t, well.u, well.b, well.v, well.c)
    energy = energy_of(here, well.u, well.b, well.shape.cost)
    for _ in range(steps):
        share = 1.0
        while True:
            old = well.shape
            sites = (
                (1 - share) * old.tilt + share * here.tilt,
                (1 - share) * old.stiffness + share * here.stiffness,
            )
            shape = _positive_shape(setting, here, sites)
            if shape is not None:
                trial = _moved(setting, well, here, shape, share)
                there = local(setting, t, trial.u, trial.b, trial.v, trial.c)
                lower = energy_of(there, trial.u, trial.b, shape.cost)
                if lower <= energy + 1e-11 * max(1.0, abs(energy)):
                    break
            share /= 2
            if share < 1e-8:
                return _settled(setting, t, well.u, well.b, well.v, well.c, well.shape)
        change = max(
            float(np.abs(there.m - here.m).max()),
            float(np.abs(trial.v - well.v).max()),
            float(np.abs(trial.b - well.b).max()),
        )
        well, here, energy = trial, there, lower
        if change < tolerance:
            break
    return _settled(setting, t, well.u, well.b, well.v, well.c, well.shape)


def relax(
    setting: Setting,
    t: Float[np.ndarray, "P k"],
    well: Well,
    known: Response | None = None,
    accuracy: float = RELAXED,
) -> tuple[Well, Response] | None:
    """The local minimum of the energy next to `well`, and a response taken near it.

    **Arguments:** `known`: a response taken in a field nearby, which spares a new one where it still contracts;
    `accuracy`: the change, whitened, below which Newton's method stops.

    **Returns:** None where no minimum was reached.
    """
    found = _newton(setting, t, well, known, accuracy)
    for tolerance in (3e-2, 1e-3):
        if found is not None:
            break
        well = descend(setting, t, well, tolerance)
        found = _newton(setting, t, well, None, accuracy)
    return found if found is not None else _descended(setting, t, well)


def _newton(setting: Setting, t, well: Well, known: Response | None, accuracy: float) -> tuple[Well, Response] | None:
    u, b, v, c = well.u, well.b, well.v, well.c
    before = np.inf
    for _ in range(NEWTON_STEPS):
        here = local(setting, t, u, b, v, c)
        shape = shape_of(setting, here.tilt, here.stiffness)
        if shape is None:
            return None
        if known is None:
            known = response(setting, t, here, shape)
        if not known.stable:
            return None
        du, db, dv = known.newton_step(here.gradient_u, here.gradient_b, shape.variance - v)
        size = max(
            float(np.abs(setting.roots @ du).max()),
            float(np.abs(db).max()),
            float(np.abs(dv).max()),
            float(np.abs(shape.covariance - c).max()) / setting.sigma_a,
        )
        if not np.isfinite(size) or size > 3 * before:
            return None
        u, b, c = u + du, b + db, shape.covariance
        v = np.maximum(v + dv, 0.1 * v)
        if size < accuracy:
            return _settled(setting, t, u, b, v, c, shape), known
        # A new response costs as much as several steps.
        if size > 0.5 * before:
            known = None
        before = size
    return None


def _descended(setting: Setting, t, well: Well) -> tuple[Well, Response] | None:
    """By descent alone: where P is small, what Newton's response leaves out is not."""
    well = descend(setting, t, well, RELAXED, DESCENT_STEPS)
    here = local(setting, t, well.u, well.b, well.v, well.c)
    shape = shape_of(setting, here.tilt, here.stiffness)
    if shape is None:
        return None
    off = max(
        float(np.abs(here.gradient_u).max()),
        float(np.abs(here.gradient_b).max()),
        float(np.abs(shape.variance - well.v).max()),
    )
    known = response(setting, t, here, shape)
    return (well, known) if off < 1e-5 and known.stable else None


def _settled(setting: Setting, t, u, b, v, c, shape: Shape) -> Well:
    here = local(setting, t, u, b, v, c)
    return Well(u, b, v, c, shape, energy_of(here, u, b, shape.cost))


def _positive_shape(setting: Setting, here: Local, sites) -> Shape | None:
    if setting.variational:
        return shape_of(setting, *sites)
    shape = shape_of(setting, here.tilt, here.stiffness)
    if shape is None:
        shape = shape_of(setting, np.zeros_like(here.tilt), np.maximum(here.stiffness, 0.0))
    return shape


def _moved(setting: Setting, well: Well, here: Local, shape: Shape, share: float) -> Well:
    gradient = np.concatenate([here.gradient_u, here.gradient_b])
    half = solve_triangular(shape.factor, gradient, lower=True, check_finite=False)
    step = -share * solve_triangular(shape.factor, half, lower=True, trans=1, check_finite=False)
    r = setting.rank
    return Well(well.u + step[:r], well.b + step[r:], shape.variance, shape.covariance, shape, np.inf)
