"""The `SweepResult`: what the points of a sweep have found, read from its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray

from nonlazy._whole_files import write_text
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.sampling import Run, open_run
from nonlazy.sweeps._absence import absent
from nonlazy.sweeps._gather import gather, quantities, quantity, table
from nonlazy.sweeps._load import SWEEP, load
from nonlazy.sweeps._parse import identity
from nonlazy.sweeps._record import Record, number, read_record
from nonlazy.sweeps._sweep import Sweep


RUN = "run.zarr"
RESULTS = "results"


@dataclass(frozen=True, eq=False)
class SweepResult:
    """What a sweep has found so far. Get one from `nonlazy.sweeps.sweep` or `nonlazy.sweeps.open_sweep`.

    **Fields:** `sweep`: what was asked for; `folder`: where everything is; `records`: what became of each point, in the
    order of `sweep.points`.
    """

    sweep: Sweep
    folder: Path
    records: tuple[Record, ...]

    @cached_property
    def data(self) -> xarray.DataTree:
        """All numbers, with the swept parameters as dimensions: groups `samples`, `diagnostics`, `theory`, `codes`,
        `comparison` and `points`, as in `results.zarr`."""
        return gather(self.sweep, self.records)

    @property
    def complete(self) -> bool:
        """Whether every point is done."""
        return all(record.state == "done" for record in self.records)

    @property
    def failed(self) -> Mapping[str, str]:
        """The points that failed, by name, and why."""
        return self._where(lambda record: record.state == "failed", lambda record: record.error)

    @property
    def missing(self) -> tuple[str, ...]:
        """The points that were not begun, or not finished."""
        return tuple(self._where(lambda record: record.state == "missing", lambda _: ""))

    @property
    def begun(self) -> tuple[str, ...]:
        """The missing points whose runs have been begun: they go on from their checkpoints."""
        return tuple(name for name in self.missing if (self.folder / name / RUN).exists())

    @property
    def uncertified(self) -> tuple[str, ...]:
        """The points whose theory is solved, but not proved to be the optimum (`nonlazy.theory.Prediction`)."""
        wanted = self._where(lambda record: record.found.get("theory", {}).get("certified") == 0, lambda _: "")
        return tuple(wanted)

    @property
    def unconverged(self) -> Mapping[str, float]:
        """The points that are done but whose chains do not agree, and their largest R-hat."""
        return self._where(
            lambda record: record.state == "done" and not record.found["diagnostics"].get("converged"),
            lambda record: number(record.found["diagnostics"].get("rhat_max")),
        )

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of the quantities that some point has."""
        return tuple(quantities(self.data))

    def __getitem__(self, name: str) -> xarray.DataArray:
        """A quantity over the swept parameters, as `result["loss"]` or `result["fraction[1-1-0]"]`.

        **Raises:** `nonlazy.errors.InvalidInput` where no point has it.
        """
        found = quantity(self.data, name)
        if found is None:
            raise InvalidInput(absent(name, self.sweep, self.data))
        return found

    def run(self, point: int | str) -> Run:
        """The run of a point, by its number or its name.

        **Raises:** `nonlazy.errors.InvalidInput` for no point of the sweep; `nonlazy.errors.StoreError` where it was
        not begun.
        """
        named = {one.name: one for one in self.sweep.points}
        if isinstance(point, int) and not 0 <= point < len(self.sweep.points):
            raise InvalidInput(f"there is no point {point}: the sweep has {len(self.sweep.points)}, counted from 0")
        if isinstance(point, str) and point not in named:
            raise InvalidInput(f"there is no point {point!r}: the first is {self.sweep.points[0].name!r}")
        name = self.sweep.points[point].name if isinstance(point, int) else point
        return open_run(self.folder / name / RUN)

    def write(self, show: Sequence[str] = ()) -> tuple[Path, ...]:
        """Writes `results.zarr`, `results.csv` and a picture (PNG, PDF) of each quantity into the folder.

        **Arguments:** `show`: the quantities to draw; empty: those of the sweep file, or one that fits.

        **Raises:** `nonlazy.errors.InvalidInput` for a quantity that no point has, once the rest is written;
        `nonlazy.errors.StoreError`.
        """
        from nonlazy import plots
        from nonlazy.figures._panels import write_panels
        from nonlazy.sweeps._picture import chosen, draw, file_name

        paths = [write_panels(self.data, self.folder / f"{RESULTS}.zarr")]
        paths.append(write_text(self.folder / f"{RESULTS}.csv", table(self.sweep, self.data)))
        if any(record.state == "done" for record in self.records):
            faults = []
            for name in tuple(show) or self.sweep.show or (chosen(self.sweep, self.data),):
                try:
                    paths += plots.save(draw(self.sweep, self.data, name), self.folder / file_name(name))
                except InvalidInput as error:
                    faults.append(str(error))
            if faults:
                raise InvalidInput("\n".join(faults))
        return tuple(paths)

    def __str__(self) -> str:
        done = sum(record.state == "done" for record in self.records)
        lines = [f"{self.sweep.name}: {done} of {len(self.records)} points done, in {self.folder}"]
        for name, error in self.failed.items():
            lines.append(f"failed: {name}: {error.strip().splitlines()[0] if error.strip() else ''}")
        if self.missing:
            begun = f" ({len(self.begun)} begun)" if self.begun else ""
            lines.append(f"missing{begun}: {_listed(self.missing)}")
        if self.unconverged:
            lines.append(f"not converged: {_listed(tuple(self.unconverged))}")
        if self.uncertified:
            lines.append(f"theory not certified: {_listed(self.uncertified)}")
        return "\n".join(lines)

    def _where(self, wanted: Any, value: Any) -> dict[str, Any]:
        pairs = zip(self.sweep.points, self.records, strict=True)
        return {point.name: value(record) for point, record in pairs if wanted(record)}


def read_result(sweep: Sweep, folder: Path) -> SweepResult:
    """The result of a sweep in a folder, as it is now; a record of another experiment counts as missing."""
    records = []
    for point in sweep.points:
        record = read_record(folder / point.name)
        records.append(record if record.identity == identity(point.experiment) else Record("missing"))
    return SweepResult(sweep, folder, tuple(records))


def open_sweep(folder: str | Path, sweep: Sweep | None = None) -> SweepResult:
    """Opens the folder of a sweep, complete or not.

    **Arguments:** `sweep`: whose points to read, as one that has grown since; None: that of the folder.

    **Raises:** `nonlazy.errors.StoreError` where it is none, or of other parameters than `sweep`.
    """
    from nonlazy.sweeps._folder import check_folder

    folder = Path(folder).expanduser()
    if not (folder / SWEEP).is_file():
        advice = "give the folder that nonlazy sweep wrote" if sweep is None else "run it first, or name its folder"
        raise StoreError(f"{folder} holds no sweep: {advice}")
    if sweep is not None:
        check_folder(folder, sweep, overwrite=False)
    return read_result(sweep or load(folder), folder)


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
