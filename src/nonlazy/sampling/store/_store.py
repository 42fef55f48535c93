"""The run on disk: an `xarray.DataTree` in Zarr with ArviZ's group names.

A run is one folder: a Zarr store (format 3, consolidated metadata) that plain xarray opens, and in it a hidden folder
with the last checkpoint of each chain. Every array exists, empty, from the start, and every Zarr chunk belongs to one
chain, so that the processes of the chains write side by side without a word to each other.

Two rules make a run that was stopped at any moment continue bit for bit: a checkpoint is replaced in one step, and
every draw that it counts is on disk by then, in a full chunk or in the checkpoint itself. What the arrays hold past the
last checkpoint is not part of the run yet: readers cut it off, and the continued chain writes it again. A run whose
process was killed can be read at once; after a loss of power, the chunks that were being filled may have to be repaired
first, which continuing the run does.

The checkpoints stay when the run is complete: they hold the last state of each chain.
"""

import glob
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nonlazy._regular_files import LARGEST_JSON, check_regular
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.posterior import Posterior
from nonlazy.sampling.store._checkpoint import CHECKPOINTS, checkpoint_path, load_progress
from nonlazy.sampling.store._checksums import check_root, write_sums
from nonlazy.sampling.store._configuration import differences, fingerprint, full_configuration
from nonlazy.sampling.store._durable import make_folder, replace_durably, sync_folder, sync_tree
from nonlazy.sampling.store._layout import Layout, Variable, task_arrays, write_arrays
from nonlazy.sampling.store._lock import ChainLock, lock_path


Status = Literal["absent", "partial", "complete"]

FORMAT = 1
# A process of another machine may be creating the same run on a shared disk: creation takes seconds.
_LEFTOVER_SECONDS = 600
_MOST = 10**9
# Attributes that reading a run relies on.
_KINDS = {
    "complete": int,
    "chains": int,
    "draws": int,
    "warmup": int,
    "configuration": str,
    "provenance": str,
    "fingerprint": str,
}


def create(
    path: str | Path,
    posterior: Posterior,
    configuration: Mapping[str, Any],
    *,
    provenance: Mapping[str, Any],
    chains: int,
    draws: int,
    warmup: int = 0,
    variables: Sequence[Variable],
    snapshot_draws: Sequence[int] = (),
    coordinates: Mapping[str, np.ndarray] | None = None,
    constants: Mapping[str, tuple[tuple[str, ...], np.ndarray]] | None = None,
    checkpoint_bytes: int = 0,
) -> None:
    """Creates the run on disk, with the task's data and with every variable empty. It appears complete or not at all.

    **Arguments:**

    - `path`: the folder to create, by custom `NAME.zarr`. Folders above it are created.
    - `posterior`: its task's data are stored, and what identifies it joins the configuration.
    - `configuration`: everything else that decides the draws, in plain values that fit in JSON. A run continues only
      with the same one; so leave out what changes no draw.
    - `provenance`: plain values that fit in JSON; see `collect_provenance`.
    - `chains`, `draws`, `warmup`: counts, `draws` and `warmup` a chain.
    - `variables`: what the chains will write.
    - `snapshot_draws`: the draws for which the variables per snapshot have a record, increasing.
    - `coordinates`: 1-D numbers along a dimension.
    - `constants`: more arrays for the group `constant_data`, each as (dims, values).
    - `checkpoint_bytes`: size of one chain's checkpoint, to tell beforehand whether the disk holds the run.

    **Raises:** `nonlazy.errors.StoreError` where something else is at `path`, where it cannot be written, or where the
    disk has too little room; `nonlazy.errors.InvalidInput` for variables that do not fit together.
    """
    path = Path(path)
    if status(path, posterior, configuration) != "absent":
        raise StoreError(f"{path} holds this experiment already: continue it, or overwrite it")
    layout = Layout(chains, draws, warmup, variables, snapshot_draws, coordinates or {}, constants or {})
    arrays = [*layout.arrays(), *task_arrays(posterior.task)]
    attributes = _root_attributes(posterior, full_configuration(posterior, configuration), provenance, layout)
    # A checkpoint is written beside the one that it replaces.
    _check_room(path, sum(array.nbytes for array in arrays) + 2 * chains * checkpoint_bytes)
    temporary = path.with_name(f".{path.name}.creating-{os.getpid()}")
    try:
        make_folder(temporary.parent)
        _remove_leftovers(path)
        shutil.rmtree(temporary, ignore_errors=True)
        write_arrays(temporary, arrays, attributes)
        (temporary / CHECKPOINTS).mkdir()
        write_sums(temporary, attributes)
        sync_tree(temporary)
        os.rename(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"the run cannot be created at {path}: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def status(path: str | Path, posterior: Posterior, configuration: Mapping[str, Any]) -> Status:
    """Whether `path` holds nothing yet, a part, or all of the run of this posterior and configuration.

    **Raises:** `nonlazy.errors.StoreError` where it holds something else; the text names the first keys in which the
    configurations differ, with both values.
    """
    path = Path(path)
    if is_absent(path):
        return "absent"
    attributes = read_attributes(path)
    wanted = full_configuration(posterior, configuration)
    if attributes["fingerprint"] != fingerprint(wanted):
        different = differences(json.loads(attributes["configuration"]), wanted)
        more = f"; and {len(different) - 3} more" if len(different) > 3 else ""
        raise StoreError(
            f"{path} holds another experiment: {'; '.join(different[:3])}{more}. Choose another path "
            "(--out), or overwrite it (overwrite=True, --overwrite)"
        )
    return "complete" if attributes["complete"] else "partial"


def finish(path: str | Path) -> None:
    """Marks the run complete, once every chain has all its draws. Nothing to do where it is marked already.

    **Raises:** `nonlazy.errors.StoreError` where draws are missing or the file cannot be written.
    """
    path = Path(path)
    metadata = read_metadata(path)
    attributes = metadata["attributes"]
    for chain, done in enumerate(draws_done(path, attributes)):
        if done < attributes["draws"]:
            raise StoreError(f"{path} is not complete: chain {chain} has {done} of {attributes['draws']} draws")
    metadata["attributes"]["complete"] = 1
    text = json.dumps(metadata, indent=2).encode()
    try:
        replace_durably(path / "zarr.json", lambda file: file.write(text))
    except OSError as error:
        raise StoreError(f"{path} cannot be marked complete: {error}") from error


def discard(path: str | Path) -> None:
    """Removes the run at `path`, so that it can be started afresh. Nothing to do where there is none.

    **Raises:** `nonlazy.errors.StoreError` where something else than a run is there, or another process is writing it.
    """
    path = Path(path)
    if is_absent(path):
        return
    attributes = read_attributes(path)
    locks = [ChainLock(lock_path(path, chain), chain) for chain in range(attributes["chains"])]
    aside = path.with_name(f".{path.name}.discarded-{os.getpid()}")
    try:
        # Renamed first: a removal that is interrupted leaves no half of a run under its name.
        os.rename(path, aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise StoreError(f"the run {path} cannot be removed: {error}") from error
    finally:
        for lock in locks:
            lock.release()


def _remove_leftovers(path: Path) -> None:
    """Removes what a process that was killed while it created or discarded this run has left beside it."""
    for kind in ("creating", "discarded"):
        for folder in path.parent.glob(f".{glob.escape(path.name)}.{kind}-*"):
            old = time.time() - folder.stat().st_mtime > _LEFTOVER_SECONDS
            if old and not _is_running(folder.name.rpartition("-")[2]):
                shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except OSError:
        return True
    return True


def is_absent(path: Path) -> bool:
    """Whether nothing is at `path`, or an empty folder.

    **Raises:** `nonlazy.errors.StoreError` where the system does not let one look, or knows no such name.
    """
    try:
        return not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError as error:
        raise StoreError(f"{path} cannot be used for a run: {error.strerror}; choose another path") from None


def read_attributes(path: Path) -> dict[str, Any]:
    """The attributes of the run at `path`.

    **Raises:** `nonlazy.errors.StoreError` where there is none, or one of a later format.
    """
    return read_metadata(path)["attributes"]


def read_metadata(path: Path) -> dict[str, Any]:
    """The Zarr metadata of the run at `path`: its attributes, and those of all its arrays.

    **Raises:** `nonlazy.errors.StoreError` where there is none, or one of a later format.
    """
    try:
        check_regular(path / "zarr.json", StoreError, most=LARGEST_JSON, advice="put back a copy of this file")
        metadata = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        attributes = metadata["attributes"]
        known = attributes["creator"] == "nonlazy"
        later = known and attributes["format"] > FORMAT
    except FileNotFoundError:
        what = "a folder with other files" if path.is_dir() else "nothing there"
        raise StoreError(f"{path} is not a run of nonlazy: {what}. Choose another path") from None
    except StoreError as error:
        raise StoreError(f"{path} cannot be read as a run of nonlazy: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read as a run of nonlazy: {type(error).__name__}: {error}") from error
    if not known:
        raise StoreError(f"{path} is a Zarr store of {attributes['creator']!r}, not a run of nonlazy")
    if later:
        raise StoreError(
            f"{path} was written by a later nonlazy (format {attributes['format']}; this one knows {FORMAT}): "
            "install a newer version"
        )
    check_root(path, metadata)
    foreign = _foreign(metadata)
    if foreign:
        raise StoreError(f"{path} cannot be read as a run of nonlazy: {foreign[0]} is not as nonlazy writes arrays")
    wrong = [name for name, kind in _KINDS.items() if type(attributes.get(name)) is not kind]
    wrong += [name for name in ("chains", "draws") if not wrong and not 1 <= attributes[name] <= _MOST]
    if wrong:
        raise StoreError(f"{path} cannot be read as a run of nonlazy: its attribute {wrong[0]} is damaged or missing")
    return metadata


def _foreign(metadata: Mapping[str, Any]) -> list[str]:
    """Members that nonlazy does not write: of Zarr 2, whose codecs can load pickles, among others."""
    held = metadata.get("consolidated_metadata")
    nodes = held.get("metadata") if isinstance(held, dict) else None
    if not isinstance(nodes, dict):
        return ["its list of arrays"]
    return [name for name, node in nodes.items() if not isinstance(node, dict) or node.get("zarr_format") != 3]


def draws_done(path: Path, attributes: Mapping[str, Any]) -> list[int]:
    """The draws of each chain that its last checkpoint counts.

    **Raises:** `nonlazy.errors.StoreError` where a checkpoint is damaged.
    """
    return [progress.get("draws", 0) for progress in chain_progress(path, attributes)]


def chain_progress(path: Path, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The progress that each chain's last checkpoint tells; empty for a chain without one."""
    return [load_progress(checkpoint_path(path, chain)) or {} for chain in range(attributes["chains"])]


def _root_attributes(
    posterior: Posterior, configuration: Mapping[str, Any], provenance: Mapping[str, Any], layout: Layout
) -> dict[str, Any]:
    task = posterior.task
    try:
        texts = {
            "configuration": json.dumps(configuration),
            "provenance": json.dumps(dict(provenance)),
            "task_provenance": json.dumps(dict(task.provenance)),
        }
    except TypeError as error:
        raise InvalidInput(f"the provenance of a run and of its task must fit in JSON: {error}") from None
    # Nested values are kept as JSON text, since netCDF, to which some will convert a run, knows no nested attributes.
    return {
        "creator": "nonlazy",
        "format": FORMAT,
        "complete": 0,
        "chains": layout.chains,
        "draws": layout.draws,
        "warmup": layout.warmup,
        "description": str(posterior),
        "fingerprint": fingerprint(configuration),
        "task_name": task.name,
        "class_names": json.dumps(task.class_names),
        "created_at": str(provenance.get("started", "")),
        "inference_library": "nonlazy",
        **texts,
    }


def _check_room(path: Path, needed: int) -> None:
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreError(f"the run cannot be created at {path}: {error}") from error
    if needed > free:
        raise StoreError(
            f"{path} needs about {_size(needed)}, and the disk of {folder} has {_size(free)} free: free some space, "
            "choose another disk, or keep fewer draws"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
