"""What `sample` is asked for, checked before any work."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nonlazy.errors import InvalidInput
from nonlazy.posterior import Posterior
from nonlazy.sampling._coordinates import orthogonal
from nonlazy.sampling._devices import check_moves
from nonlazy.sampling._samplers import Moves, Sampler, resolve_moves, resolve_sampler
from nonlazy.sampling._schedule import default_warmup, warmup_phases
from nonlazy.sampling._starts import Start, resolve_start


ChainMethod = Literal["processes", "batched", "sequential"]
Whole = int | np.integer
_PRECISIONS = ("float32", "float64")


@dataclass(frozen=True)
class Request:
    """What `nonlazy.sample` is asked for, with its defaults.

    **Fields:** as its arguments; `chain_method` is None where the machine decides it.
    """

    draws: int
    chains: int
    thin: int
    seed: int
    warmup: int
    sampler: Sampler
    moves: Moves | None
    start: Start
    chain_method: ChainMethod | None


def check_request(
    posterior: Posterior,
    draws: Whole,
    chains: Whole = 1,
    seed: Whole = 0,
    start: Start | str = "prior",
    moves: Moves | str | None = None,
    *,
    sampler: Sampler | str | None = None,
    warmup: Whole | None = None,
    thin: Whole = 1,
    precision: Literal["float32", "float64"] = "float32",
    chain_method: ChainMethod | None = None,
    devices: int = 1,
    checkpoint_seconds: float = 5.0,
) -> Request:
    """Checks what `nonlazy.sample` may be asked for: nothing is written, nothing sampled, no device looked for.

    **Arguments:** as those of `nonlazy.sample` that have to do with the draws; `devices` is their number.

    **Returns:** the request with its defaults.

    **Raises:** `nonlazy.errors.InvalidInput` for what `nonlazy.sample` refuses.
    """
    numbers = (
        ("draws", draws, 1),
        ("chains", chains, 1),
        ("thin", thin, 1),
        ("seed", seed, 0),
        ("devices", devices, 1),
    )
    for name, value, least in numbers:
        _whole(name, value, least)
    if seed >= 2**31:
        raise InvalidInput(f"seed is {seed}: it must be below 2^31")
    if precision not in _PRECISIONS:
        raise InvalidInput(f"precision is {precision!r}: choose one of {', '.join(_PRECISIONS)}")
    if not isinstance(checkpoint_seconds, int | float | np.number) or not checkpoint_seconds >= 0:
        raise InvalidInput(f"checkpoint_seconds is {checkpoint_seconds!r}: it must be 0 or more")
    sampler = resolve_sampler(sampler, posterior)
    start = resolve_start(start, posterior)
    asked, moves = moves, resolve_moves(moves, posterior, sampler, orthogonal(posterior.task))
    check_moves(devices, asked, moves)
    warmup = default_warmup(posterior, sampler, moves) if warmup is None else warmup
    _whole("warmup", warmup, 0)
    # The phases of the warm-up refuse starts that do not fit the temperature, the targets or the sampler.
    warmup_phases(posterior, sampler, moves, start, int(warmup))
    method = _chain_method(chain_method, devices)
    return Request(int(draws), int(chains), int(thin), int(seed), int(warmup), sampler, moves, start, method)


def _whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InvalidInput(f"{name} is {value!r}: it must be a whole number, {least} or more")


def _chain_method(wanted: ChainMethod | None, devices: int) -> ChainMethod | None:
    if devices > 1:
        if wanted not in (None, "sequential"):
            raise InvalidInput(
                f"chain_method is {wanted!r}, and devices is {devices}: chains over many devices run one after "
                "another, chain_method='sequential'"
            )
        return "sequential"
    if wanted not in (None, "processes", "batched", "sequential"):
        raise InvalidInput(f"chain_method is {wanted!r}: choose 'processes', 'batched' or 'sequential'")
    return wanted
