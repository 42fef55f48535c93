"""One column of figure 2: sampled and reported by itself."""

from pathlib import Path
from typing import Any

from nonlazy.errors import InvalidInput
from nonlazy.experiments import Experiment, load
from nonlazy.figures._experiment import results_folder, sample_experiment
from nonlazy.figures._report import Report, report, write


ACTIVATIONS = ("sigmoid", "linear", "relu")


def figure2_experiment(activation: str = "sigmoid", quick: bool = False) -> Experiment:
    """The shipped experiment behind one column of the figure.

    **Raises:** `nonlazy.errors.InvalidInput` for an activation that the figure does not have.
    """
    if activation not in ACTIVATIONS:
        raise InvalidInput(f"figure 2 has no activation {activation!r}: choose one of {', '.join(ACTIVATIONS)}")
    experiment = load(f"figure2-{activation}")
    return experiment.quick() if quick else experiment


def figure2_name(activation: str, quick: bool) -> str:
    """What the figure's files are called, and its folder after "nonlazy-"."""
    return f"figure-2-{activation}" + ("-quick" if quick else "")


def figure2(
    activation: str = "sigmoid",
    quick: bool = False,
    out: str | Path | None = None,
    *,
    resume: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
    **sampling: Any,
) -> Report:
    """Samples one column of the figure, finds its coding scheme, and writes picture, numbers and run into a folder.

    **Arguments:**

    - `activation`: `"sigmoid"`, `"linear"` or `"relu"`.
    - `quick`: a smaller size, labelled as such.
    - `out`: the folder; None: `nonlazy-figure-2-ACTIVATION` in the current one.
    - `resume`, `overwrite`, `progress`: as in `nonlazy.sample`.
    - `sampling`: other values for keys of `[sampling]`, as `draws=400`.

    **Returns:** a `nonlazy.figures.Report`.

    **Raises:** `nonlazy.errors.InvalidInput`, `nonlazy.errors.StoreError`, `nonlazy.errors.SamplingError`.

    Source: van Meegen & Sompolinsky (2025), Figs. 2 and 4.
    """
    experiment = figure2_experiment(activation, quick)
    if sampling:
        experiment = experiment.changed({"sampling": sampling})
    name = figure2_name(activation, quick)
    folder = results_folder(name, out)
    run = sample_experiment(experiment, folder, name=name, resume=resume, overwrite=overwrite, progress=progress)
    found = report(run, experiment.about.title)
    write(found, folder, name)
    return found
