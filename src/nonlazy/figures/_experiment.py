"""From an experiment to a sampled run in a folder of results."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from nonlazy._regular_files import expanded, shown
from nonlazy._whole_files import write_text
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.experiments import Experiment
from nonlazy.sampling import Run, sample


RUN = "run.zarr"
EXPERIMENT = "experiment.toml"


def results_folder(name: str, out: str | Path | None) -> Path:
    """The folder for results: `out`, or `nonlazy-NAME` in the current folder; it need not exist yet.

    **Raises:** `nonlazy.errors.InvalidInput` where it or a folder that it would lie in is a file.
    """
    try:
        folder = Path(f"nonlazy-{name}") if out is None else expanded(out)
        nearest = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        is_file = nearest.exists() and not nearest.is_dir()
    except OSError as error:
        raise InvalidInput(f"{shown(out or name)} cannot be used: {error.strerror}; choose another folder") from None
    if is_file:
        raise InvalidInput(f"{nearest} is a file: give a folder for the results")
    return folder


def sample_experiment(
    experiment: Experiment,
    folder: Path,
    *,
    name: str | None = None,
    resume: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Run:
    """Samples an experiment into `folder/run.zarr`, with the experiment itself beside it as `experiment.toml`.

    A request that is refused leaves the folder as it was.

    **Arguments:**

    - `folder`: made where missing.
    - `name`: what pictures and numbers in the folder are called (None: the experiment's name); with `overwrite`, those
      of the run that was there are removed before sampling begins.
    - `resume`, `overwrite`, `progress`: as in `nonlazy.sample`.

    **Raises:** as `Experiment.build` and `nonlazy.sample`, and `nonlazy.errors.StoreError` where the folder cannot be
    written.
    """
    posterior = experiment.build()
    store = folder / RUN
    begins = overwrite or not store.exists()
    made = _make(folder)
    before, identity = _outputs(folder, name or experiment.name) if overwrite else {}, _identity(store)
    before |= _contents(folder / EXPERIMENT)
    try:
        if begins:
            for path in before:
                _remove(path)
            write_text(folder / EXPERIMENT, experiment.to_toml())
        run = sample(
            posterior,
            store=store,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            experiment=experiment.name,
            **experiment.sampling_arguments(),
        )
    except BaseException:
        # The store is laid out once the request has been accepted.
        if begins and _identity(store) == identity:
            _restore(folder, before, made)
        raise
    if not begins:
        write_text(folder / EXPERIMENT, experiment.to_toml())
    return run


def _make(folder: Path) -> bool:
    """Makes the folder; whether it was missing."""
    missing = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"folder {folder} cannot be made: {error.strerror}; choose another folder") from None
    return missing


def _outputs(folder: Path, name: str) -> dict[Path, bytes]:
    """The files that `nonlazy.figures.write` writes, as far as they exist, with what they hold."""
    names = [f"{name}{part}.{kind}" for part in ("", "-theory") for kind in ("png", "pdf")]
    return {path: text for file in (*names, f"{name}.json") for path, text in _contents(folder / file).items()}


def _contents(path: Path) -> dict[Path, bytes]:
    try:
        return {path: path.read_bytes()} if path.is_file() else {}
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; choose another folder") from None


def _identity(store: Path) -> tuple[int, int] | None:
    """What differs between two runs that are laid out at one place; None where there is none."""
    with suppress(OSError):
        found = (store / "zarr.json").stat()
        return found.st_ino, found.st_mtime_ns
    return None


def _restore(folder: Path, before: Mapping[Path, bytes], made: bool) -> None:
    """Puts the files of a folder back after a request that was refused."""
    with suppress(OSError):
        (folder / EXPERIMENT).unlink(missing_ok=True)
    for path, text in before.items():
        with suppress(OSError):
            path.write_bytes(text)
    if made:
        with suppress(OSError):
            folder.rmdir()


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise StoreError(f"{path} cannot be removed: {error.strerror}; choose another folder") from None
