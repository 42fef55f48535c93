"""The panels that these figures brought: colours by code, shared scales, and arrays that do not fit."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from nonlazy import codes, plots
from nonlazy.errors import InvalidInput
from nonlazy.plots import _style
from tests.figures.paper.made_runs import rectified


@pytest.fixture
def axes():
    return Figure(figsize=(3, 2)).subplots()


def test_a_code_has_one_colour_in_every_layer():
    few, many = np.array([[1, 1, 0], [0, 1, 1]], bool), np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]], bool)
    assert _style.scheme_colours(few) == _style.scheme_colours(many)[1:3]
    assert len(set(_style.scheme_colours(many))) == 4
    assert _style.named_colours(["1-1-0", "bulk", "i = 1"])[:2] == [_style.scheme_colours(few)[0], _style.GREY]
    # Beyond eight possible codes, colours go by the order within the scheme.
    assert _style.scheme_colours(np.eye(4, dtype=bool)) == _style.code_colours(4)


def test_long_labels_are_broken_between_words():
    assert _style.fitted("short", 100.0) == "short"
    assert _style.fitted("the 20 most active of 100 neurons", 80.0).count("\n") == 1
    assert (
        _style.fitted("activation $\\phi(z_i)$ (square-root scale)", 60.0)
        == "activation $\\phi(z_i)$\n(square-root scale)"
    )


def test_kernels_share_the_colours_of_what_they_span(axes):
    weak, strong = np.eye(4) + 0.01, np.eye(4) + np.kron(np.eye(2), np.ones((2, 2)))
    labels = np.array([0, 0, 1, 1])
    plots.kernel(axes, weak, labels, span=np.stack([weak, strong]))
    plots.kernel(axes, strong, labels, span=np.stack([weak, strong]))
    first, second = axes.images
    assert first.get_clim() == second.get_clim() and first.get_clim()[1] > 0.9
    with pytest.raises(InvalidInput, match="span has shape"):
        plots.kernel(axes, weak, labels, span=weak)


def test_names_beyond_the_rows_leave_the_rows_where_they_are(axes):
    labels = np.repeat([0, 1, 2], 20)
    phi = np.maximum(rectified([[0], [1], [2]], labels, 60, np.random.default_rng(3)), 0)
    scheme = codes.detect(phi, labels, activation="relu")
    rows = plots.activation_raster(axes, phi, labels, scheme)
    assert sorted(axes.get_ylim()) == [-0.5, rows.neurons.size - 0.5]


def test_arrays_that_do_not_fit_are_refused(axes):
    with pytest.raises(InvalidInput, match=r"give \(chains, names\)"):
        plots.dots_by_chain(axes, ["a", "b"], np.ones((3, 3)))
    with pytest.raises(InvalidInput, match="2 names"):
        plots.stacked_densities(axes, np.arange(4), np.ones((2, 4)), np.arange(5), np.ones((2, 5)), ["a", "b"], x="z")
    with pytest.raises(InvalidInput, match="1 classes"):
        plots.densities_by_class(axes, np.arange(4), np.ones((1, 2)), np.arange(5), np.ones((1, 5)), ["a"], row="")
    with pytest.raises(InvalidInput, match="2 lines at 3 times"):
        plots.values_over_time(axes, np.arange(3), np.ones((2, 4)), ["a", "b"], x="t", y="a")
    with pytest.raises(InvalidInput, match="one each a layer"):
        plots.layer_stack(axes.figure, [np.ones((2, 2))], [], [0, 1], [])


def test_dots_stand_for_chains_and_dashes_for_theory(axes):
    plots.dots_by_chain(axes, [1, 2], [[1.0, 2.0], [3.0, 4.0]], theory=[1.5, np.nan], x="layer", y="number")
    np.testing.assert_array_equal([line.get_ydata() for line in axes.lines], [[1, 2], [3, 4]])
    assert [segment[0, 1] for segment in axes.collections[0].get_segments()] == [1.5]
