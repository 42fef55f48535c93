"""Small layers of the three schemes, with readouts, outputs and targets."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy.special import erf

from nonlazy import codes


def one_layer(kind, C=3, N=60, P=80, seed=4000):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(P) % C)
    if kind == "redundant":
        table = ~np.eye(C, dtype=bool) if C > 2 else np.eye(C, dtype=bool)
        truth = table[np.arange(N) % C]
        phi = 0.5 + 0.5 * erf(2.5 * (truth[:, labels] - 0.5) + 0.4 * rng.normal(size=(N, P)))
        readouts = 2.0 * truth - 0.4 + 0.05 * rng.normal(size=(N, C))
    elif kind == "analog":
        readouts = rng.normal(size=(N, C)) * 0.7
        phi = 1.4 * readouts[:, labels] + rng.normal(size=(N, P))
    elif kind == "sparse":
        phi = np.maximum(0.2 + rng.normal(size=(N, P)), 0)
        readouts = 0.1 * rng.normal(size=(N, C))
        for c in range(C):
            phi[7 * c + 2] = np.where(labels == c, 20 + rng.normal(size=P), 0)
            readouts[7 * c + 2] = np.where(np.arange(C) == c, 12, -6)
    else:
        readouts, phi = rng.normal(size=(N, C)), rng.normal(size=(N, P))
    Y = np.where(np.eye(C)[labels] == 1, 1.0, -0.5)
    scheme = codes.detect(phi, labels)
    assert scheme.kind == kind
    return SimpleNamespace(
        phi=phi,
        labels=labels,
        readouts=readouts,
        Y=Y,
        f=Y + 0.02 * rng.normal(size=Y.shape),
        K=phi.T @ phi / N,
        scheme=scheme,
        truth=None,
    )


@pytest.fixture(scope="session")
def make_layer():
    return one_layer


@pytest.fixture(scope="session")
def texts():
    """All visible, non-empty texts of a figure with their boxes in pixels, after drawing it."""

    def find(figure):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        found = []
        for text in figure.findobj(lambda artist: hasattr(artist, "get_text") and hasattr(artist, "get_fontsize")):
            if text.get_visible() and text.get_text().strip():
                box = text.get_window_extent(renderer)
                # Tick labels beyond the limits of their axis exist but are not drawn.
                if box.width > 0 and _drawn(text, figure):
                    found.append((text, box))
        return found

    return find


def _drawn(text, figure):
    for axes in [axes for parent in figure.axes for axes in (parent, *parent.child_axes)]:
        for axis in (axes.xaxis, axes.yaxis):
            ticks = axis.get_major_ticks()
            if any(text in (tick.label1, tick.label2) for tick in [*ticks, *axis.get_minor_ticks()]):
                low, high = sorted(axis.get_view_interval())
                shown = [tick for tick in ticks if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
                return axes.get_visible() and any(text in (tick.label1, tick.label2) for tick in shown)
    return True
