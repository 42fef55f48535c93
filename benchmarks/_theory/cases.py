"""What is solved: the posteriors of the figures, and MNIST at two sizes."""

from collections.abc import Callable
from typing import Any


FIGURE2 = {
    "linear": {"P": 200, "N0": 220, "y_minus": 0.0, "temperature": 1e-3},
    "sigmoid": {"P": 500, "N0": 520, "y_minus": 0.5, "temperature": 1e-3},
    "relu": {"P": 500, "N0": 520, "y_minus": -0.5, "temperature": 1e-2},
}


def figure2(activation: str) -> Any:
    """The posterior of one column of Fig. 2."""
    import nonlazy as nl

    sizes = dict(FIGURE2[activation])
    temperature = sizes.pop("temperature")
    return nl.Posterior(nl.Network(int(sizes["P"]), 1, activation), nl.tasks.toy(**sizes), temperature)


def deep(P: int, depth: int) -> Any:
    """Two or three sigmoidal hidden layers on the toy task."""
    import nonlazy as nl

    return nl.Posterior(nl.Network(P, depth, "sigmoid"), nl.tasks.toy(P, P + 20, y_minus=0.5), 1e-2)


def mnist(activation: str, P: int) -> Any:
    """Digits 0, 1, 2 with targets 1 and -1/2, as in Fig. 6, N = P."""
    import nonlazy as nl

    temperature = 1e-2 if activation == "relu" else 1e-3
    return nl.Posterior(nl.Network(P, 1, activation), nl.tasks.mnist(P), temperature)


def gaussian_process(P: int) -> Any:
    """The same digits for the Gaussian process."""
    import nonlazy as nl

    return nl.Posterior(nl.Network(P, 1, "relu", "lazy"), nl.tasks.mnist(P), 0.0)


CASES: dict[str, tuple[Callable[[], Any], float]] = {
    # A posterior, and the seconds that solving it may take.
    "Fig. 2 linear": (lambda: figure2("linear"), 1.0),
    "Fig. 2 sigmoid": (lambda: figure2("sigmoid"), 1.0),
    "Fig. 2 ReLU": (lambda: figure2("relu"), 1.0),
    "two sigmoidal layers": (lambda: deep(160, 2), 60.0),
    "three sigmoidal layers": (lambda: deep(120, 3), 120.0),
    "MNIST sigmoid, P = 100": (lambda: mnist("sigmoid", 100), 10.0),
    "MNIST sigmoid, P = 300": (lambda: mnist("sigmoid", 300), 120.0),
    "MNIST sigmoid, P = 1000": (lambda: mnist("sigmoid", 1000), 120.0),
    "MNIST ReLU, P = 100": (lambda: mnist("relu", 100), 10.0),
    "MNIST ReLU, P = 300": (lambda: mnist("relu", 300), 120.0),
    "MNIST ReLU, P = 1000": (lambda: mnist("relu", 1000), 120.0),
    "MNIST ReLU GP, P = 1000": (lambda: gaussian_process(1000), 10.0),
}
