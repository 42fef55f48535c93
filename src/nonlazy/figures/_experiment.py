"""From an experiment to a sampled run in a folder of results."""

from pathlib import Path

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.experiments import Experiment
from nonlazy.sampling import Run, sample


RUN = "run.zarr"


def results_folder(name: str, out: str | Path | None) -> Path:
    """The folder for results: `out`, or `nonlazy-NAME` in the current folder; made where missing.

    **Raises:** `nonlazy.errors.InvalidInput` where `out` is a file, `nonlazy.errors.StoreError` where it cannot be
    made.
    """
    folder = Path(f"nonlazy-{name}") if out is None else Path(out).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is a file: give a folder for the results")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"folder {folder} cannot be made: {error.strerror}; choose another folder") from None
    return folder


def sample_experiment(
    experiment: Experiment,
    folder: Path,
    *,
    resume: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Run:
    """Samples an experiment into `folder/run.zarr`, with the experiment itself beside it as `experiment.toml`.

    **Arguments:** `resume`, `overwrite`, `progress`: as in `nonlazy.sample`.

    **Raises:** as `Experiment.build` and `nonlazy.sample`.
    """
    run = sample(
        experiment.build(),
        store=folder / RUN,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
        experiment=experiment.name,
        **experiment.sampling_arguments(),
    )
    (folder / "experiment.toml").write_text(experiment.to_toml(), encoding="utf-8")
    return run
