"""The samplers a user can choose, as settings, and what each recommends for a posterior."""

import math
import numbers
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
    - `step_size`: time between two gradients, where adaptation starts.
    - `jitter`: trajectory lengths are uniform on tau (1 +- jitter).
    - `max_steps`: longest trajectory in gradients. A trajectory that wanted more is shortened, and counted.
    """

    trajectory_length: float | None = None
    target_acceptance: float | None = None
    step_size: float = 0.02
    jitter: float = 0.4
    max_steps: int | None = None

    def __post_init__(self):
        _positive("trajectory_length", self.trajectory_length)
        _positive("step_size", self.step_size)
        _count("max_steps", self.max_steps)
        _fraction("target_acceptance", self.target_acceptance)
        if not (_is_number(self.jitter) and 0 <= self.jitter < 1):
            raise InvalidInput(f"jitter is {self.jitter!r}: it must be a number, at least 0 and below 1")


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
        _count("steps", self.steps)


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
        _count("steps", self.steps)


Sampler = HMC | Langevin | GradientDescent
# 2^classes codes are searched for wells.
MOST_JUMP_CLASSES = 6
# Jumps on correlated inputs keep 16 matrices of P x P numbers, and a change of code costs P^3.
_MOST_INPUTS_BY_DEFAULT = 1000
# In deep networks the kernel of the layer below is new in every sweep, which costs N P^2 and more.
_MOST_BY_DEFAULT_IF_DEEP = 300
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
            _count(name, getattr(self, name), lowest=0)


@dataclass(frozen=True)
class Jumps:
    """Exact moves by which single neurons change their code, with the readouts integrated out.

    They bring the shares of the codes, which otherwise freeze as a chain starts, to equilibrium. Sigmoidal activations,
    any inputs; in deep networks the feature layer moves, given the layers below. Non-lazy readouts where the inputs are
    correlated or the network is deep; there, every sweep also turns sets of one to three neurons into their mirror
    images, z to -z, which moves codes against their complements.

    **Fields:**

    - `every`: iterations of the sampler between two sweeps; a sweep tries one change for every neuron.
    - `warmup_sweeps`: sweeps of the default warm-up; the proposal's table of codes is learnt in the first fifth of them
      and frozen then.
    """

    every: int = 2
    warmup_sweeps: int = 60

    def __post_init__(self):
        _count("every", self.every)
        _count("warmup_sweeps", self.warmup_sweeps, lowest=0)


Moves = Rotations | Jumps
MOVES = {"rotations": Rotations, "jump": Jumps}


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


def resolve_moves(moves: Moves | str | None, posterior: Posterior, sampler: Sampler, orthogonal: bool) -> Moves | None:
    """The moves between neurons under HMC; raises `InvalidInput` where those asked for do not apply.

    By default rotations for activations of degree 1, and jumps for sigmoidal ones where they apply, up to P = 1,000 on
    correlated inputs, and P and N of 300 in deep networks. `orthogonal` says that K_0 = 1.
    """
    rotations = _why_no_rotations(posterior, sampler)
    jumps = _why_no_jumps(posterior, sampler, orthogonal)
    if moves is None:
        P = posterior.task.P
        if posterior.network.depth > 1:
            affordable = max(P, posterior.network.width) <= _MOST_BY_DEFAULT_IF_DEEP
        else:
            affordable = orthogonal or P <= _MOST_INPUTS_BY_DEFAULT
        return Rotations() if rotations is None else Jumps() if jumps is None and affordable else None
    if moves == "none":
        return None
    if isinstance(moves, str) and moves in MOVES:
        moves = MOVES[moves]()
    if not isinstance(moves, Moves):
        raise InvalidInput(
            f"moves is {moves!r}: choose 'rotations', 'jump' or 'none', or give Rotations(...) or Jumps(...)"
        )
    why_not = rotations if isinstance(moves, Rotations) else jumps
    if why_not is not None:
        raise InvalidInput(f"{type(moves).__name__} need {why_not}: use moves='none'")
    return moves


def _why_no_rotations(posterior: Posterior, sampler: Sampler) -> str | None:
    if not isinstance(sampler, HMC):
        return f"the sampler HMC, not {type(sampler).__name__}"
    if posterior.network.phi.degree != 1:
        return f"an activation with phi(c z) = c phi(z) for c > 0, not {posterior.network.phi.name}"
    return None


def _why_no_jumps(posterior: Posterior, sampler: Sampler, orthogonal: bool) -> str | None:
    network, classes = posterior.network, posterior.task.classes
    for applies, reason in (
        (not isinstance(sampler, HMC), f"the sampler HMC, not {type(sampler).__name__}"),
        (network.phi.kind != "sigmoidal", f"a sigmoidal (bounded) activation, not {network.phi.name}"),
        (
            not (orthogonal and network.depth == 1) and network.readout == "lazy",
            "a non-lazy readout, or one hidden layer on mutually orthogonal inputs of equal norm (K_0 = 1)",
        ),
        (classes > MOST_JUMP_CLASSES, f"at most {MOST_JUMP_CLASSES} classes, not {classes}"),
    ):
        if applies:
            return reason
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _positive(name: str, value: float | None) -> None:
    if value is not None and not (_is_number(value) and 0 < value < math.inf):
        raise InvalidInput(f"{name} is {value!r}: it must be a number above 0, and finite")


def _count(name: str, value: int | None, lowest: int = 1) -> None:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if value is not None and not (whole and value >= lowest):
        raise InvalidInput(f"{name} is {value!r}: it must be a whole number, {lowest} or more")


def _fraction(name: str, value: float | None) -> None:
    if value is not None and not (_is_number(value) and 0 < value < 1):
        raise InvalidInput(f"{name} is {value!r}: it must be a number between 0 and 1")
