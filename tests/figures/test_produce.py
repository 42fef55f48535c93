"""A figure from its definition, at a size of seconds: what lies in its folder, and what happens on the way."""

import csv
import json

import numpy as np
import pytest
import xarray
from matplotlib.figure import Figure

from nonlazy import figures
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.figures import FigureData, FigureDefinition, FigureRow
from tests.figures.test_figure2 import tiny


def definition(experiments=("linear", "relu")):
    def read(runs):
        readouts = xarray.Dataset({"readout": (("neuron",), next(iter(runs.values())).readouts()[0, -1, :, 0])})
        row = FigureRow("linear", "mean readout, a", 1.0, float(readouts["readout"].mean()), paper="none, it says")
        return FigureData(xarray.DataTree.from_dict({"linear": readouts}), (row,), {"6.outputs": 0.05}, ("a note",))

    def draw(panels):
        figure = Figure()
        figure.add_subplot().plot(panels["linear/readout"].values)
        return figure

    return FigureDefinition(
        name="test", title="A test", summary="Nothing.", seconds=1.0, quick_seconds=1.0, read=read, draw=draw,
        experiments=lambda quick: {
            name: tiny(name).changed({"sampling": {"draws": 4, "warmup": 4}}) for name in experiments
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    seen = []
    result = figures.produce(definition(), True, folder, progress=False, announce=seen.append)
    assert seen == ["linear", "relu"]
    return result


def test_everything_is_in_the_folder(made):
    files = {path.name for path in made.folder.iterdir()}
    assert files == {"linear", "relu"} | {f"figure-test-quick{end}" for end in
                                         (".png", ".pdf", ".csv", ".json", "-panels.zarr")}  # fmt: skip
    with open(made.folder / "figure-test-quick.csv", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["quantity"], row["theory"], row["paper"]) == ("mean readout, a", "1", "none, it says")
    assert float(row["deviation"]) == pytest.approx(float(row["samples"]) - 1, abs=1e-5)
    numbers = json.loads((made.folder / "figure-test-quick.json").read_text(encoding="utf-8"))
    assert numbers["quick"] and numbers["notes"] == ["a note"] and set(numbers["provenance"]) == {"linear", "relu"}
    (claim,) = numbers["claims"]
    assert (claim["claim"], claim["value"], claim["holds"]) == (6, 0.05, True)


def test_panels_read_back_are_those_that_were_drawn(made):
    panels = figures.open_panels(made.folder / "figure-test-quick-panels.zarr")
    np.testing.assert_array_equal(panels["linear/readout"].values, made.data.panels["linear/readout"].values)
    with pytest.raises(StoreError, match="holds no panels"):
        figures.open_panels(made.folder)


def test_what_is_complete_is_not_sampled_again(made):
    before = (made.folder / "linear/run.zarr/zarr.json").stat().st_mtime_ns
    again = figures.produce(definition(), True, made.folder, progress=False)
    assert (made.folder / "linear/run.zarr/zarr.json").stat().st_mtime_ns == before
    assert again.to_dict()["table"] == made.to_dict()["table"]


def test_an_experiment_that_was_not_begun_begins_when_the_figure_goes_on(made, tmp_path):
    figures.produce(definition(("linear",)), True, tmp_path, progress=False)
    whole = figures.produce(definition(), True, tmp_path, progress=False, resume=True)
    assert set(whole.runs) == {"linear", "relu"}
    np.testing.assert_array_equal(whole.runs["relu"].readouts(), made.runs["relu"].readouts())


def test_to_go_on_with_nothing_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="holds no run of this figure"):
        figures.produce(definition(), True, tmp_path / "new", resume=True)
    assert not (tmp_path / "new").exists()


def test_an_unknown_figure_is_refused():
    with pytest.raises(InvalidInput, match="there is no figure '9': choose one of 1, 2"):
        figures.figure("9")
