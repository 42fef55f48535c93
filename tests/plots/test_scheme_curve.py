"""A curve of code shares as a picture."""

import numpy as np

import nonlazy as nl
from nonlazy import plots


def test_every_code_has_its_line_and_every_transition_too(texts):
    posterior = nl.Posterior(nl.Network(20), nl.tasks.toy(20, 24, y_minus=0.5), 0.0)
    curve = nl.theory.transitions(posterior, np.linspace(0.4, 0.55, 7))
    figure = plots.scheme_curve(curve, title="a title")
    axes = figure.axes[0]
    assert len(axes.lines) == len(curve.codes) + len(curve.transitions) == 5
    shown = " ".join(text.get_text() for text, _ in texts(figure))
    for expected in (*curve.codes, "target $y_-$", "share of the neurons", "a title"):
        assert expected in shown
    stored = curve.to_xarray()
    np.testing.assert_allclose(stored["fraction"].sum("code"), 1.0)
    assert stored.sizes == {"y_minus": 7, "code": 4}
