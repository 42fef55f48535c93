"""Writes one chain of a run: its draws, and its checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling.store._checkpoint import Checkpoint, checkpoint_path, load_checkpoint, save_checkpoint
from nonlazy.sampling.store._checksums import verify_chain
from nonlazy.sampling.store._lock import ChainLock, lock_path
from nonlazy.sampling.store._store import read_metadata
from nonlazy.sampling.store._variable_file import VariableFile


class ChainWriter:
    """Writes one chain of an existing run; other chains may be written by other processes at the same time.

    The order that makes a run continue bit for bit is: write the draws, then checkpoint; and after a restart go on from
    `load_checkpoint()`, writing again what came after it. Draws may be written in pieces of any length.

    Use it as a context manager, or call `close`. It imports neither Zarr nor xarray, so that a process a chain starts
    quickly, and its memory does not grow with the number of draws.

    **Arguments:** `path` of the run, and `chain`, counted from 0.

    **Raises:** `nonlazy.errors.StoreError` where there is no run, or another process is writing this chain;
    `nonlazy.errors.InvalidInput` for a chain that the run does not have.
    """

    def __init__(self, path: str | Path, chain: int):
        self.path = Path(path)
        self.chain = chain
        metadata = read_metadata(self.path)
        attributes = metadata["attributes"]
        self.draws: int = attributes["draws"]
        self.warmup: int = attributes["warmup"]
        if not 0 <= chain < attributes["chains"]:
            raise InvalidInput(f"chain is {chain}: {self.path} has chains 0 .. {attributes['chains'] - 1}")
        self._lock = ChainLock(lock_path(self.path, chain), chain)
        self._checkpoint = checkpoint_path(self.path, chain)
        self._metadata: dict[str, Any] = metadata["consolidated_metadata"]["metadata"]
        self._files: dict[str, VariableFile] = {}
        self._restored = False

    def write(self, group: str, start: int, values: Mapping[str, np.ndarray]) -> None:
        """Writes records `start`, `start + 1`, ... of variables that have one per draw, warm-up draw or snapshot.

        **Arguments:** `values`: by the variable's name, arrays `(records, ...)`, the same number of records in each.

        **Raises:** `nonlazy.errors.InvalidInput` where names, shapes or values do not fit the run;
        `nonlazy.errors.StoreError` where the disk is full or fails. What the last checkpoint counts stays intact.
        """
        self._write(group, start, values)

    def write_once(self, group: str, values: Mapping[str, np.ndarray]) -> None:
        """Writes variables that have one record per chain, in place of what was there.

        **Raises:** as `write`.
        """
        self._write(group, None, values)

    def checkpoint(self, arrays: Mapping[str, np.ndarray], progress: Mapping[str, Any]) -> None:
        """Replaces the chain's checkpoint in one step, after the draws that it counts have been written.

        **Arguments:**

        - `arrays`: the chain's state by name, plain numbers: position, step size, random key (as integers), sums.
        - `progress`: plain values that fit in JSON. `"draws"` is the number of draws written; during warm-up it is 0,
          and `"warmup"` then tells the number of warm-up draws written.

        **Raises:** `nonlazy.errors.InvalidInput`; `nonlazy.errors.StoreError` where the disk is full or fails; the
        previous checkpoint is then still valid.
        """
        draws = progress.get("draws")
        if not isinstance(draws, int) or isinstance(draws, bool) or not 0 <= draws <= self.draws:
            raise InvalidInput(f"progress['draws'] is {draws!r}: it must be the number of draws, 0 .. {self.draws}")
        try:
            filling = {name: file.filling for name, file in self._files.items() if file.filling is not None}
            # Means over a chain are replaced before every checkpoint: they have a checksum once they are final.
            final = draws == self.draws
            sums = {name: file.sums for name, file in self._files.items() if file.sums and (file.has_records or final)}
            save_checkpoint(self._checkpoint, arrays, progress, filling, sums)
        except OSError as error:
            raise self._failure(f"write its checkpoint after draw {draws}", error) from error

    def load_checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The arrays and the progress of the chain's last checkpoint, or None where it has none yet.

        **Raises:** `nonlazy.errors.StoreError` where the file is damaged, or a chunk whose draws it counts.
        """
        loaded = load_checkpoint(self._checkpoint)
        if loaded is not None and not self._restored:
            verify_chain(self.path, self.chain, loaded.sums)
        return self._restore(loaded)

    def close(self) -> None:
        """Lets other processes write the chain."""
        self._lock.release()

    def __enter__(self) -> "ChainWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _restore(self, loaded: Checkpoint | None) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        if not self._restored:
            self._restored = True
            for name, sums in (loaded.sums if loaded else {}).items():
                self._file(name).sums = dict(sums)
            for name, (number, records) in (loaded.filling if loaded else {}).items():
                self._file(name).restore(number, records)
        return None if loaded is None else (loaded.arrays, loaded.progress)

    def _write(self, group: str, start: int | None, values: Mapping[str, np.ndarray]) -> None:
        if not self._restored:
            # Not verified: of chains that go on together, all but the first may be ahead, and are written anew.
            self._restore(load_checkpoint(self._checkpoint))
        # Everything is checked before anything is written.
        fitted = [(self._file(f"{group}/{name}"), np.asarray(value)) for name, value in values.items()]
        fitted = [(file, file.fit(start, value)) for file, value in fitted]
        if start is not None and len({value.shape[0] for _, value in fitted}) > 1:
            counts = {name: np.shape(value)[0] for name, value in values.items()}
            raise InvalidInput(f"{group}: the variables have different numbers of records: {counts}")
        for file, value in fitted:
            try:
                file.write(start, value)
            except OSError as error:
                raise self._failure(f"write {file.name}", error) from error

    def _file(self, name: str) -> VariableFile:
        if name not in self._files:
            if self._metadata.get(name, {}).get("node_type") != "array":
                raise InvalidInput(f"the run {self.path} has no variable {name}")
            self._files[name] = VariableFile(self.path / name, name, self.chain, self._metadata[name])
        return self._files[name]

    def _failure(self, what: str, error: OSError) -> StoreError:
        return StoreError(
            f"chain {self.chain} of {self.path} could not {what}: {error}. What was drawn up to its last checkpoint is "
            "intact: free some space or repair the disk, then start the same run again to continue it"
        )
