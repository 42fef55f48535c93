"""A prediction as a picture."""

import nonlazy as nl
from nonlazy import plots


def test_linear_prediction(texts):
    task = nl.tasks.toy(40, 44, seed=4020)
    prediction = nl.theory.solve(nl.Posterior(nl.Network(50, 1, "linear"), task, 1e-3))
    figure = plots.prediction(prediction)
    # Equations are not folded: their blanks are of the kind that does not break.
    shown = " ".join(text.get_text() for text, _ in texts(figure)).replace("\u00a0", " ")
    for expected in ("readout $a_i^r$", "preactivation", "certified", "N = 50", "equilibrium"):
        assert expected in shown
    assert "a title" in " ".join(text.get_text() for text, _ in texts(plots.prediction(prediction, title="a title")))
