"""Small and odd random tasks, on which the solver must give an answer or a true reason."""

import numpy as np

import nonlazy as nl


KINDS = ("gaussian", "few dimensions", "duplicated", "constant", "clusters", "nearly orthogonal", "contradicting")


def random_posterior(seed, smallest=4, largest=60, most_outputs=6):
    """A random task: one of `KINDS` by turns; 1 to 6 outputs; any targets, sizes, temperatures and variances."""
    generator = np.random.default_rng([2025, 11, seed])
    kind = KINDS[seed % len(KINDS)]
    m = int(generator.integers(1, most_outputs + 1))
    C = max(m, 2)
    P = int(generator.integers(max(smallest, C), largest + 1))
    N0 = int(generator.integers(P, 3 * P + 1))
    if kind == "few dimensions":
        N0 = int(generator.integers(2, max(3, P // 2) + 1))
    labels = np.concatenate([np.arange(C), generator.integers(0, C, P - C)])
    X = generator.standard_normal((P, N0))
    y_minus = float(generator.uniform(-1, 0.9))
    if kind == "clusters":
        X = 0.3 * X + 1.5 * generator.standard_normal((C, N0))[labels]
    if kind in ("duplicated", "contradicting"):
        half = (P + 1) // 2
        X[half:] = X[: P - half]
        if kind == "duplicated":
            labels[half:] = labels[: P - half]
    if kind == "nearly orthogonal":
        X = np.sqrt(N0) * np.linalg.qr(generator.standard_normal((N0, P)))[0].T + 0.1 * X
    labels = np.unique(labels, return_inverse=True)[1]
    Y = np.where(labels == 0, 1.0, -1.0)[:, None] if m == 1 else np.where(np.arange(m) == labels[:, None], 1.0, y_minus)
    if kind == "constant":
        Y = np.tile(Y[0], (P, 1))
    temperature = float(10 ** generator.uniform(-3, np.log10(0.3)))
    width = int(generator.integers(10, 301))
    s2, sigma2 = float(generator.choice([1.0, 1.0, 0.3, 3.0])), float(generator.choice([1.0, 1.0, 0.5, 2.0]))
    network = nl.Network(width, activation=str(generator.choice(["sigmoid", "sigmoid", "erf"])))
    return nl.Posterior(network, nl.tasks.from_arrays(X, Y, labels=labels), temperature, s2 / P, sigma2)
