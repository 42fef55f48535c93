"""Mean outputs, class by class, as a matrix."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from nonlazy.plots import _style


def class_outputs(
    axes: Any, outputs: Float[np.ndarray, "classes outputs"], names: Sequence[str], test: bool = False
) -> None:
    """Draw the mean output r on the inputs of each class, a row a class; the diagonal is the right answer.

    **Arguments:** `axes`: matplotlib axes to draw on; `outputs`: means, NaN for a class without inputs; `names`: of the
    classes; `test`: say "test" on the axis.
    """
    size = float(np.nanmax(np.abs(outputs)))
    image = _style.draw_image(axes, outputs, cmap=_style.DIVERGING, vmin=-size, vmax=size, aspect="equal")
    _style.dress(axes, frame=True)
    axes.set_yticks(range(len(names)), list(names), fontsize=5.5)
    axes.set_xticks(range(outputs.shape[1]), [str(r) for r in range(outputs.shape[1])], fontsize=5.5)
    axes.tick_params(length=0)
    _style.label(axes, "output $r$", f"class of the {'test' if test else 'training'} input")
    _style.colour_bar(axes, image, "mean output $f_r$")
