"""The theory of an experiment, solved and written into a folder."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nonlazy._whole_files import replace_text, unwritable
from nonlazy.experiments import Experiment
from nonlazy.figures._panels import with_plain_text
from nonlazy.figures._plain import plain
from nonlazy.theory import Prediction, solve


def solve_experiment(
    experiment: Experiment, fractions: Mapping[tuple[int, ...], float] | None = None, *, finite_size: bool = True
) -> tuple[Prediction, float]:
    """The theory of an experiment's posterior, and the seconds that solving it took.

    **Arguments:** `fractions`, `finite_size`: as in `nonlazy.theory.solve`.

    **Raises:** as `Experiment.build` and `nonlazy.theory.solve`.
    """
    posterior = experiment.build()
    start = time.perf_counter()
    prediction = solve(posterior, finite_size=finite_size, fractions=fractions)
    return prediction, time.perf_counter() - start


def write_prediction(prediction: Prediction, folder: Path, name: str) -> tuple[Path, ...]:
    """The picture as PNG and PDF, and the numbers as Zarr (for xarray) and JSON: `folder/name.png` and so on.

    **Returns:** the paths written. **Raises:** `nonlazy.errors.StoreError` where the folder cannot be written.
    """
    from nonlazy import plots

    paths = plots.save(plots.prediction(prediction), folder / name)
    dataset = prediction.to_xarray()
    numbers = {
        "theory": type(prediction).__name__,
        "posterior": str(prediction.posterior),
        "ensemble": prediction.ensemble,
        "certified": prediction.certified,
        "certificate": prediction.certificate,
        **{str(variable): np.asarray(dataset[variable].values) for variable in dataset.data_vars},
    }
    task = prediction.posterior.task
    if task.X_test is not None:
        error = prediction.generalization_error()
        numbers["generalization_error"] = {
            "output": error.groups, "bias2": error.bias2, "variance": error.variance, "total": error.total
        }  # fmt: skip
    store, text = folder / f"{name}.zarr", folder / f"{name}.json"
    try:
        with_plain_text(dataset).to_zarr(store, mode="w", zarr_format=3, consolidated=False)
        replace_text(text, json.dumps(plain(numbers), indent=2) + "\n")
    except OSError as error:
        raise unwritable(folder, error) from None
    return (*paths, store, text)
