"""Shares of codes along chains as a picture."""

import numpy as np
import pytest

from nonlazy import plots
from nonlazy.errors import InvalidInput


TIMES = np.arange(1, 31) / 3
CODES = ("1-1-0", "1-0-1", "0-1-1")


def shares(chains=2):
    generator = np.random.default_rng(0)
    return {start: generator.dirichlet(np.ones(3), (chains, TIMES.size)) for start in ("quench", "planted")}


def test_a_panel_a_code_a_line_a_chain_and_theory(texts):
    found = shares()
    figure = plots.share_curves(TIMES, found, CODES, [0.5, 0.3, np.nan], title="a title", footnote="small print")
    assert [len(axes.lines) for axes in figure.axes] == [5, 5, 4]
    np.testing.assert_allclose(figure.axes[1].lines[3].get_ydata(), 100 * found["planted"][1, :, 1])
    shown = " ".join(text.get_text() for text, _ in texts(figure))
    for expected in (*CODES, "quench", "planted", "theory", "a title", "small print", "time (sweeps of jumps)"):
        assert expected in shown


def test_more_codes_than_panels_are_left_out():
    values = {"quench": np.full((1, TIMES.size, 11), 1 / 11)}
    assert len(plots.share_curves(TIMES, values, [f"code {k}" for k in range(11)]).axes) == 8


@pytest.mark.parametrize(("theory", "codes"), [([0.5, 0.5], CODES), (None, CODES[:2])])
def test_shapes_that_do_not_fit_are_refused(theory, codes):
    with pytest.raises(InvalidInput, match=r"has shape|have shape"):
        plots.share_curves(TIMES, shares(), codes, theory)
