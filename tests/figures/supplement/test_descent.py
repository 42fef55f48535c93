"""Times at which loss and codes settle, on histories for which they are known; the figures at a tiny size."""

import numpy as np
import pytest

from nonlazy import figures
from nonlazy.experiments import load
from nonlazy.figures.supplement import S_DESCENT, S_EMERGENCE
from nonlazy.figures.supplement._descent import _falls, kept_for_good


def test_a_code_that_is_left_again_was_not_kept():
    codes = np.array([[1, 2, 3], [1, 5, 3], [4, 2, 3], [1, 2, 3], [1, 2, 3]])
    np.testing.assert_allclose(kept_for_good(codes), [1 / 3, 1 / 3, 2 / 3, 1, 1])


def test_the_loss_has_fallen_where_one_per_cent_is_left():
    steps = 10 * np.arange(1, 6)
    assert _falls(np.array([101.0, 11.0, 2.1, 1.9, 1.0]), steps, 1.0) == 40
    assert np.isnan(_falls(np.array([101.0, 50.0]), steps[:2], 1.0))


def tiny(name, **sampling):
    return load(name).changed(
        {
            "task": {"P": 20, "N0": 22},
            "network": {"width": 20},
            "sampling": {"chains": 1, "draws": 12, "snapshots": 12, "chain_method": "sequential", **sampling},
        }
    )


@pytest.mark.parametrize("definition", [S_DESCENT, S_EMERGENCE])
def test_the_figure_says_what_its_runs_say(definition, tmp_path, monkeypatch):
    steps = {"s-descent": {"kind": "gradient-descent", "step_size": 2.0, "steps": 40},
             "s-emergence": {"kind": "langevin", "adjusted": False, "step_size": 1.0, "steps": 40}}  # fmt: skip
    small = {name: tiny(name, sampler=sampler) for name, sampler in steps.items()}
    monkeypatch.setattr("nonlazy.figures.supplement._descent.load", small.__getitem__)
    monkeypatch.setattr("nonlazy.figures.supplement._descent._FIRST_DRAWS", 12)
    result = figures.produce(definition, False, tmp_path, progress=False)
    panels = figures.open_panels(tmp_path / f"figure-{definition.name}-panels.zarr")
    loss = panels["loss"].to_dataset()
    run = next(iter(result.runs.values()))
    np.testing.assert_array_equal(loss["loss"].values, run.statistics()["loss"].values)
    each = 5 if definition is S_EMERGENCE else 40
    np.testing.assert_array_equal(loss["step"].values, each * np.arange(1, 13))
    definition.draw(panels)
    found = figures.report(run, "a run")
    if definition is S_DESCENT:
        # Descent without noise samples no posterior: there is no theory of it, and no equilibrium.
        assert found.prediction is None and "does not sample" in found.no_prediction and found.equilibrium is None
    assert {one.claim for one in result.evidence} == {24 if definition is S_EMERGENCE else 23}
