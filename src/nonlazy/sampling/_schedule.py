"""What happens when: a warm-up of phases, then draws.

Measured on the paper's posteriors: a quench from the prior at the target temperature finds the right set of codes,
while annealing from the symmetric phase freezes sigmoidal networks in the wrong one; and a steep quench drives the
adapted step size down so far that it needs hundreds of iterations to recover, unless its way up is made faster
(`recovery`). Below T = 1e-3 it does not recover: there the quench goes to 1e-3, far below that phase, and is cooled to
the target from there.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.sampling._samplers import HMC, GradientDescent, Jumps, Langevin, Moves, Rotations, Sampler
from nonlazy.sampling._starts import Annealed, Continuation, Outliers, Planted, Prior, Start


@dataclass(frozen=True, eq=False)
class Phase:
    """A stretch of iterations with the same settings.

    **Fields:**

    - `name`, `iterations`.
    - `temperature`: T at its beginning and end, log-linear between.
    - `targets`: `(P, m)`, or None for the task's own.
    - `step_size`: reset at its beginning; None goes on with the present one.
    - `adapt`: gain of the step-size adaptation, 0 for none; `recovery` multiplies it on the way up.
    - `average`: whether the step sizes of this phase enter the average that draws are made with.
    - `adjusted`: apply the Metropolis test.
    - `trajectory_length`, `target_acceptance`, `rotations`: as in `HMC` and `Rotations`.
    - `jump_every`: iterations between two sweeps of jumps, 0 for none; `learn_codes` rebuilds their table of codes
      before each sweep, which is for warm-up only.
    """

    name: str
    iterations: int
    temperature: tuple[float, float]
    targets: Float[np.ndarray, "P m"] | None = None
    step_size: float | None = None
    adapt: float = 0.1
    recovery: float = 1.0
    average: bool = False
    adjusted: bool = True
    trajectory_length: float = 1.0
    target_acceptance: float = 0.8
    rotations: int = 0
    jump_every: int = 0
    learn_codes: bool = False

    def temperature_at(self, index: int) -> float:
        """T of its iteration `index`."""
        first, last = self.temperature
        if self.iterations < 2 or first == last:
            return last
        return first * (last / first) ** (index / (self.iterations - 1))


# Shares of a warm-up with jumps: the quench, and the sweeps that learn the table of codes. Frozen early, the table lets
# the shares of the codes settle sooner than one that follows the state to the end.
_JUMP_QUENCH = 1 / 3
_JUMP_LEARNING = 0.2
# A planted state has readouts far larger than those of the posterior: its first steps must be a hundred times smaller,
# and the usual adaptation takes hundreds of iterations to get there and back.
_SETTLING = 40
_SETTLING_GAIN = 0.5
# At the prior the energy is some N P / T: below this temperature the steps that it asks for are so small that chains of
# deep networks, and of wide ones at a tenth of it, are nowhere near the posterior when the warm-up ends.
_QUENCH_TEMPERATURE = 1e-3
_COOLING_PER_DECADE = 100


def default_warmup(posterior: Posterior, sampler: Sampler, moves: Moves | None) -> int:
    """Iterations of warm-up that the paper's posteriors need from a random start."""
    if isinstance(sampler, GradientDescent):
        return 0
    if isinstance(moves, Jumps) and moves.warmup_sweeps:
        return math.ceil(moves.every * moves.warmup_sweeps / (1 - _JUMP_QUENCH))
    if posterior.network.phi.kind == "rectified":
        return 220
    return 200


def warmup_phases(
    posterior: Posterior, sampler: Sampler, moves: Moves | None, start: Start, warmup: int
) -> tuple[Phase, ...]:
    """The phases before the first draw; `warmup` counts the iterations at the target temperature and targets."""
    T = posterior.temperature
    if isinstance(sampler, GradientDescent):
        if isinstance(start, Annealed | Continuation):
            raise InvalidInput(
                f"gradient descent has no start {type(start).__name__}(...): choose 'prior' or Planted(...)"
            )
        return (Phase("descent", warmup, (T, T), step_size=sampler.step_size, adapt=0.0),) if warmup else ()
    if isinstance(sampler, Langevin):
        base = Phase("langevin", 0, (T, T), target_acceptance=0.57 if sampler.adjusted else 0.95)
        if sampler.step_size is not None:
            base = replace(base, adapt=0.0, adjusted=sampler.adjusted)
        first, last = _split(warmup, 2 / 3)
        adapting = sampler.step_size is None
        phases = [
            replace(base, name="quench", iterations=first, step_size=sampler.step_size, recovery=4.0),
            replace(base, name="adaptation", iterations=last, average=adapting),
        ]
    else:
        assert isinstance(sampler, HMC) and sampler.trajectory_length and sampler.target_acceptance
        base = Phase(
            "adaptation",
            0,
            (T, T),
            trajectory_length=sampler.trajectory_length,
            target_acceptance=sampler.target_acceptance,
            rotations=moves.attempts if isinstance(moves, Rotations) else 0,
            jump_every=moves.every if isinstance(moves, Jumps) else 0,
        )
        # On its way up the step size grows by 10 % an iteration at most, whatever the target.
        recovery = 1.0 / (1.0 - sampler.target_acceptance)
        quench = replace(base, name="quench", step_size=sampler.step_size, recovery=recovery, jump_every=0)
        if isinstance(moves, Jumps):
            first, rest = _split(warmup, _JUMP_QUENCH)
            middle, last = _split(rest, _JUMP_LEARNING)
            learning = replace(base, name="learning codes", iterations=middle, learn_codes=True)
            phases = [replace(quench, iterations=first), learning, *_adaptation(base, last)]
        elif isinstance(moves, Rotations) and posterior.network.phi.kind == "rectified":
            # Outliers merge by rotations while short trajectories relax the bulk; adaptation comes after.
            first, last = _split(warmup, 0.55)
            quench = replace(quench, trajectory_length=0.5, rotations=moves.quench_attempts)
            phases = [replace(quench, iterations=first), *_adaptation(base, last)]
        else:
            first, last = _split(warmup, 0.5)
            phases = [replace(quench, iterations=first), *_adaptation(base, last)]
    if isinstance(start, Planted | Outliers) and isinstance(sampler, HMC) and warmup:
        settling = replace(phases[0], name="settling", iterations=_SETTLING, adapt=_SETTLING_GAIN)
        phases = [settling, *(replace(phase, step_size=None) for phase in phases)]
    if isinstance(start, Annealed):
        T0 = start.temperature
        if T0 <= T:
            raise InvalidInput(f"annealing starts at temperature {T0}, not above the posterior's T = {T}")
        annealing = replace(phases[0], name="annealing", iterations=start.iterations, temperature=(T0, T))
        phases = [annealing, *(replace(phase, step_size=None) for phase in phases)]
    cooled = isinstance(sampler, HMC) and T < _QUENCH_TEMPERATURE and warmup > 0
    T0 = _QUENCH_TEMPERATURE if cooled else T
    if cooled and isinstance(start, Prior | Continuation):
        iterations = math.ceil(_COOLING_PER_DECADE * math.log10(T0 / T))
        cooling = replace(phases[0], name="cooling", iterations=iterations, temperature=(T0, T))
        phases = [cooling, *(replace(phase, step_size=None) for phase in phases)]
    if isinstance(start, Continuation):
        stages = [
            replace(
                phases[0], name=f"y- = {y:g}", iterations=start.iterations, targets=with_y_minus(posterior, y),
                temperature=(T0, T0),
            )
            for y in start.y_minus
        ]  # fmt: skip
        stages = [stages[0], *(replace(stage, step_size=None) for stage in stages[1:])]
        phases = [*stages, *(replace(phase, step_size=None) for phase in phases)]
    return tuple(phase for phase in phases if phase.iterations > 0)


def _adaptation(base: Phase, iterations: int) -> tuple[Phase, Phase]:
    """Adaptation from the quench's large steps to those of the target, and then their average.

    The quench leaves the step size too large, where many trajectories are rejected: a high gain brings it back in time.
    """
    first, last = _split(iterations, 0.5)
    averaging = replace(base, name="averaging", iterations=last, adapt=0.1, average=True)
    return replace(base, iterations=first, adapt=0.2), averaging


def sampling_phase(posterior: Posterior, sampler: Sampler, moves: Moves | None, iterations: int) -> Phase:
    """The phase of the draws: nothing adapts."""
    T = posterior.temperature
    phase = Phase("sampling", iterations, (T, T), adapt=0.0)
    if isinstance(sampler, HMC):
        assert sampler.trajectory_length
        return replace(
            phase,
            trajectory_length=sampler.trajectory_length,
            rotations=moves.attempts if isinstance(moves, Rotations) else 0,
            jump_every=moves.every if isinstance(moves, Jumps) else 0,
        )
    if isinstance(sampler, Langevin):
        return replace(phase, adjusted=sampler.adjusted)
    return phase


def with_y_minus(posterior: Posterior, y_minus: float) -> Float[np.ndarray, "P m"]:
    """The task's targets with the value of the other classes, y-, replaced."""
    task = posterior.task
    own = np.zeros(task.Y.shape, dtype=bool)
    if task.m == task.classes:
        own[np.arange(task.P), task.labels] = True
    if not own.any() or np.unique(task.Y[own]).size != 1 or np.unique(task.Y[~own]).size != 1:
        raise InvalidInput(
            "y- continuation needs one-hot targets: one output a class, y+ for the own class and y- for the others; "
            f"this task has {task.m} output(s), {task.classes} classes and {np.unique(task.Y).size} different targets"
        )
    y_plus, present = float(task.Y[own][0]), float(task.Y[~own][0])
    if not (y_plus - y_minus) * (y_plus - present) > 0:
        side = "below" if present < y_plus else "above"
        raise InvalidInput(f"y- continuation: y- = {y_minus} must stay {side} y+ = {y_plus:g}")
    return np.where(own, task.Y, y_minus)


def _split(iterations: int, share: float) -> tuple[int, int]:
    first = math.ceil(iterations * share)
    return first, iterations - first
