"""The posterior as a general sampler sees it: all weights, whitened, and a potential. Every peer samples this one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nonlazy.posterior import Posterior


QUANTITIES = ("log density", "sum a^2", "kernel entries")


class WeightSpace:
    """U = |w|^2 / 2 + loss / noise of weights that are N(0, 1) each under the prior, in JAX.

    Weights are a dictionary: `layer1` `(N, N0)`, `layer2` .. `(N, N)`, `readout` `(m, N)`. They are whitened as an
    expert would do it, and the readout's scale, the targets and the noise are multiplied into constants beforehand.

    **Arguments:** `precision`: "float32" or, where JAX has its 64 bits enabled, "float64".

    **Fields:** `shapes`; `inputs`, `(N0, P)`, with sigma_1 / sqrt(N0) in it; `targets`, `(m, P)`; `scales`, sigma_l /
    sqrt(N) of layers 2 and above; `gain`; `inverse_noise`.
    """

    def __init__(self, posterior: Posterior, precision: str = "float32"):
        self.dtype = np.dtype(precision)
        network, task = posterior.network, posterior.task
        self.posterior = posterior
        N = network.width
        self.shapes = {"layer1": (N, task.N0)}
        self.shapes |= {f"layer{layer}": (N, N) for layer in range(2, network.depth + 1)}
        self.shapes["readout"] = (task.m, N)
        self.inputs = (task.X.T * np.sqrt(posterior.sigma2[0] / task.N0)).astype(self.dtype)
        self.targets = np.ascontiguousarray(task.Y.T.astype(self.dtype))
        self.scales = [float(np.sqrt(variance / N)) for variance in posterior.sigma2[1:]]
        self.gain = float(network.readout_scale * np.sqrt(posterior.sigma_a2))
        self.inverse_noise = float(1 / posterior.noise_variance)

    def prior_draw(self, seed: int) -> dict[str, np.ndarray]:
        """Where a chain starts."""
        generator = np.random.default_rng(seed)
        return {name: generator.standard_normal(shape).astype(self.dtype) for name, shape in self.shapes.items()}

    def preactivations(self, weights: Mapping[str, Any]) -> list[Any]:
        """z^1 .. z^L, `(N, P)`."""
        layers = [weights["layer1"] @ self.inputs]
        for layer, scale in enumerate(self.scales, start=2):
            layers.append(weights[f"layer{layer}"] @ (scale * self.posterior.network.phi(layers[-1])))
        return layers

    def loss(self, weights: Mapping[str, Any], last: Any) -> Any:
        """1/2 sum (f - y)^2."""
        residual = self.gain * (weights["readout"] @ self.posterior.network.phi(last)) - self.targets
        return 0.5 * (residual * residual).sum()

    def potential(self, weights: Mapping[str, Any]) -> Any:
        """U, up to a constant."""
        prior = sum(0.5 * (w * w).sum() for w in weights.values())
        return prior + self.inverse_noise * self.loss(weights, self.preactivations(weights)[-1])

    def observer(self) -> Any:
        """A compiled function of the weights: the quantities that are compared, z of the feature layer (`z`) and the
        readouts `(N, m)` in the network's units (`readout`)."""
        import jax
        import jax.numpy as jnp

        from nonlazy.sampling._coordinates import coordinates
        from nonlazy.sampling._record import kernel_pairs

        posterior = self.posterior
        basis = coordinates(posterior).basis
        pairs = kernel_pairs(posterior)
        sigma_a = float(np.sqrt(posterior.sigma_a2))

        @jax.jit
        def observe(weights):
            last = self.preactivations(weights)[-1]
            phi = posterior.network.phi(last)
            # The density of what meets the data: weights outside the inputs' span are left out, as they are in ours.
            inside = weights["layer1"] if basis is None else weights["layer1"] @ basis.astype(self.dtype)
            others = sum(jnp.sum(w * w) for name, w in weights.items() if name != "layer1")
            prior = 0.5 * (jnp.sum(inside * inside) + others)
            return {
                "log density": -prior - self.inverse_noise * self.loss(weights, last),
                "sum a^2": posterior.sigma_a2 * jnp.sum(weights["readout"] ** 2),
                "kernel entries": jnp.sum(phi[:, pairs[:, 0]] * phi[:, pairs[:, 1]], axis=0) / posterior.network.width,
                "z": last,
                "readout": sigma_a * weights["readout"].T,
            }

        return observe
