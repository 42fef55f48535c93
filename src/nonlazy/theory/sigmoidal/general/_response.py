"""How a well responds, to first order, to a change of the field or of its own state."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import lu_factor, lu_solve, solve_triangular

from nonlazy.theory.sigmoidal.general._setting import Setting
from nonlazy.theory.sigmoidal.general._well import Local, Shape


@dataclass(frozen=True, eq=False)
class Response:
    """The linear response of a well (docs/theory/general-data.md, "Newton's method").

    **Fields:**

    - `setting`, `t`, `here`, `shape`: where it was taken.
    - `covariance`: S, of z given the readout, `(P, P)`.
    - `curvature`: H = 1 - sigma_a^2 t^T C t, second derivative of the energy in the whitened readout, `(k, k)`.
    - `hadamard`: 2 S_mu,nu^2, response of the variances to the sites' curvatures, `(P, P)`; None without fluctuations.
    - `coupling`: half the third derivative of each site's energy, `(P,)`.
    - `solver`: LU factors of the variances' own feedback.
    """

    setting: Setting
    t: Float[np.ndarray, "P k"]
    here: Local
    shape: Shape
    covariance: Float[np.ndarray, "P P"]
    curvature: Float[np.ndarray, "k k"]
    hadamard: Float[np.ndarray, "P P"] | None
    coupling: Float[np.ndarray, " P"]
    solver: Any

    @property
    def stable(self) -> bool:
        """Whether the well is a minimum in the readout."""
        return bool(np.linalg.eigvalsh(self.curvature)[0] > 0)

    @functools.cached_property
    def matrix(self) -> Float[np.ndarray, "P P"]:
        """C = d<phi>/dh at a fixed readout, symmetric. Made on demand: wells relax without it."""
        phi, S = self.here.phi, self.covariance
        matrix = phi[1][:, None] * S * phi[1]
        if self.hadamard is None:
            return matrix
        push = self.coupling[:, None] * S * phi[1]
        push[np.diag_indices_from(push)] += 0.5 * phi[2]
        matrix += push.T @ lu_solve(self.solver, self.hadamard @ push, overwrite_b=True, check_finite=False)
        return 0.5 * (matrix + matrix.T)

    def newton_step(
        self,
        gradient_u: Float[np.ndarray, " r"],
        gradient_b: Float[np.ndarray, " k"],
        excess: Float[np.ndarray, " P"],
    ) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " k"], Float[np.ndarray, " P"]]:
        """The change of (u, b, v) that removes a gradient, and an `excess` of the variances' targets over v."""
        s = self.setting.sigma_a
        none = np.zeros(self.setting.P)
        _, _, change = self._at_fixed_readout(-gradient_u, excess, none)
        b = np.linalg.solve(self.curvature, s * (self.t.T @ change) - gradient_b)
        u, v, _ = self._at_fixed_readout(-gradient_u, excess, s * (self.t @ b))
        return u, b, v

    def field_jacobian(self, a: Float[np.ndarray, " k"]) -> Float[np.ndarray, "P k k"]:
        """Minus the derivative of the gradient in b with respect to t, `(P, k of t, k of b)`."""
        own = self.here.phi[0][:, None, None] * np.eye(self.setting.k)
        return self.setting.sigma_a * (own + a[None, :, None] * (self.matrix @ self.t)[:, None, :])

    def _at_fixed_readout(self, source_u, source_v, field):
        """Changes of u, v and <phi> owed to sources and to a change of the field h, at a fixed readout."""
        L, phi = self.setting.roots, self.here.phi
        factor = self.shape.factor[: self.setting.rank, : self.setting.rank]

        def covariance_times(x):
            half = solve_triangular(factor, x, lower=True, check_finite=False)
            return solve_triangular(factor, half, lower=True, trans=1, check_finite=False)

        source = source_u + L.T @ (phi[1] * field)
        u, v = covariance_times(source), np.zeros_like(field)
        if self.hadamard is not None:
            push = self.coupling * (L @ u) + 0.5 * phi[2] * field
            v = lu_solve(self.solver, source_v + self.hadamard @ push, check_finite=False)
            u = covariance_times(source + L.T @ (self.coupling * v))
        return u, v, phi[1] * (L @ u) + 0.5 * phi[2] * v


def response(setting: Setting, t: Float[np.ndarray, "P k"], here: Local, shape: Shape) -> Response:
    """The response of a well at the moments `here`, whose precision has the factor in `shape`.

    The mean, the variances and the readout respond; the covariance of readout and preactivation is held, which errs by
    O(1/P) and costs Newton's method its last digits of speed, not the solution any of its own.
    """
    phi = here.phi
    S = shape.spread.T @ shape.spread
    moved = S @ (phi[1][:, None] * t)
    answer = phi[1][:, None] * moved
    hadamard, coupling, solver = None, np.zeros(setting.P), None
    if setting.variational:
        total = S + shape.lever.T @ shape.lever if setting.joint else S
        hadamard = 2 * total**2
        coupling = 0.5 * (here.h * phi[3] + here.mixed * phi[4])
        feedback = coupling[:, None] * S * coupling
        feedback[np.diag_indices_from(feedback)] += 0.25 * (here.h * phi[4] + here.mixed * phi[5])
        system = -(hadamard @ feedback)
        system[np.diag_indices_from(system)] += 1
        solver = lu_factor(system, overwrite_a=True, check_finite=False)
        pushed = coupling[:, None] * moved + 0.5 * phi[2][:, None] * t
        widened = lu_solve(solver, hadamard @ pushed, overwrite_b=True, check_finite=False)
        answer += phi[1][:, None] * (S @ (coupling[:, None] * widened)) + 0.5 * phi[2][:, None] * widened
    curvature = np.eye(setting.k) - setting.sigma_a**2 * (t.T @ answer)
    return Response(setting, t, here, shape, S, 0.5 * (curvature + curvature.T), hadamard, coupling, solver)
