"""Where a chain stands, as its process tells it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a chain stands: iteration of `total`, phase, draws made, and the last iteration's figures."""

    chain: int
    iteration: int
    total: int
    phase: str
    draws: int
    acceptance: float
    loss: float
    temperature: float
    steps: int
