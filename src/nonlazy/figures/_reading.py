"""What figures read from runs alike: the layer that a panel shows, and which chains did not converge."""

from collections.abc import Mapping

import numpy as np
import xarray

from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.figures._comparison import comparison
from nonlazy.figures._definition import FigureRow
from nonlazy.figures._report import untrained_layer
from nonlazy.sampling import Run
from nonlazy.theory import Prediction, solve


def layer_dataset(run: Run, *, layer: int = -1, draw: int = -1, chain: int = 0) -> xarray.Dataset:
    """One layer in a draw that was kept in full (negative: counted from the last of these), as a panel shows it.

    **Returns:** `activation` and `untrained` `(neuron, input)`, the latter of a draw from the prior; `readout`
    `(neuron, out)`; `output` and `target` `(input, out)`; `label` `(input,)`.
    """
    kept = run.kept_draws[draw] if draw < 0 else draw
    task = run.task
    return xarray.Dataset(
        {
            "activation": (("neuron", "input"), np.asarray(run.activations(layer, kept, chain), dtype=np.float64)),
            "untrained": (("neuron", "input"), untrained_layer(run.posterior, layer)),
            "readout": (("neuron", "out"), np.asarray(run.readouts()[chain, kept], dtype=np.float64)),
            "output": (("input", "out"), np.asarray(run.outputs(kept, chain), dtype=np.float64)),
            "target": (("input", "out"), np.asarray(task.Y, dtype=np.float64)),
            "label": (("input",), np.asarray(task.labels)),
        },
        attrs={"chain": chain, "draw": int(kept), "posterior": str(run.posterior), "classes": list(task.class_names)},
    )


def unconverged(runs: Mapping[str, Run]) -> tuple[str, ...]:
    """A sentence for each run whose chains do not agree."""
    found = []
    for name, run in runs.items():
        diagnostics = run.diagnostics()
        if not diagnostics.converged:
            worst = max((row for row in diagnostics.table if row.rhat == row.rhat), key=lambda row: row.rhat)
            found.append(f"{name}: the chains have not converged; R-hat of {worst.quantity} is {worst.rhat:.3f}")
    return tuple(found)


def comparison_rows(name: str, run: Run, prediction: Prediction | None = None) -> tuple[FigureRow, ...]:
    """Theory against samples for one experiment; none where its posterior has no theory.

    **Arguments:** `prediction`: of the run's posterior; None: solved here, for equilibrium.
    """
    if prediction is None:
        try:
            prediction = solve(run.posterior)
        except (InvalidInput, TheoryError):
            return ()
    return tuple(
        FigureRow(name, row.quantity, row.theory, row.samples, row.error) for row in comparison(run, prediction)
    )
