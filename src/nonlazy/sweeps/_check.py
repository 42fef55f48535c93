"""Whether the points of a sweep can be sampled, found out before the first one is."""

from collections.abc import Iterable

from nonlazy.errors import InvalidInput
from nonlazy.experiments import Experiment
from nonlazy.sampling._coordinates import orthogonal
from nonlazy.sampling._samplers import resolve_moves, resolve_sampler
from nonlazy.sampling._starts import resolve_start
from nonlazy.sweeps._parse import point_faults
from nonlazy.sweeps._sweep import Point


def check_points(name: str, points: Iterable[Point]) -> None:
    """Builds the posterior of every point, which reads or downloads its data, and checks how it is to be sampled.

    **Arguments:** `name`: of the sweep.

    **Raises:** `nonlazy.errors.InvalidInput` with what `nonlazy.sample` would refuse, one line a fault;
    `nonlazy.errors.DataError` where data cannot be had.
    """
    faults: dict[str, list[str]] = {}
    for point in points:
        try:
            _check(point.experiment)
        except InvalidInput as error:
            faults.setdefault(str(error), []).append(point.name)
    if faults:
        raise InvalidInput(f"sweep {name!r} cannot be run:\n" + "\n".join(f"  {line}" for line in point_faults(faults)))


def _check(experiment: Experiment) -> None:
    posterior = experiment.build()
    arguments = experiment.sampling_arguments()
    sampler = resolve_sampler(arguments.get("sampler"), posterior)
    resolve_start(arguments.get("start", "prior"), posterior)
    resolve_moves(arguments.get("moves"), posterior, sampler, orthogonal(posterior.task))
    if arguments.get("seed", 0) >= 2**31:
        raise InvalidInput(f"seed is {arguments['seed']}: it must be below 2^31")
