"""Transitions between schemes: shares of tiny runs beside the theory, and the picture from its panels."""

import numpy as np
import pytest

from nonlazy import figures
from nonlazy.experiments import load
from nonlazy.figures.supplement import S_TRANSITIONS
from nonlazy.figures.supplement._transitions import LEAST_SHARE


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    def experiments(quick):
        base = load("s-transitions").changed(
            {
                "task": {"P": 24, "N0": 26},
                "network": {"width": 24},
                "sampling": {"draws": 20, "warmup": 60, "moves": "none", "chain_method": "sequential"},
            }
        )
        return {f"{kind}-{y:g}": base.changed({"task": {"y_minus": y}}) for kind in ("equilibrium", "frozen")
                for y in (0.3, 0.5)}  # fmt: skip

    from dataclasses import replace

    folder = tmp_path_factory.mktemp("transitions")
    return figures.produce(replace(S_TRANSITIONS, experiments=experiments), False, folder, progress=False)


def test_shares_of_every_run_are_in_the_panels(made):
    panels = figures.open_panels(made.folder / "figure-s-transitions-panels.zarr")
    for kind in ("equilibrium", "frozen"):
        data = panels[kind].to_dataset()
        for y in (0.3, 0.5):
            found = figures_fractions(made.runs[f"{kind}-{y:g}"])
            for code, share in found.items():
                if share > LEAST_SHARE:
                    assert float(data["share"].sel(y_minus=y, code=code)) == pytest.approx(share)
    S_TRANSITIONS.draw(panels)


def figures_fractions(run):
    from nonlazy.diagnostics import fractions

    found = fractions(run)
    return dict(zip(found.names, found.shares, strict=True))


def test_the_theory_has_its_transition_where_it_is_known(made):
    # docs/theory/sigmoidal.md: at T = 0 the code 1-1-1 enters at y- = 0.477.
    assert "theory at T = 0, P to infinity: 2 set(s) of codes, changing at y- = 0.477" in made.data.notes
    theory = made.data.panels["theory"].to_dataset()
    np.testing.assert_allclose(theory["share"].sum("code"), 1)
    np.testing.assert_allclose(theory["share_cold"].sum("code"), 1)
    # Two targets do not make a sweep.
    assert not {"19.theory", "19.samples"} & set(made.data.measured)
