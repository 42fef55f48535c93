"""The law of one neuron's class fields: forward u, backward v (docs/theory/deep.md, equation 3)."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonlazy.theory.deep._site import Site, site_averages


@dataclass(frozen=True, eq=False)
class FieldLaw:
    """N(x; 0, 1) exp(sum_c P_c g(v_c, delta_c; u_c, d_c)) with u = A x_u, v = B x_v, over x = (x_u, x_v).

    **Fields:**

    - `counts`: P_c `(C,)`.
    - `forward`: A `(C, k)`, k = 0 for the first layer; A A^T is the covariance of the forward fields.
    - `variance`: d `(C,)`, of a preactivation around its class's forward field.
    - `backward`: B `(C, r)`; B B^T is the covariance of the backward fields. In the feature layer v = t a, and x_v is
      the readout vector in units of sigma_a.
    - `penalty`: delta `(C,)`.
    - `order`: Gauss-Hermite nodes of a single preactivation.
    """

    counts: Float[np.ndarray, " C"]
    forward: Float[np.ndarray, "C k"]
    variance: Float[np.ndarray, " C"]
    backward: Float[np.ndarray, "C r"]
    penalty: Float[np.ndarray, " C"]
    order: int

    @property
    def dimension(self) -> int:
        """Length of x."""
        return self.forward.shape[1] + self.backward.shape[1]

    def fields(self, x: Float[np.ndarray, "n D"]) -> tuple[Float[np.ndarray, "n C"], Float[np.ndarray, "n C"]]:
        """The forward and backward fields u and v at x."""
        k = self.forward.shape[1]
        return x[:, :k] @ self.forward.T, x[:, k:] @ self.backward.T

    def log_density(self, x: Float[np.ndarray, "n D"]) -> tuple[Float[np.ndarray, " n"], Site]:
        """Log of the (not normalised) density, and the site averages at x."""
        u, v = self.fields(x)
        site = site_averages(u, v, self.variance, self.penalty, self.order)
        prior = -0.5 * np.sum(x**2, axis=1) - 0.5 * self.dimension * math.log(2 * math.pi)
        return site.g @ self.counts + prior, site

    def gradient(self, x: Float[np.ndarray, "n D"], site: Site) -> Float[np.ndarray, "n D"]:
        """Gradient of the log density."""
        pull = np.concatenate([(site.force * self.counts) @ self.forward, (site.mean * self.counts) @ self.backward], 1)
        return pull - x

    def hessian(self, site: Site) -> Float[np.ndarray, "n D D"]:
        """Second derivatives of the log density."""
        k, A, B = self.forward.shape[1], self.forward, self.backward
        matrix = np.zeros((len(site.g), self.dimension, self.dimension))
        matrix[:, :k, :k] = -np.einsum("ci,nc,cj->nij", A, site.stiffness * self.counts, A)
        matrix[:, :k, k:] = np.einsum("ci,nc,cj->nij", A, site.mixed * self.counts, B)
        matrix[:, k:, :k] = matrix[:, :k, k:].transpose(0, 2, 1)
        matrix[:, k:, k:] = np.einsum("ci,nc,cj->nij", B, (site.square - site.mean**2) * self.counts, B)
        return matrix - np.eye(self.dimension)
