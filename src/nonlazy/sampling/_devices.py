"""How many devices a chain is shared out over, found out without importing JAX where that is one."""

from typing import Literal

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.sampling import _hosts
from nonlazy.sampling._samplers import Jumps, Moves


Devices = int | Literal["all"]


def resolve_devices(wanted: Devices | None) -> int:
    """The number of devices of each chain; raises `InvalidInput` where JAX does not have them."""
    if wanted is not None and wanted != "all":
        if not isinstance(wanted, int | np.integer) or isinstance(wanted, bool) or wanted < 1:
            raise InvalidInput(f"devices is {wanted!r}: it must be a whole number, 1 or more, or 'all'")
    if wanted is None or wanted == 1:
        _check_one_host(wanted)
        return 1
    import jax

    there = jax.devices()
    hosts = jax.process_count()
    kinds = sorted({device.device_kind for device in there})
    seen = f"{len(there)} ({', '.join(kinds)})"
    if wanted == "all":
        wanted = len(there)
    wanted = int(wanted)
    if wanted > len(there):
        testing = (
            "; to try it out on this machine, set "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={wanted} before Python starts"
            if there[0].platform == "cpu" and hosts == 1
            else ""
        )
        raise InvalidInput(f"devices is {wanted}, and JAX sees {seen}: choose at most {len(there)}{testing}")
    if hosts > 1 and wanted != len(there):
        raise InvalidInput(
            f"devices is {wanted}, and JAX runs on {hosts} hosts with {seen} devices: give devices='all'"
        )
    if wanted > 1 and len(kinds) > 1:
        raise InvalidInput(
            f"JAX sees devices of several kinds ({', '.join(kinds)}): the devices of one chain must round alike"
        )
    return wanted


def _check_one_host(wanted: Devices | None) -> None:
    """On many hosts every one of them would sample, and write to the same place."""
    if _hosts.several():
        given = "" if wanted is None else f" (devices is {wanted})"
        raise InvalidInput(
            f"JAX runs on several hosts, and a chain on one device{given} would run on each of them: give "
            "devices='all', or leave out jax.distributed.initialize()"
        )


def check_moves(devices: int, asked: object, moves: Moves | None) -> None:
    """Refuses jumps on more than one device; `asked` is what the user said, None for the default."""
    if devices > 1 and isinstance(moves, Jumps):
        which = "Jumps, the default here," if asked is None else "Jumps"
        raise InvalidInput(
            f"{which} run on one device, and devices is {devices}: leave devices out, or take moves='none', with which "
            "the shares of the codes stay those that the start leaves"
        )
