"""Layers of known coding scheme, drawn from the single-neuron laws of the theory, and null layers."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import erf


GRID = np.linspace(-8, 8, 4001)


def sigmoid(z):
    return 0.5 + 0.5 * erf(np.sqrt(np.pi) / 2 * z)


# sampling.md section 7: neurons of 500, readout centres and mean activations of the sigmoidal network of Fig. 2.
SIGMOID_CODES = {
    (1, 1, 0): (152, (1.717, 1.553, -0.377), (0.902, 0.929, 0.093)),
    (1, 0, 1): (153, (1.710, -0.374, 1.546), (0.902, 0.094, 0.928)),
    (0, 1, 1): (147, (-0.433, 1.614, 1.613), (0.170, 0.943, 0.942)),
    (1, 1, 1): (48, (1.01, 1.34, 1.34), (0.757, 0.906, 0.905)),
}
RELU_OUTLIERS = (
    ((16.34, -8.17, -8.17), 28.32),
    ((-7.61, 14.31, -6.70), 35.09),
    ((-7.61, -6.70, 14.31), 35.09),
)


def labels_at_ratios(P, ratios, rng):
    counts = np.round(np.asarray(ratios) * P).astype(int)
    counts[0] += P - counts.sum()
    return rng.permutation(np.repeat(np.arange(len(ratios)), counts))


def tilted_sigmoid(mean, size, rng):
    """Activations phi(z) with z of density N(z) exp(h phi(z)), where h gives the activation the wanted mean."""
    phi = sigmoid(GRID)

    def density(h):
        log = -(GRID**2) / 2 + h * phi
        weight = np.exp(log - log.max())
        return weight / weight.sum()

    h = brentq(lambda h: density(h) @ phi - mean, -60, 60)
    return sigmoid(np.interp(rng.random(size), np.cumsum(density(h)), GRID))


def sigmoidal(rng, N=200, P=200, ratios=(0.5, 0.25, 0.25), codes=SIGMOID_CODES):
    """Redundant layer: activations, labels, readouts, the code of each neuron as a row."""
    labels = labels_at_ratios(P, ratios, rng)
    weights = np.array([number for number, _, _ in codes.values()], float)
    number = np.floor(N * weights / weights.sum()).astype(int)
    number[0] += N - number.sum()
    rows, readouts, truth = [], [], []
    for (code, (_, centre, means)), n in zip(codes.items(), number, strict=True):
        block = np.empty((n, P))
        for c, mean in enumerate(means):
            block[:, labels == c] = tilted_sigmoid(mean, (n, int((labels == c).sum())), rng)
        rows.append(block)
        readouts.append(centre + rng.normal(size=(n, len(centre))) / np.sqrt(P))
        truth += [code] * n
    shuffle = rng.permutation(N)
    return np.concatenate(rows)[shuffle], labels, np.concatenate(readouts)[shuffle], np.array(truth)[shuffle]


def binary_codes(rng, N, P, C, gap=0.8, spread=0.05, within=0.2, active=0.4, distinct=None):
    """Redundant layer with random codes of C classes: levels (1 -+ gap) / 2, fluctuating from neuron to neuron."""
    labels = labels_at_ratios(P, np.full(C, 1 / C), rng)
    if distinct is None:
        codes = rng.random((N, C)) < active
    else:
        table = rng.random((50 * distinct, C)) < active
        table = np.unique(table[table.any(axis=1) & ~table.all(axis=1)], axis=0)
        codes = rng.permutation(table)[:distinct][np.arange(N) % distinct]
    means = 0.5 + gap * (codes - 0.5) + spread * rng.normal(size=codes.shape)
    return means[:, labels] + within * rng.normal(size=(N, P)), labels, codes


def linear(rng, N=200, P=200, ratios=(0.5, 0.25, 0.25), y=(1.0, 0.0)):
    """Analog layer: a ~ N(0, U), z = a U^-1 Y^T + N(0, 1), U^2 = Y^T Y / P; activations, labels, readouts, U."""
    labels = labels_at_ratios(P, ratios, rng)
    C = len(ratios)
    Y = np.where(np.eye(C)[labels] == 1, *y)
    values, vectors = np.linalg.eigh(Y.T @ Y / P)
    U = vectors * np.sqrt(values) @ vectors.T
    readouts = rng.normal(size=(N, C)) @ np.linalg.cholesky(U).T
    return readouts @ np.linalg.solve(U, Y.T) + rng.normal(size=(N, P)), labels, readouts, U


def relu(rng, N=200, P=200, ratios=(0.5, 0.25, 0.25)):
    """Sparse layer: three outliers, one a class, and a bulk; activations, labels, readouts, outlier of each class."""
    labels = labels_at_ratios(P, ratios, rng)
    scale = np.sqrt(N / 500)
    mean = np.array([0.15, -0.07, -0.07]) + 0.06 * rng.normal(size=(N, 3))
    layer = np.maximum(mean[:, labels] + rng.normal(size=(N, P)), 0)
    readouts = np.array([0.127, -0.063, -0.063]) + rng.normal(size=(N, 3)) / np.sqrt(P)
    places = rng.permutation(N)[:3]
    for c, (centre, height) in enumerate(RELU_OUTLIERS):
        layer[places[c]] = np.where(labels == c, np.maximum(scale * height + rng.normal(size=P), 0), 0)
        readouts[places[c]] = np.array(centre) * scale
    return layer, labels, readouts, places


def random_features(rng, N, P, C, phi, N0=None, clustered=0.0):
    """Untrained layer: phi of random projections; with `clustered` > 0 the inputs of a class share a centre."""
    labels = rng.permutation(np.arange(P) % C)
    N0 = 2 * P if N0 is None else N0
    X = rng.normal(size=(P, N0)) + clustered * rng.normal(size=(C, N0))[labels]
    X /= np.sqrt(np.mean(X**2, axis=1, keepdims=True))
    return phi(rng.normal(size=(N, N0)) @ X.T / np.sqrt(N0)), labels, X


def rotated(rng, layer):
    """The same kernel in another basis of neuron space."""
    return np.linalg.qr(rng.normal(size=(layer.shape[0], layer.shape[0])))[0] @ layer


def null_layer(rng):
    """A layer that learned nothing, its labels, and an untrained reference where its inputs are grouped by class."""
    N, P, C = int(rng.integers(20, 250)), int(rng.integers(30, 250)), int(rng.integers(2, 11))
    phi = (sigmoid, lambda z: np.maximum(z, 0), lambda z: z)[rng.integers(3)]
    kind = ("noise", "heavy", "features", "clustered", "shuffled", "rare", "constant")[rng.integers(7)]
    labels = rng.permutation(np.arange(P) % C)
    if kind == "noise":
        return kind, phi(rng.normal(size=(N, P))), labels, None
    if kind == "heavy":
        return kind, np.exp(1.5 * rng.normal(size=(N, P))), labels, None
    if kind == "features":
        return kind, *random_features(rng, N, P, C, phi, N0=int(rng.integers(3, 3 * P)))[:2], None
    if kind == "clustered":
        strength = rng.uniform(0, 2)
        layer, labels, X = random_features(rng, N, P, C, phi, clustered=strength)
        reference = phi(rng.normal(size=(N, X.shape[1])) @ X.T / np.sqrt(X.shape[1]))
        return kind, layer, labels, reference
    if kind == "shuffled":
        layer, labels, *_ = (sigmoidal, linear, relu)[rng.integers(3)](rng, N, P)
        return kind, layer, rng.permutation(labels), None
    if kind == "rare":
        return kind, np.where(rng.random((N, P)) < 2 / P, rng.exponential(size=(N, P)), 0.0), labels, None
    return kind, np.repeat(rng.normal(size=(N, 1)), P, axis=1), labels, None
