"""The figure of equilibrium at a tiny size: three folders, picture and numbers, going on where it stopped."""

import json

import numpy as np
import pytest

from nonlazy import figures
from nonlazy.errors import InvalidInput
from nonlazy.figures import _figure_equilibrium
from tests.sampling import runs


def tiny(**sampling):
    return figures.equilibrium_experiment().changed(
        {
            "task": {"P": 40, "N0": 42},
            "network": {"width": 40},
            "sampling": {"chains": 1, "draws": 24, "chain_method": "sequential", **sampling},
        }
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folder of the figure, and what it shows."""
    folder = tmp_path_factory.mktemp("equilibrium")
    with runs.quick_compilation(str(tmp_path_factory.mktemp("compiled"))):
        found = figures.sample_equilibrium(tiny(), folder, progress=False)
    paths = figures.write_equilibrium(found, folder, "figure")
    assert [path.name for path in paths] == ["figure.png", "figure.pdf", "figure.json"]
    return folder, found


def test_each_start_has_its_run(drawn):
    folder, found = drawn
    assert set(found.runs) == {"quench", "annealed", "planted"}
    for start, kind in (("quench", "Prior"), ("annealed", "Annealed"), ("planted", "Planted")):
        assert (folder / start / "run.zarr").is_dir() and (folder / start / "experiment.toml").is_file()
        assert found.runs[start].configuration["start"]["kind"] == kind
    # The rarest code of the theory is the one that is not planted.
    planted = found.runs["planted"].configuration["start"]["codes"]
    assert sorted(map(tuple, planted)) == [(0, 1, 1), (1, 0, 1), (1, 1, 0)]


def test_the_first_draws_are_those_before_any_jump(drawn):
    _, found = drawn
    assert found.times[0] == pytest.approx(1 / 3) and found.times[-1] == pytest.approx(8)
    for run in found.runs.values():
        attempts = run.statistics()["move_attempts"].values[0]
        assert not attempts[:2].any() and attempts[2] + attempts[5] + attempts[8] > 0
        assert not run.tree["warmup_sample_stats"]["move_accepted"].values.any()


def test_shares_are_of_all_neurons(drawn):
    _, found = drawn
    for values in found.shares.values():
        assert values.shape == (1, 24, len(found.codes))
        np.testing.assert_allclose(values.sum(axis=2), 1)
    assert np.nansum(found.theory) == pytest.approx(1)
    assert found.equilibrium.discarded == 12 and found.equilibrium.chains == 3


def test_the_numbers_are_on_disk(drawn):
    folder, found = drawn
    numbers = json.loads((folder / "figure.json").read_text(encoding="utf-8"))
    assert numbers["codes"] == list(found.codes)
    np.testing.assert_allclose(numbers["shares"]["planted"], found.shares["planted"])
    assert numbers["equilibrium"]["verdict"] == found.equilibrium.verdict


def test_complete_runs_are_not_sampled_again(drawn):
    folder, found = drawn
    again = figures.sample_equilibrium(tiny(), folder, resume=True, progress=False)
    assert [run.provenance["started"] for run in again.runs.values()] == [
        run.provenance["started"] for run in found.runs.values()
    ]


def test_resuming_begins_the_starts_that_were_not_reached(drawn, tmp_path, monkeypatch):
    asked = []

    def stand_in(experiment, folder, *, name, resume, overwrite, progress):
        asked.append((name, resume))

    (tmp_path / "annealed" / "run.zarr").mkdir(parents=True)
    monkeypatch.setattr(_figure_equilibrium, "sample_experiment", stand_in)
    monkeypatch.setattr(_figure_equilibrium, "read_equilibrium", lambda *arguments: drawn[1])
    figures.sample_equilibrium(tiny(), tmp_path, resume=True)
    assert asked == [("quench", True), ("annealed", True), ("planted", None)]


def test_without_jumps_there_is_no_such_figure(tmp_path):
    with pytest.raises(InvalidInput, match="needs moves"):
        figures.sample_equilibrium(tiny(moves="none"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_scheme_of_one_code_has_no_such_figure(tmp_path):
    warm = tiny().changed({"posterior": {"temperature": 1.0}})
    with pytest.raises(InvalidInput, match="two codes or more"):
        figures.sample_equilibrium(warm, tmp_path / "new")
    assert not (tmp_path / "new").exists()
