"""Full-batch Langevin dynamics as a training loop in PyTorch: backward(), a step of descent, noise."""

import math

import torch

from _sampling.peers.measurement import Iteration
from _sampling.weight_space import WeightSpace


# Time steps that are tried, halved each time until this many steps from the start stay finite and end below it. A share
# of that one is used: at the edge of stability the dynamics is far from the posterior.
_LARGEST = 1.0
_TRIAL = 200
_SHARE = 0.25
# Of an iteration.
_STEPS = 50
_ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "sigmoid": lambda z: 0.5 * (1 + torch.erf(0.5 * math.sqrt(math.pi) * z)),
}


class Sampler:
    """See `_sampling.peers.measurement.Sampler`. The first iteration of the warm-up is the search for the step."""

    def __init__(self, peer: str, space: WeightSpace, warmup: int, seed: int):
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.settings = {"largest_step_tried": _LARGEST, "trial": _TRIAL, "share": _SHARE, "steps_per_draw": _STEPS}
        self.settings["restarts"] = 0
        self.warmup = warmup
        self._space = space
        self._phi = _ACTIVATIONS[space.posterior.network.phi.name]
        self._inputs, self._targets = torch.from_numpy(space.inputs), torch.from_numpy(space.targets)
        self._start = {name: torch.from_numpy(w) for name, w in space.prior_draw(seed).items()}
        self._weights: dict[str, torch.Tensor] = {}
        self._step = 0.0

    def iterate(self) -> Iteration:
        """Fifty steps; where they do not stay finite, the chain begins again with half the time step."""
        gradients = self._search(_LARGEST) if not self._step else 0
        restarted = False
        while not math.isfinite(self._run(_STEPS)):
            gradients += self._search(0.5 * self._step / _SHARE) + _STEPS
            restarted = True
        self.settings["restarts"] += restarted
        weights = {name: w.detach().numpy().copy() for name, w in self._weights.items()}
        return Iteration(weights, gradients + _STEPS, None, self._step, restarted)

    def _search(self, largest: float) -> int:
        """Finds the time step and leaves the chain where the trial ended; returns its gradients."""
        self._step, gradients = largest, 0
        while True:
            self._weights = {name: w.clone().requires_grad_() for name, w in self._start.items()}
            before = float(self._potential().detach())
            after = self._run(_TRIAL)
            gradients += _TRIAL + 1
            if math.isfinite(after) and after < before:
                self._step *= _SHARE
                return gradients
            self._step /= 2

    def _run(self, steps: int) -> float:
        """The potential before the last of `steps` steps."""
        potential = torch.tensor(0.0)
        for _ in range(steps):
            potential = self._potential()
            potential.backward()
            with torch.no_grad():
                for w in self._weights.values():
                    assert w.grad is not None
                    w.add_(w.grad, alpha=-self._step)
                    w.add_(torch.randn_like(w), alpha=math.sqrt(2 * self._step))
                    w.grad = None
        return float(potential.detach())

    def _potential(self) -> torch.Tensor:
        space, weights = self._space, self._weights
        z = weights["layer1"] @ self._inputs
        for layer, scale in enumerate(space.scales, start=2):
            z = weights[f"layer{layer}"] @ (scale * self._phi(z))
        residual = space.gain * (weights["readout"] @ self._phi(z)) - self._targets
        prior = sum(0.5 * (w * w).sum() for w in weights.values())
        return prior + space.inverse_noise * 0.5 * (residual * residual).sum()
