"""The picture of any layer's coding scheme."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from nonlazy import codes, plots
from nonlazy.errors import InvalidInput
from nonlazy.plots._coding_scheme import _selection


@pytest.mark.parametrize("kind", ["redundant", "sparse", "analog", "none"])
@pytest.mark.parametrize("with_readouts", [True, False])
def test_every_kind_is_drawn_with_all_its_texts_inside(kind, with_readouts, make_layer, texts):
    layer = make_layer(kind)
    readouts = layer.readouts if with_readouts else None
    figure = plots.coding_scheme(None, layer.scheme, layer.phi, layer.labels, readouts, title="layer.npz")
    assert len(figure.axes) == 3 + with_readouts
    width, height = figure.get_size_inches() * figure.dpi
    found = texts(figure)
    for text, box in found:
        assert box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1, text.get_text()
    words = [text.get_text() for text, _ in found]
    assert "layer.npz" in words
    assert (f"{kind}:\nno codes" in words) == (len(layer.scheme.codes) == 0)


def test_many_codes_of_many_classes(make_layer, texts):
    rng = np.random.default_rng(4100)
    labels = np.arange(300) % 10
    phi = (rng.random((200, 10)) < 0.4)[:, labels] + 0.1 * rng.normal(size=(200, 300))
    scheme = codes.detect(phi, labels)
    figure = plots.coding_scheme(None, scheme, phi, labels)
    words = " ".join(text.get_text() for text, _ in texts(figure))
    assert f"16 of {len(scheme.codes)} codes" in words


def test_shares_stand_at_their_values_with_their_intervals(make_layer):
    scheme = make_layer("redundant").scheme
    axes = Figure().add_subplot()
    plots.code_shares(axes, scheme)
    order = np.argsort(-scheme.counts, kind="stable")
    drawn = [line.get_xdata() for line in axes.lines]
    np.testing.assert_allclose(np.array(drawn[0::2]), scheme.fraction_intervals[order])
    np.testing.assert_allclose(np.ravel(drawn[1::2]), scheme.fractions[order])
    assert [label.get_text() for label in axes.get_yticklabels()] == [scheme.code_name(int(i)) for i in order]


def test_an_even_selection_of_many_inputs_is_shown():
    labels = np.repeat([0, 1, 2], [9000, 900, 3])
    shown = _selection(labels)
    assert shown.size <= 402 and set(labels[shown]) == {0, 1, 2}
    assert abs(np.mean(labels[shown] == 0) - 9000 / 9903) < 0.02
    np.testing.assert_array_equal(_selection(labels[:50]), np.arange(50))


def test_what_does_not_fit_is_refused(make_layer):
    layer = make_layer("redundant")
    with pytest.raises(InvalidInput, match=r"activations \(59, 80\), labels \(80,\) and a scheme of 60 neurons"):
        plots.coding_scheme(None, layer.scheme, layer.phi[1:], layer.labels)
