"""A sweep from start to end: what lies in its folder, what is gathered, and what happens when it is run again."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import xarray

from nonlazy import sweeps
from nonlazy.diagnostics._mcse import standard_error
from nonlazy.errors import InvalidInput, StoreError
from nonlazy.figures import EXPERIMENT, RUN
from nonlazy.network import Network
from nonlazy.posterior import Posterior
from nonlazy.sampling import sample
from nonlazy.sweeps._folder import check_folder
from nonlazy.sweeps._numbers import _test_numbers
from nonlazy.sweeps._plan import plan
from nonlazy.sweeps._record import read_record
from nonlazy.tasks import toy
from nonlazy.theory import solve
from tests.sweeps.conftest import SWEEP, write_files


COLD, WARM = "temperature=0.01", "temperature=0.1"


@pytest.fixture
def copy(made, tmp_path):
    """A copy of the sweep, with its files: `(sweep file, folder of results)`."""
    shutil.copytree(made.folder, tmp_path / "results")
    return write_files(tmp_path), tmp_path / "results"


def started(folder):
    """When the runs of the points were laid out."""
    return {path.parent.name: (path / "zarr.json").stat().st_ino for path in folder.glob(f"*/{RUN}")}


def test_everything_is_in_the_folder(made):
    found = {path.name for path in made.folder.iterdir()}
    pictures = {"fractions.png", "fractions.pdf"}
    assert found == {COLD, WARM, "sweep.toml", EXPERIMENT, "results.zarr", "results.csv", ".lock", *pictures}
    assert {path.name for path in (made.folder / COLD).iterdir()} == {RUN, EXPERIMENT, "point.json", ".lock"}
    assert made.complete and not made.failed and not made.missing
    # One chain can agree with no other.
    assert set(made.unconverged) == {COLD, WARM}


def test_the_numbers_are_those_of_the_runs_and_of_the_theory(made):
    for temperature, name in ((0.01, COLD), (0.1, WARM)):
        run = made.run(name)
        at = {"temperature": temperature}
        loss = run.statistics()["loss"].values.mean()
        assert float(made["loss"].sel(at)) == pytest.approx(loss)
        rows = {row.quantity: row for row in run.diagnostics().table}
        P, N = run.task.P, run.posterior.network.width
        assert float(made["loss_mcse"].sel(at)) == pytest.approx(rows["loss"].mcse)
        assert float(made["train_error_mcse"].sel(at)) == pytest.approx(2 * rows["loss"].mcse / (P * run.task.m))
        shifted = np.sqrt((rows["sum a^2"].mean + np.array([-1, 1]) * 1e-3 * rows["sum a^2"].mcse) / N)
        slope = np.diff(shifted)[0] / 2e-3
        assert float(made["readout_norm_mcse"].sel(at)) == pytest.approx(slope, rel=1e-4)
        errors = (run.task.Y - run.tree["posterior_predictive/f"].values) ** 2
        assert float(made["train_error"].sel(at)) == pytest.approx(errors.mean(), rel=1e-4)
        readouts = run.readouts()
        assert float(made["sum_a2"].sel(at)) == pytest.approx((readouts**2).sum(axis=(2, 3)).mean(), rel=1e-5)
        shares = made.data["codes/fraction"].sel(at)
        assert 0 < float(shares.sum()) <= 1 + 1e-12
        active = np.array([[int(on) for on in str(code).split("-")] for code in shares["code"].values]).sum(axis=1)
        expected = float((shares.values * active).sum() / shares.values.sum())
        assert float(made["classes_per_neuron"].sel(at)) == pytest.approx(expected)
        prediction = solve(run.posterior)
        assert float(made["theory.free_energy"].sel(at)) == pytest.approx(prediction.free_energy)
        for code, share in zip(prediction.codes.names, prediction.codes.fraction, strict=True):
            assert float(made[f"theory.fraction[{code}]"].sel(at)) == pytest.approx(float(share))
    assert made.run(1).posterior.temperature == 0.1
    compared = made.data["comparison/theory"]
    assert compared.dims == ("temperature", "quantity") and bool(np.isfinite(compared).any())


def test_errors_on_test_inputs_are_means_over_draws_with_their_monte_carlo_error():
    task = toy(P=6, N0=8)
    inputs = np.random.default_rng(0).standard_normal((4, 8))
    task = replace(task, X_test=inputs, Y_test=task.Y[:4], labels_test=task.labels[:4])
    posterior = Posterior(Network(width=8), task, temperature=0.1)
    run = sample(
        posterior, 6, chains=2, warmup=4, moves="none", chain_method="sequential", precision="float64", progress=False
    )
    found = _test_numbers(run)
    errors = ((run.tree["posterior_predictive/f_test"].values - task.Y_test) ** 2).mean(axis=(2, 3))
    assert found["test_error"] == pytest.approx(errors.mean(), rel=1e-6)
    assert found["test_error_mcse"] == pytest.approx(standard_error(errors), rel=1e-6)


def test_results_on_disk_are_those_in_memory(made):
    with xarray.open_datatree(made.folder / "results.zarr", engine="zarr", consolidated=False) as tree:
        assert list(tree["temperature"].values) == [0.01, 0.1]
        assert tree.attrs["keys"] == ["posterior.temperature"]
        for group in ("samples", "diagnostics", "theory", "codes", "points"):
            xarray.testing.assert_equal(tree[group].to_dataset().load(), made.data[group].to_dataset())
    again = sweeps.open_sweep(made.folder)
    assert again.sweep == made.sweep
    xarray.testing.assert_identical(again.data, made.data)


def test_the_table_has_a_line_a_point(made):
    with open(made.folder / "results.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["point"], row["posterior.temperature"], row["state"]) for row in rows] == [
        ("0", "0.01", "done"), ("1", "0.1", "done")
    ]  # fmt: skip
    assert float(rows[1]["loss"]) == pytest.approx(float(made["loss"][1]))


def test_quantities_that_are_not_there_are_named(made):
    with pytest.raises(InvalidInput, match="no point has 'accuracy'"):
        made["accuracy"]
    with pytest.raises(InvalidInput, match="did you mean 'loss'"):
        made["los"]
    with pytest.raises(InvalidInput, match="no point 2"):
        made.run(2)


def test_what_is_done_is_not_run_again(made, copy):
    file, folder = copy
    before = started(folder)
    lines = []
    result = sweeps.sweep(file, folder, progress=False, resume=True, announce=lines.append)
    assert lines == ["2 points: all done already"] and started(folder) == before
    xarray.testing.assert_identical(result.data, made.data)


def test_numbers_of_an_earlier_format_are_read_again_and_nothing_is_sampled(copy):
    file, folder = copy
    path = folder / COLD / "point.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    del stored["format"], stored["found"]["samples"]["loss_mcse"]
    path.write_text(json.dumps({**stored, "seconds": 1234.0}), encoding="utf-8")
    before = started(folder)
    result = sweeps.sweep(file, folder, progress=False)
    assert started(folder) == before and float(result["loss_mcse"][0]) > 0
    assert result.records[0].seconds == 1234.0


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: stored.update(found={}),
        lambda stored: stored.update(found=[]),
        lambda stored: stored.update(state="gone"),
        lambda stored: stored.update(error=3),
        lambda stored: stored["found"]["samples"].update(loss="much"),
        lambda stored: stored["found"]["samples"].update(loss=10**400),
        lambda stored: stored["found"]["samples"].update(kind=2),
        lambda stored: stored["found"]["codes"].update({"1-1-0": 0.5}),
        lambda stored: stored["found"]["comparison"].append({"theory": 1.0}),
        lambda stored: stored.update(more=1),
    ],
)
def test_a_point_whose_record_is_damaged_is_missing(made, tmp_path, damage):
    stored = json.loads((made.folder / COLD / "point.json").read_text(encoding="utf-8"))
    (tmp_path / "point.json").write_text(json.dumps(stored), encoding="utf-8")
    assert read_record(tmp_path).state == "done"
    damage(stored)
    (tmp_path / "point.json").write_text(json.dumps(stored), encoding="utf-8")
    assert read_record(tmp_path).state == "missing"


def test_points_are_known_by_their_values_and_not_by_their_numbers(made, copy):
    file, folder = copy
    file.write_text(SWEEP.replace("[0.01, 0.1]", "[0.1, 0.01]").replace("theory = true", ""), encoding="utf-8")
    before = started(folder)
    result = sweeps.sweep(file, folder, progress=False)
    assert started(folder) == before and list(result.data["temperature"].values) == [0.1, 0.01]
    np.testing.assert_array_equal(result["loss"].sel(temperature=[0.01, 0.1]), made["loss"])


def test_another_experiment_in_the_folder_is_refused(copy):
    file, folder = copy
    write_files(file.parent, draws="9")
    with pytest.raises(StoreError, match=r"point temperature=0.01, \[sampling\] draws is 8 there and 9 here"):
        sweeps.sweep(file, folder, progress=False)
    write_files(file.parent, SWEEP.replace("posterior.temperature", "task.y_minus"))
    with pytest.raises(StoreError, match=r"another sweep, over posterior\.temperature"):
        sweeps.sweep(file, folder, progress=False, overwrite=True)
    (folder / "sweep.toml").unlink()
    with pytest.raises(StoreError, match="holds other files"):
        sweeps.sweep(file, folder, progress=False)
    with pytest.raises(InvalidInput, match="no sweep to go on with"):
        sweeps.sweep(file, folder, progress=False, resume=True)
    with pytest.raises(StoreError, match="holds no sweep"):
        sweeps.open_sweep(folder)


def test_points_alone_are_gathered_later(copy):
    file, folder = copy
    shutil.rmtree(folder / COLD)
    for path in folder.glob("*.*"):
        if path.suffix in (".csv", ".png", ".pdf"):
            path.unlink()
    shutil.rmtree(folder / "results.zarr")
    result = sweeps.sweep(file, folder, points="1", progress=False)
    assert not (folder / "results.zarr").exists() and result.missing == (COLD,)
    written = {path.name for path in sweeps.open_sweep(folder).write(["train_error", "fraction[1-1-0]"])}
    assert {"results.zarr", "results.csv", "train-error.png", "fraction-1-1-0.pdf"} <= written
    assert sweeps.open_sweep(folder).data["points/state"].values.tolist() == ["missing", "done"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"jobs": 0}, "jobs is 0"), ({"jobs": 10_000}, "jobs is 10000"), ({"points": "7"}, "no point 7"),
        ({"show": ["los"]}, "did you mean 'loss'"), ({"retries": -1}, "retries is -1"),
        ({"resume": True, "overwrite": True}, "choose one"), ({"jobs": 1, "cluster": "tcp://x:1"}, "for this machine"),
        ({"scheduler_file": "none.json"}, "no scheduler file none.json"), ({"out": "two.toml"}, "is a file"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_used_are_refused_before_anything_is_made(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    file = write_files(tmp_path)
    with pytest.raises(InvalidInput, match=said):
        sweeps.sweep(file, **arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"two.toml", "tiny.toml"}


def test_a_folder_that_another_job_is_laying_out_is_taken_for_the_sweeps_own(made, tmp_path):
    # What lies there before sweep.toml: the lock, the experiment, and files under way.
    for name in (".lock", EXPERIMENT, ".sweep.toml.1"):
        (tmp_path / name).touch()
        check_folder(tmp_path, made.sweep, overwrite=False)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(StoreError, match="holds other files, and no sweep"):
        check_folder(tmp_path, made.sweep, overwrite=False)


def test_a_quantity_that_no_point_has_is_said_after_the_work_and_the_others_are_drawn(copy):
    file, folder = copy
    (folder / "fractions.png").unlink()
    said = []
    result = sweeps.sweep(file, folder, show=["outliers", "fractions"], progress=False, announce=said.append)
    assert result.complete and (folder / "fractions.png").is_file()
    assert any("Not drawn" in line and "outliers" in line for line in said)


def test_a_quantity_that_no_point_can_have_is_refused_before_anything_runs(copy, tmp_path):
    file, folder = copy
    with pytest.raises(InvalidInput, match="--show: accuracy needs test inputs"):
        sweeps.sweep(file, tmp_path / "new", show=["accuracy"], progress=False)
    file.write_text(SWEEP.replace("theory = true", 'show = "theory.train_error"'), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"show: theory\.train_error needs the theory"):
        sweeps.sweep(file, tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()
    # It is there from the call that asked for it.
    sweeps.sweep(file, folder, progress=False)
    assert (folder / "theory-train-error.png").is_file()


def test_points_that_are_begun_are_told_from_those_that_are_not(copy):
    file, folder = copy
    for point in (COLD, WARM):
        (folder / point / "point.json").unlink()
    shutil.rmtree(folder / WARM)
    result = sweeps.open_sweep(folder)
    assert (result.missing, result.begun) == ((COLD, WARM), (COLD,)) and "missing (1 begun): " in str(result)
    planned = plan(file, folder)
    assert [planned.standing(point) for point in planned.points] == ["begun", ""]
    assert planned.said(planned.jobs()).endswith("at a time (1 begun, to go on from where it stopped)")
    assert "begun" not in plan(file, folder, overwrite=True).said(planned.jobs())


def test_why_a_theory_is_certified_or_not_is_kept(made):
    prediction = solve(made.run(COLD).posterior)
    assert made.records[0].found["certificate"] == prediction.certificate
    assert (COLD in made.uncertified) == (not prediction.certified)
    found = {**made.records[1].found, "theory": {**made.records[1].found["theory"], "certified": 0.0}}
    doubtful = replace(made, records=(made.records[0], replace(made.records[1], found=found)))
    assert WARM in doubtful.uncertified and f"theory not certified: {', '.join(doubtful.uncertified)}" in str(doubtful)


def test_a_sweep_that_has_grown_has_missing_points_where_it_is_gathered(copy):
    file, folder = copy
    file.write_text(SWEEP.replace("[0.01, 0.1]", "[0.01, 0.1, 0.3]"), encoding="utf-8")
    grown = sweeps.open_sweep(folder, sweeps.load(file))
    assert grown.missing == ("temperature=0.3",)
