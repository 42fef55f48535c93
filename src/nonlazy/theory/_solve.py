"""`solve`: from a posterior to the theory that holds for its activation function."""

from collections.abc import Callable, Mapping, Sequence
from typing import overload

from nonlazy.errors import InvalidInput
from nonlazy.network import Network
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task
from nonlazy.theory._linear import solve_linear
from nonlazy.theory._linear_prediction import LinearPrediction


Fractions = Mapping[tuple[int, ...], float]
Solver = Callable[[Posterior, bool, Fractions | None], LinearPrediction]

# By kind of activation function: a further theory enters here.
SOLVERS: dict[str, Solver] = {"linear": solve_linear}


@overload
def solve(network: Posterior, *, finite_size: bool = True, fractions: Fractions | None = None) -> LinearPrediction: ...


@overload
def solve(
    network: Network,
    task: Task,
    temperature: float = 0.0,
    readout_variance: float | None = None,
    weight_variance: float | Sequence[float] = 1.0,
    finite_size: bool = True,
    fractions: Fractions | None = None,
) -> LinearPrediction: ...


def solve(
    network: Posterior | Network,
    task: Task | None = None,
    temperature: float | None = None,
    readout_variance: float | None = None,
    weight_variance: float | Sequence[float] | None = None,
    finite_size: bool = True,
    fractions: Fractions | None = None,
) -> LinearPrediction:
    """The theory's answer for a network and a task: `solve(posterior)` or `solve(network, task, temperature=...)`.

    This version covers linear networks of any depth, on any task, at any temperature (docs/theory/linear.md).

    **Arguments:**

    - `network`: a `nonlazy.Posterior`, which has its own task, temperature and variances, or a `nonlazy.Network`.
    - `task`, `temperature` (default 0), `readout_variance` (default: the paper's scaling), `weight_variance`
      (default 1): as in `nonlazy.Posterior`, where `network` is a `Network`.
    - `finite_size`: the network's own N, P and T. False: the limit of large N and P (the paper's formulas; T = 0 for
      the non-lazy readout).
    - `fractions`: shares of neurons to hold fixed by code; linear networks have no codes.

    **Returns:** a `nonlazy.theory.Prediction`; for linear networks a `nonlazy.theory.LinearPrediction`.

    **Raises:** `nonlazy.errors.InvalidInput`, also where this version has no theory of the activation function.

    Source: van Meegen & Sompolinsky (2025), "Results" and "Methods".
    """
    posterior = _posterior(network, task, temperature, readout_variance, weight_variance)
    phi = posterior.network.phi
    if phi.kind not in SOLVERS:
        raise InvalidInput(
            f"activation {phi.name!r} is {phi.kind}: the theory of this version covers linear networks only "
            "(activation='linear'); sample this network instead, with nonlazy.sample"
        )
    return SOLVERS[phi.kind](posterior, finite_size, fractions)


def _posterior(network, task, temperature, readout_variance, weight_variance) -> Posterior:
    settings = {
        "task": task,
        "temperature": temperature,
        "readout_variance": readout_variance,
        "weight_variance": weight_variance,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    if isinstance(network, Posterior):
        if given:
            raise InvalidInput(
                f"{', '.join(given)} given next to a posterior, which has its own: "
                "leave them out, or pass the network and the task"
            )
        return network
    if task is None:
        raise InvalidInput("a network alone cannot be solved: pass a posterior, or the network and a task")
    return Posterior(network, **{"temperature": 0.0, **given})
