"""How the cores of this machine are shared out between points."""

import os
from collections.abc import Sequence
from importlib.metadata import entry_points

from nonlazy._machine import cores
from nonlazy.errors import InvalidInput
from nonlazy.experiments import Experiment


def points_at_once(wanted: int | None, experiments: Sequence[Experiment]) -> int:
    """How many points run at the same time: `wanted`, or one a core, or one where chains run on an accelerator.

    **Raises:** `nonlazy.errors.InvalidInput` for less than one, or more than there are cores.
    """
    available = len(cores())
    if wanted is not None:
        if wanted < 1 or wanted > available:
            raise InvalidInput(f"--jobs is {wanted}: this machine has {available} cores for it, take 1 to {available}")
        return min(wanted, len(experiments))
    if any(_batched(one) for one in experiments):
        return 1
    if not hasattr(os, "sched_setaffinity"):
        # Points cannot be held to their cores here: room is left for all their chains.
        return max(1, min(len(experiments), available // max(processes(one) for one in experiments)))
    return min(available, len(experiments))


def processes(experiment: Experiment) -> int:
    """The chains of a point that run at the same time, where cores allow it."""
    sampling = experiment.sampling
    # Chains that are shared out over devices run one after another.
    sequential = sampling.chain_method in ("sequential", "batched") or sampling.devices not in (None, 1)
    return 1 if sequential else sampling.chains


def share(slot: int, slots: int, wanted: int) -> tuple[int, ...] | None:
    """The cores of one of `slots` points that run at the same time, each with `wanted` chains.

    None where there is room for all of them: the system places them better. A point that has fewer cores than chains
    runs its chains one after another on these.
    """
    available = cores()
    if slots * wanted <= len(available) or slots > len(available) or not hasattr(os, "sched_setaffinity"):
        return None
    return available[slot * len(available) // slots : (slot + 1) * len(available) // slots]


def _batched(experiment: Experiment) -> bool:
    """Whether chains run as one batch, as they do on accelerators."""
    method = experiment.sampling.chain_method
    accelerator = entry_points(group="jax_plugins") and os.environ.get("JAX_PLATFORMS") != "cpu"
    return method == "batched" or (method != "processes" and bool(accelerator))
