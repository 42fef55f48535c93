"""Random toy tasks, and what a solution of any of them must satisfy, found out independently of the solver."""

import numpy as np

import nonlazy as nl
from nonlazy.theory.rectified import solve_rectified


def random_posterior(seed: int, P: int = 240) -> nl.Posterior:
    """m from 2 to 6, any ratios, y- from -1 to 0.9 times y+, target scales from 0.03 to 10, three temperatures."""
    generator = np.random.default_rng(seed)
    m = int(generator.integers(2, 7))
    shares = np.maximum(generator.dirichlet(np.full(m, 3.0)), 0.02)
    scale = 10 ** generator.uniform(-1.5, 1.0)
    task = nl.tasks.toy(
        P=P,
        N0=P + 10,
        class_ratios=tuple(shares / shares.sum()),
        y_plus=scale,
        y_minus=scale * generator.uniform(-1, 0.9),
        seed=seed,
    )
    temperature = float(generator.choice([0.0, 1e-2, 0.1])) * scale
    activation = "softplus" if seed % 5 == 4 else "relu"
    return nl.Posterior(nl.Network(400, activation=activation), task, temperature)


def largest_ball_value(t, ratios, seed: int = 0) -> float:
    """max over unit v of sum_c rho_c [t_c . v]_+^2, by ascent from many starts: a lower bound."""
    generator = np.random.default_rng(seed)
    v = generator.standard_normal((2000, t.shape[1]))
    for _ in range(300):
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        # A power iteration; directions in which no class is active stay where they are.
        v = (np.maximum(v @ t.T, 0.0) * ratios) @ t + 1e-6 * v
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    return float(np.max(np.maximum(v @ t.T, 0.0) ** 2 @ ratios))


def check(posterior: nl.Posterior) -> None:
    """Solved to 1e-9, inside the dual ball, consistent; and certified, or the text says why not."""
    prediction = solve_rectified(posterior, finite_size=False)
    assert prediction.residual < 1e-9
    if prediction.certified:
        assert prediction.gap < 1e-8 * max(1.0, float(np.max(np.abs(posterior.task.Y))))
    else:
        assert "not proved" in prediction.certificate
    task = posterior.task
    np.testing.assert_allclose(
        prediction.predict(task.X),
        task.Y - posterior.temperature * prediction.field,
        atol=1e-9 * float(np.max(np.abs(task.Y))),
    )
    # One row of t a class: the field has the symmetry of the task. K_0 = 1, so it is in the units of the dual ball.
    first = np.searchsorted(task.labels, np.arange(task.classes))
    ratios = np.bincount(task.labels) / task.P
    assert largest_ball_value(prediction.field[first], ratios) < 1 + 1e-8
    for readout, z in zip(prediction.outliers.readout, prediction.outliers.preactivation, strict=True):
        np.testing.assert_allclose(readout @ readout, ratios @ z**2, rtol=1e-8)
