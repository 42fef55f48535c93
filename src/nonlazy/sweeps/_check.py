"""Whether the points of a sweep can be sampled, found out before the first one is."""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from nonlazy.errors import InvalidInput
from nonlazy.experiments import Experiment
from nonlazy.sampling import check_request
from nonlazy.sweeps._parse import point_faults
from nonlazy.sweeps._process import environment
from nonlazy.sweeps._sweep import Point


# What the devices of a machine are is asked of a process of its own: here JAX would keep their memory.
_ASK = """
import json, sys
from nonlazy.errors import NonlazyError
from nonlazy.sampling._devices import resolve_devices
found = {}
for wanted in json.load(sys.stdin):
    try:
        found[str(wanted)] = resolve_devices(wanted)
    except NonlazyError as error:
        found[str(wanted)] = str(error)
print(json.dumps(found))
"""


def check_points(name: str, points: Iterable[Point], elsewhere: bool = False) -> bool:
    """Builds the posterior of every point, which reads or downloads its data, and checks how it is to be sampled.

    **Arguments:** `name`: of the sweep; `elsewhere`: points run on other machines, whose devices are not known here.

    **Returns:** whether some point has test inputs.

    **Raises:** `nonlazy.errors.InvalidInput` with what `nonlazy.sample` would refuse, one line a fault;
    `nonlazy.errors.DataError` where data cannot be had.
    """
    points = tuple(points)
    counts = _device_counts({point.experiment.sampling.devices for point in points}, elsewhere)
    faults: dict[str, list[str]] = {}
    tests = False
    for point in points:
        try:
            tests |= _check(point.experiment, counts[point.experiment.sampling.devices])
        except InvalidInput as error:
            faults.setdefault(str(error), []).append(point.name)
    if faults:
        raise InvalidInput(f"sweep {name!r} cannot be run:\n" + "\n".join(f"  {line}" for line in point_faults(faults)))
    return tests


def _check(experiment: Experiment, devices: int | str) -> bool:
    """Whether there are test inputs; raises `nonlazy.errors.InvalidInput` for what cannot be sampled."""
    posterior = experiment.build()
    if isinstance(devices, str):
        raise InvalidInput(devices)
    # What is recorded was checked when the file was read.
    arguments = {name: value for name, value in experiment.sampling_arguments().items() if name != "record"}
    check_request(posterior, **{**arguments, "devices": devices})
    return posterior.task.X_test is not None


def _device_counts(wanted: set[int | str | None], elsewhere: bool) -> dict[int | str | None, int | str]:
    """The number of devices of a chain for each request, or why it cannot be met."""
    counts: dict[Any, int | str] = {one: one if isinstance(one, int) else 1 for one in wanted}
    asked = sorted((one for one in wanted if one not in (None, 1)), key=str)
    if elsewhere or not asked:
        return counts
    found = subprocess.run(
        [sys.executable, "-P", "-c", _ASK], input=json.dumps(asked), capture_output=True, text=True, env=environment()
    )
    if found.returncode:
        raise InvalidInput(f"the devices of this machine cannot be found out: {found.stderr.strip()[-2000:]}")
    told = json.loads(found.stdout.splitlines()[-1])
    return counts | {one: told[str(one)] for one in asked}
