"""What figures read from runs alike: the layer that a panel shows, and which chains did not converge."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xarray
from jaxtyping import Float, Int

from nonlazy.diagnostics._mcse import standard_error
from nonlazy.errors import InvalidInput, TheoryError
from nonlazy.figures import _moments
from nonlazy.figures._comparison import comparison
from nonlazy.figures._definition import FigureRow
from nonlazy.figures._outputs import output_names
from nonlazy.figures._report import untrained_layer
from nonlazy.posterior import Posterior
from nonlazy.sampling import Run
from nonlazy.tasks import Task
from nonlazy.theory import GeneralizationError, Prediction, solve
from nonlazy.theory._prediction import Grouping


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
            known = [row for row in diagnostics.table if row.decisive and row.rhat == row.rhat]
            worst = max(known, key=lambda row: row.rhat, default=None)
            why = "" if worst is None else f"; R-hat of {worst.quantity} is {worst.rhat:.3f}"
            found.append(f"{name}: the chains have not converged{why}")
    return tuple(found)


def comparison_rows(
    name: str, run: Run, prediction: Prediction | None = None, paper: Mapping[str, str] | None = None
) -> tuple[FigureRow, ...]:
    """Theory against samples for one experiment; none where its posterior has no theory.

    **Arguments:** `prediction`: of the run's posterior; None: solved here, for equilibrium. `paper`: by quantity, what
    the paper reports of it.
    """
    words = paper or {}
    if prediction is None:
        try:
            prediction = solve(run.posterior)
        except (InvalidInput, TheoryError):
            return ()
    return tuple(
        FigureRow(name, row.quantity, without_rounding(row.theory), row.samples, row.error, words.get(row.quantity, ""))
        for row in comparison(run, prediction)
    )


def without_rounding(value: float) -> float:
    """`value`, and 0 for what rounding leaves of it."""
    return value if abs(value) > 1e-12 else 0.0


def untrained_on_test(posterior: Posterior, layer: int = -1) -> Float[np.ndarray, "N P_test"]:
    """`untrained_layer` on the task's test inputs: of the same weights."""
    task = Task(*held_out(posterior.task), class_names=posterior.task.class_names)
    return untrained_layer(replace(posterior, task=task), layer)


def held_out(
    task: Task,
) -> tuple[Float[np.ndarray, "P_test N0"], Float[np.ndarray, "P_test m"], Int[np.ndarray, " P_test"]]:
    """Test inputs, their targets and their classes.

    **Raises:** `nonlazy.errors.InvalidInput` for a task without a test set.
    """
    if task.X_test is None or task.Y_test is None or task.labels_test is None:
        raise InvalidInput(f"task {task.name!r} has no test set: ask for test inputs (P_test)")
    return task.X_test, task.Y_test, task.labels_test


def sampled_error(run: Run, by: Grouping = "output") -> GeneralizationError:
    """The error on test inputs of the samples, grouped as the theory's; the spread between chains is variance, too."""
    means, variances = _moments.outputs(run, test=True)
    return grouped_error(run.task, means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0), by)


def grouped_error(
    task: Task, mean: Float[np.ndarray, "P_test m"], variance: Float[np.ndarray, "P_test m"], by: Grouping = "output"
) -> GeneralizationError:
    """Error on test inputs of a predictor's mean and variance, by output or by the class of the input."""
    _, Y, labels = held_out(task)
    bias2 = (Y - mean) ** 2
    if by == "output":
        return GeneralizationError(by, output_names(task), bias2.mean(axis=0), variance.mean(axis=0))
    present = [c for c in range(task.classes) if (labels == c).any()]
    parts = [np.array([part[labels == c].sum(axis=1).mean() for c in present]) for part in (bias2, variance)]
    return GeneralizationError(by, tuple(task.class_names[c] for c in present), *parts)


def errors_of_test_error(run: Run, by: Grouping = "output") -> tuple[float, ...]:
    """Monte Carlo standard errors of `sampled_error(run, by).total`, one a group."""
    task = run.task
    _, Y, labels = held_out(task)
    outputs = np.asarray(run.tree["posterior_predictive/f_test"].values, dtype=np.float64)
    squares = (outputs - Y) ** 2
    if by == "output":
        series = [squares[..., r].mean(axis=2) for r in range(task.m)]
    else:
        present = [c for c in range(task.classes) if (labels == c).any()]
        series = [squares[:, :, labels == c].sum(axis=3).mean(axis=2) for c in present]
    return tuple(standard_error(values) for values in series)


def sizes(runs: Mapping[str, Run]) -> str:
    """N, P, N0 and T of the runs in a line of small print; where some differ from most, these are named."""
    values: dict[str, dict[str, str]] = {"N": {}, "P": {}, "N0": {}, "T": {}}
    for name, run in runs.items():
        task, posterior = run.task, run.posterior
        found = (posterior.network.width, task.P, task.N0, posterior.temperature)
        for letter, value in zip(values, found, strict=True):
            values[letter][name] = f"{value:g}"
    return ", ".join(f"{letter} = {_most_and_others(found)}" for letter, found in values.items())


def _most_and_others(found: Mapping[str, str]) -> str:
    names: dict[str, list[str]] = {}
    for name, value in found.items():
        names.setdefault(value, []).append(name)
    most, *others = sorted(names, key=lambda value: -len(names[value]))
    exceptions = "; ".join(f"{', '.join(names[value])}: {value}" for value in others)
    return f"{most} ({exceptions})" if others else most


def held_out_dataset(
    run: Run, kernel: Float[np.ndarray, "P_test P_test"], shown: int = 100
) -> tuple[xarray.Dataset, Int[np.ndarray, " shown"]]:
    """What a panel shows of test inputs: `layer_dataset`, and activations of the same draw, kernel and mean outputs on
    `shown` of the test inputs.

    **Returns:** the dataset, and which test inputs these are: evenly chosen, as they stand sorted by class.
    """
    X, Y, labels = held_out(run.task)
    chosen = np.unique(np.linspace(0, len(X) - 1, min(shown, len(X))).round().astype(int))
    activations = np.asarray(run.activations(draw=run.kept_draws[-1], test=True), dtype=np.float64)
    dataset = layer_dataset(run).assign(
        test_activation=(("neuron", "test_input"), activations[:, chosen]),
        test_kernel=(("test_input", "other_test_input"), kernel[np.ix_(chosen, chosen)]),
        test_label=(("test_input",), labels[chosen]),
        test_target=(("test_input", "out"), Y[chosen]),
        mean_output=(("test_input", "out"), run.mean_outputs(test=True).mean(axis=0)[chosen]),
    )
    return dataset, chosen


def error_variables(errors: Mapping[str, GeneralizationError | None], groups: int) -> dict[str, tuple]:
    """Variables `bias2` and `variance` `(kind, out)` of a panel's dataset, NaN for a kind that is None."""
    empty = np.full(groups, np.nan)
    return {
        "bias2": (("kind", "out"), np.array([empty if one is None else one.bias2 for one in errors.values()])),
        "variance": (("kind", "out"), np.array([empty if one is None else one.variance for one in errors.values()])),
        "kind": (("kind",), list(errors)),
    }


def accuracy(outputs: Float[np.ndarray, "inputs m"], labels: Int[np.ndarray, " inputs"]) -> float:
    """Share of the inputs whose largest output is that of their class."""
    return float((outputs.argmax(axis=1) == labels).mean())
