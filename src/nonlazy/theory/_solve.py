"""`solve`: from a posterior to the theory that holds for its network and task."""

from collections.abc import Callable, Mapping, Sequence

from threadpoolctl import threadpool_limits

from nonlazy.errors import InvalidInput
from nonlazy.network import Network
from nonlazy.posterior import Posterior
from nonlazy.tasks import Task
from nonlazy.theory._prediction import Prediction


Fractions = Mapping[tuple[int, ...], float]
_LARGEST_ON_ONE_THREAD = 1500
Solver = Callable[[Posterior, bool, Fractions | None], Prediction]


def solve(
    network: Posterior | Network,
    task: Task | None = None,
    temperature: float | None = None,
    readout_variance: float | None = None,
    weight_variance: float | Sequence[float] | None = None,
    finite_size: bool = True,
    fractions: Fractions | None = None,
) -> Prediction:
    """The theory's answer for a network and a task: `solve(posterior)` or `solve(network, task, temperature=...)`.

    It covers linear networks (any depth, any task), sigmoidal ones with one hidden layer (any task) or with two and
    three (orthogonal inputs), and rectified ones with one hidden layer; docs/README.md lists the derivations. What it
    does not cover is refused with the reason. `nonlazy.theory.gaussian_process` is the baseline without features.

    **Arguments:**

    - `network`: a `nonlazy.Posterior`, which has its own task, temperature and variances, or a `nonlazy.Network`.
    - `task`, `temperature` (default 0), `readout_variance` (default: the paper's scaling), `weight_variance`
      (default 1): as in `nonlazy.Posterior`, where `network` is a `Network`.
    - `finite_size`: the network's own N, P and T. False: the limit of large N and P (the paper's formulas; T = 0 for
      the non-lazy linear network).
    - `fractions`: shares of neurons to hold fixed by code, as a mapping such as `{(1, 1, 0): 0.6, (1, 0, 1): 0.4}` that
      sums to 1: the quenched theory, for chains whose neurons keep their codes. None: equilibrium.

    **Returns:** a `nonlazy.theory.Prediction`.

    **Raises:** `nonlazy.errors.InvalidInput`, also where there is no theory of this network;
    `nonlazy.errors.TheoryError` where its equations could not be solved to the accuracy that is promised.

    Source: van Meegen & Sompolinsky (2025), "Results" and "Methods".
    """
    posterior = _posterior(network, task, temperature, readout_variance, weight_variance)
    solver = _solver(posterior)
    # Thousands of small factorizations: threads that wait for each other cost far more than they bring.
    threads = 1 if posterior.task.P * posterior.task.m <= _LARGEST_ON_ONE_THREAD else None
    with threadpool_limits(threads, user_api="blas"):
        return solver(posterior, finite_size, fractions)


def _solver(posterior: Posterior) -> Solver:
    """The solver of a network and its task, imported on first use."""
    network = posterior.network
    phi = network.phi
    if phi.kind == "linear":
        from nonlazy.theory.linear import solve_linear

        return solve_linear
    if network.readout == "lazy":
        raise InvalidInput(
            f"the readout is lazy and the activation {phi.name!r}: features do not learn in the limit of large N; "
            "nonlazy.theory.gaussian_process(network, task) is its theory (at finite P/N there is one for linear "
            "networks only)"
        )
    if phi.kind == "rectified":
        from nonlazy.theory.rectified import solve_rectified

        return solve_rectified
    if network.depth > 1:
        from nonlazy.theory.deep import solve_deep

        return solve_deep
    from nonlazy.theory.sigmoidal import is_classwise, solve_sigmoidal_classes

    if is_classwise(posterior):
        return solve_sigmoidal_classes
    from nonlazy.theory.sigmoidal.general import solve_sigmoidal_general

    return solve_sigmoidal_general


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
