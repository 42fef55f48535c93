"""The figure of many outputs at a tiny size: codes and outliers of three classes, table and picture."""

from itertools import combinations

import numpy as np
import pytest

import nonlazy as nl
from nonlazy.figures import open_panels
from nonlazy.figures._panels import write_panels
from nonlazy.figures.ours import MANY_OUTPUTS
from nonlazy.figures.ours._many_outputs import codes_of_the_theory, planted
from nonlazy.figures.ours._symmetric_scheme import symmetric_scheme
from tests.figures.image_runs import run
from tests.sampling.runs import quick_compilation


def tiny(experiment):
    return experiment.changed(
        {
            "task": {"P": 24, "N0": 24, "class_ratios": [1 / 3] * 3},
            "network": {"width": 24},
            "sampling": {"chains": 2, "draws": 6, "warmup": 60, "chain_method": "batched"},
        }
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    one = tiny(MANY_OUTPUTS.experiments(True)["sigmoid-8"])
    with quick_compilation(str(tmp_path_factory.mktemp("compiled"))):
        sigmoid = nl.sample(one.build(), progress=False, **one.sampling_arguments())
    return {"sigmoid-3": sigmoid, "relu-3": run("relu")}


def test_table_counts_what_the_layers_hold(runs, tmp_path):
    data = MANY_OUTPUTS.read(runs)
    rows = {(row.experiment, row.quantity.split(" (chains")[0]): row for row in data.table}
    found = runs["sigmoid-3"]
    codes = []
    for chain in range(2):
        phi = found.activations(draw=found.kept_draws[-1], chain=chain).astype(float)
        means = np.stack([phi[:, found.task.labels == c].mean(axis=1) for c in range(3)], axis=1)
        codes.append(means > 0.5)
    scheme = symmetric_scheme(found.posterior)
    size = rows["sigmoid-3", "classes in a code, mean over neurons"]
    assert size.samples == pytest.approx(np.mean([code.sum(axis=1).mean() for code in codes]))
    assert size.theory == scheme.mean_size
    different = rows["sigmoid-3", "different codes of 24 neurons"]
    assert different.samples == pytest.approx(np.mean([len({tuple(code) for code in one.tolist()}) for one in codes]))
    assert different.theory == pytest.approx(3 * (1 - (1 - 1 / 3) ** 24))
    relu = runs["relu-3"]
    # Chains that are far from the targets are counted and left out.
    missed = np.sqrt(((relu.mean_outputs() - relu.task.Y) ** 2).mean(axis=(1, 2)))
    settled = missed <= 2 * missed.min()
    assert rows["relu-3", "chains that came down to the targets, as a share"].samples == settled.mean()
    norms = (relu.readouts()[settled, relu.kept_draws[-1]].astype(float) ** 2).sum(axis=2)
    assert rows["relu-3", "outliers, |a|^2 > 0.04 N"].samples == pytest.approx((norms > 0.04 * 24).sum(axis=1).mean())
    assert rows["relu-3", "outliers, |a|^2 > 0.04 N"].theory is None
    for name in runs:
        assert 0 <= rows[name, "training inputs whose largest output is their class"].samples <= 1
    assert any("depends on the start" in note for note in data.notes)
    panels = open_panels(write_panels(data.panels, tmp_path / "panels.zarr"))
    np.testing.assert_allclose(panels["sigmoid-3/size_share"].sum("size"), 1)
    assert len(MANY_OUTPUTS.draw(panels).texts) >= 2


def test_planted_codes_are_the_theorys():
    full = MANY_OUTPUTS.experiments(False)
    assert list(full)[:2] == ["sigmoid-10", "sigmoid-10-planted"] and len(full) == 9
    start = full["sigmoid-50-planted"].sampling.start
    codes = np.array(start.codes)
    assert codes.shape == (300, 50) and len(np.unique(codes, axis=0)) == 300
    np.testing.assert_array_equal(codes.sum(axis=1), 25)


def test_few_codes_are_planted_all():
    experiment = MANY_OUTPUTS.experiments(True)["sigmoid-8"]
    codes = codes_of_the_theory(symmetric_scheme(experiment.build()), 80)
    assert {tuple(np.flatnonzero(code)) for code in codes} == set(combinations(range(8), 4))
    assert planted(experiment).name == f"{experiment.name}-planted"
