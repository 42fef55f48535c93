"""The posteriors, and the three starts of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nonlazy as nl
from nonlazy import experiments
from nonlazy.sampling import Annealed, Planted, Prior


_TOY = ((1, 1, 0), (1, 0, 1), (0, 1, 1))
_DIGITS = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0))


@dataclass(frozen=True)
class Case:
    """A posterior: the toy task at N = P, or the shipped experiment on digits (`size` 0)."""

    size: int
    temperature: float
    target: str

    def posterior(self) -> nl.Posterior:
        """The posterior, with the paper's prior variances."""
        if not self.size:
            return experiments.load("mnist").build()
        task = nl.tasks.toy(P=self.size, N0=self.size + self.size // 25, y_minus=0.5, seed=0)
        return nl.Posterior(nl.Network(self.size, activation="sigmoid"), task, self.temperature)

    def starts(self) -> Mapping[str, Any]:
        """Quenched, annealed from T = 1, and planted: without 1-1-1 (toy), in six codes alike (digits)."""
        return {"quench": Prior(), "annealed": Annealed(), "planted": Planted(_TOY if self.size else _DIGITS)}

    def __str__(self) -> str:
        what = f"toy task, N = P = {self.size}" if self.size else "digits 0, 1, 2, N = P = 100"
        return f"{what}, T = {self.temperature:g}"


CASES = {
    "toy-200": Case(200, 1e-2, "15 s a chain"),
    "toy-500": Case(500, 1e-3, "120 s a chain"),
    "mnist": Case(0, 1e-3, "30 s a chain with compilation"),
}
QUICK = Case(60, 1e-2, "none: does it work?")
