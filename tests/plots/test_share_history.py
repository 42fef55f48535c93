"""Shares of a code along chains as a picture."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from nonlazy import plots
from nonlazy.errors import InvalidInput


TIMES = np.arange(1, 31) / 3


def shares(chains=2):
    generator = np.random.default_rng(0)
    return {start: generator.uniform(size=(chains, TIMES.size)) for start in ("quench", "planted")}


@pytest.mark.parametrize(("theory", "lines"), [(0.3, 5), (None, 4), (np.nan, 4)])
def test_a_line_a_chain_and_theory(theory, lines):
    axes, found = Figure().add_subplot(), shares()
    named = plots.share_history(axes, TIMES, found, theory)
    assert len(axes.lines) == lines
    assert list(named) == ["quench", "planted"] + ["theory"] * (lines == 5)
    np.testing.assert_allclose(axes.lines[3].get_ydata(), 100 * found["planted"][1])
    low, high = axes.get_ylim()
    assert low <= 100 * min(v.min() for v in found.values()) and high >= 100 * max(v.max() for v in found.values())


def test_a_share_that_hardly_moves_is_not_magnified():
    axes = Figure().add_subplot()
    plots.share_history(axes, TIMES, {"quench": np.full((1, TIMES.size), 0.25)}, 0.251)
    low, high = axes.get_ylim()
    assert high - low > 4


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InvalidInput, match=r"shares of 'quench' have shape"):
        plots.share_history(Figure().add_subplot(), TIMES[:-1], shares())
