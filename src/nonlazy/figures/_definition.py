"""What a figure is made of: experiments, a reading of their runs, and a picture of what was read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray

from nonlazy.experiments import Experiment
from nonlazy.sampling import Run


@dataclass(frozen=True)
class FigureRow:
    """One number of a figure's table.

    **Fields:**

    - `experiment`: of the figure, by its name there; empty for what belongs to all.
    - `quantity`: in words and symbols.
    - `theory`, `samples`: None where there is none.
    - `error`: Monte Carlo standard error of `samples`, or None.
    - `paper`: what the paper reports, in its words or numbers; empty where it reports nothing.
    """

    experiment: str
    quantity: str
    theory: float | None = None
    samples: float | None = None
    error: float | None = None
    paper: str = ""

    @property
    def deviation(self) -> float | None:
        """samples - theory, where there are both."""
        return None if self.theory is None or self.samples is None else self.samples - self.theory


@dataclass(frozen=True, eq=False)
class FigureData:
    """What the runs of a figure were read to say.

    **Fields:**

    - `panels`: the numbers behind every panel; the picture is drawn from them alone.
    - `table`: one `FigureRow` a number.
    - `measured`: by the keys of `nonlazy.figures.claims.Criterion`.
    - `notes`: sentences for the reader of the table: what depends on the start, what is not equilibrium.
    - `warnings`: what did not converge, by experiment; empty where all did.
    """

    panels: xarray.DataTree
    table: tuple[FigureRow, ...]
    measured: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FigureDefinition:
    """A figure, as its command knows it.

    **Fields:**

    - `name`: what its command calls it, "1" or "s-transitions".
    - `title`; `summary`: one sentence.
    - `seconds`, `quick_seconds`: measured on two cores, from a cold start.
    - `experiments`: quick or not -> the experiments to sample, in order, by their name within the figure.
    - `read`: finished runs by the same names -> the figure's data.
    - `draw`: panels -> a matplotlib figure.
    - `reports`: whether each run gets a report of its own as well, in its folder.
    - `on_request`: whether `nonlazy figure all` leaves it out, as it needs a GPU.
    """

    name: str
    title: str
    summary: str
    seconds: float
    quick_seconds: float
    experiments: Callable[[bool], Mapping[str, Experiment]]
    read: Callable[[Mapping[str, Run]], FigureData]
    draw: Callable[[xarray.DataTree], Any]
    reports: bool = False
    on_request: bool = False

    def file_name(self, quick: bool) -> str:
        """What the figure's files are called, and its folder after "nonlazy-"."""
        return f"figure-{self.name}" + ("-quick" if quick else "")
