"""The figure of equilibrium at a tiny size: three starts, their shares, verdict and picture."""

from dataclasses import replace

import numpy as np
import pytest

from nonlazy import figures
from nonlazy.errors import InvalidInput
from nonlazy.experiments import load
from nonlazy.figures.ours import EQUILIBRIUM
from nonlazy.figures.ours._equilibrium import from_starts, read_shares
from tests.sampling import runs


def tiny(**sampling):
    return load("equilibrium").changed(
        {
            "task": {"P": 40, "N0": 42},
            "network": {"width": 40},
            "sampling": {"chains": 1, "draws": 24, "chain_method": "sequential", **sampling},
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The figure, and the shares in its runs."""
    folder = tmp_path_factory.mktemp("equilibrium")
    small = {f"N40-T0.01-{start}": one for start, one in from_starts(tiny()).items()}
    definition = replace(EQUILIBRIUM, experiments=lambda quick: small)
    with runs.quick_compilation(str(tmp_path_factory.mktemp("compiled"))):
        result = figures.produce(definition, False, folder, progress=False)
    return result, read_shares({name.rsplit("-", 1)[1]: run for name, run in result.runs.items()})


def test_each_start_has_its_run(made):
    result, _ = made
    for start, kind in (("quench", "Prior"), ("annealed", "Annealed"), ("planted", "Planted")):
        assert result.runs[f"N40-T0.01-{start}"].configuration["start"]["kind"] == kind
    # The rarest code of the theory is the one that is not planted.
    planted = result.runs["N40-T0.01-planted"].configuration["start"]["codes"]
    assert sorted(map(tuple, planted)) == [(0, 1, 1), (1, 0, 1), (1, 1, 0)]


def test_the_first_draws_are_those_before_any_jump(made):
    result, found = made
    assert found.times[0] == pytest.approx(1 / 3) and found.times[-1] == pytest.approx(8)
    for run in result.runs.values():
        attempts = run.statistics()["move_attempts"].values[0]
        assert not attempts[:2].any() and attempts[2] + attempts[5] + attempts[8] > 0
        assert not run.tree["warmup_sample_stats"]["move_accepted"].values.any()


def test_shares_are_of_all_neurons(made):
    _, found = made
    for values in found.shares.values():
        assert values.shape == (1, 24, len(found.codes))
        np.testing.assert_allclose(values.sum(axis=2), 1)
    assert np.nansum(found.theory) == pytest.approx(1)
    assert found.equilibrium.discarded == 12 and found.equilibrium.chains == 3


def test_table_notes_and_panels_say_the_same(made):
    result, found = made
    panels = figures.open_panels(result.folder / "figure-equilibrium-panels.zarr")
    data = panels["N40-T0.01"].to_dataset()
    for row in result.data.table:
        code = row.quantity.removeprefix("share of ")
        k = found.codes.index(code)
        late = np.mean([values[:, 12:, k] for values in found.shares.values()])
        assert row.samples == pytest.approx(late) and row.theory == pytest.approx(found.theory[k], nan_ok=True)
        np.testing.assert_array_equal(data["share"].sel(start="planted", code=code), found.shares["planted"][..., k])
    (note,) = result.data.notes
    assert note.startswith(f"N40-T0.01: {found.equilibrium.verdict}; ")
    assert result.converged == (found.equilibrium.verdict == "equilibrated")
    EQUILIBRIUM.draw(panels)


def test_two_sizes_and_two_temperatures_from_three_starts():
    names = set(EQUILIBRIUM.experiments(False))
    assert names == {f"N{size}-T{T}-{start}" for size in (200, 500) for T in ("0.01", "0.001")
                     for start in ("quench", "annealed", "planted")}  # fmt: skip
    assert len(EQUILIBRIUM.experiments(True)) == 3


def test_without_jumps_there_is_no_such_figure():
    with pytest.raises(InvalidInput, match="needs moves"):
        from_starts(tiny(moves="none"))


def test_a_scheme_of_one_code_has_no_such_figure():
    with pytest.raises(InvalidInput, match="two codes or more"):
        from_starts(tiny().changed({"posterior": {"temperature": 1.0}}))
