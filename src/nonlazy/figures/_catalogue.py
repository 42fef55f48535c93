"""All figures, by the names that their command knows."""

from pathlib import Path
from typing import Any

from nonlazy.errors import InvalidInput
from nonlazy.figures._definition import FigureDefinition
from nonlazy.figures._produce import FigureResult, produce
from nonlazy.figures.ours import DEEP_RELU, EQUILIBRIUM, FEW_SHOT, MANY_OUTPUTS
from nonlazy.figures.paper import (
    FIGURE_1,
    FIGURE_2,
    FIGURE_3,
    FIGURE_4,
    FIGURE_5,
    FIGURE_6,
    FIGURE_7,
    FIGURE_7_FULL,
)
from nonlazy.figures.supplement import (
    S_DESCENT,
    S_EMERGENCE,
    S_REAL_DATA,
    S_RECTIFIED,
    S_TEMPERATURE,
    S_TRANSITIONS,
)


_ALL = (
    FIGURE_1,
    FIGURE_2,
    FIGURE_3,
    FIGURE_4,
    FIGURE_5,
    FIGURE_6,
    FIGURE_7,
    FIGURE_7_FULL,
    S_TRANSITIONS,
    S_TEMPERATURE,
    S_RECTIFIED,
    S_REAL_DATA,
    S_DESCENT,
    S_EMERGENCE,
    EQUILIBRIUM,
    FEW_SHOT,
    MANY_OUTPUTS,
    DEEP_RELU,
)
FIGURES: dict[str, FigureDefinition] = {one.name: one for one in _ALL}


def figure_definition(name: str) -> FigureDefinition:
    """A figure by its name.

    **Raises:** `nonlazy.errors.InvalidInput` for a name that is not one of `FIGURES`; the text lists them.
    """
    if name not in FIGURES:
        raise InvalidInput(f"there is no figure {name!r}: choose one of {', '.join(FIGURES)}")
    return FIGURES[name]


def figure(
    name: str,
    quick: bool = False,
    out: str | Path | None = None,
    *,
    resume: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
    **sampling: Any,
) -> FigureResult:
    """Makes a figure: samples its experiments, reads and draws them, and writes everything into a folder.

    **Arguments:**

    - `name`: "1" to "7" of the paper, "s-..." of its supplement, or one of ours; `FIGURES` lists them.
    - `quick`, `out`, `resume`, `overwrite`, `progress`: as in `produce`.
    - `sampling`: other values for keys of `[sampling]` in every experiment, as `draws=400`.

    **Returns:** a `FigureResult`. **Raises:** as `produce`, and `nonlazy.errors.InvalidInput` for an unknown name.
    """
    changes = {"sampling": sampling} if sampling else None
    return produce(
        figure_definition(name), quick, out, resume=resume, overwrite=overwrite, progress=progress, changes=changes
    )
