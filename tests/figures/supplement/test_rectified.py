"""Outliers that the theory gives ReLU networks, against what is known of two tasks."""

from nonlazy.figures.supplement import _rectified as rectified


def test_outliers_and_spread_of_known_tasks(monkeypatch):
    monkeypatch.setattr(rectified, "OUTPUTS", (2, 3))
    monkeypatch.setattr(rectified, "TARGETS", (-0.5,))
    counts, spread = rectified.outliers_of_the_theory()
    # One outlier a class, and classes of equal size leave the bulk no class to prefer.
    assert counts == {2: {-0.5: 2.0}, 3: {-0.5: 3.0}}
    assert all(0 <= spread[m][-0.5] < 0.05 for m in (2, 3))
