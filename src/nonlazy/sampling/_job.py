"""The `Job`: what a chain's process is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nonlazy.posterior import Posterior
from nonlazy.sampling._record import Record
from nonlazy.sampling._samplers import Moves, Sampler
from nonlazy.sampling._schedule import Phase, sampling_phase, warmup_phases
from nonlazy.sampling._starts import Start


@dataclass(frozen=True, eq=False)
class Job:
    """Everything that decides the draws of a run, and where they go."""

    path: Path
    posterior: Posterior
    sampler: Sampler
    moves: Moves | None
    start: Start
    warmup: int
    draws: int
    thin: int
    seed: int
    precision: Literal["float32", "float64"]
    record: Record
    checkpoint_seconds: float
    devices: int = 1

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Warm-up and sampling, in order."""
        warmup = warmup_phases(self.posterior, self.sampler, self.moves, self.start, self.warmup)
        return (*warmup, sampling_phase(self.posterior, self.sampler, self.moves, self.draws * self.thin))

    @property
    def warmup_iterations(self) -> int:
        """Iterations before the first draw, annealing and continuation included."""
        return sum(phase.iterations for phase in self.phases[:-1])
