"""The samplers a user can choose, as settings, and what each recommends for a posterior."""

from dataclasses import dataclass, replace

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior


@dataclass(frozen=True)
class HMC:
    """Hamiltonian Monte Carlo in whitened coordinates, the default.

    **Fields:** None takes what is recommended for the activation.

    - `trajectory_length`: tau, in units of the prior's standard deviation. Recommended: 1; 2 for rectified networks,
      whose weakly constrained bulk moves slowly.
    - `target_acceptance`: what the step size is adapted to in warm-up. Recommended: 0.8; 0.75 for rectified networks.
    - `step_size`: where adaptation starts.
    - `jitter`: trajectory lengths are uniform on tau (1 +- jitter).
    - `max_steps`: longest trajectory in leapfrog steps. A trajectory that wanted more is shortened, and counted.
    """

    trajectory_length: float | None = None
    target_acceptance: float | None = None
    step_size: float = 0.02
    jitter: float = 0.4
    max_steps: int | None = None

    def __post_init__(self):
        _positive("trajectory_length", self.trajectory_length)
        _positive("step_size", self.step_size)
        _positive("max_steps", self.max_steps)
        _fraction("target_acceptance", self.target_acceptance)
        if not 0 <= self.jitter < 1:
            raise InvalidInput(f"jitter is {self.jitter}: it must be at least 0 and below 1")


@dataclass(frozen=True)
class Langevin:
    """The paper's Langevin dynamics, in units of its time: d theta/dt = -grad Loss + (T/N) grad log prior + noise.

    **Fields:**

    - `step_size`: dt. None adapts it in warm-up: to acceptance 0.57 where `adjusted`, and to acceptance 0.95 of the
      Metropolis-adjusted dynamics otherwise, which then runs unadjusted with the step it found.
    - `adjusted`: apply the Metropolis test to every step (MALA); the plain dynamics has a bias of order dt.
    - `steps`: Langevin steps in one iteration.
    """

    step_size: float | None = None
    adjusted: bool = False
    steps: int = 50

    def __post_init__(self):
        _positive("step_size", self.step_size)
        _positive("steps", self.steps)


@dataclass(frozen=True)
class GradientDescent:
    """Noiseless gradient descent on the loss, with or without the prior as weight decay; "draws" are times.

    **Fields:**

    - `step_size`: the learning rate, in units of the paper's time.
    - `steps`: gradient steps in one iteration.
    - `weight_decay`: keep the prior's pull at the posterior's temperature; False is the pure gradient flow.
    """

    step_size: float
    steps: int = 100
    weight_decay: bool = True

    def __post_init__(self):
        _positive("step_size", self.step_size)
        _positive("steps", self.steps)


Sampler = HMC | Langevin | GradientDescent
NAMES = {"hmc": HMC, "langevin": Langevin, "gradient-descent": GradientDescent}


@dataclass(frozen=True)
class Rotations:
    """Pair rotations of feature neurons (`nonlazy.sampling` explains them).

    **Fields:** attempts after each iteration, in the quench of the warm-up and after it.
    """

    attempts: int = 20
    quench_attempts: int = 200

    def __post_init__(self):
        for name in ("attempts", "quench_attempts"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"{name} is {getattr(self, name)}: it must be 0 or more")


def resolve_sampler(sampler: Sampler | str | None, posterior: Posterior) -> Sampler:
    """The sampler with every None replaced by what is recommended for this posterior; raises `InvalidInput`."""
    if sampler is None:
        sampler = HMC()
    if isinstance(sampler, str):
        if sampler not in NAMES:
            raise InvalidInput(f"sampler {sampler!r} is not known: choose one of {', '.join(NAMES)}")
        if sampler == "gradient-descent":
            raise InvalidInput("gradient descent needs its step size: sampler=GradientDescent(step_size=...)")
        sampler = NAMES[sampler]()
    if not isinstance(sampler, Sampler):
        raise InvalidInput(f"sampler is {sampler!r}: give HMC(...), Langevin(...) or GradientDescent(...)")
    if posterior.temperature == 0 and not (isinstance(sampler, GradientDescent) and not sampler.weight_decay):
        raise InvalidInput(
            f"temperature is 0: {type(sampler).__name__} needs T > 0 (1e-3 is a good start); only "
            "GradientDescent(..., weight_decay=False) runs without it"
        )
    if isinstance(sampler, HMC):
        rectified = posterior.network.phi.kind == "rectified"
        sampler = replace(
            sampler,
            trajectory_length=sampler.trajectory_length or (2.0 if rectified else 1.0),
            target_acceptance=sampler.target_acceptance or (0.75 if rectified else 0.8),
            max_steps=sampler.max_steps or (2000 if rectified else 400),
        )
    return sampler


def resolve_moves(moves: Rotations | str | None, posterior: Posterior, sampler: Sampler) -> Rotations | None:
    """The moves between neurons: by default rotations for activations of degree 1 under HMC; raises `InvalidInput`."""
    allowed = posterior.network.phi.degree == 1 and isinstance(sampler, HMC)
    if moves is None:
        return Rotations() if allowed else None
    if moves == "none":
        return None
    if moves == "rotations":
        moves = Rotations()
    if not isinstance(moves, Rotations):
        raise InvalidInput(f"moves is {moves!r}: choose 'rotations', 'none' or nonlazy.sampling.Rotations(...)")
    if not allowed:
        raise InvalidInput(
            f"rotations need HMC and an activation with phi(c z) = c phi(z), c > 0; this is {type(sampler).__name__} with "
            f"{posterior.network.phi.name}: use moves='none'"
        )
    return moves


def _positive(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise InvalidInput(f"{name} is {value}: it must be above 0")


def _fraction(name: str, value: float | None) -> None:
    if value is not None and not 0 < value < 1:
        raise InvalidInput(f"{name} is {value}: it must lie between 0 and 1")
