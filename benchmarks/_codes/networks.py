"""Trained networks: posterior samples; MLPClassifier and a PyTorch perceptron on the digits of scikit-learn."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import nonlazy as nl


Show = Callable[[str, list[str], list[list[Any]]], None]


def table(quick: bool, show: Show) -> dict[str, dict[str, Any]]:
    """Trains and samples, finds the scheme of each layer and prints a table."""
    schemes = {**_posteriors(quick), **_perceptrons(quick), **_torch(quick)}
    rows = []
    for name, (scheme, accuracy) in schemes.items():
        n = len(scheme.codes)
        rows.append(
            [
                name,
                scheme.kind,
                f"{scheme.confidence:.2f}",
                n or "",
                f"{scheme.effective_codes:.1f}" if n else "",
                f"{scheme.evidence['signal_to_noise']:.3g}",
                f"{scheme.alignment.value:.2f} ({scheme.alignment.chance:.2f})",
                f"{scheme.collapse.nc1_trace:.2g}",
                accuracy,
            ]
        )
    titles = ["layer", "kind", "confidence", "codes", "effective", "signal/noise", "alignment", "NC1", "accuracy"]
    show("Trained networks", titles, rows)
    return {name: {"kind": scheme.kind, "evidence": dict(scheme.evidence)} for name, (scheme, _) in schemes.items()}


def _posteriors(quick: bool) -> dict[str, Any]:
    N = 60 if quick else 150
    found = {}
    for activation, y_minus, temperature, readout in (
        ("sigmoid", 0.5, 1e-3, "non-lazy"),
        ("relu", -0.5, 1e-2, "non-lazy"),
        ("linear", 0.0, 1e-3, "non-lazy"),
        ("sigmoid", 0.5, 1e-2, "lazy"),
        ("relu", -0.5, 1e-2, "lazy"),
    ):
        task = nl.tasks.toy(P=N, N0=N + 10, class_ratios=(0.5, 0.25, 0.25), y_minus=y_minus, seed=0)
        posterior = nl.Posterior(nl.Network(N, activation=activation, readout=readout), task, temperature)
        run = nl.sample(posterior, draws=20, seed=3, progress=False)
        scheme = nl.codes.detect(run.activations(), task.labels, activation)
        found[f"posterior, {activation}, {readout}"] = scheme, ""
    return found


def _digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = ((X - X.mean(axis=0)) / 8)[order], y[order]
    return X[:1200], y[:1200], X[1200:], y[1200:]


def _perceptrons(quick: bool) -> dict[str, Any]:
    """Read on the inputs that they were not trained on, beside the same network after no step of training."""
    from sklearn.neural_network import MLPClassifier

    X, y, X_test, y_test = _digits()
    found = {}
    phi = {"relu": lambda z: np.maximum(z, 0), "logistic": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}
    for activation, function in phi.items():
        for decay in (1e-4, 1.0):
            layers = []
            accuracy = ""
            for steps in (20 if quick else 300, 0):
                network = MLPClassifier(
                    (100,),
                    activation=activation,
                    alpha=decay,
                    max_iter=max(steps, 1),
                    learning_rate_init=1e-3 if steps else 1e-12,
                    random_state=0,
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    network.fit(X, y)
                layers.append(function(X_test @ network.coefs_[0] + network.intercepts_[0]).T)
                accuracy = accuracy or f"{100 * network.score(X_test, y_test):.1f} %"
            scheme = nl.codes.detect(layers[0], y_test, reference=layers[1])
            found[f"MLPClassifier, {activation}, alpha {decay:g}"] = scheme, accuracy
    return found


def _torch(quick: bool) -> dict[str, Any]:
    """A perceptron trained by SGD with weight decay, with the paper's readout 1/N and the lazy one, 1/sqrt(N)."""
    try:
        import torch
    except ImportError:
        return {}
    X, y, X_test, y_test = _digits()
    width = 200
    found = {}
    for lazy in (False, True):
        torch.manual_seed(0)
        scale = width**-0.5 if lazy else 1.0 / width
        hidden, readout = torch.nn.Linear(64, width), torch.nn.Linear(width, 10, bias=False)
        torch.nn.init.normal_(hidden.weight, std=1 / 8)
        torch.nn.init.normal_(readout.weight)
        network = torch.nn.Sequential(hidden, torch.nn.Sigmoid(), readout)
        before = nl.codes.capture(network, X_test)
        inputs, targets = torch.tensor(X, dtype=torch.float32), torch.nn.functional.one_hot(torch.tensor(y)).float()
        # A step of the non-lazy network is N times larger, so that its outputs move as fast; the decay acts on the
        # weights as the paper's priors do.
        rate = 0.2 if lazy else 0.2 * width
        decay = 1e-4 / (1 if lazy else width)
        optimiser = torch.optim.SGD(network.parameters(), lr=rate, weight_decay=decay)
        generator = torch.Generator().manual_seed(0)
        for _ in range(20 if quick else 1000):
            for batch in torch.randperm(len(y), generator=generator).split(100):
                optimiser.zero_grad()
                torch.nn.functional.mse_loss(scale * network(inputs[batch]), targets[batch]).backward()
                optimiser.step()
        with torch.no_grad():
            right = network(torch.tensor(X_test, dtype=torch.float32)).argmax(1).numpy() == y_test
        after = nl.codes.capture(network, X_test)
        scheme = after.detect(y_test, reference=before)["1"]
        found[f"PyTorch, SGD, {'lazy' if lazy else 'non-lazy'}"] = scheme, f"{100 * right.mean():.1f} %"
    return found
