"""Single panels: what they show is what they were given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from nonlazy import plots
from nonlazy.errors import InvalidInput
from nonlazy.plots._style import code_colours, spread_out


@pytest.fixture
def axes():
    return Figure(figsize=(3, 3)).subplots()


def test_rows_are_sorted_by_code_and_sparse_layers_show_the_most_active(make_layer):
    net = make_layer("redundant")
    rows = plots.rows_of(net.scheme)
    np.testing.assert_array_equal(rows.neurons, net.scheme.order())
    np.testing.assert_array_equal(rows.edges, [0, 20, 40, 60])
    assert rows.codes == (0, 1, 2)
    net = make_layer("sparse")
    rows = plots.rows_of(net.scheme)
    assert rows.neurons.size == 20 and rows.total == 60
    np.testing.assert_array_equal(rows.neurons[:3], [2, 9, 16])
    assert rows.codes == (0, 1, 2, -1)
    strength = np.mean(net.phi**2, axis=1)
    assert strength[rows.neurons].min() >= np.sort(strength)[-20]
    assert plots.rows_of(net.scheme, at_most=5).neurons.size == 5


@pytest.mark.parametrize("kind", ["redundant", "analog", "sparse"])
def test_raster_shows_the_activations_sorted(make_layer, axes, kind):
    net = make_layer(kind)
    rows = plots.activation_raster(axes, net.phi, net.labels, net.scheme)
    image = axes.images[0].get_array()
    tall, wide = image.shape[0] // rows.neurons.size, image.shape[1] // 80
    expected = net.phi[np.ix_(rows.neurons, np.argsort(net.labels, kind="stable"))]
    np.testing.assert_array_equal(image[::tall, ::wide], expected)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2"]


def test_raster_scales(make_layer, axes):
    net = make_layer("redundant")
    plots.activation_raster(axes, net.phi, net.labels, net.scheme)
    assert axes.images[0].get_clim() == (0.0, 1.0)
    net = make_layer("analog")
    plots.activation_raster(axes, net.phi, net.labels, net.scheme)
    low, high = axes.images[1].get_clim()
    assert low == -high


def test_kernel_shows_samples_above_and_theory_below(make_layer, axes):
    net = make_layer("redundant")
    plots.kernel(axes, net.K, net.labels, theory=net.K + 1)
    image = axes.images[0].get_array()
    step = image.shape[0] // 80
    order = np.argsort(net.labels, kind="stable")
    K = net.K[np.ix_(order, order)]
    np.testing.assert_allclose(image[::step, ::step], np.triu(K) + np.tril(K + 1, -1))


def test_outputs_and_targets(make_layer, axes):
    net = make_layer("redundant")
    plots.outputs_against_targets(axes, net.f, net.Y, net.labels)
    drawn = np.concatenate([np.asarray(dots.get_offsets())[:, 1] for dots in axes.collections[::2]])
    np.testing.assert_allclose(np.sort(drawn), np.sort(net.f.ravel()))
    bars = [segment[0, 1] for lines in axes.collections[1::2] for segment in lines.get_segments()]
    np.testing.assert_allclose(bars, [1, -0.5, -0.5, -0.5, 1, -0.5, -0.5, -0.5, 1])


def test_readouts_in_strips_planes_and_histogram(make_layer, axes):
    net = make_layer("redundant")
    plots.readout_scatter(axes, net.readouts, net.scheme, plane=(2, 0))
    points = np.concatenate([np.asarray(dots.get_offsets()) for dots in axes.collections])
    np.testing.assert_allclose(points, net.readouts[net.scheme.neuron_codes.argsort(kind="stable")][:, [2, 0]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["1-1-0", "1-0-1", "0-1-1"]
    axes = Figure().subplots()
    plots.readout_scatter(axes, net.readouts, net.scheme, theory=np.eye(3))
    heights = np.concatenate([np.asarray(dots.get_offsets())[:, 1] for dots in axes.collections])
    np.testing.assert_allclose(np.sort(heights), np.sort(net.readouts.ravel()))
    axes = Figure().subplots()
    plots.readout_scatter(axes, net.readouts[:, :1], net.scheme)
    assert sum(bar.get_height() for bar in axes.patches) == 60
    with pytest.raises(InvalidInput, match=r"plane \(0, 3\)"):
        plots.readout_scatter(axes, net.readouts, net.scheme, plane=(0, 3))


def test_covariance_ellipse_has_the_standard_deviations(make_layer, axes):
    net = make_layer("analog")
    U = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    plots.readout_scatter(axes, net.readouts, net.scheme, plane=(0, 1), theory=U)
    ellipses = [line.get_xydata() for line in axes.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose([np.abs(e).max(axis=0) for e in ellipses], np.outer([1, 2], np.sqrt([2, 1])), rtol=1e-3)


def test_trace_draws_a_line_a_chain(axes):
    values = np.arange(12.0).reshape(3, 4)
    values[0, 2] = np.inf
    plots.trace(axes, values, "loss")
    assert len(axes.lines) == 3 and np.isnan(axes.lines[0].get_ydata()[2])
    assert axes.get_ylabel() == "loss"
    with pytest.raises(InvalidInput, match="give \\(chain, draw\\)"):
        plots.trace(axes, values[0], "loss")


def test_labels_keep_their_distance_and_order():
    placed = spread_out([5.0, 0.0, 0.1, 0.2, 20.0], 1.0)
    np.testing.assert_allclose(placed, [5.0, -0.9, 0.1, 1.1, 20.0])
    assert spread_out([], 1.0) == []


def test_codes_have_colours_of_their_own():
    assert len(set(code_colours(16))) == 16
    # The same code keeps its colour when codes are added after it.
    assert code_colours(4) == code_colours(8)[:4]
