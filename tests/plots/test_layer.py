"""The one-row picture: everything legible, nothing on top of anything else."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from nonlazy import codes, plots
from nonlazy.errors import InvalidInput
from nonlazy.theory.rectified._records import Outliers


def assert_legible(figure, found):
    width, height = figure.get_size_inches() * figure.dpi
    assert figure.get_size_inches()[0] == 7.0
    for text, box in found:
        assert text.get_fontsize() >= 6, text
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, text
    for (one, box), (other, area) in itertools.combinations(found, 2):
        overlap = min(box.x1, area.x1) - max(box.x0, area.x0), min(box.y1, area.y1) - max(box.y0, area.y0)
        # Boxes include the room for descenders; a pixel or two of that may touch.
        assert min(overlap) <= 2, (one.get_text(), other.get_text())


@pytest.mark.parametrize("kernel", [False, True])
@pytest.mark.parametrize(
    ("kind", "C"),
    [("redundant", 3), ("analog", 3), ("sparse", 3), ("none", 3), ("redundant", 2), ("analog", 10), ("redundant", 10)],
)
def test_texts_are_legible_and_do_not_overlap(make_layer, texts, kind, C, kernel):
    net = make_layer(kind, C, N=120, P=40 * C)
    figure = plots.layer(
        None,
        net.readouts,
        net.phi,
        net.labels,
        net.f,
        net.Y,
        net.scheme,
        title=f"{kind} network, N = 120",
        theory=np.cov(net.readouts.T),
        footnote="Data: synthetic",
        badge="QUICK SIZE",
        K=net.K if kernel else None,
    )
    found = texts(figure)
    assert_legible(figure, found)
    shown = {text.get_text().replace("\n", " ") for text, _ in found}
    assert {"QUICK SIZE", "Data: synthetic", f"{kind} network, N = 120", "a", "b", "c"} <= shown
    assert ("d" in shown) == kernel
    if kind == "redundant" and C == 3:
        assert {"1-1-0", "1-0-1", "0-1-1", "neuron $i$, by code"} <= shown
    if kind == "sparse":
        assert {"1-0-0", "0-1-0", "0-0-1", "bulk", "the 20 most active of 120 neurons"} <= shown
    assert "dashed: theory" in shown


def test_single_output(make_layer, texts):
    net = make_layer("redundant", 2)
    figure = plots.layer(
        None, net.readouts[:, :1], net.phi, net.labels, net.f[:, :1], net.Y[:, :1], net.scheme, title="m = 1"
    )
    found = texts(figure)
    assert_legible(figure, found)
    assert {"neurons", "output $f(x_\\mu)$"} <= {text.get_text() for text, _ in found}


def test_more_than_a_hundred_codes(texts):
    rng = np.random.default_rng(4001)
    table = rng.permutation(np.array(list(itertools.product([0, 1], repeat=8)))[1:-1])[:150].astype(bool)
    labels = np.arange(240) % 8
    phi = np.clip(0.1 + 0.8 * table[:, labels] + 0.05 * rng.normal(size=(150, 240)), 0, 1)
    scheme = codes.detect(phi, labels, "sigmoid")
    assert len(scheme.codes) == 150
    Y = np.eye(8)[labels]
    figure = plots.layer(None, table - 0.4, phi, labels, Y, Y, scheme)
    found = texts(figure)
    assert_legible(figure, found)
    assert "neuron $i$, by code (150 codes)" in {text.get_text() for text, _ in found}


def test_centres_of_codes_and_a_given_figure(make_layer, texts):
    net = make_layer("redundant")
    own = Figure(figsize=(7, 2.75))
    theory = SimpleNamespace(readout_covariance=None, codes=SimpleNamespace(readout=np.array([[1.6, 1.6, -0.4]])))
    figure = plots.layer(own, net.readouts, net.phi, net.labels, net.f, net.Y, net.scheme, theory=theory)
    assert figure is own
    assert "+: theory" in {text.get_text() for text, _ in texts(figure)}
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "+"]
    np.testing.assert_allclose(crosses[0].get_xydata(), [[1.6, 1.6]])


def test_outliers_of_the_theory_lie_over_those_of_the_samples(make_layer, texts):
    net = make_layer("sparse")
    # The theory's readouts are in units of N^(1/2).
    outliers = Outliers(np.array([[0.5, -0.25, 0.0]]), np.zeros((1, 3)), np.ones(1))
    posterior = SimpleNamespace(network=SimpleNamespace(width=64))
    theory = SimpleNamespace(outliers=outliers, posterior=posterior)
    figure = plots.layer(None, net.readouts, net.phi, net.labels, net.f, net.Y, net.scheme, theory=theory)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "+"]
    np.testing.assert_allclose(crosses[0].get_xydata(), [[4.0, -2.0]])
    dots = max(points.get_zorder() for points in figure.axes[0].collections)
    assert crosses[0].get_zorder() > dots
    bare = SimpleNamespace(posterior=posterior)
    figure = plots.layer(None, net.readouts, net.phi, net.labels, net.f, net.Y, net.scheme, theory=bare)
    assert not any("theory" in text.get_text() for text, _ in texts(figure))


def test_arrays_that_do_not_fit_are_refused(make_layer):
    net = make_layer("redundant")
    arguments = dict(
        readouts=net.readouts, activations=net.phi, labels=net.labels, outputs=net.f, Y=net.Y, scheme=net.scheme
    )
    for change, message in (
        ({"readouts": net.readouts[:-1]}, r"readouts have shape \(59, 3\)"),
        ({"readouts": net.readouts * np.nan}, "not finite"),
        ({"activations": net.phi[:, :-1]}, "labels have shape"),
        ({"outputs": net.f[:, :2]}, "do not fit"),
        ({"K": net.K[:-1]}, "do not fit"),
        ({"theory": np.eye(2)}, r"shape \(2, 2\)"),
        ({"names": ("a", "b")}, "2 names for 3 outputs"),
    ):
        with pytest.raises(InvalidInput, match=message):
            plots.layer(None, **(arguments | change))
